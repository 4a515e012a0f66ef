/**
 * What the page's form says. The address may fill it in and start the run, so that a bench can be
 * shared as a link: `?filter=attention&seconds=0.5&run`.
 */
import type { Selection } from '../cases.ts';

export interface Settings extends Required<Selection> {
  readonly precision: 'auto' | 'f16' | 'f32';
  readonly samples: number;
  readonly seconds: number;
  readonly maxFlops?: number;
}

const FEWEST_SAMPLES = 5;

export function settingsOf(form: HTMLFormElement): Settings {
  const data = new FormData(form);
  const text = (name: string): string => {
    const value = data.get(name);
    return typeof value === 'string' ? value.trim() : '';
  };
  const number = (name: string, otherwise: number): number => {
    const value = Number(text(name));
    return value > 0 ? value : otherwise;
  };
  const precision = text('precision');
  const maxGflop = number('max-gflop', 0);
  return {
    filter: text('filter'),
    shape: '',
    network: text('network'),
    precision: precision === 'f16' || precision === 'f32' ? precision : 'auto',
    samples: Math.max(FEWEST_SAMPLES, Math.round(number('samples', 20))),
    seconds: number('seconds', 1),
    ...(maxGflop > 0 && { maxFlops: 1e9 * maxGflop }),
  };
}

/** True where the address asks to run at once. */
export function fillFrom(address: URLSearchParams, form: HTMLFormElement): boolean {
  for (const [name, value] of address) {
    const field = form.elements.namedItem(name);
    if (field instanceof HTMLInputElement || field instanceof HTMLSelectElement)
      field.value = value;
  }
  return address.has('run');
}
