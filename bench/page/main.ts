/**
 * The bench of kernels in a browser: the cases, clocks and statistics of bench/, on the browser's own
 * WebGPU, with the charts of the HTML report. index.html has the elements that this fills.
 */
import type { EngineContext } from '../../src/engine/context.ts';
import { loadPlanner } from '../../src/graph/lower.ts';
import { openContext } from '../../src/graph/open-context.ts';
import { capabilitiesOf, requiredDevice } from '../../src/engine/device.ts';
import { FULL_SIZE } from '../../src/invsr/full-size.ts';
import { type BenchCase, modelCases, selectCases } from '../cases.ts';
import { escape } from '../charts/markup.ts';
import { roofline } from '../charts/roofline.ts';
import { duration, percent } from '../charts/scale.ts';
import { STYLE } from '../html/style.ts';
import { htmlReport } from '../html-report.ts';
import { benchKernels } from '../kernel-bench.ts';
import type { Ceilings, KernelRecord, KernelRow, Machine } from '../record.ts';
import { browserMachine } from './machine.ts';
import { fillFrom, type Settings, settingsOf } from './settings.ts';

const TILE = 128;
const LATEST = 6;
/** Between drawings of the chart while kernels run. */
const REDRAW_MS = 500;

function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`the page has no ${id}`);
  return found;
}

const settings = element('settings', HTMLFormElement);
const runButton = element('run', HTMLButtonElement);
const stopButton = element('stop', HTMLButtonElement);
const progress = element('progress', HTMLProgressElement);
const report = element('report', HTMLIFrameElement);
const text = (id: string, value: string): void => {
  element(id, HTMLElement).textContent = value;
};
const show = (id: string, isShown: boolean): void => {
  element(id, HTMLElement).hidden = !isShown;
};

function tellProblem(problem: string): void {
  text('problem', problem);
  show('problem', problem !== '');
}

// --- the device -----------------------------------------------------------------------------------

interface Opened {
  readonly context: EngineContext;
  readonly machine: Machine;
}

/** A fresh one where the last was lost. */
async function open(): Promise<Opened> {
  // In browsers without WebGPU it is not there, whatever the types say.
  const gpu = navigator.gpu as GPU | undefined;
  if (!gpu) {
    throw new Error(
      'This browser has no WebGPU, or has it switched off; on pages that are neither https nor localhost none has it.',
    );
  }
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter)
    throw new Error('WebGPU is there, but no adapter: the GPU or its driver is not supported.');
  const device = await adapter.requestDevice(requiredDevice(adapter));
  const capabilities = capabilitiesOf(device);
  const machine = browserMachine(capabilities);
  text('adapter', machine.adapter);
  const f16 = capabilities.shaderF16 ? 'f16' : 'no f16';
  text('facts', [machine.dawn, f16, capabilities.family, `commit ${machine.commit}`].join(' · '));
  const context = await openContext(device);
  await loadPlanner(context.target);
  return { context, machine };
}

const precisionOf = ({ precision }: Settings, { context }: Opened): 'f16' | 'f32' =>
  precision === 'auto' ? (context.target.shaderF16 ? 'f16' : 'f32') : precision;

function casesOf(asked: Settings, opened: Opened): BenchCase[] {
  const { target, capabilities } = opened.context;
  const options = {
    precision: precisionOf(asked, opened),
    tile: TILE,
    timesteps: [200],
    target,
    maxBindingBytes: capabilities.limits.maxStorageBufferBindingSize,
  };
  return selectCases(modelCases({ model: FULL_SIZE, name: '' }, options), asked);
}

// --- a run ----------------------------------------------------------------------------------------

async function run(opened: Opened, asked: Settings, signal: AbortSignal): Promise<KernelRecord> {
  const { context, machine } = opened;
  const precision = precisionOf(asked, opened);
  const rows: KernelRow[] = [];
  let ceilings: Ceilings | undefined;
  let drawnAt = 0;
  const draw = (): void => {
    if (!ceilings || performance.now() - drawnAt < REDRAW_MS) return;
    drawnAt = performance.now();
    const width = Math.min(860, settings.clientWidth);
    element('chart', HTMLElement).innerHTML = roofline({ rows, ceilings }, { width, height: 420 });
  };
  text('status', 'Measuring the ceilings …');
  return await benchKernels(context, casesOf(asked, opened), {
    machine,
    precision,
    samples: asked.samples,
    seconds: asked.seconds,
    maxFlops: asked.maxFlops,
    signal,
    onClock: ({ why }) => text('status', why ?? 'Measuring the ceilings …'),
    onCeilings(found) {
      ceilings = found;
      text('status', 'Compiling …');
    },
    onRow(row, { index, total }) {
      rows.push(row);
      progress.max = total;
      progress.value = index + 1;
      text('status', `${index + 1} of ${total}: ${row.id}`);
      element('latest', HTMLElement).innerHTML = rows
        .slice(-LATEST)
        .toReversed()
        .map(line)
        .join('');
      draw();
    },
  });
}

const line = ({ milliseconds, ofCeiling, op, size, network }: KernelRow): string =>
  `<li><span>${duration(milliseconds.median)}</span><span>${percent(ofCeiling)}</span><span>${escape(`${op} ${size} · ${network}`)}</span></li>`;

// --- the page -------------------------------------------------------------------------------------

const urls: string[] = [];

function offer(id: string, content: string, type: string): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  urls.push(url);
  element(id, HTMLAnchorElement).href = url;
}

function showReport(record: KernelRecord): void {
  for (const url of urls.splice(0)) URL.revokeObjectURL(url);
  const html = htmlReport({ kernels: record });
  offer('save-json', `${JSON.stringify(record)}\n`, 'application/json');
  offer('save-html', html, 'text/html');
  report.addEventListener('load', fitReport, { once: true });
  report.srcdoc = html;
  show('done', true);
}

/** As high as its content, which changes with its width and with filters; the page has its header already. */
function fitReport(): void {
  const page = report.contentDocument;
  if (!page) return;
  for (const part of page.querySelectorAll('header > :not(.warn)')) part.remove();
  const fit = (): void => {
    report.style.height = `${Math.ceil(page.body.getBoundingClientRect().height)}px`;
  };
  new ResizeObserver(fit).observe(page.body);
  fit();
}

async function start(opened: Opened): Promise<void> {
  const asked = settingsOf(settings);
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  stopButton.addEventListener('click', stop);
  runButton.disabled = true;
  progress.value = 0;
  text('latest', '');
  text('chart', '');
  tellProblem('');
  show('stop', true);
  show('live', true);
  show('done', false);
  try {
    const record = await run(opened, asked, controller.signal);
    if (record.rows.length > 0) showReport(record);
    else tellProblem(record.incomplete ?? 'No kernel gave a figure.');
    for (const { id, why } of record.skipped) console.warn(`${id}: ${why}`);
  } catch (error) {
    if (!controller.signal.aborted) tellProblem(messageOf(error));
  } finally {
    stopButton.removeEventListener('click', stop);
    show('stop', false);
    show('live', false);
    runButton.disabled = false;
  }
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

async function main(): Promise<void> {
  const style = document.createElement('style');
  style.textContent = STYLE;
  document.head.prepend(style);
  const isAtOnce = fillFrom(new URLSearchParams(location.search), settings);
  let opened = await open();
  const count = (): void => {
    const found = casesOf(settingsOf(settings), opened).length;
    text('selected', found === 1 ? '1 kernel' : `${found} kernels`);
    runButton.disabled = found === 0;
  };
  const go = async (): Promise<void> => {
    if (opened.context.lost.aborted) opened = await open();
    await start(opened);
  };
  settings.addEventListener('input', count);
  settings.addEventListener('submit', (event) => {
    event.preventDefault();
    void go().catch((error: unknown) => tellProblem(messageOf(error)));
  });
  count();
  if (isAtOnce) await go();
}

main().catch((error: unknown) => {
  text('adapter', 'No bench here');
  tellProblem(messageOf(error));
});
