/** Typed access to one config.json; every complaint is a ConfigError that names file and field. */
import { ConfigError } from './errors.ts';

type Json = Readonly<Record<string, unknown>>;

export class Fields {
  readonly #json: Json;
  readonly #file: string;

  constructor(text: string, file: string) {
    this.#file = file;
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch (cause) {
      throw new ConfigError(`${file} is not valid JSON; download it again`, { cause });
    }
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
      throw new ConfigError(`${file} is not a JSON object; is this a diffusers model folder?`);
    }
    this.#json = parsed as Json;
  }

  fail(field: string, got: unknown, expected: string): never {
    throw new ConfigError(
      `${this.#file}: "${field}" is ${JSON.stringify(got) ?? 'missing'}, expected ${expected}`,
    );
  }

  /** Present and not null. */
  has(field: string): boolean {
    return this.#json[field] != null;
  }

  number(field: string, fallback?: number): number {
    const value = this.#json[field] ?? fallback;
    if (typeof value !== 'number') this.fail(field, value, 'a number');
    return value;
  }

  integer(field: string, fallback?: number): number {
    const value = this.number(field, fallback);
    if (!Number.isInteger(value) || value < 1) this.fail(field, value, 'a positive integer');
    return value;
  }

  text(field: string, fallback?: string): string {
    const value = this.#json[field] ?? fallback;
    if (typeof value !== 'string') this.fail(field, value, 'a text');
    return value;
  }

  boolean(field: string, fallback: boolean): boolean {
    const value = this.#json[field] ?? fallback;
    if (typeof value !== 'boolean') this.fail(field, value, 'true or false');
    return value;
  }

  /** A list of positive integers; a single one is repeated `length` times. */
  integers(field: string, length?: number, fallback?: number): readonly number[] {
    const value = this.#json[field] ?? fallback;
    const isPositive = (v: unknown): boolean => Number.isInteger(v) && Number(v) > 0;
    if (typeof value === 'number' && length !== undefined && isPositive(value)) {
      return Array.from({ length }, () => value);
    }
    const isList = Array.isArray(value) && value.every(isPositive) && value.length > 0;
    if (!isList || (length !== undefined && value.length !== length)) {
      this.fail(field, value, `${length ?? 'one or more'} positive integers`);
    }
    return value as number[];
  }

  /** "block_out_channels", which the kernels take in fours and group norms divide. */
  channels(groups: number): readonly number[] {
    const value = this.integers('block_out_channels');
    if (value.some((c) => c % 4 !== 0)) this.fail('block_out_channels', value, 'multiples of 4');
    if (value.some((c) => c % groups !== 0)) {
      this.fail('block_out_channels', value, `multiples of norm_num_groups, ${groups}`);
    }
    return value;
  }

  optionalInteger(field: string): number | null {
    return this.#json[field] == null ? null : this.integer(field);
  }

  /** Maps each entry of a list of type names; an unknown one is refused. */
  types<T>(field: string, known: Readonly<Record<string, T>>, length: number): readonly T[] {
    const value = this.#json[field];
    if (!Array.isArray(value) || value.length !== length) {
      this.fail(field, value, `${length} block types`);
    }
    return value.map((name: unknown) => {
      const mapped = typeof name === 'string' ? known[name] : undefined;
      if (mapped === undefined) {
        this.fail(
          field,
          name,
          `one of ${Object.keys(known).join(', ')} (other blocks are not built)`,
        );
      }
      return mapped;
    });
  }

  /** The field is absent, null, or one of `allowed`. */
  only(field: string, ...allowed: readonly unknown[]): void {
    const value = this.#json[field];
    if (value == null || allowed.includes(value)) return;
    this.fail(field, value, allowed.map((v) => JSON.stringify(v)).join(' or ') || 'null');
  }
}
