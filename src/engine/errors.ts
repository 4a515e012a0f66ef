/**
 * What goes wrong around a device, said so that a person can act on it: what, needed, got, remedy.
 */

export interface DeviceProblem {
  /** The feature, limit or thing that falls short, with the layer or tensor that asks for it. */
  readonly what: string;
  readonly needed: string;
  readonly got: string;
  readonly remedy: string;
  /** It is memory: all of it, or what one buffer may have. Less at once can fit. */
  readonly isMemory?: boolean;
}

/** The device, or the machine, cannot do what is asked of it. */
export class DeviceError extends Error {
  override readonly name: string = 'DeviceError';
  readonly problem: DeviceProblem;

  constructor(problem: DeviceProblem) {
    const { what, needed, got, remedy } = problem;
    super(`${what}: got ${got}, needed ${needed}. ${remedy}`);
    this.problem = problem;
  }
}

/** No adapter has the name that was asked for. */
export class AdapterNameError extends DeviceError {
  override readonly name = 'AdapterNameError';
}

/** The device went away; everything on it is gone. */
export class DeviceLostError extends Error {
  override readonly name = 'DeviceLostError';
}

/** A kernel does not compile: our bug or the driver's. */
export class CompileError extends Error {
  override readonly name = 'CompileError';

  constructor(kernel: string, path: string, message: string, excerpt: string) {
    super(`${path}: ${kernel} does not compile: ${message}${excerpt && `\n${excerpt}`}`);
  }
}

/** The line before, the line at fault (1-based) and the line after, numbered. */
export function excerptOf(text: string, lineNumber: number): string {
  const lines = text.split('\n');
  const from = Math.max(1, Math.min(lineNumber - 1, lines.length - 2));
  const width = String(from + 2).length;
  return lines
    .slice(from - 1, from + 2)
    .map((line, i) => {
      const number = from + i;
      return `${number === lineNumber ? '>' : ' '} ${String(number).padStart(width)} | ${line}`;
    })
    .join('\n');
}
