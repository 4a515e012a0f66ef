/** The result as a file, on the clipboard, or shared. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { encodeResult } from '../actions/result.ts';
import { explain } from '../explain.ts';
import { canWrite, EXTENSIONS, type Format } from '../picture/encode.ts';
import { canShare, copy, saveAs, share } from '../picture/save.ts';
import type { Region } from '../../src/index.ts';
import * as app from '../state/app.ts';
import { fileAreaOf } from '../state/file-area.ts';
import { areaOf, whole } from '../state/regions.ts';
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
  const scale = useSignal<2 | 4>(4);
  const metadata = useSignal(true);
  const isWorking = useSignal(false);
  const hasWebp = useSignal(true);
  useEffect(() => void canWrite('webp').then((can) => (hasWebp.value = can)), []);
  const { value: picture } = app.picture;
  if (!picture) return null;
  const areaAt = (by: 2 | 4): Region | null =>
    fileAreaOf(picture, app.visible.value, by, app.filePixels.value);
  const region = areaAt(scale.value);
  const isAll = region !== null && areaOf(region) === areaOf(picture);
  const name = `${picture.name}${isAll ? '' : '-part'}-x${scale.value}.${EXTENSIONS[format.value]}`;
  const make = (): Promise<Blob> =>
    encodeResult({
      region: region ?? whole(picture),
      format: format.value,
      quality: quality.value,
      scale: scale.value,
      metadata: metadata.value,
    });
  /** False from `task`: the person changed their mind, and the dialog stays. */
  const work = async (task: () => Promise<app.Notice | null | false>): Promise<void> => {
    isWorking.value = true;
    try {
      const done = await task();
      if (done === false) return;
      app.notice.value = done;
    } catch (error) {
      app.notice.value = explain(error);
    } finally {
      isWorking.value = false;
    }
    onClose();
  };
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
      <Row label="Size" hint={areaHint(region, isAll)}>
        <Segmented
          label="Size"
          value={scale.value}
          choices={([4, 2] as const).map((value) => {
            const { width, height } = areaAt(value) ?? picture;
            return { value, label: `${value * width} × ${value * height}` };
          })}
          onChange={(value) => (scale.value = value)}
        />
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
          disabled={isWorking.value || !region}
          onClick={() =>
            void work(async () => {
              await copy(() =>
                encodeResult({
                  region: region ?? whole(picture),
                  format: 'png',
                  quality: 100,
                  scale: scale.value,
                  metadata: false,
                }),
              );
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
            disabled={isWorking.value || !region}
            onClick={() => void work(async () => shareNow(name, await make()))}
          >
            <Icon name="share" />
            Share
          </button>
        )}
        <button
          type="button"
          class="button primary"
          disabled={isWorking.value || !region}
          onClick={() =>
            void work(
              async () =>
                (await saveAs(name, `image/${format.value}`, make)) && said(`Saved as ${name}.`),
            )
          }
        >
          <Icon name="save" />
          {isWorking.value ? 'Saving' : 'Save'}
        </button>
      </div>
    </Dialog>
  );
}

/** What is said where all of it is too large. */
function areaHint(region: Region | null, isAll: boolean): string | undefined {
  if (!region) return 'All of it is too large for one file, and so is what you see. Zoom in first.';
  return isAll ? undefined : 'All of it is too large for one file: this is what you see.';
}

const said = (text: string): app.Notice => ({ kind: 'done', text });

/** Refused once, it can be tried with a click that finds the picture made. */
async function shareNow(name: string, blob: Blob): Promise<app.Notice | null | false> {
  const ended = await share(name, blob);
  if (ended !== 'refused') return ended === 'shared' ? null : false;
  const again = async (): Promise<void> => {
    if ((await share(name, blob)) !== 'refused') return;
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
