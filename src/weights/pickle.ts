/**
 * A pickle machine for the opcodes that torch.save writes (protocol 2; 3 to 5 for plain data).
 *
 * A pickle is a program for a stack machine that can call any Python function by name. This one
 * calls nothing: names, calls and persistent ids go to a host (torch-globals.ts) that knows a few
 * and refuses the others. Every opcode takes at least a byte and makes at most one value, and no
 * value is ever copied, so time and memory are bounded by `MAX_STEPS`; nothing here recurses.
 *
 * Opcodes: Lib/pickletools.py of CPython 3.12.
 */
import type { Fail } from './safetensors-header.ts';
import type { PickleDict, PickleValue } from './pickle-values.ts';

/** What names, calls and persistent ids mean. Each throws where it refuses. */
export interface PickleHost {
  global(name: string): PickleValue;
  call(callable: PickleValue, args: PickleValue): PickleValue;
  persistent(id: PickleValue): PickleValue;
  readonly fail: Fail;
}

export interface Unpickled {
  readonly value: PickleValue;
  /** The byte after the pickle. */
  readonly end: number;
}

/** 25 opcodes make a tensor, 700 tensors a full-size UNet. */
const MAX_STEPS = 1_000_000;
/** torch.save's own largest integer, the mark of its legacy files, has 10. */
const MAX_INTEGER_BYTES = 255;

/** The pickle from `start`; undefined where the bytes end before it does. */
export function unpickle(bytes: Uint8Array, host: PickleHost, start = 0): Unpickled | undefined {
  const reader = readerOf(bytes, start, host.fail);
  try {
    return run(reader, host);
  } catch (error) {
    if (error instanceof EndOfBytes) return undefined;
    throw error;
  }
}

// Named as in pickletools.
const OP = {
  MARK: 0x28,
  STOP: 0x2e,
  POP: 0x30,
  POP_MARK: 0x31,
  DUP: 0x32,
  BINFLOAT: 0x47,
  BININT: 0x4a,
  BININT1: 0x4b,
  BININT2: 0x4d,
  NONE: 0x4e,
  BINPERSID: 0x51,
  REDUCE: 0x52,
  BINSTRING: 0x54,
  SHORT_BINSTRING: 0x55,
  BINUNICODE: 0x58,
  EMPTY_LIST: 0x5d,
  APPEND: 0x61,
  BUILD: 0x62,
  GLOBAL: 0x63,
  APPENDS: 0x65,
  BINGET: 0x68,
  LONG_BINGET: 0x6a,
  BINPUT: 0x71,
  LONG_BINPUT: 0x72,
  SETITEM: 0x73,
  TUPLE: 0x74,
  SETITEMS: 0x75,
  EMPTY_DICT: 0x7d,
  EMPTY_TUPLE: 0x29,
  BINBYTES: 0x42,
  SHORT_BINBYTES: 0x43,
  PROTO: 0x80,
  TUPLE1: 0x85,
  TUPLE2: 0x86,
  TUPLE3: 0x87,
  NEWTRUE: 0x88,
  NEWFALSE: 0x89,
  LONG1: 0x8a,
  LONG4: 0x8b,
  SHORT_BINUNICODE: 0x8c,
  BINUNICODE8: 0x8d,
  STACK_GLOBAL: 0x93,
  MEMOIZE: 0x94,
  FRAME: 0x95,
} as const;

function run(read: Reader, host: PickleHost): Unpickled {
  const { fail } = host;
  const stack: PickleValue[] = [];
  const marks: number[] = [];
  const memo = new Map<number, PickleValue>();

  const push = (value: PickleValue): void => void stack.push(value);
  const pop = (): PickleValue => {
    const value = stack.length > (marks.at(-1) ?? 0) ? stack.pop() : undefined;
    return value === undefined ? fail('its pickle takes more from the stack than is there') : value;
  };
  const top = (): PickleValue => {
    const value = pop();
    push(value);
    return value;
  };
  const popToMark = (): PickleValue[] =>
    stack.splice(marks.pop() ?? fail('its pickle ends a group that was not begun'));
  const recall = (slot: number): void => {
    const value = memo.get(slot);
    push(value === undefined ? fail(`its pickle asks for memo ${slot}, which is not set`) : value);
  };
  const append = (items: readonly PickleValue[]): void => {
    const list = top();
    if (!Array.isArray(list)) return fail('its pickle appends to something that is no list');
    for (const item of items) list.push(item);
  };
  const set = (items: readonly PickleValue[]): void => {
    const dict = top();
    if (!(dict instanceof Map)) return fail('its pickle sets an item of something that is no dict');
    if (items.length % 2 !== 0) fail('its pickle sets a key without a value');
    fill(dict, items);
  };
  const text = (value: PickleValue): string =>
    typeof value === 'string'
      ? value
      : fail('its pickle names a global by something that is no text');

  for (let steps = 0; steps < MAX_STEPS; steps++) {
    const at = read.position();
    const code = read.u8();
    switch (code) {
      case OP.PROTO: {
        const protocol = read.u8();
        if (protocol < 2 || protocol > 5)
          fail(`its pickle has protocol ${protocol}, expected 2 to 5`);
        break;
      }
      case OP.FRAME:
        read.skip(8);
        break;
      case OP.STOP: {
        const value = pop();
        if (stack.length > 0 || marks.length > 0) fail('its pickle leaves values on the stack');
        return { value, end: read.position() };
      }
      case OP.MARK:
        marks.push(stack.length);
        break;
      case OP.POP:
        if (marks.at(-1) === stack.length) marks.pop();
        else pop();
        break;
      case OP.POP_MARK:
        popToMark();
        break;
      case OP.DUP:
        push(top());
        break;

      case OP.NONE:
        push(null);
        break;
      case OP.NEWTRUE:
        push(true);
        break;
      case OP.NEWFALSE:
        push(false);
        break;
      case OP.BININT:
        push(read.i32());
        break;
      case OP.BININT1:
        push(read.u8());
        break;
      case OP.BININT2:
        push(read.u16());
        break;
      case OP.LONG1:
        push(read.integer(read.u8()));
        break;
      case OP.LONG4:
        push(read.integer(read.u32()));
        break;
      case OP.BINFLOAT:
        push(read.f64());
        break;
      case OP.BINUNICODE:
      case OP.BINSTRING:
        push(read.text(read.u32()));
        break;
      case OP.SHORT_BINUNICODE:
      case OP.SHORT_BINSTRING:
        push(read.text(read.u8()));
        break;
      case OP.BINUNICODE8:
        push(read.text(read.u64()));
        break;
      case OP.BINBYTES:
        read.skip(read.u32());
        push({ kind: 'opaque' });
        break;
      case OP.SHORT_BINBYTES:
        read.skip(read.u8());
        push({ kind: 'opaque' });
        break;

      case OP.EMPTY_TUPLE:
      case OP.EMPTY_LIST:
        push([]);
        break;
      case OP.TUPLE:
        push(popToMark());
        break;
      case OP.TUPLE1:
        push([pop()]);
        break;
      case OP.TUPLE2:
        push([pop(), pop()].toReversed());
        break;
      case OP.TUPLE3:
        push([pop(), pop(), pop()].toReversed());
        break;
      case OP.APPEND:
        append([pop()]);
        break;
      case OP.APPENDS:
        append(popToMark());
        break;
      case OP.EMPTY_DICT:
        push(new Map());
        break;
      case OP.SETITEM:
        set([pop(), pop()].toReversed());
        break;
      case OP.SETITEMS:
        set(popToMark());
        break;

      case OP.BINPUT:
        memo.set(read.u8(), top());
        break;
      case OP.LONG_BINPUT:
        memo.set(read.u32(), top());
        break;
      case OP.MEMOIZE:
        memo.set(memo.size, top());
        break;
      case OP.BINGET:
        recall(read.u8());
        break;
      case OP.LONG_BINGET:
        recall(read.u32());
        break;

      case OP.GLOBAL:
        push(host.global(`${read.line()}.${read.line()}`));
        break;
      case OP.STACK_GLOBAL: {
        const name = text(pop());
        push(host.global(`${text(pop())}.${name}`));
        break;
      }
      case OP.REDUCE: {
        const args = pop();
        push(host.call(pop(), args));
        break;
      }
      case OP.BUILD: {
        // Attributes beside the data, such as a state_dict's _metadata: not wanted.
        pop();
        const target = top();
        if (Array.isArray(target) || typeof target !== 'object' || target === null) {
          fail('its pickle gives attributes to plain data');
        }
        break;
      }
      case OP.BINPERSID:
        push(host.persistent(pop()));
        break;
      default:
        fail(
          `its pickle has the opcode 0x${code.toString(16).padStart(2, '0')} at byte ${at}, which torch.save does not write for tensors`,
        );
    }
  }
  return fail(`its pickle takes more than ${MAX_STEPS.toLocaleString('en-US')} steps`);
}

/** `items` alternate keys and values. */
function fill(dict: PickleDict, items: readonly PickleValue[]): void {
  for (let i = 0; i + 1 < items.length; i += 2) dict.set(items[i] ?? null, items[i + 1] ?? null);
}

class EndOfBytes extends Error {}

type Reader = ReturnType<typeof readerOf>;

function readerOf(bytes: Uint8Array, start: number, fail: Fail) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let at = start;
  /** Steps over `count` bytes and tells where they began. */
  const take = (count: number): number => {
    if (!(count <= bytes.length - at)) throw new EndOfBytes();
    at += count;
    return at - count;
  };
  const text = (count: number): string => {
    const from = take(count);
    try {
      return utf8.decode(bytes.subarray(from, at));
    } catch {
      return fail(`its pickle has text at byte ${from} that is not UTF-8`);
    }
  };
  return {
    position: () => at,
    skip: (count: number): void => void take(count),
    u8: () => view.getUint8(take(1)),
    u16: () => view.getUint16(take(2), true),
    u32: () => view.getUint32(take(4), true),
    i32: () => view.getInt32(take(4), true),
    u64: () => Number(view.getBigUint64(take(8), true)),
    f64: () => view.getFloat64(take(8)), // the one big-endian number of the format
    text,
    /** Two's complement, little-endian. */
    integer: (count: number): number | bigint => {
      if (count > MAX_INTEGER_BYTES) return fail(`its pickle has an integer of ${count} bytes`);
      const from = take(count);
      let value = 0n;
      for (let i = at - 1; i >= from; i--) value = (value << 8n) | BigInt(view.getUint8(i));
      const signed = BigInt.asIntN(8 * count, value);
      const small = Number(signed);
      return Number.isSafeInteger(small) ? small : signed;
    },
    /** Up to the next newline, which is not part of it. */
    line: (): string => {
      const end = bytes.indexOf(0x0a, at);
      if (end < 0) throw new EndOfBytes();
      const value = text(end - at);
      at = end + 1;
      return value;
    },
  };
}
