/** Textures of the page's, with a sentence where there is no memory for one. */
import { inScope } from '../../src/engine/error-scope.ts';

/** The graphics card has no memory for a picture. The message is for people. */
export class NoRoomError extends Error {
  override readonly name = 'NoRoomError';
}

/** Of pictures: as files have them, so that nothing is converted on the way. */
export const FORMAT: GPUTextureFormat = 'rgba8unorm';

export interface TextureRequest {
  readonly label: string;
  readonly width: number;
  readonly height: number;
  readonly usage: GPUTextureUsageFlags;
  /** What is said where there is no memory for it. */
  readonly refusal: string;
}

/** A transparent texture; `ready` rejects with NoRoomError, DeviceLostError. */
export function createTexture(
  device: GPUDevice,
  { label, width, height, usage, refusal }: TextureRequest,
): { readonly texture: GPUTexture; readonly ready: Promise<void> } {
  const size = [width, height];
  const { result: texture, error } = inScope(device, 'out-of-memory', () =>
    device.createTexture({ label: `page/${label}`, size, format: FORMAT, usage }),
  );
  const ready = error.then((message) => {
    if (message === undefined) return;
    texture.destroy();
    throw new NoRoomError(refusal);
  });
  return { texture, ready };
}
