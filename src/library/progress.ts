/** Progress as applications hear it. */
import type { TileProgress } from '../invsr/tile-source.ts';
import type { Progress } from './types.ts';

/** The networks' progress in these words. */
export const networkProgress = (onProgress: ((progress: Progress) => void) | undefined) =>
  onProgress &&
  (({ stage, done, total }: TileProgress): void => {
    if (stage === 'load') onProgress({ phase: 'download', loadedBytes: done, totalBytes: total });
    else onProgress({ phase: stage === 'tiles' ? 'run' : 'compile', done, total });
  });
