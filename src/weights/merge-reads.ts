/**
 * Reads that are asked for at the same time → few requests: what lies close together in the file is read as
 * one range, and what lies between is dropped. A model has hundreds of small tensors, and every request
 * costs a round trip.
 *
 *   asked   ▒▒ ▒▒▒▒ ▒                  ▒▒▒▒▒▒▒▒▒
 *   read    ━━━━━━━━━                  ━━━━━━━━━
 *
 * Memory: a range lives for as long as somebody uses a part of it.
 */
type Read = (
  offset: number,
  length: number,
  signal?: AbortSignal,
) => Promise<Uint8Array<ArrayBuffer>>;

const KIB = 1024;
/** What is sooner read than asked for again: a millisecond at 500 Mbit/s. */
const GAP_BYTES = 64 * KIB;
/** No range grows beyond it, so that large reads go side by side: browsers have six connections to a server. */
const RANGE_BYTES = 4 * KIB * KIB;

interface Asked {
  readonly offset: number;
  readonly length: number;
  readonly resolve: (bytes: Uint8Array<ArrayBuffer>) => void;
  readonly reject: (error: unknown) => void;
}

/** A run of neighbours. */
interface Range {
  readonly start: number;
  readonly end: number;
  readonly parts: readonly Asked[];
}

/** `read`, with calls before the next microtask that share a signal put together. What fails fails for all of a range. */
export function mergeReads(read: Read): Read {
  const waiting = new Map<AbortSignal | undefined, Asked[]>();
  const send = (): void => {
    for (const [signal, asked] of waiting) {
      for (const range of rangesOf(asked)) void serve(range, read, signal);
    }
    waiting.clear();
  };
  return (offset, length, signal) =>
    new Promise((resolve, reject) => {
      if (waiting.size === 0) queueMicrotask(send);
      const asked = waiting.get(signal) ?? [];
      waiting.set(signal, asked);
      asked.push({ offset, length, resolve, reject });
    });
}

async function serve(
  { start, end, parts }: Range,
  read: Read,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    const bytes = await read(start, end - start, signal);
    for (const { offset, length, resolve } of parts) {
      resolve(bytes.subarray(offset - start, offset - start + length));
    }
  } catch (error) {
    for (const { reject } of parts) reject(error);
  }
}

function rangesOf(asked: readonly Asked[]): Range[] {
  const ranges: Range[] = [];
  for (const part of asked.toSorted((a, b) => a.offset - b.offset)) {
    const last = ranges.at(-1);
    const end = Math.max(last?.end ?? 0, part.offset + part.length);
    const isNear = last && part.offset - last.end <= GAP_BYTES && end - last.start <= RANGE_BYTES;
    if (isNear) ranges[ranges.length - 1] = { ...last, end, parts: [...last.parts, part] };
    else ranges.push({ start: part.offset, end: part.offset + part.length, parts: [part] });
  }
  return ranges;
}
