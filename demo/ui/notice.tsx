/** One sentence about what went wrong, with what can be done. */
import * as app from '../state/app.ts';
import { Explained, IconButton } from './controls.tsx';
import { Icon } from './icons.tsx';

export function NoticeBar() {
  const { value: notice } = app.notice;
  return (
    <div class="notice-place" role="alert">
      {notice && (
        <div class={`notice ${notice.kind}`}>
          <Icon name={notice.kind === 'problem' ? 'warning' : 'check'} />
          <p>
            <Explained {...notice} />
          </p>
          {notice.action && (
            <button
              type="button"
              class="text-button"
              onClick={() => {
                app.notice.value = null;
                notice.action?.run();
              }}
            >
              {notice.action.label}
            </button>
          )}
          <IconButton icon="close" label="Dismiss" onClick={() => (app.notice.value = null)} />
        </div>
      )}
    </div>
  );
}
