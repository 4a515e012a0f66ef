/**
 * Records of the bench as one HTML file: no network, no other files, charts as SVG, behaviour as a few
 * functions without a library. The policy in its head forbids everything else, scripts of others
 * included.
 *
 *   htmlReport({ kernels })             a bench of kernels
 *   htmlReport({ kernels, profiles })   and profiled runs of a model
 */
import { tag, textTag } from './charts/markup.ts';
import { flopRate, byteRate, duration } from './charts/scale.ts';
import { filterRows, linkRows, sortTable } from './html/behaviour.ts';
import { kernelSections } from './html/kernels.ts';
import { profileSections } from './html/profile.ts';
import { STYLE } from './html/style.ts';
import { timeline } from './html/timeline-behaviour.ts';
import type { ProfileRecord } from './profile-record.ts';
import type { ClockFacts, KernelRecord } from './record.ts';

export interface ReportInput {
  readonly kernels?: KernelRecord | undefined;
  /** The first is shown as a timeline. */
  readonly profiles?: readonly ProfileRecord[] | undefined;
}

const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

export function htmlReport({ kernels, profiles = [] }: ReportInput): string {
  const [profile] = profiles;
  const machine = kernels?.machine ?? profile?.machine;
  if (!machine) throw new Error('a report needs a record');
  const title = `${machine.adapter}: ${kernels ? 'kernels' : 'profile'}`;
  const script = [linkRows, filterRows, sortTable, timeline].map(
    (each) => `(${each.toString()})();`,
  );
  const head = [
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`,
    '<meta name="viewport" content="width=device-width,initial-scale=1">',
    '<link rel="icon" href="data:,">',
    textTag('title', {}, `${title} · invsr bench`),
    tag('style', {}, STYLE),
  ];
  const body = [
    reportBody({ kernels, profiles }),
    // Inside a function of its own file each name is free; as text they only share the document.
    tag('script', {}, script.join('\n')),
  ];
  return `<!doctype html>\n<html lang="en"><head>${head.join('')}</head><body>${body.join('')}</body></html>\n`;
}

/** Header and sections without document, style or scripts. */
function reportBody({ kernels, profiles = [] }: ReportInput): string {
  const [profile] = profiles;
  const machine = kernels?.machine ?? profile?.machine;
  if (!machine) throw new Error('a report needs a record');
  return [
    tag(
      'header',
      {},
      textTag(
        'p',
        { class: 'eyebrow' },
        kernels ? 'invsr bench · kernels' : 'invsr bench · profile',
      ),
      textTag('h1', {}, machine.adapter),
      textTag('p', { class: 'note' }, subtitle(kernels, profile)),
      ...(kernels?.incomplete === undefined
        ? []
        : [textTag('p', { class: 'warn' }, `Not complete: ${kernels.incomplete}.`)]),
    ),
    tag(
      'main',
      {},
      ...(kernels ? kernelSections(kernels) : []),
      ...(profile ? profileSections(profile) : []),
    ),
    facts({ kernels, profiles }),
  ].join('');
}

function subtitle(kernels: KernelRecord | undefined, profile: ProfileRecord | undefined): string {
  const machine = kernels?.machine ?? profile?.machine;
  const precision = kernels?.precision ?? profile?.precision ?? '';
  return [precision, `commit ${machine?.commit}`, machine?.date.replace('T', ' ')].join(' · ');
}

// --- facts ----------------------------------------------------------------------------------------

const CLOCKS: Readonly<Record<ClockFacts['kind'], string>> = {
  timestamps: 'GPU timestamps around every dispatch',
  'timestamp-batches': 'GPU timestamps around batches of dispatches, because they are rounded',
  'wall-batches': "the host's clock around batches of dispatches, because the device has none",
};

function facts({ kernels, profiles = [] }: ReportInput): string {
  const machine = kernels?.machine ?? profiles[0]?.machine;
  const rows: (readonly [string, string | undefined])[] = [
    ['Adapter', machine?.adapter],
    ['WebGPU', machine?.dawn],
    ['Host', [machine?.cpu, machine?.cores && `${machine.cores} cores`].filter(Boolean).join(', ')],
    ['Node', machine?.node],
    ['Load of the machine', machine?.load === undefined ? undefined : String(machine.load)],
    ['Commit', machine?.commit],
    ['Date', machine?.date.replace('T', ' ')],
    ...(kernels ? kernelFacts(kernels) : []),
  ];
  const skipped = kernels?.skipped ?? [];
  return tag(
    'section',
    {},
    textTag('h2', {}, 'Machine and method'),
    tag(
      'dl',
      { class: 'facts' },
      ...rows.flatMap(([name, value]) =>
        value ? [textTag('dt', {}, name) + textTag('dd', {}, value)] : [],
      ),
      ...skipped.map(
        ({ id, why }) => tag('dt', {}, 'Skipped') + textTag('dd', {}, `${id}: ${why}`),
      ),
    ),
  );
}

function kernelFacts({ target, clock, ceilings }: KernelRecord): (readonly [string, string])[] {
  const { matrix } = target;
  const quantum = clock.quantumNanoseconds;
  return [
    [
      'Kernels for',
      [
        target.family,
        target.shaderF16 ? 'f16' : 'packed f16',
        target.subgroupSize > 0 ? `subgroups of ${target.subgroupSize}` : 'no fixed subgroup',
        ...(matrix
          ? [`subgroup matrices ${matrix.component} ${matrix.m}×${matrix.n}×${matrix.k}`]
          : []),
      ].join(', '),
    ],
    ['Clock', `${CLOCKS[clock.kind]}${quantum > 0 ? `, steps of ${duration(quantum / 1e6)}` : ''}`],
    [
      'Ceilings',
      [
        `copy ${byteRate(ceilings.copyGBs)}`,
        `f32 ${flopRate(ceilings.f32Gflops)}`,
        ...(ceilings.f16Gflops === undefined ? [] : [`f16 ${flopRate(ceilings.f16Gflops)}`]),
        ...(ceilings.matrixGflops === undefined
          ? []
          : [`subgroup matrices ${flopRate(ceilings.matrixGflops)}`]),
      ].join(', '),
    ],
  ];
}
