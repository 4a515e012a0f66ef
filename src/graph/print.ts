/** A Plan as a text table, for snapshots and bug reports. */
import { byteLength, format } from '../engine/kernel.ts';
import {
  type Dispatch,
  dispatchesOf,
  type Location,
  type Plan,
  type Range,
  slotBytes,
  totalFlops,
} from '../engine/plan.ts';

const MAX_PARAMS = 20;

export function printPlan(plan: Plan): string {
  const rows = [
    ...plan.prepare.map((d, i) => row(`p${i}`, d)),
    ...plan.dispatches.map((d, i) => row(`${i}`, d)),
  ];
  const widths = rows.reduce<number[]>(
    (max, cells) => cells.map((cell, i) => Math.max(max[i] ?? 0, cell.length)),
    [],
  );
  const table = rows.map((cells) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const all = dispatchesOf(plan);
  const weightBytes = plan.weights.reduce((sum, w) => sum + byteLength(w.type), 0);
  return [
    ...table,
    '',
    `externals  ${Object.entries(plan.externals)
      .map(([name, type]) => `${name} ${format(type)}`)
      .join(', ')}`,
    `slots      ${plan.slots.map(({ bytes, persistent }) => `${bytes}${persistent ? 'p' : ''}`).join(' ')} = ${slotBytes(plan)} bytes`,
    `weights    ${plan.weights.length}, ${weightBytes} bytes`,
    `pipelines  ${new Set(all.map(({ kernel }) => kernel.wgsl)).size}`,
    `dispatches ${plan.prepare.length} once, ${plan.dispatches.length} per run, ${(totalFlops(plan.dispatches) / 1e9).toFixed(3)} GFLOP`,
    '',
  ].join('\n');
}

function row(index: string, { path, kernel, inputs, output, moments }: Dispatch): string[] {
  const operands = Object.entries(inputs).map(([name, at]) => `${name}=${short(at)}`);
  const params = Object.entries(kernel.params).map(([name, { value }]) => `${name}=${value}`);
  // A timestep's sinusoid travels in the params: its first values tell it apart.
  if (params.length > MAX_PARAMS) params.splice(MAX_PARAMS, Infinity, '…');
  return [
    index,
    path,
    kernel.name,
    kernel.variant,
    `${operands.join(' ')} → ${short(output)}${moments ? ` + ${short(moments)}` : ''}`,
    kernel.workgroups.join('x'),
    `${(kernel.cost.flops / 1e6).toFixed(3)} MFLOP`,
    `${kernel.cost.bytes} B`,
    fnv1a(kernel.wgsl),
    params.join(' '),
  ];
}

function short(at: Location): string {
  switch (at.kind) {
    case 'slot':
      return `s${at.index}${window(at)}`;
    case 'weight':
      return `w${at.index}`;
    case 'external':
      return `${at.name}${window(at)}`;
  }
}

/** `[offset+bytes]` */
const window = ({ offset, bytes }: Range): string =>
  offset === undefined ? '' : `[${offset}+${bytes}]`;

/** Eight hex digits that change whenever the WGSL does. */
function fnv1a(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  }
  return hash.toString(16).padStart(8, '0');
}
