/**
 * A pickle machine for the opcodes that torch.save writes (protocol 2; 3 to 5 for plain data).
 *
 * A pickle is a program for a stack machine that can call any Python function by name. This one
 * calls nothing: names, calls and persistent ids go to a host (torch-globals.ts) that knows a few
 * and refuses the others. Every opcode takes at least a byte and makes at most one value, and no
 * value is ever copied, so time and memory are bounded by `MAX_STEPS`; nothing here recurses.
 */
import type { Fail } from './safetensors-header.ts';
import { OP } from './pickle-opcodes.ts';
import { EndOfBytes, type Reader, readerOf } from './pickle-reader.ts';
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

/** A tensor takes about 30, and a full-size UNet has 686. */
const MAX_STEPS = 1_000_000;

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
