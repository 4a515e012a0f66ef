/**
 * Patches → content, a window of rows at a time.
 *
 *   content[y, x] = Σ_patches wy·wx·patch        [rows, W, 3] f32
 *
 * Tiles come in row-major order. A row is done once every tile that touches it was added; rows that
 * nothing needs any more are dropped, so memory holds little more than one row of tiles. Sums are
 * made in the order of the tiles: the same bits, whether patches are fresh or from a journal.
 */
import { CHANNELS, type HostPlan } from './host-plan.ts';
import type { Strip } from './resample.ts';
import { SCALE } from './tile-graph.ts';
import type { Tile } from './tiles.ts';

export class RowBlender {
  readonly #plan: HostPlan;
  readonly #rowLength: number;
  readonly #rowStarts: readonly number[];
  readonly #lastColumn: number;
  #rows: Float32Array<ArrayBuffer> = new Float32Array(0);
  /** Content row that `#rows` begins with. */
  #first: number;
  #done: number;

  /** Begins with the tiles whose `y` is `firstTileRow`; rows above them come out incomplete. */
  constructor(plan: HostPlan, firstTileRow: number) {
    this.#plan = plan;
    this.#rowLength = plan.content.width * CHANNELS;
    this.#rowStarts = [...new Set(plan.grid.tiles.map(({ y }) => y))];
    this.#lastColumn = plan.grid.tiles.at(-1)?.x ?? 0;
    this.#first = this.#contentRow(firstTileRow);
    this.#done = this.#first;
  }

  /** Rows before this one are complete. */
  get done(): number {
    return this.#done;
  }

  add({ y, x }: Tile, patch: Float32Array): void {
    const { grid, padding, content, tile } = this.#plan;
    const side = tile * SCALE;
    const top = SCALE * (y - padding.top);
    const left = SCALE * (x - padding.left);
    this.#reserve(this.#contentRow(y + tile));
    const weightsY = grid.rowWeights.get(y) ?? [];
    const weightsX = grid.columnWeights.get(x) ?? [];
    const from = Math.max(0, -left);
    const to = Math.min(side, content.width - left);
    const rows = this.#rows;
    for (let i = Math.max(0, -top); i < Math.min(side, content.height - top); i++) {
      const wy = weightsY[i] ?? 0;
      if (wy === 0) continue;
      let at = (top + i - this.#first) * this.#rowLength + (left + from) * CHANNELS;
      let p = (i * side + from) * 4;
      for (let j = from; j < to; j++, at += CHANNELS, p += 4) {
        const w = wy * (weightsX[j] ?? 0);
        rows[at] = (rows[at] ?? 0) + w * (patch[p] ?? 0);
        rows[at + 1] = (rows[at + 1] ?? 0) + w * (patch[p + 1] ?? 0);
        rows[at + 2] = (rows[at + 2] ?? 0) + w * (patch[p + 2] ?? 0);
      }
    }
    if (x < this.#lastColumn) return;
    const next = this.#rowStarts[this.#rowStarts.indexOf(y) + 1];
    this.#done = next === undefined ? content.height : this.#contentRow(next);
  }

  /** What is in memory; rows from `done` on are incomplete. */
  strip(): Strip {
    const count = this.#rows.length / this.#rowLength;
    return { first: this.#first, count, channels: CHANNELS, data: this.#rows };
  }

  /** Rows before `first` are not needed any more. */
  drop(first: number): void {
    const rows = Math.max(0, Math.min(first, this.#done) - this.#first);
    this.#rows.copyWithin(0, rows * this.#rowLength);
    this.#rows.fill(0, this.#rows.length - rows * this.#rowLength);
    this.#first += rows;
  }

  /** Memory up to content row `end`. */
  #reserve(end: number): void {
    const length = (end - this.#first) * this.#rowLength;
    if (this.#rows.length >= length) return;
    const larger = new Float32Array(length);
    larger.set(this.#rows);
    this.#rows = larger;
  }

  /** Where a row of the padded image lies in the content. */
  #contentRow(y: number): number {
    const row = SCALE * (y - this.#plan.padding.top);
    return Math.min(this.#plan.content.height, Math.max(0, row));
  }
}
