/**
 * `npm run bench -- kernels|model|load|encode`: see bench/README.md. Run from the repository's root, by
 * scripts/bench.mjs.
 */
import { appendFile, readFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { createContext, type EngineContext } from '../src/engine/context.ts';
import { createDevice } from '../src/engine/node-device.ts';
import { modelFolder } from '../src/cli/models.ts';
import { integer } from '../src/cli/options.ts';
import { measurePaths, type Precision } from '../src/invsr/measure-path.ts';
import { type Model, openModel } from '../src/invsr/model.ts';
import { readTensors } from '../src/weights/checkpoint.ts';
import { toF32 } from '../src/weights/layout.ts';
import { fileSource } from '../src/weights/node-file.ts';
import { benchKernels, type KernelRow, subjectsOf } from './kernel-bench.ts';
import { benchLoad, type LoadFlags, loadOnce, type LoadRecord, loadReport } from './load.ts';
import { benchEncode, encodeReport } from './encode.ts';
import { describeMachine, machineOf, packageVersion } from './machine.ts';
import type { Machine } from './record.ts';
import { benchBeside, type PeerResult } from './peer-bench.ts';
import { type NchwTensor, networkCases, TILE } from './networks.ts';
import { MODEL, pickGraphs, readGraphs } from './peers/graphs.ts';
import { expectOrt, type OrtLayout, startOrt } from './peers/ort.ts';
import { kernelReport, type ModelRecord, modelReport } from './report.ts';

interface CommonFlags {
  readonly adapter: string;
  readonly precision: 'auto' | Precision;
  readonly filter: string;
  readonly json?: boolean;
  readonly out?: string;
}

interface ModelFlags extends CommonFlags {
  readonly runs: number;
  readonly top: number;
  readonly markdown?: boolean;
  readonly peer?: 'ort';
  readonly onnx?: string;
  readonly ortLayout: OrtLayout | 'best';
}

const common = (command: Command): Command =>
  command
    .option('--adapter <name>', 'auto, software, or part of an adapter name', 'auto')
    .addOption(
      new Option('--precision <kind>', 'storage of activations; auto: all the adapter can')
        .choices(['auto', 'f16', 'f32'])
        .default('auto'),
    )
    .option('--json', 'one JSON object on stdout')
    .option('--out <file>', 'append the JSON object to a file, one line per bench');

const note = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

await new Command('bench')
  .addCommand(
    common(new Command('kernels'))
      .description('GPU time of single kernels: the perf cases and the nano plan')
      .option('--filter <text>', 'kernels whose name or variant contains it', '')
      .option('--samples <n>', 'dispatches timed of each kernel', integer(5), 20)
      .action(kernels),
  )
  .addCommand(
    common(new Command('model'))
      .description('time of the embedded model, 128 → 512 in one step')
      .option('--runs <n>', 'rounds', integer(1), 5)
      .option('--top <n>', 'dispatch kinds to list', integer(0), 15)
      .option('--markdown', 'tables as bench/README.md has them')
      .addOption(new Option('--peer <name>', 'also run onnxruntime-node').choices(['ort']))
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
    new Command('load')
      .description('time to bring the weights of a model folder to the device')
      .argument('<folder>')
      .option('--adapter <name>', 'auto, software, or part of an adapter name', 'auto')
      .option('--runs <n>', 'rounds', integer(1), 5)
      .option('--markdown', 'tables as bench/README.md has them')
      .option('--json', 'one JSON object on stdout')
      .option('--out <file>', 'append the JSON object to a file, one line per bench')
      .action(load),
  )
  .addCommand(
    new Command('encode')
      .description("JavaScript's time to encode a tile of InvSR-1, with nothing submitted")
      .option('--runs <n>', 'timed runs', integer(1), 200)
      .option('--json', 'one JSON object on stdout')
      .option('--out <file>', 'append the JSON object to a file, one line per bench')
      .action(
        async (flags: {
          readonly runs: number;
          readonly json?: boolean;
          readonly out?: string;
        }) => {
          const record = { bench: 'encode', ...(await benchEncode(flags.runs)) };
          await give(record, flags, () => encodeReport(record));
        },
      ),
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
    new Command('show')
      .description('print what --out has written')
      .argument('<file>')
      .option('--top <n>', 'dispatch kinds to list', integer(0), 15)
      .option('--markdown', 'tables as bench/README.md has them')
      .action(show),
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
    console.error(error instanceof Error && !process.env['INVSR_DEBUG'] ? error.message : error);
    process.exitCode = 1;
  });

interface Opened {
  readonly context: EngineContext;
  readonly model: Model;
  readonly machine: Machine;
  readonly precisions: readonly Precision[];
}

async function withModel<T>(
  { adapter, precision }: CommonFlags,
  work: (opened: Opened) => Promise<T>,
): Promise<T> {
  const { device, capabilities, notice } = await createDevice({ adapter });
  const machine = machineOf(capabilities);
  if (notice !== undefined) note(notice);
  note(describeMachine(machine));
  const context = createContext(device);
  const model = await openModel(await modelFolder('invsr-nano'));
  const able: readonly Precision[] = capabilities.shaderF16 ? ['f16', 'f32'] : ['f32'];
  const precisions = precision === 'auto' ? able : [precision];
  try {
    return await work({ context, model, machine, precisions });
  } finally {
    context.dispose();
    device.destroy();
    await model.close();
  }
}

async function kernels(flags: CommonFlags & { readonly samples: number }): Promise<void> {
  await withModel(flags, async ({ context, model, machine, precisions }) => {
    // One at a time: the cases are the same for both.
    const precision = precisions[0] ?? 'f32';
    const options = { precision, tile: TILE, timesteps: [200] };
    const rows = await benchKernels(context, subjectsOf(context, model, options, flags.filter), {
      samples: flags.samples,
      onRow: ({ name, variant, milliseconds }) =>
        note(`${milliseconds.median.toFixed(3)} ms  ${name} ${variant}`),
    });
    const record = { bench: 'kernels', machine, precision, rows };
    await give(record, flags, () => kernelReport(rows));
  });
}

async function model(flags: ModelFlags): Promise<void> {
  if (flags.peer) expectOrt();
  await withModel(flags, async (opened) => {
    const { context, machine, precisions } = opened;
    const paths = await measurePaths(context, opened.model, {
      precisions,
      tile: TILE,
      timesteps: [200],
      runs: flags.runs,
      onProgress: note,
    });
    const peer = flags.peer && (await besideOrt(opened, flags));
    const record = { bench: 'model', machine, model: 'invsr-nano', tile: TILE, paths, peer };
    await give(record, flags, () =>
      modelReport(
        { machine, paths, peer },
        { top: flags.top, isMarkdown: flags.markdown ?? false },
      ),
    );
  });
}

async function load(
  folder: string,
  flags: LoadFlags & {
    readonly markdown?: boolean;
    readonly json?: boolean;
    readonly out?: string;
  },
): Promise<void> {
  const record = { bench: 'load', ...(await benchLoad(folder, flags, note)) };
  await give(record, flags, () => loadReport(record, { isMarkdown: flags.markdown ?? false }));
}

type Row = (
  | { bench: 'kernels'; rows: KernelRow[] }
  | ({ bench: 'model' } & ModelRecord)
  | ({ bench: 'load' } & LoadRecord)
) & {
  readonly machine: Machine;
};

async function show(
  file: string,
  { top, markdown = false }: Pick<ModelFlags, 'top' | 'markdown'>,
): Promise<void> {
  for (const line of (await readFile(file, 'utf8')).trim().split('\n')) {
    const record = JSON.parse(line) as Row;
    if (record.bench === 'load') {
      console.log(loadReport(record, { isMarkdown: markdown }));
      continue;
    }
    console.log(
      record.bench === 'model'
        ? modelReport(record, { top, isMarkdown: markdown })
        : `${describeMachine(record.machine)}\n\n${kernelReport(record.rows)}`,
    );
  }
}

export interface PeerRecord {
  readonly name: string;
  readonly drivers: readonly string[];
  readonly networks: readonly PeerResult[];
}

async function besideOrt(
  { context, model, precisions }: Opened,
  { onnx, ortLayout, filter, runs }: ModelFlags,
): Promise<PeerRecord> {
  const graphs = await readGraphs(onnx);
  const ort = await startOrt(context.capabilities);
  try {
    const networks: PeerResult[] = [];
    for (const network of networkCases(model, await prompt())) {
      const graph = graphs.get(network.name);
      if (!graph || !network.name.includes(filter)) continue;
      note(`${network.name}: onnxruntime compiles`);
      const peer = await ort.open(graph, { feeds: network.inputs, layout: ortLayout });
      const rounds = { precisions, runs, onProgress: note };
      networks.push(await benchBeside(context, model, { network, peer }, rounds));
      await peer.close();
    }
    const version = packageVersion('bench/peers/node_modules/onnxruntime-node');
    return { name: `onnxruntime-node ${version}`, drivers: await ort.drivers(), networks };
  } finally {
    ort.dispose();
  }
}

async function prompt(): Promise<NchwTensor> {
  const tensors = await readTensors(await fileSource(`${MODEL}/prompt_embeds.safetensors`));
  const embeds = tensors.get('prompt_embeds');
  if (!embeds) throw new Error(`${MODEL} has no prompt_embeds`);
  return { shape: embeds.shape, data: toF32(embeds) };
}

async function give(
  record: object,
  { json, out }: Pick<CommonFlags, 'json' | 'out'>,
  text: () => string,
): Promise<void> {
  const line = JSON.stringify(record);
  if (out !== undefined) await appendFile(out, `${line}\n`);
  console.log(json ? line : text());
}
