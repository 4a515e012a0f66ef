/** A device with an upscaler on it, opened when the first picture is ready and closed at the end. */
import { createContext, type EngineContext } from '../engine/context.ts';
import { nameOf } from '../engine/device.ts';
import { createDevice } from '../engine/node-device.ts';
import type { Model } from '../invsr/model.ts';
import { Upscaler, type UpscalerOptions } from '../invsr/upscaler.ts';

export interface Session {
  readonly upscaler: Upscaler;
  /** The adapter, for people. */
  readonly adapter: string;
  /** One line for the user when there is no GPU. */
  readonly notice: string | undefined;
  close(): Promise<void>;
}

/** `prepare` finishes the model on the device before the upscaler has it. */
export async function openSession(
  prepare: (context: EngineContext) => Promise<Model>,
  options: UpscalerOptions,
  adapter: string,
): Promise<Session> {
  const { device, capabilities, notice } = await createDevice({ adapter });
  const context = createContext(device);
  const model = await prepare(context).catch(async (error: unknown) => {
    await device.queue.onSubmittedWorkDone().catch(() => {}); // see close
    context.dispose();
    device.destroy();
    throw error;
  });
  const upscaler = new Upscaler(context, model, options);
  return {
    upscaler,
    adapter: nameOf(capabilities),
    notice,
    async close() {
      // After an interruption work is still under way. Destroying a device waits for it and blocks
      // the process meanwhile, so wait here, where the signal's deadline (main.ts) can cut in.
      await device.queue.onSubmittedWorkDone().catch(() => {});
      upscaler.dispose();
      context.dispose();
      device.destroy();
    },
  };
}
