/** Textures of the page's, with a sentence where there is no memory for one. */
import { closeScope } from '../../src/engine/error-scope.ts';

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
  device.pushErrorScope('out-of-memory');
  const texture = device.createTexture({
    label: `page/${label}`,
    size: [width, height],
    format: FORMAT,
    usage,
  });
  const ready = closeScope(device).then((error) => {
    if (error === undefined) return;
    texture.destroy();
    throw new NoRoomError(refusal);
  });
  return { texture, ready };
}
