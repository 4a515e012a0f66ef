/** Several runs as one piece of work: one after another, with one progress. */
import type { Progress, Region } from '../../src/index.ts';
import type { RunRequest } from '../engine/session.ts';
import * as app from '../state/app.ts';
import { areaOf } from '../state/regions.ts';

/** Shares the progress among parts, by their areas. */
export async function inTurn(
  request: RunRequest,
  parts: readonly Region[],
  work: (part: Region, request: RunRequest) => Promise<void>,
): Promise<void> {
  const total = parts.reduce((sum, part) => sum + areaOf(part), 0);
  let before = 0;
  for (const [index, part] of parts.entries()) {
    app.underWay.value = [part];
    if (parts.length > 1) app.step.value = { index, count: parts.length };
    const area = areaOf(part);
    const begun = before;
    const onProgress = (progress: Progress): void => {
      if (progress.phase !== 'run' || parts.length === 1) return request.onProgress(progress);
      const done = begun + (area * progress.done) / Math.max(1, progress.total);
      request.onProgress({ phase: 'run', done, total });
    };
    await work(part, { ...request, onProgress });
    before += area;
  }
}
