/**
 * Errors of models and images, apart from what throws them: the page's side of a worker knows them
 * without the engine.
 */
/** A config asks for something this engine does not build, or the parts of a model do not fit. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** The image is too large for this device. */
export class ImageSizeError extends Error {
  override readonly name = 'ImageSizeError';
}

/** More memory than allowed, whatever is given up. */
export class MemoryError extends Error {
  override readonly name = 'MemoryError';
}

/** A network gives NaN or Infinity in f32: no number can be trusted. */
export class NonFiniteError extends Error {
  override readonly name = 'NonFiniteError';
}

/** A list of timesteps that the sampler cannot follow. */
export class TimestepError extends Error {
  override readonly name = 'TimestepError';
}
