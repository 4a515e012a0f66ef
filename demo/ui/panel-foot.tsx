/** The button that begins a run, the progress that takes its place, and what a run gives and takes. */
import { useEffect, useRef } from 'preact/hooks';
import { cancel } from '../actions/execution.ts';
import { isDone, sharpen } from '../actions/runs.ts';
import * as app from '../state/app.ts';
import { options } from '../state/options.ts';
import { bytesInWords, durationInWords, remainingMs } from '../state/progress.ts';
import { whole } from '../state/regions.ts';
import type { Region } from '../../src/index.ts';
import { Bar, IconButton } from './controls.tsx';

export function PanelFoot() {
  const { value: picture } = app.picture;
  const foot = useRef<HTMLDivElement>(null);
  const isBusy = app.isBusy.value;
  const wasBusy = useRef(false);
  // A button that goes takes the focus along. The one in its place gets it, and the first one after the first
  // screen's; but when a run has ended, no key that was meant for something else may begin another.
  useEffect(() => {
    const hasEnded = wasBusy.current && !isBusy;
    wasBusy.current = isBusy;
    if (document.activeElement !== document.body) return;
    (hasEnded ? foot.current : foot.current?.querySelector('button'))?.focus();
  }, [isBusy]);
  if (!picture) return null;
  const planned = app.plannedBytes.value;
  const { value: result } = app.result;
  // Another model or other options: what the next run takes is of more use than what the last one took.
  const isShown = result !== null && isOfNow(result);
  const { width, height } = picture;
  return (
    <div class="panel-foot" ref={foot} role="group" aria-label="Sharpen" tabIndex={-1}>
      {isBusy ? <Progress /> : <Begin all={whole(picture)} />}
      <p class="hint facts-line">
        <span>
          {width} × {height} → {4 * width} × {4 * height}
        </span>
        {isShown && !isBusy && result.milliseconds > 0 && (
          <span>took {durationInWords(result.milliseconds)}</span>
        )}
        {planned !== null && !isBusy && !isShown && (
          <span title="Memory that a run takes on the graphics card">
            needs {bytesInWords(planned)}
          </span>
        )}
      </p>
    </div>
  );
}

function Begin({ all }: { readonly all: Region }) {
  const { value: follows } = app.followsView;
  const hasNothingToDo = isDone(follows ? (app.visible.value ?? all) : all);
  return (
    <button
      type="button"
      class={`button wide ${hasNothingToDo ? '' : 'primary'}`}
      aria-disabled={follows && hasNothingToDo}
      onClick={() => void sharpen()}
    >
      {follows ? viewAim(hasNothingToDo) : aimOf(app.result.value)}
    </button>
  );
}

const viewAim = (isSharp: boolean): string =>
  isSharp ? 'What you see is sharp' : 'Sharpen what I see';

/** Made with what is chosen now. */
const isOfNow = ({ options: of, model }: app.Result): boolean =>
  of === options.value && model === app.model.value.name;

function aimOf(result: app.Result | null): string {
  if (!result) return 'Sharpen';
  return result.isWhole ? 'Sharpen again' : 'Sharpen all of it';
}

function Progress() {
  const { value: run } = app.run;
  const share = app.fraction.value ?? 0;
  const left = run.kind === 'running' ? remainingMs(run.pace) : null;
  const title = run.kind === 'preparing' ? 'Getting ready' : `${Math.floor(100 * share)} %`;
  return (
    <div class="progress">
      <div class="progress-text">
        <b>{title}</b>
        <span class="hint">
          {[placeOf(run), left === null ? undefined : `${durationInWords(left)} left`]
            .filter((part) => part !== undefined)
            .join(' · ')}
        </span>
      </div>
      <IconButton icon="close" label="Cancel" keys="Escape" onClick={cancel} />
      {/* Anew for the run itself: what is ready does not count back. */}
      <Bar key={run.kind} label="Sharpening" share={share} />
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
