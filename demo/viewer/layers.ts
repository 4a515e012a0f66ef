/** The textures of a picture as layers, the lowest first; and what is wrong with textures that cannot be one. */
import type { Images, Part, Region, Size } from './types.ts';

export interface Layer extends Part {
  readonly shows: Region;
  readonly isResult: boolean;
}

export function layersOf({ before, after, parts = [] }: Images): readonly Layer[] {
  const region = { x: 0, y: 0, width: before.width, height: before.height };
  return [
    { texture: before, region, shows: region, isResult: false },
    ...(after ? [{ texture: after, region, shows: region, isResult: true }] : []),
    ...parts.map((part) => ({ ...part, shows: part.shows ?? part.region, isResult: true })),
  ];
}

/** Throws TypeError or RangeError. */
export function checkImages(images: Images): void {
  const { before, after, parts = [], scale } = images;
  if (!Number.isInteger(scale) || scale < 1) {
    throw new RangeError(`scale is ${scale}, expected a whole number from 1 on`);
  }
  checkTexture('before', before, before);
  if (after) checkTexture('after', after, scaled(before, scale));
  for (const [index, { texture, region }] of parts.entries()) {
    checkTexture(`part ${index}`, texture, scaled(region, scale));
  }
}

const scaled = ({ width, height }: Size, scale: number): Size => ({
  width: width * scale,
  height: height * scale,
});

function checkTexture(name: string, texture: GPUTexture, { width, height }: Size): void {
  if (texture.dimension !== '2d' || texture.sampleCount !== 1) {
    throw new TypeError(`${name} must be a 2d texture with one sample per pixel`);
  }
  if (!(texture.usage & GPUTextureUsage.TEXTURE_BINDING)) {
    throw new TypeError(`${name} cannot be read by a shader: it needs usage TEXTURE_BINDING`);
  }
  if (texture.width !== width || texture.height !== height) {
    throw new RangeError(
      `${name} is ${texture.width} x ${texture.height}, expected ${width} x ${height}`,
    );
  }
}
