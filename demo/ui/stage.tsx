/** The photo on its canvas, the tools that float over it, and the part that is selected. */
import { effect, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { currentSession } from '../actions/current-session.ts';
import { followView, makeSelection } from '../actions/runs.ts';
import { undo } from '../actions/tries.ts';
import type { Region } from '../../src/index.ts';
import * as app from '../state/app.ts';
import { missing, sameRegion } from '../state/regions.ts';
import { createViewer, type Mode, type Viewer } from '../viewer/viewer.ts';
import { IconButton, Segmented } from './controls.tsx';
import { Icon } from './icons.tsx';

/** A view has settled when nothing moved for this long. */
const SETTLED_MS = 350;

const hasParts = (): boolean => (app.images.value?.parts ?? []).length > 0;

export function Stage() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const viewer = useSignal<Viewer | null>(null);
  const mode = useSignal<Mode>('slider');
  const zoom = useSignal(1);
  const selects = useSignal(false);

  useEffect(() => {
    const session = currentSession();
    if (!session || !canvas.current) return undefined;
    let settling = 0;
    const made = createViewer(canvas.current, {
      device: session.device,
      onViewChange(view) {
        zoom.value = view.zoom;
        const visible = made.visibleRegion() ?? null;
        const { value: before } = app.visible;
        // Told of another result, too: a run that the person has stopped would begin again.
        if (visible && before && sameRegion(visible, before)) return;
        app.visible.value = visible;
        clearTimeout(settling);
        settling = window.setTimeout(followView, SETTLED_MS);
      },
      onRegionChange(region, done) {
        if (done) app.selection.value = region ?? null;
      },
    });
    viewer.value = made;
    const stops = [
      effect(() => {
        const pictures = app.images.value;
        made.setImages(pictures ? { ...pictures, scale: 4 } : undefined);
        app.visible.value = made.visibleRegion() ?? null;
      }),
      effect(() => {
        if (app.changes.value >= 0) made.invalidate();
      }),
      effect(() => {
        // Without a result there is nothing to compare with.
        made.mode = hasParts() ? mode.value : 'single';
      }),
      effect(() => {
        made.tiles = app.underWay.value;
      }),
      effect(() => {
        if (app.selection.value === null) made.region = undefined;
      }),
      effect(() => {
        made.tool = selects.value ? 'region' : 'pan';
      }),
    ];
    return () => {
      clearTimeout(settling);
      for (const stop of stops) stop();
      made.dispose();
      viewer.value = null;
    };
  }, [app.device.value]);

  /** A rectangle can be drawn around what is to be made on its own. */
  const select = (isOn: boolean): void => {
    selects.value = isOn;
    if (!isOn) app.selection.value = null;
  };
  const { value: made } = viewer;
  const hasResult = hasParts();
  return (
    <div class="stage">
      <div class="viewer">
        <canvas ref={canvas} />
      </div>
      {made && (
        <div class="tools" role="toolbar" aria-label="View">
          <Segmented
            label="Compare"
            iconsOnly
            disabled={!hasResult}
            value={mode.value}
            choices={[
              { value: 'single', label: 'Result', icon: 'single' },
              { value: 'slider', label: 'Slider', icon: 'slider' },
              { value: 'lens', label: 'Lens', icon: 'lens' },
              { value: 'side', label: 'Side by side', icon: 'side' },
            ]}
            onChange={(value) => (mode.value = value)}
          />
          <span class="tools-rule" />
          <IconButton icon="minus" label="Zoom out" keys="-" onClick={() => made.zoomBy(0.5)} />
          <button
            type="button"
            class="zoom"
            title="One pixel of the result on one of the screen (1)"
            onClick={() => made.zoomTo(1)}
          >
            {Math.round(100 * zoom.value)} %
          </button>
          <IconButton icon="plus" label="Zoom in" keys="+" onClick={() => made.zoomBy(2)} />
          <IconButton icon="fit" label="All of it" keys="0" onClick={() => made.fit()} />
          <span class="tools-rule" />
          <IconButton
            icon="part"
            label="Select a part"
            pressed={selects.value}
            onClick={() => select(!selects.value)}
          />
          {app.canUndo.value && (
            <IconButton
              icon="undo"
              label="Undo"
              keys="Control+Z"
              disabled={app.isTrying.value}
              onClick={undo}
            />
          )}
        </div>
      )}
      {app.selection.value && <PartBar region={app.selection.value} onDone={() => select(false)} />}
    </div>
  );
}

function PartBar({ region, onDone }: { readonly region: Region; readonly onDone: () => void }) {
  const isSharp = missing(region, app.sharp.value) === null;
  return (
    <div class="part-bar" role="group" aria-label="Selected part">
      <button
        type="button"
        class="button primary"
        // Not `disabled`: it keeps the focus while it works, and the next press is another try.
        aria-disabled={app.isBusy.value}
        onClick={() => app.isBusy.value || void makeSelection()}
      >
        <Icon name={isSharp ? 'dice' : 'bolt'} />
        {isSharp ? 'Try this part again' : 'Sharpen this part'}
      </button>
      <IconButton icon="close" label="Done with this part" onClick={onDone} />
    </div>
  );
}
