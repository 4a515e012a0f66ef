/**
 * `npm run bench -- kernels|networks|model|load|encode`: see bench/README.md. Run from the repository's root,
 * by scripts/bench.mjs. `invsr bench` is the installed command line's share of it.
 */
import { readFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { kernelsCommand } from '../src/cli/bench-kernels.ts';
import { collectProfiles, expectReports, writeReports } from '../src/cli/bench-files.ts';
import {
  type DeviceFlags,
  expectComparable,
  give,
  openBench,
  type OutputFlags,
  type ReportFlags,
  readBefore,
  withDeviceFlags,
  withOutputFlags,
  withReportFlags,
} from '../src/cli/bench-output.ts';
import { describe, exitCodeOf } from '../src/cli/errors.ts';
import { modelFolder } from '../src/cli/models.ts';
import { integer } from '../src/cli/options.ts';
import { jsonReporter, textReporter } from '../src/cli/progress.ts';
import type { CommandContext } from '../src/cli/upscale.ts';
import { createDevice } from '../src/engine/node-device.ts';
import type { Precision } from '../src/invsr/measure-path.ts';
import { openModel } from '../src/invsr/model.ts';
import { lastKernelRecord, writeCharts } from './chart-svg.ts';
import { kernelLines } from './kernel-report.ts';
import { benchLoad, type LoadFlags, loadOnce, type LoadRecord, loadReport } from './load.ts';
import { benchEncode, encodeReport } from './encode.ts';
import { commitOfClone, describeMachine, machineOf } from './machine.ts';
import { benchModel, expectPeer, type ModelFlags, type Opened } from './model-bench.ts';
import { benchNetworks, networkLines, type NetworkRecord } from './network-bench.ts';
import { TILE } from './networks.ts';
import { besideOrt } from './peers/beside.ts';
import { pickGraphs } from './peers/graphs.ts';
import type { KernelRecord } from './record.ts';
import { type ModelRecord, modelReport } from './report.ts';
import { testCases } from './test-cases.ts';

interface TableFlags {
  readonly top: number;
  readonly markdown?: boolean;
}

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
    if (kernels.opts<{ readonly peer?: 'ort' }>().peer === undefined) return undefined;
    return besideOrt(context, (text) => reporter.note(text));
  },
}).addOption(peerOption());

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
  .addCommand(
    withReportFlags(withTableFlags(withOutputFlags(withDeviceFlags(new Command('model')))))
      .description('time of the embedded model, 128 → 512 in one step')
      .option('--runs <n>', 'rounds', integer(1), 5)
      .addOption(peerOption())
      .option('--filter <text>', 'networks to run beside the peer', '')
      .option('--onnx <folder>', "other ONNX files than the repository's own")
      .addOption(
        new Option('--ort-layout <layout>', "tensor layout of onnxruntime's WebGPU provider")
          .choices(['best', 'NHWC', 'NCHW'])
          .default('best'),
      )
      .action(model),
  )
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

async function model(
  flags: ModelFlags & TableFlags & DeviceFlags & OutputFlags & ReportFlags,
): Promise<void> {
  expectPeer(flags);
  const before = await readBefore(flags, 'model');
  await withModel('invsr-nano', flags, async (opened) => {
    expectComparable(before, opened, flags);
    await expectReports(opened.context.device, flags);
    const { machine } = opened;
    const profiles = collectProfiles({ machine, model: 'invsr-nano', tile: TILE });
    const found = await benchModel(opened, flags, profiles.onProfile);
    const rows = found.paths.map(({ precision, wall }) => ({
      id: `invsr-nano ${precision}, tile ${TILE}, 1 steps: upload to readback`,
      milliseconds: wall,
    }));
    const record = { bench: 'model' as const, model: 'invsr-nano', tile: TILE, rows, ...found };
    const report = { top: flags.top, isMarkdown: flags.markdown ?? false };
    await give({ record, lines: () => [modelReport(found, report)] }, before, flags, work);
    await writeReports({ profiles: profiles.found }, flags, work);
  });
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

type AnyRecord =
  | KernelRecord
  | NetworkRecord
  | ({ readonly bench: 'model' } & ModelRecord)
  | ({ readonly bench: 'load' } & LoadRecord);

async function show(file: string, { top, markdown = false }: TableFlags): Promise<void> {
  const table = { isMarkdown: markdown };
  for (const line of (await readFile(file, 'utf8')).trim().split('\n')) {
    const record = JSON.parse(line) as AnyRecord;
    const { bench, machine } = record;
    if (bench === 'load') console.log(loadReport(record, table));
    else if (bench === 'model') console.log(modelReport(record, { top, ...table }));
    else {
      const lines = bench === 'kernels' ? kernelLines(record, table) : networkLines(record);
      console.log([describeMachine(machine), '', ...lines].join('\n'));
    }
  }
}
