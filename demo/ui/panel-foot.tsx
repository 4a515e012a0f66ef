/** The button that begins a run, the progress that takes its place, and what a run gives and takes. */
import { cancel } from '../actions/execution.ts';
import { cropToView } from '../actions/photo.ts';
import { sharpen } from '../actions/runs.ts';
import * as app from '../state/app.ts';
import { options } from '../state/options.ts';
import { bytesInWords, durationInWords, remainingMs } from '../state/progress.ts';
import { Bar, IconButton } from './controls.tsx';

export function PanelFoot() {
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
          <span>took {durationInWords(result.milliseconds)}</span>
        )}
        {planned !== null && !app.isBusy.value && !isShown && (
          <span title="Memory that a run takes on the graphics card">
            needs {bytesInWords(planned)}
          </span>
        )}
      </p>
    </div>
  );
}

function Begin() {
  if (app.fit.value === 'crop') {
    return (
      <>
        <p class="hint">This photo is too large for one result. Zoom in, then take what you see.</p>
        <button type="button" class="button primary wide" onClick={() => void cropToView()}>
          Take what I see
        </button>
      </>
    );
  }
  const isPart = app.followsView.value || app.fit.value === 'view';
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
  const share = app.fraction.value ?? 0;
  const left = run.kind === 'running' ? remainingMs(run.pace) : null;
  const title = run.kind === 'preparing' ? 'Getting ready' : `${Math.floor(100 * share)} %`;
  const tiles =
    run.kind === 'running' && run.pace.total > 1
      ? `tile ${Math.min(run.pace.total, Math.floor(run.pace.done) + 1)} of ${run.pace.total}`
      : undefined;
  return (
    <div class="progress">
      <div class="progress-text">
        <b>{title}</b>
        <span class="hint">
          {[tiles, left === null ? undefined : `${durationInWords(left)} left`]
            .filter((part) => part !== undefined)
            .join(' · ')}
        </span>
      </div>
      <IconButton icon="close" label="Cancel" keys="Escape" onClick={cancel} />
      <Bar label="Sharpening" share={share} />
    </div>
  );
}
