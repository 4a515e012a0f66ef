/**
 * `npm run bench -- kernels|networks|model|load|encode`: see bench/README.md. Run from the repository's root,
 * by scripts/bench.mjs. `invsr bench` is the installed command line's share of it.
 */
import { readFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { kernelsCommand } from '../src/cli/bench-kernels.ts';
import { writeReports } from '../src/cli/bench-files.ts';
import { modelCommand } from '../src/cli/bench-model.ts';
import {
  type DeviceFlags,
  expectComparable,
  give,
  openBench,
  type OutputFlags,
  readBefore,
  withDeviceFlags,
  withOutputFlags,
} from '../src/cli/bench-output.ts';
import { describe, exitCodeOf } from '../src/cli/errors.ts';
import { modelFolder } from '../src/cli/models.ts';
import { integer } from '../src/cli/options.ts';
import { jsonReporter, textReporter } from '../src/cli/progress.ts';
import type { CommandContext } from '../src/cli/progress.ts';
import type { EngineContext } from '../src/engine/context.ts';
import { createDevice } from '../src/engine/node-device.ts';
import type { Precision } from '../src/invsr/measure-path.ts';
import { type Model, openModel } from '../src/invsr/model.ts';
import { lastKernelRecord, writeCharts } from './chart-svg.ts';
import { benchEncode, encodeReport } from './encode.ts';
import { loadReport } from './load-report.ts';
import { loadOnce } from './load-start.ts';
import { benchLoad, type LoadFlags } from './load.ts';
import { commitOfClone, describeMachine, machineOf } from './machine.ts';
import { benchNetworks, networkLines } from './network-bench.ts';
import { TILE } from './networks.ts';
import { besideOrt } from './peers/beside.ts';
import { pickGraphs } from './peers/graphs.ts';
import { modelBesideOrt, type PeerFlags } from './peers/model-peer.ts';
import { expectOrt } from './peers/ort.ts';
import { BenchInputError } from './read-record.ts';
import type { Machine } from './record.ts';
import { show, type TableFlags } from './show.ts';
import { testCases } from './test-cases.ts';

interface Asked {
  readonly peer?: 'ort';
}

/** What bench/peers/graphs has. */
const PEER_MODEL = 'invsr-nano';

const controller = new AbortController();
process.once('SIGINT', () => controller.abort());
const reporter = process.argv.includes('--json') ? jsonReporter() : textReporter();
const work: CommandContext = { reporter, signal: controller.signal };
const commit = commitOfClone();
const peerOption = (): Option =>
  new Option('--peer <name>', 'also run onnxruntime-node').choices(['ort']);

const kernels = kernelsCommand(work, {
  commit,
  cases: testCases,
  beside(context) {
    if (kernels.opts<Asked>().peer === undefined) return undefined;
    return besideOrt(context, (text) => reporter.note(text));
  },
}).addOption(peerOption());

const model: Command = modelCommand(work, {
  commit,
  expect({ model: name, tile, steps }) {
    if (model.opts<Asked>().peer === undefined) return;
    expectOrt();
    // Its ONNX files are those of this model, at this size.
    if (name === PEER_MODEL && tile === TILE && steps === 1) return;
    throw new BenchInputError(
      `--peer ort is for --model ${PEER_MODEL}, --tile ${TILE} and --steps 1 only`,
    );
  },
  async beside({ flags: { runs }, ...measured }) {
    const { peer, ...flags } = model.opts<Asked & PeerFlags>();
    if (peer === undefined) return undefined;
    return await modelBesideOrt({ ...measured, runs, note: (text) => reporter.note(text) }, flags);
  },
})
  .addOption(peerOption())
  .option('--filter <text>', 'networks to run beside the peer', '')
  .option('--onnx <folder>', "other ONNX files than the repository's own")
  .addOption(
    new Option('--ort-layout <layout>', "tensor layout of onnxruntime's WebGPU provider")
      .choices(['best', 'NHWC', 'NCHW'])
      .default('best'),
  );

const withTableFlags = (command: Command): Command =>
  command
    .option('--top <n>', 'dispatch kinds to list', integer(0), 15)
    .option('--markdown', 'tables as bench/README.md has them');

await new Command('bench')
  .addCommand(kernels)
  .addCommand(
    withOutputFlags(withDeviceFlags(new Command('networks')))
      .description('time of each network of a model by itself')
      .option('--model <name|dir>', 'as for upscale', 'invsr-nano')
      .option('--filter <text>', 'networks whose name contains it', '')
      .option('--runs <n>', 'timed runs of each', integer(1), 5)
      .action(networks),
  )
  .addCommand(model)
  .addCommand(
    withOutputFlags(new Command('load'))
      .description('time to bring the weights of a model folder to the device')
      .argument('<folder>')
      .option('--adapter <name>', 'auto, software, or part of an adapter name', 'auto')
      .option('--runs <n>', 'rounds', integer(1), 5)
      .option('--markdown', 'tables as bench/README.md has them')
      .action(load),
  )
  .addCommand(
    withOutputFlags(new Command('encode'))
      .description("JavaScript's time to encode a tile of InvSR-1, with nothing submitted")
      .option('--runs <n>', 'timed runs', integer(1), 200)
      .action(encode),
  )
  .addCommand(
    // A start in a process of its own, for `load`.
    new Command('load-once')
      .argument('<folder>')
      .option('--adapter <name>', '', 'auto')
      .action(async (folder: string, flags: { readonly adapter: string }) => {
        console.log(JSON.stringify(await loadOnce(folder, flags)));
      }),
    { hidden: true },
  )
  .addCommand(
    withTableFlags(new Command('show'))
      .description('print what --out has written')
      .argument('<file>')
      .action(show),
  )
  .addCommand(
    new Command('charts')
      .description('SVG files of the last kernels that --out has written, for documents')
      .argument('<file>')
      .requiredOption('--to <folder>', 'where they go')
      .action(async (file: string, { to }: { readonly to: string }) => {
        for (const name of await writeCharts(file, to)) console.log(name);
      }),
  )
  .addCommand(
    new Command('html')
      .description('the report of the last kernels that --out has written')
      .argument('<file>')
      .requiredOption('--to <file>', 'where it goes')
      .action(async (file: string, { to }: { readonly to: string }) => {
        const kernels = lastKernelRecord(await readFile(file, 'utf8'), file);
        await writeReports({ kernels }, { html: to }, work);
      }),
  )
  .addCommand(
    new Command('pick-graphs')
      .description('make bench/peers/graphs from PyTorch exports')
      .argument('<folder>')
      .action(async (folder: string) => {
        for (const line of await pickGraphs(folder)) console.log(line);
      }),
  )
  .parseAsync()
  .catch((error: unknown) => {
    reporter.stop();
    reporter.error(describe(error));
    process.exitCode = exitCodeOf(error);
  });

type NetworkFlags = DeviceFlags &
  OutputFlags & { readonly model: string; readonly filter: string; readonly runs: number };

async function networks(flags: NetworkFlags): Promise<void> {
  const before = await readBefore(flags, 'networks');
  await withModel(flags.model, flags, async (opened) => {
    const { context, model, machine, precisions, signal, note } = opened;
    expectComparable(before, { machine }, flags);
    const { model: name, filter, runs } = flags;
    const options = { machine, name, precisions, runs, filter, signal, onProgress: note };
    const record = await benchNetworks(context, model, options);
    await give({ record, lines: () => networkLines(record) }, before, flags, work);
    if (record.incomplete !== undefined) throw new Error(record.incomplete);
  });
}

interface Opened {
  readonly context: EngineContext;
  readonly model: Model;
  readonly machine: Machine;
  readonly precisions: readonly Precision[];
  readonly signal: AbortSignal;
  readonly note: (text: string) => void;
}

async function withModel<T>(
  name: string,
  { adapter, precision, tuned }: DeviceFlags,
  action: (opened: Opened) => Promise<T>,
): Promise<T> {
  const made = await createDevice({ adapter });
  const { device, capabilities } = made;
  const machine = machineOf(capabilities, commit);
  reporter.note(describeMachine(machine));
  const { context, notes } = await openBench(made, { tuned });
  for (const line of notes) reporter.note(line);
  const model = await openModel(await modelFolder(name));
  const able: readonly Precision[] = capabilities.shaderF16 ? ['f16', 'f32'] : ['f32'];
  const precisions = precision === 'auto' ? able : [precision];
  const { signal } = work;
  try {
    const note = (text: string): void => reporter.note(text);
    return await action({ context, model, machine, precisions, signal, note });
  } finally {
    await device.queue.onSubmittedWorkDone().catch(() => {}); // see src/cli/session.ts
    context.dispose();
    device.destroy();
    await model.close();
  }
}

async function load(
  folder: string,
  flags: LoadFlags & OutputFlags & Partial<TableFlags>,
): Promise<void> {
  const before = await readBefore(flags, 'load');
  const found = await benchLoad(folder, flags, (text) => reporter.note(text));
  expectComparable(before, found, flags);
  const rows = found.rows.map((row) => ({ id: `${found.model} ${row.name}`, ...row }));
  const record = { bench: 'load' as const, ...found, rows };
  const isMarkdown = flags.markdown ?? false;
  await give({ record, lines: () => [loadReport(found, { isMarkdown })] }, before, flags, work);
}

async function encode(flags: OutputFlags & { readonly runs: number }): Promise<void> {
  const before = await readBefore(flags, 'encode');
  const found = await benchEncode(flags.runs);
  expectComparable(before, found, flags);
  const rows = found.rows.map((row) => ({ id: row.stage, ...row }));
  const record = { bench: 'encode' as const, ...found, rows };
  await give({ record, lines: () => [encodeReport(found)] }, before, flags, work);
}
