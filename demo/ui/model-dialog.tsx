/** Which model: the one that is built in, the large one after a download, or files of one's own. */
import { useNano } from '../actions.ts';
import * as app from '../state/app.ts';
import { Dialog } from './dialog.tsx';
import { Icon } from './icons.tsx';

export function ModelDialog({ onClose }: { readonly onClose: () => void }) {
  const { id } = app.model.value;
  return (
    <Dialog title="Model" onClose={onClose}>
      <ul class="models">
        <li>
          <button
            type="button"
            class="model"
            aria-pressed={id === 'nano'}
            onClick={() => {
              useNano();
              onClose();
            }}
          >
            <span class="model-text">
              <b>Nano</b>
              <span class="hint">
                Built in, 3 MB. Quick and gentle: cleans edges, invents little.
              </span>
            </span>
            {id === 'nano' && <Icon name="check" />}
          </button>
        </li>
      </ul>
    </Dialog>
  );
}
