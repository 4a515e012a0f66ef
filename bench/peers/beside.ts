/** `npm run bench -- kernels --peer ort`: each case's figure on onnxruntime, as the rows have it. */
import type { EngineContext } from '../../src/engine/context.ts';
import type { KernelBenchOptions } from '../kernel-bench.ts';
import { openOpPeer, type OpPeer } from './op-peer.ts';
import { expectOrt } from './ort.ts';
import { subjectOf } from './subjects.ts';

/** At least; short ops get more (op-peer.ts). */
const ROUNDS = 5;

/** Notes say which form ran, and why others did not; cases of which none did get no figure. */
export function besideOrt(
  context: EngineContext,
  note: (text: string) => void,
): NonNullable<KernelBenchOptions['beside']> {
  expectOrt();
  let opened: Promise<OpPeer> | undefined;
  return async (one) => {
    // Conformance cases do not tell their constants.
    const subject = one.network === 'case' ? undefined : subjectOf(one);
    if (!subject) return undefined;
    opened ??= openOpPeer(context);
    const peer = await opened;
    const {
      name,
      dtype,
      ours,
      peer: milliseconds,
      difference,
      note: how,
    } = await peer.time(subject, { rounds: ROUNDS });
    note(`${one.id}: ${name} ${how}`);
    if (!milliseconds || difference === undefined) return undefined;
    return { name, dtype, milliseconds, ours, difference, note: how };
  };
}
