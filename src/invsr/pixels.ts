/** 8-bit pixels on the host, and the two things done to them there. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  /** rgba8, R first, row-major. */
  readonly pixels: Uint8Array;
}

/** RangeError where the bytes are not those of an rgba8 image of the given size. */
export function checkPixels({ width, height, pixels }: Pixels): void {
  const isSide = (side: number): boolean => Number.isInteger(side) && side >= 1;
  if (!isSide(width) || !isSide(height)) {
    throw new RangeError(
      `the image is ${width}x${height}, expected whole sides of at least 1 pixel`,
    );
  }
  if (pixels.length !== 4 * width * height) {
    throw new RangeError(
      `pixels has ${pixels.length} bytes, expected ${4 * width * height}: rgba8 of ${width}x${height}`,
    );
  }
}

/** A side of one pixel has nothing to reflect, so it is doubled; the caller crops the result. */
export function reflectable(image: Pixels): Pixels {
  if (image.width > 1 && image.height > 1) return image;
  const width = Math.max(2, image.width);
  const height = Math.max(2, image.height);
  const pixels = new Uint8Array(4 * width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = 4 * (Math.min(y, image.height - 1) * image.width + Math.min(x, image.width - 1));
      pixels.set(image.pixels.subarray(from, from + 4), 4 * (y * width + x));
    }
  }
  return { width, height, pixels };
}

export function cropTopLeft(
  image: Pixels,
  { width, height }: { readonly width: number; readonly height: number },
): Pixels {
  if (image.width === width && image.height === height) return image;
  const pixels = new Uint8Array(4 * width * height);
  for (let y = 0; y < height; y++) {
    const from = 4 * y * image.width;
    pixels.set(image.pixels.subarray(from, from + 4 * width), 4 * y * width);
  }
  return { width, height, pixels };
}
