/** What each error means to the command line. */
import { expect, test } from 'vitest';
import { EXIT, exitCodeOf, InputError, isPictureError } from '../../src/cli/errors.ts';
import { DeviceLostError } from '../../src/engine/errors.ts';
import { ConfigError, ImageSizeError } from '../../src/invsr/errors.ts';
import { ParityError } from '../../src/invsr/parity.ts';

test.each<[Error, { code: number; isPicture: boolean }]>([
  [new InputError('no image'), { code: EXIT.usage, isPicture: true }],
  [new ImageSizeError('too large'), { code: EXIT.usage, isPicture: true }],
  [new ParityError('no draw'), { code: EXIT.usage, isPicture: true }],
  [new ConfigError('another model'), { code: EXIT.usage, isPicture: false }],
  [new DeviceLostError('lost'), { code: EXIT.failed, isPicture: false }],
  [new DOMException('aborted', 'AbortError'), { code: EXIT.interrupted, isPicture: false }],
])('%s', (error, { code, isPicture }) => {
  expect(exitCodeOf(error)).toBe(code);
  expect(isPictureError(error)).toBe(isPicture);
});
