/** The result as a file, on the clipboard, or shared. */
import { useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { encodeResult } from '../actions/result.ts';
import { explain } from '../explain.ts';
import {
  canWrite,
  EXTENSIONS,
  fileSize,
  type Format,
  type SaveOptions,
} from '../picture/encode.ts';
import { canShare, copy, saveAs, share as shareFile } from '../picture/save.ts';
import * as app from '../state/app.ts';
import { type FileArea, fileAreas } from '../state/file-area.ts';
import { Row, Segmented, Switch } from './controls.tsx';
import { Dialog } from './dialog.tsx';
import { Icon } from './icons.tsx';

const HINTS: Readonly<Record<Format, string>> = {
  png: 'Every pixel as it is. Large files.',
  jpeg: 'Opens everywhere.',
  webp: 'Smaller than JPEG at the same look.',
};

export function SaveDialog({ onClose }: { readonly onClose: () => void }) {
  const format = useSignal<Format>('png');
  const quality = useSignal(92);
  const chosen = useSignal<FileArea | null>(null);
  const metadata = useSignal(true);
  /** From 0 to 1; null while nothing is made. */
  const share = useSignal<number | null>(null);
  const hasWebp = useSignal(true);
  // Closed, it stops what is being made.
  const closing = useMemo(() => new AbortController(), []);
  useEffect(() => () => closing.abort(), []);
  // Another photo was dropped, or the device is lost.
  useSignalEffect(() => void (app.result.value ?? onClose()));
  useEffect(() => void canWrite('webp').then((can) => (hasWebp.value = can)), []);
  const { value: picture } = app.picture;
  if (!picture) return null;
  const areas = fileAreas(picture, app.visible.value, format.value, app.filePixels.value);
  // Of all of it the largest; less is saved where a person has chosen that.
  const area =
    areas.find(
      ({ scale, isAll }) => scale === chosen.value?.scale && isAll === chosen.value.isAll,
    ) ?? areas.find(({ isAll }) => isAll);
  const name = `${picture.name}${area?.isAll === false ? '-part' : ''}-x${area?.scale ?? 4}.${EXTENSIONS[format.value]}`;
  const make = (how: Partial<SaveOptions> = {}): Promise<Blob> => {
    if (!area) throw new Error('nothing is chosen');
    const { region, scale } = area;
    return encodeResult(
      {
        region,
        scale,
        format: format.value,
        quality: quality.value,
        metadata: metadata.value,
        ...how,
      },
      { signal: closing.signal, onProgress: (done) => (share.value = done) },
    );
  };
  /** False from `task`: the person changed their mind, and the dialog stays. */
  const work = async (
    task: (keep: () => void) => Promise<app.Notice | null | false>,
  ): Promise<void> => {
    share.value = 0;
    const changes = app.changes.peek();
    try {
      const done = await task(() => (app.kept.value = changes));
      if (done === false) return;
      app.notice.value = done;
    } catch (error) {
      if (!closing.signal.aborted) app.notice.value = explain(error);
    } finally {
      share.value = null;
    }
    // Not the next dialog.
    if (!closing.signal.aborted) onClose();
  };
  const disabled = share.value !== null || !area;
  return (
    <Dialog title="Save" onClose={onClose}>
      <Row label="Format" hint={HINTS[format.value]}>
        <Segmented
          label="Format"
          value={format.value}
          choices={[
            { value: 'png' as const, label: 'PNG' },
            { value: 'jpeg' as const, label: 'JPEG' },
            ...(hasWebp.value ? [{ value: 'webp' as const, label: 'WebP' }] : []),
          ]}
          onChange={(value) => (format.value = value)}
        />
      </Row>
      {format.value !== 'png' && (
        <Row label="Quality" value={String(quality.value)}>
          <input
            type="range"
            aria-label="Quality"
            min={50}
            max={100}
            value={quality.value}
            style={{ '--share': String((quality.value - 50) / 50) }}
            onInput={(event) => (quality.value = event.currentTarget.valueAsNumber)}
          />
        </Row>
      )}
      <Row label="Size" hint={areaHint(areas, area)}>
        {areas.length > 0 && (
          <Segmented
            label="Size"
            value={areas.findIndex((each) => each === area)}
            choices={areas.map((each, value) => ({ value, label: labelOf(each) }))}
            onChange={(index) => (chosen.value = areas[index] ?? null)}
          />
        )}
      </Row>
      <Switch
        label="Keep information"
        hint="The photo’s own, and that AI has sharpened it."
        checked={metadata.value}
        onChange={(checked) => (metadata.value = checked)}
      />
      <div class="dialog-actions">
        <button
          type="button"
          class="button"
          disabled={disabled}
          onClick={() =>
            void work(async (keep) => {
              await copy(() => make({ format: 'png', metadata: false }));
              keep();
              return said('Copied.');
            })
          }
        >
          <Icon name="copy" />
          Copy
        </button>
        {canShare() && (
          <button
            type="button"
            class="button"
            disabled={disabled}
            onClick={() => void work(async (keep) => shareNow(name, await make(), keep))}
          >
            <Icon name="share" />
            Share
          </button>
        )}
        <button
          type="button"
          class="button primary"
          disabled={disabled}
          onClick={() =>
            void work(async (keep) => {
              if (!(await saveAs(name, `image/${format.value}`, make))) return false;
              keep();
              return said(`Saved as ${name}.`);
            })
          }
        >
          <Icon name="save" />
          {share.value === null
            ? 'Save'
            : share.value === 0
              ? 'Saving'
              : `Saving, ${Math.floor(100 * share.value)} %`}
        </button>
      </div>
    </Dialog>
  );
}

/** In two lines where there is no room for one. */
function labelOf(area: FileArea): string {
  const { width, height } = fileSize(area);
  const size = `${width}\u00a0×\u00a0${height}`;
  return area.isAll ? size : `What\u00a0you\u00a0see, ${size}`;
}

/** What is said where not all of it can be had at every size. */
function areaHint(areas: readonly FileArea[], area: FileArea | undefined): string | undefined {
  const whole = areas.filter(({ isAll }) => isAll);
  if (whole.length === 2) return undefined;
  const only = `Only PNG holds all of it${whole.length > 0 ? ' at four times the size' : ''}.`;
  if (areas.length === 0) return `${only} Zoom in to save what you see.`;
  return area?.isAll === false ? `${only} This is what you see.` : only;
}

const said = (text: string): app.Notice => ({ kind: 'done', text });

/** Refused once, it can be tried with a click that finds the picture made. */
async function shareNow(
  name: string,
  blob: Blob,
  keep: () => void,
): Promise<app.Notice | null | false> {
  const ended = await shareFile(name, blob);
  if (ended === 'shared') keep();
  if (ended !== 'refused') return ended === 'shared' ? null : false;
  const again = async (): Promise<void> => {
    const endedNow = await shareFile(name, blob);
    if (endedNow === 'shared') keep();
    if (endedNow !== 'refused') return;
    app.notice.value = {
      kind: 'problem',
      text: 'This browser does not let this page share pictures. Save it instead.',
    };
  };
  return {
    kind: 'problem',
    text: 'The picture was ready too late for this browser to share it.',
    action: {
      label: 'Share now',
      run: () => void again().catch((error) => (app.notice.value = explain(error))),
    },
  };
}
