/** What a run is made of, and the button that begins it; a sheet from below on phones. */
import { useSignal } from '@preact/signals';
import { cancel } from '../actions/execution.ts';
import { rollSeed, sharpen, sharpenView } from '../actions/runs.ts';
import * as app from '../state/app.ts';
import { change, DEFAULTS, options, readSeed, startOf, STEPS, TILES } from '../state/options.ts';
import { bytesInWords, durationInWords, remainingMs } from '../state/progress.ts';
import { Dial, IconButton, Row, Segmented, Select, Switch } from './controls.tsx';
import { Icon } from './icons.tsx';

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
      <Footer />
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
        <span class="hint">{MODEL_HINTS[id]}</span>
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

const COLOR_HINTS = {
  wavelet: 'Broad tones and colours from the photo.',
  ycbcr: 'All colour from the photo, brightness from the model.',
  none: 'Colours as the model makes them.',
} as const;

function Look() {
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

function Follow() {
  return (
    <section class="group" aria-label="Area">
      <Switch
        label="Sharpen what I look at"
        hint="Zoom and pan: only what you see is computed."
        checked={app.followsView.value}
        onChange={(checked) => {
          app.followsView.value = checked;
          if (checked) void sharpenView();
        }}
      />
    </section>
  );
}

function More() {
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

function Footer() {
  const { value: picture } = app.picture;
  if (!picture) return null;
  const planned = app.plannedBytes.value;
  const { value: result } = app.result;
  // Other options: what the next run takes is of more use than what the last one took.
  const isShown = result !== null && result.options === options.value;
  const { width, height } = picture;
  return (
    <div class="panel-foot">
      {app.isBusy.value ? <Progress /> : <Begin />}
      <p class="hint facts-line">
        <span>
          {width} × {height} → {4 * width} × {4 * height}
        </span>
        {isShown && !app.isBusy.value && result.milliseconds > 0 && (
          <span>{durationInWords(result.milliseconds)}</span>
        )}
        {planned !== null && !app.isBusy.value && !isShown && (
          <span title="Memory that a run takes on the graphics card">{bytesInWords(planned)}</span>
        )}
      </p>
    </div>
  );
}

function Begin() {
  const { value: isPart } = app.followsView;
  const isDone = app.result.value?.isWhole === true && app.result.value.options === options.value;
  const label = isPart ? 'Sharpen what I see' : app.result.value ? 'Sharpen again' : 'Sharpen';
  return (
    <button
      type="button"
      class={`button wide ${isDone ? '' : 'primary'}`}
      onClick={() => void sharpen()}
    >
      {label}
    </button>
  );
}

function Progress() {
  const { value: run } = app.run;
  const percent = Math.floor(100 * (app.fraction.value ?? 0));
  const left = run.kind === 'running' ? remainingMs(run.pace) : null;
  const title = run.kind === 'preparing' ? 'Getting ready' : `${percent} %`;
  const place = placeOf(run);
  return (
    <div class="progress">
      <div class="progress-text">
        <b>{title}</b>
        <span class="hint">
          {[place, left === null ? undefined : `${durationInWords(left)} left`]
            .filter((part) => part !== undefined)
            .join(' · ')}
        </span>
      </div>
      <IconButton icon="close" label="Cancel" keys="Escape" onClick={cancel} />
      <div
        class="bar"
        role="progressbar"
        aria-label="Sharpening"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percent}
      >
        <span style={{ transform: `scaleX(${app.fraction.value ?? 0})` }} />
      </div>
    </div>
  );
}

/** Of several runs, or of several tiles, the one under way. */
function placeOf(run: app.Run): string | undefined {
  const { value: step } = app.step;
  if (step) return `part ${step.index + 1} of ${step.count}`;
  if (run.kind !== 'running' || run.pace.total <= 1) return undefined;
  const { done, total } = run.pace;
  return `tile ${Math.min(total, Math.floor(done) + 1)} of ${total}`;
}
