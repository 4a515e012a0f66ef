/** `npm run bench -- kernels --peer ort`: each case's figure on onnxruntime, as the rows have it. */
import type { EngineContext } from '../../src/engine/context.ts';
import type { KernelBenchOptions } from '../kernel-bench.ts';
import { openOpPeer, type OpPeer } from './op-peer.ts';
import { expectOrt } from './ort.ts';
import { subjectOf } from './subjects.ts';

/** At least; short ops get more (op-peer.ts). */
const ROUNDS = 5;

/** Notes say which form ran, and why others did not; where none did, the row has the reason. */
export function besideOrt(
  context: EngineContext,
  note: (text: string) => void,
): NonNullable<KernelBenchOptions['beside']> {
  expectOrt();
  let opened: Promise<OpPeer> | undefined;
  return async (one) => {
    // Conformance cases do not tell their constants.
    if (one.network === 'case') return 'a conformance case: compared in test/kernels';
    const subject = subjectOf(one);
    if (!subject) return 'ONNX has no op that does the same';
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
    if (!milliseconds || difference === undefined) return how;
    return { name, dtype, milliseconds, ours, difference, note: how };
  };
}
