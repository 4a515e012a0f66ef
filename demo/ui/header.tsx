/** The page's top: what it is, which photo, and what can be done with the result. */
import * as app from '../state/app.ts';
import { IconButton } from './controls.tsx';
import { Icon, Mark } from './icons.tsx';

export function Header({
  onOpen,
  onSave,
  onInfo,
}: {
  readonly onOpen: () => void;
  readonly onSave: () => void;
  readonly onInfo: () => void;
}) {
  const picture = app.device.value.kind === 'missing' ? null : app.picture.value;
  return (
    <header class="header">
      <div class="brand">
        <Mark />
        <span>InvSR</span>
      </div>
      {picture ? (
        <h1 class="file-name" title={picture.name}>
          {picture.name}
        </h1>
      ) : (
        <span />
      )}
      <div class="header-actions">
        {app.isOffline.value && (
          <span class="badge">
            <Icon name="offline" />
            Offline
          </span>
        )}
        <IconButton icon="info" label="About this device" onClick={onInfo} />
        {picture && (
          <>
            <IconButton icon="open" label="Open another photo" keys="Control+O" onClick={onOpen} />
            <button
              type="button"
              class={`button save ${app.result.value?.isWhole ? 'primary' : ''}`}
              disabled={!app.result.value || app.isBusy.value}
              aria-keyshortcuts="Control+S"
              onClick={onSave}
            >
              <Icon name="save" />
              <span>Save</span>
            </button>
          </>
        )}
      </div>
    </header>
  );
}
