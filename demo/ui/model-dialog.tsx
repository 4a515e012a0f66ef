/** Which model: the one that is built in, the large one after a download, or files of one's own. */
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

import {
  cancelDownload,
  downloadLarge,
  type Large,
  large,
  lookForLarge,
  removeLarge,
  useFiles,
  useLarge,
  useNano,
} from '../actions/models.ts';
import * as app from '../state/app.ts';
import { bytesInWords } from '../state/progress.ts';
import { Bar, Explained, IconButton } from './controls.tsx';
import { Dialog } from './dialog.tsx';
import { Icon } from './icons.tsx';

export function ModelDialog({ onClose }: { readonly onClose: () => void }) {
  const { id } = app.model.value;
  const picker = useRef<HTMLInputElement>(null);
  useEffect(() => void lookForLarge(), []);
  const { value: state } = large;
  return (
    <Dialog title="Model" onClose={onClose}>
      <div class="models">
        <Entry
          name="Nano"
          hint="Built in, 3 MB. Quick and gentle: cleans edges, invents little."
          isOn={id === 'nano'}
          onUse={() => {
            useNano();
            onClose();
          }}
        />
        <Entry
          name="SD-Turbo"
          hint="InvSR’s own model. Invents fine detail; wants a strong graphics card."
          isOn={id === 'sd-turbo'}
          onUse={
            state.kind === 'here'
              ? () => {
                  useLarge();
                  onClose();
                }
              : undefined
          }
        >
          <LargeState state={state} />
        </Entry>
        <Entry
          name="Your own"
          hint="A folder in Hugging Face layout: safetensors or .pth files with their configs."
          isOn={id === 'own'}
        >
          <button type="button" class="button" onClick={() => picker.current?.click()}>
            <Icon name="open" />
            Choose a folder
          </button>
        </Entry>
      </div>
      <input
        ref={(element) => {
          picker.current = element;
          // Not in JSX's types.
          element?.setAttribute('webkitdirectory', '');
        }}
        hidden
        type="file"
        multiple
        aria-label="Model folder"
        onChange={({ currentTarget }) => {
          const files = [...(currentTarget.files ?? [])];
          void useFiles(files).then(onClose);
        }}
      />
    </Dialog>
  );
}

/** A model, to be used by a click where that is possible at once, with what else is to be said. */
function Entry({
  name,
  hint,
  isOn,
  onUse,
  children,
}: {
  readonly name: string;
  readonly hint: string;
  readonly isOn: boolean;
  readonly onUse?: (() => void) | undefined;
  readonly children?: ComponentChildren;
}) {
  const text = (
    <>
      <span class="model-text">
        <b>{name}</b>
        <span class="hint">{hint}</span>
      </span>
      {isOn && <Icon name="check" />}
    </>
  );
  return (
    <section class={`model ${isOn ? 'on' : ''}`} aria-label={name}>
      {onUse ? (
        <button type="button" class="model-use" aria-pressed={isOn} onClick={onUse}>
          {text}
        </button>
      ) : (
        <div class="model-use">{text}</div>
      )}
      {children !== undefined && <div class="model-more">{children}</div>}
    </section>
  );
}

function LargeState({ state }: { readonly state: Large }) {
  switch (state.kind) {
    case 'unknown':
    case 'looking':
      return <p class="hint">Looking …</p>;
    case 'waiting':
      return (
        <>
          <p class="hint">Another tab is downloading it.</p>
          <button type="button" class="button" onClick={cancelDownload}>
            Cancel
          </button>
        </>
      );
    case 'failed':
      return (
        <>
          <p class="hint">
            <Explained {...state} />
          </p>
          <button type="button" class="button" onClick={() => void lookForLarge()}>
            Try again
          </button>
        </>
      );
    case 'offered':
      return <Offer offer={state} />;
    case 'downloading':
    case 'checking':
      return <Download state={state} />;
    case 'here':
      return (
        <button type="button" class="text-button" onClick={() => void removeLarge()}>
          Remove from this browser
        </button>
      );
  }
}

/** Size and licences; the download begins when the person agrees. */
function Offer({ offer }: { readonly offer: Extract<Large, { kind: 'offered' }> }) {
  const agreed = useSignal(false);
  const { remote, missingBytes, freeBytes, isKept } = offer;
  const begun = missingBytes < remote.bytes;
  if (freeBytes !== undefined && freeBytes < missingBytes) {
    return (
      <p class="hint">
        It needs {bytesInWords(missingBytes)}, and this browser has room for{' '}
        {bytesInWords(freeBytes)}. Free some space on the disk first.
      </p>
    );
  }
  return (
    <>
      {!isKept && (
        <p class="hint">
          This window keeps nothing: SD-Turbo goes when it is closed or loaded again.
        </p>
      )}
      <label class="agree">
        <input
          type="checkbox"
          checked={agreed.value}
          onChange={(event) => (agreed.value = event.currentTarget.checked)}
        />
        <span>
          I agree to{' '}
          {remote.licences.map(({ name, url, terms }, i) => (
            <span key={name}>
              {i > 0 && ' and '}
              <a href={url} target="_blank" rel="noreferrer">
                {name}
              </a>{' '}
              ({terms})
            </span>
          ))}
          .
        </span>
      </label>
      <button
        type="button"
        class="button primary"
        disabled={!agreed.value}
        onClick={() => void downloadLarge(remote)}
      >
        <Icon name="save" />
        {begun ? 'Go on with the download' : 'Download'}, {bytesInWords(missingBytes)}
      </button>
    </>
  );
}

function Download({
  state,
}: {
  readonly state: Extract<Large, { kind: 'downloading' | 'checking' }>;
}) {
  const share = state.kind === 'checking' ? state.fraction : state.loaded / state.total;
  const text =
    state.kind === 'checking'
      ? 'Checking'
      : `${bytesInWords(state.loaded)} of ${bytesInWords(state.total)}`;
  return (
    <div class="progress">
      <span class="progress-text">{text}</span>
      <IconButton icon="close" label="Cancel the download" onClick={cancelDownload} />
      <Bar label="Download" share={share} />
    </div>
  );
}
