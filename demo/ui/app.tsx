/** The page: its parts, and what works wherever the focus is. */
import { useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { isModelDrop, useFiles } from '../actions/models.ts';
import { open } from '../actions/photo.ts';
import { cancel } from '../actions/execution.ts';
import { undo } from '../actions/tries.ts';
import { ACCEPT, fileOf } from '../picture/open.ts';
import * as app from '../state/app.ts';
import { Header } from './header.tsx';
import { Icon } from './icons.tsx';
import { InfoDialog } from './info-dialog.tsx';
import { Missing } from './missing.tsx';
import { ModelDialog } from './model-dialog.tsx';
import { NoticeBar } from './notice.tsx';
import { Panel } from './panel.tsx';
import { SaveDialog } from './save-dialog.tsx';
import { Stage } from './stage.tsx';
import { Welcome } from './welcome.tsx';

const TITLE = document.title;
/** A link or a text was dropped. */
const NO_FILE: app.Notice = {
  kind: 'problem',
  text: 'That was no file. Save the picture first, then drop it here.',
};

export function App() {
  const dialog = useSignal<'model' | 'save' | 'info' | null>(null);
  const picker = useRef<HTMLInputElement>(null);
  const choose = (): void => picker.current?.click();
  const isOver = useDrop();
  useKeys({
    choose,
    save: () => app.result.value && !app.isBusy.value && (dialog.value = 'save'),
  });
  useSignalEffect(() => {
    const { value: done } = app.fraction;
    document.title = done === null ? TITLE : `${Math.floor(100 * done)} % · InvSR`;
  });

  const { value: device } = app.device;
  const { value: picture } = app.picture;
  const isAtWork = picture !== null && device.kind !== 'missing';
  const close = (): void => void (dialog.value = null);
  return (
    <div class={`app ${isAtWork ? 'with-picture' : ''} ${isOver.value ? 'drop-over' : ''}`}>
      <Header
        onOpen={choose}
        onSave={() => (dialog.value = 'save')}
        onInfo={() => (dialog.value = 'info')}
      />
      <main class="main">
        {device.kind === 'missing' ? (
          <Missing {...device} />
        ) : picture ? (
          <Stage />
        ) : (
          <Welcome onChoose={choose} />
        )}
        <NoticeBar />
      </main>
      {isAtWork && <Panel onModel={() => (dialog.value = 'model')} />}
      {dialog.value === 'model' && <ModelDialog onClose={close} />}
      {dialog.value === 'save' && <SaveDialog onClose={close} />}
      {dialog.value === 'info' && <InfoDialog onClose={close} />}
      <input
        ref={picker}
        hidden
        type="file"
        accept={ACCEPT}
        aria-label="Photo"
        onChange={({ currentTarget }) => {
          const [file] = currentTarget.files ?? [];
          currentTarget.value = '';
          if (file) void open(file, file.name);
        }}
      />
      <p class="hidden" role="status" aria-live="polite">
        {app.announcement.value}
      </p>
      {isOver.value && (
        <div class="drop-hint" aria-hidden="true">
          <Icon name="photo" />
          Drop the photo
        </div>
      )}
    </div>
  );
}

/** A photo dropped anywhere, or pasted. */
function useDrop() {
  const isOver = useSignal(false);
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    const take = (data: DataTransfer | null): boolean => {
      if (data && isModelDrop(data)) {
        void useFiles(data);
        return true;
      }
      const file = fileOf(data);
      if (file) void open(file, file.name || 'pasted');
      return file !== undefined;
    };
    addEventListener(
      'dragover',
      (event) => {
        event.preventDefault();
        isOver.value = event.dataTransfer?.types.includes('Files') === true;
      },
      { signal },
    );
    addEventListener('dragleave', (event) => (isOver.value = event.relatedTarget !== null), {
      signal,
    });
    addEventListener(
      'drop',
      (event) => {
        event.preventDefault();
        isOver.value = false;
        if (!take(event.dataTransfer)) app.notice.value = NO_FILE;
      },
      { signal },
    );
    addEventListener(
      'paste',
      (event) => {
        if (take(event.clipboardData)) event.preventDefault();
      },
      { signal },
    );
    app.isOffline.value = !navigator.onLine;
    addEventListener('online', () => (app.isOffline.value = false), { signal });
    addEventListener('offline', () => (app.isOffline.value = true), { signal });
    return () => controller.abort();
  }, [isOver]);
  return isOver;
}

/** Whether the browser has something to undo in it. */
const isText = (target: EventTarget | null): boolean =>
  target instanceof HTMLInputElement && target.type === 'text';

function useKeys({
  choose,
  save,
}: {
  readonly choose: () => void;
  readonly save: () => void;
}): void {
  useEffect(() => {
    const commands: Readonly<Record<string, () => void>> = { o: choose, s: save, z: undo };
    const listen = (event: KeyboardEvent): void => {
      const command = event.ctrlKey || event.metaKey;
      if (event.defaultPrevented) return; // the viewer's: Escape removes its region
      // A dialog has the keys to itself; the browser's own commands of these names are not meant there either.
      const isCovered = document.querySelector('dialog[open]') !== null;
      const { [event.key]: act } = command ? commands : { Escape: cancel };
      if (!act || (event.key === 'z' && isText(event.target))) return;
      if (command) event.preventDefault();
      if (!isCovered) act();
    };
    addEventListener('keydown', listen);
    return () => removeEventListener('keydown', listen);
  });
}
