/** What `invsr bench kernels` does; loaded when it is asked for. */
import { type BenchCase, modelCases, selectCases } from '../../bench/cases.ts';
import { benchKernels } from '../../bench/kernel-bench.ts';
import { ceilingLine, kernelLines } from '../../bench/kernel-report.ts';
import { describeMachine, machineOf } from '../../bench/machine.ts';
import { digits } from '../../bench/table.ts';
import type { EngineContext } from '../engine/context.ts';
import { createDevice } from '../engine/node-device.ts';
import { FULL_SIZE } from '../invsr/full-size.ts';
import { openModel } from '../invsr/model.ts';
import { expectReports, profileOnce, writeReports } from './bench-files.ts';
import type { KernelFlags, KernelHost } from './bench-kernels.ts';
import { expectComparable, give, openBench, readBefore } from './bench-output.ts';
import { InputError, interruptible } from './errors.ts';
import { modelFolder } from './models.ts';
import type { CommandContext } from './progress.ts';

/** Ends with what was measured, however it ends; an interruption says whether that was told. */
export async function kernels(
  flags: KernelFlags,
  work: CommandContext,
  host: KernelHost,
): Promise<void> {
  const told = { isGiven: false };
  const sentence = (): string =>
    told.isGiven ? 'the record has what was measured until then' : 'there is no record';
  await interruptible(work.signal, sentence, () => bench(flags, { work, host, told }));
}

interface Asked {
  readonly work: CommandContext;
  readonly host: KernelHost;
  readonly told: { isGiven: boolean };
}

async function bench(flags: KernelFlags, { work, host, told }: Asked): Promise<void> {
  const { reporter, signal } = work;
  const before = await readBefore(flags, 'kernels');
  const made = await createDevice({ adapter: flags.adapter });
  const { device, capabilities } = made;
  const { context, notes } = await openBench(made, flags);
  try {
    const machine = machineOf(capabilities, host.commit);
    expectComparable(before, { machine }, flags);
    const precision = precisionOf(flags, capabilities);
    const all = [
      ...(await casesOf(flags, precision, context)),
      ...(host.cases?.(context.target) ?? []),
    ];
    const cases = selectCases(all, flags);
    if (cases.length === 0) throw new InputError(nothingMatches(flags, all));
    if (flags.list) {
      const lines = cases.map(
        ({ network, count, id, size }) => `${network}  ${count} × ${id}  (${size})`,
      );
      reporter.result({ bench: 'list', cases: cases.map(({ id }) => id) }, lines);
      return;
    }
    await expectReports(device, flags);
    for (const line of notes) reporter.note(line);
    reporter.note(describeMachine(machine));
    const record = await benchKernels(context, cases, {
      machine,
      precision,
      samples: flags.samples,
      seconds: flags.seconds,
      ...(flags.maxGflop !== undefined && { maxFlops: 1e9 * flags.maxGflop }),
      cacheBytes: flags.cache,
      signal,
      onClock: ({ why }) => why !== undefined && reporter.note(why),
      onCeilings: (ceilings) => reporter.note(ceilingLine(ceilings)),
      onRow: ({ milliseconds, id, size }, { index, total }) =>
        reporter.note(`${index + 1}/${total}  ${digits(milliseconds.median)} ms  ${size}  ${id}`),
      onSkip: ({ id, why }) => reporter.warning(`${id}: ${why}`, { id }),
      beside: host.beside?.(context),
    });
    await give({ record, lines: () => kernelLines(record) }, before, flags, work);
    told.isGiven = true;
    const isWanted = flags.html !== undefined || flags.profile !== undefined;
    const isWhole = record.incomplete === undefined && !signal.aborted;
    const { model, tile } = flags;
    const profiles =
      isWanted && isWhole && model !== false
        ? await profileOnce(context, { machine, model, tile, precision }, work)
        : [];
    await writeReports({ kernels: record, profiles }, flags, work);
    if (record.incomplete !== undefined && !signal.aborted) throw new Error(record.incomplete);
    signal.throwIfAborted();
    if (record.rows.length === 0) throw new Error('no kernel gave a figure');
  } finally {
    await device.queue.onSubmittedWorkDone().catch(() => {}); // see session.ts
    context.dispose();
    device.destroy();
  }
}

function precisionOf(
  { precision }: KernelFlags,
  { shaderF16 }: { readonly shaderF16: boolean },
): 'f16' | 'f32' {
  if (precision !== 'auto') return precision;
  return shaderF16 ? 'f16' : 'f32';
}

async function casesOf(
  { model, tile }: KernelFlags,
  precision: 'f16' | 'f32',
  { target, capabilities }: EngineContext,
): Promise<BenchCase[]> {
  const { maxStorageBufferBindingSize: maxBindingBytes } = capabilities.limits;
  const options = { precision, tile, timesteps: [200], target, maxBindingBytes };
  const full = modelCases({ model: FULL_SIZE, name: '' }, options);
  if (model === false) return full;
  const opened = await openModel(await modelFolder(model));
  try {
    const own = modelCases({ model: opened, name: model }, options);
    const known = new Set(full.map(({ id }) => id));
    return [...full, ...own.filter(({ id }) => !known.has(id))];
  } finally {
    await opened.close();
  }
}

/** What was asked for, and what there is. */
function nothingMatches(
  { filter, shape, network }: KernelFlags,
  all: readonly BenchCase[],
): string {
  const asked = Object.entries({ filter, shape, network })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `--${name} ${value}`);
  const ops = [...new Set(all.map(({ op }) => op))].toSorted();
  const counts = ops.map((op) => `${op} (${all.filter((one) => one.op === op).length})`);
  const networks = [...new Set(all.map((one) => one.network))];
  return `no kernel matches ${asked.join(' ')}; there are ${counts.join(', ')}; in ${networks.join(', ')}; --list shows them with their shapes`;
}
