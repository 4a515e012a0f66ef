/** Beside the photo: model, settings and the button that begins a run; a sheet from below on phones. */
import { useSignal } from '@preact/signals';
import { large } from '../actions/models.ts';
import * as app from '../state/app.ts';
import { Icon } from './icons.tsx';
import { PanelFoot } from './panel-foot.tsx';
import { Follow, Look, More } from './settings.tsx';

export function Panel({ onModel }: { readonly onModel: () => void }) {
  const isOpen = useSignal(false);
  return (
    <aside class={`panel ${isOpen.value ? 'open' : ''}`} aria-label="Settings">
      <button
        type="button"
        class="handle"
        aria-expanded={isOpen.value}
        aria-controls="settings"
        onClick={() => (isOpen.value = !isOpen.value)}
      >
        <span class="hidden">Settings</span>
      </button>
      <div class="settings" id="settings">
        <ModelButton onModel={onModel} />
        <Look />
        <Follow />
        <More />
      </div>
      <PanelFoot />
    </aside>
  );
}

function ModelButton({ onModel }: { readonly onModel: () => void }) {
  const { id, name } = app.model.value;
  return (
    <button type="button" class="model-button" aria-haspopup="dialog" onClick={onModel}>
      <span class={`model-badge ${id}`} aria-hidden="true">
        <Icon name="bolt" />
      </span>
      <span class="model-text">
        <span class="hidden">Model: </span>
        <b>{name}</b>
        <span class="hint">{downloadInWords() ?? MODEL_HINTS[id]}</span>
      </span>
      <Icon name="chevron" />
    </button>
  );
}

const MODEL_HINTS = {
  nano: 'Built in, quick, gentle',
  'sd-turbo': 'Large, invents fine detail',
  own: 'From your files',
} as const;

/** It goes on while its dialog is closed. */
function downloadInWords(): string | undefined {
  const { value: state } = large;
  if (state.kind === 'checking') return 'SD-Turbo is being checked';
  if (state.kind !== 'downloading') return undefined;
  return `SD-Turbo is coming, ${Math.floor((100 * state.loaded) / state.total)} %`;
}
