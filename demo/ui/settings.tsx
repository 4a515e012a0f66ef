/** What a run is made of: the look of its result, the area, and what few people change. */
import { followView, rollSeed } from '../actions/runs.ts';
import * as app from '../state/app.ts';
import { change, DEFAULTS, options, readSeed, startOf, STEPS, TILES } from '../state/options.ts';
import { Dial, IconButton, Row, Segmented, Select, Switch } from './controls.tsx';
import { Icon } from './icons.tsx';

const COLOR_HINTS = {
  wavelet: 'Broad tones and colours from the photo.',
  ycbcr: 'All colour from the photo, brightness from the model.',
  none: 'Colours as the model makes them.',
} as const;

export function Look() {
  const { steps, colorFix, seed } = options.value;
  const start = startOf(options.value);
  return (
    <section class="group" aria-label="Look">
      <Row label="Detail" value={String(start)}>
        <Dial
          label="Detail"
          min={100}
          max={250}
          step={5}
          value={start}
          low="True to the photo"
          high="More detail"
          text={`${start}, from 100, true to the photo, to 250, more detail`}
          onInput={(startTimestep) => change({ startTimestep })}
          onReset={() => change({ startTimestep: null })}
        />
      </Row>
      <Row label="Steps">
        <Segmented
          label="Steps"
          value={steps}
          choices={STEPS.map((value) => ({ value, label: String(value) }))}
          onChange={(value) => change({ steps: value })}
        />
      </Row>
      <Row label="Match colours" hint={COLOR_HINTS[colorFix]}>
        <Segmented
          label="Match colours"
          value={colorFix}
          choices={[
            { value: 'wavelet', label: 'Wavelet' },
            { value: 'ycbcr', label: 'YCbCr' },
            { value: 'none', label: 'Off' },
          ]}
          onChange={(value) => change({ colorFix: value })}
        />
      </Row>
      <Row label="Seed">
        <div class="seed">
          <input
            class="field"
            inputMode="numeric"
            aria-label="Seed"
            value={String(seed)}
            onChange={(event) => {
              const typed = readSeed(event.currentTarget.value);
              if (typed === undefined) event.currentTarget.value = String(seed);
              else change({ seed: typed });
            }}
          />
          <IconButton icon="dice" label="Another seed" onClick={rollSeed} />
        </div>
      </Row>
    </section>
  );
}

export function Follow() {
  return (
    <section class="group" aria-label="Area">
      <Switch
        label="Sharpen what I look at"
        hint="Zoom and pan: only what you see is computed."
        checked={app.followsView.value}
        onChange={(checked) => {
          app.followsView.value = checked;
          followView();
        }}
      />
    </section>
  );
}

export function More() {
  const { tile, overlap, precision, lowMemory } = options.value;
  const state = app.device.value;
  const hasHalf = state.kind === 'ready' && state.capabilities.shaderF16;
  return (
    <details class="group more">
      <summary>
        More
        <Icon name="chevron" />
      </summary>
      <Select
        label="Tile"
        value={tile}
        choices={TILES.map((value) => ({ value, label: `${value} × ${value}` }))}
        onChange={(value) => change({ tile: value })}
      />
      <Select
        label="Overlap"
        value={overlap}
        choices={[0.0625, 0.125, 0.25, 0.5].map((value) => ({ value, label: `${100 * value} %` }))}
        onChange={(value) => change({ overlap: value })}
      />
      <Select
        label="Precision"
        value={precision}
        choices={[
          { value: 'auto', label: hasHalf ? 'Half (f16)' : 'Full (f32)' },
          ...(hasHalf ? [{ value: 'f32' as const, label: 'Full (f32)' }] : []),
        ]}
        onChange={(value) => change({ precision: value })}
      />
      <Switch
        label="Use less memory"
        hint="One network at a time; slower."
        checked={lowMemory}
        onChange={(checked) => change({ lowMemory: checked })}
      />
      <button type="button" class="text-button" onClick={() => (options.value = DEFAULTS)}>
        Reset all
      </button>
    </details>
  );
}
