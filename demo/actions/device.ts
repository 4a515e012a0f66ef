/** The device: asked for when the page opens, and again when it was lost. */
import { explain } from '../explain.ts';
import { NoWebGpuError } from '../engine/device.ts';
import { Session } from '../engine/session.ts';
import * as app from '../state/app.ts';
import { currentSession, setSession } from './current-session.ts';
import { stop } from './execution.ts';
import { showPicture } from './photo.ts';
import { sharpen } from './runs.ts';

const RECOVERIES = 4;

/** False where there is no device, or none that works: the page says why. */
export async function start(): Promise<boolean> {
  try {
    const session = await Session.open();
    setSession(session);
    const { device, capabilities } = session;
    void device.lost.then(() => recover(device));
    app.device.value = { kind: 'ready', capabilities };
    showPicture();
    return true;
  } catch (error) {
    setSession(null);
    app.device.value =
      error instanceof NoWebGpuError
        ? { kind: 'missing', reason: error.reason }
        : { kind: 'missing', reason: 'failed', details: explain(error).text };
    return false;
  }
}

/** A lost device takes everything on it along; the photo is uploaded to a new one. */
async function recover(lost: GPUDevice): Promise<void> {
  if (currentSession()?.device !== lost) return;
  const wasRunning = await stop();
  setSession(null);
  app.device.value = { kind: 'starting' };
  app.images.value = null;
  // The browser starts its own part again, too.
  for (let tries = 1; !(await start()); tries++) {
    if (tries === RECOVERIES) return;
    app.device.value = { kind: 'starting' };
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  app.notice.value = {
    kind: 'problem',
    text: 'The graphics card was reset by the system. Everything is ready again.',
    ...(wasRunning && { action: { label: 'Sharpen again', run: () => void sharpen() } }),
  };
}
