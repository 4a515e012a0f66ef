/** The two pictures that the page shows: `before`, the photo [W, H], and `sheets`, what there is of the result. */
import type { Room } from '../state/cut.ts';
import type { Size } from '../state/regions.ts';
import { Sheets } from './sheets.ts';
import { createTexture } from './texture.ts';

export class Surface {
  readonly size: Size;
  readonly before: GPUTexture;
  readonly sheets: Sheets;
  /** Rejects with NoRoomError, DeviceLostError: the photo is not there. */
  readonly ready: Promise<void>;

  constructor(device: GPUDevice, image: ImageBitmap, room: Room) {
    const { width, height } = image;
    this.size = { width, height };
    const { TEXTURE_BINDING, COPY_DST, RENDER_ATTACHMENT } = GPUTextureUsage;
    const { texture, ready } = createTexture(device, {
      label: 'before',
      width,
      height,
      usage: TEXTURE_BINDING | COPY_DST | RENDER_ATTACHMENT,
      refusal: 'The graphics card has no memory left for this photo. Make it smaller first.',
    });
    this.before = texture;
    this.ready = ready;
    device.queue.copyExternalImageToTexture(
      { source: image },
      { texture, premultipliedAlpha: false },
      [width, height],
    );
    this.sheets = new Sheets(device, this.size, room);
  }

  /** On the device, as `bytes`. */
  get photoBytes(): number {
    return 4 * this.size.width * this.size.height;
  }

  get bytes(): number {
    return this.photoBytes + this.sheets.bytes;
  }

  dispose(): void {
    this.before.destroy();
    this.sheets.clear();
  }
}
