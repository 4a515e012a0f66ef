/** A profiled run as sections of the report: shares of networks and ops, and the timeline by layer. */
import type { DispatchTiming } from '../../src/engine/profiler.ts';
import { NETWORKS, networkOf } from '../../src/invsr/measure.ts';
import { type Family, FAMILIES, FAMILY_NAMES, familyOf } from '../charts/families.ts';
import { layerSpans, LEVELS } from '../charts/layers.ts';
import { tag, textTag } from '../charts/markup.ts';
import { byteRate, duration, flopRate, linearTicks, percent } from '../charts/scale.ts';
import { endOf, type ProfileRecord } from '../profile-record.ts';

export function profileSections(profile: ProfileRecord): string[] {
  const { dispatches, model, tile, precision } = profile;
  const busy = sumOf(dispatches);
  const span = endOf(dispatches);
  const submits = new Set(dispatches.map(({ submit }) => submit)).size;
  return [
    tag(
      'section',
      {},
      textTag('h2', {}, 'Where the time goes'),
      textTag(
        'p',
        { class: 'note' },
        `One profiled run of ${model} in ${precision}, a tile of ${tile}: ${dispatches.length} dispatches in ${submits} ${submits === 1 ? 'submit' : 'submits'}, ${duration(busy / 1e6)} of GPU time within ${duration(span / 1e6)}. Each dispatch had a pass of its own, which costs some microseconds.`,
      ),
      shares(dispatches),
    ),
    tag(
      'section',
      {},
      textTag('h2', {}, 'Timeline by layer'),
      textTag(
        'p',
        { class: 'note' },
        'Networks, blocks, layers, and under them the dispatches in the colours of their ops. Ctrl and wheel or + and − zoom, 0 shows all, dragging or scrolling pans, a double click fills the window with a span, arrow keys walk.',
      ),
      timelineControls(),
      timeline(dispatches, span),
      tag('p', { class: 'readout', 'aria-live': 'polite' }),
    ),
  ];
}

const sumOf = (dispatches: readonly DispatchTiming[]): number =>
  dispatches.reduce((sum, { nanoseconds }) => sum + nanoseconds, 0);

// --- shares ---------------------------------------------------------------------------------------

/** A bar per network as long as its time, in parts by family. */
function shares(dispatches: readonly DispatchTiming[]): string {
  const networks = [...NETWORKS, 'other']
    .map((network) => ({
      network,
      members: dispatches.filter(({ path }) => networkOf(path) === network),
    }))
    .filter(({ members }) => members.length > 0);
  const longest = Math.max(...networks.map(({ members }) => sumOf(members)));
  const total = sumOf(dispatches);
  const bars = networks.map(({ network, members }) => {
    const time = sumOf(members);
    const parts = FAMILY_NAMES.map((family): [Family, number] => [
      family,
      sumOf(members.filter(({ name }) => familyOf(name) === family)),
    ]).filter(([, part]) => part > 0);
    return [
      textTag('span', {}, network),
      tag(
        'div',
        { class: 'track' },
        ...parts.map(([family, part]) => {
          const label = `${FAMILIES[family].label}: ${duration(part / 1e6)}, ${percent(part / time)} of ${network}`;
          const style = `width:${((100 * part) / longest).toFixed(2)}%`;
          return tag('div', {
            class: `part ${family}`,
            style,
            title: label,
            role: 'img',
            'aria-label': label,
          });
        }),
      ),
      textTag('span', {}, `${duration(time / 1e6)} · ${percent(time / total)}`),
    ].join('');
  });
  return tag('div', { class: 'shares' }, ...bars) + key(dispatches);
}

const key = (dispatches: readonly DispatchTiming[]): string =>
  tag(
    'p',
    { class: 'key' },
    ...FAMILY_NAMES.filter((family) =>
      dispatches.some(({ name }) => familyOf(name) === family),
    ).map((family) =>
      tag('span', {}, tag('i', { class: `part ${family}` }), FAMILIES[family].label),
    ),
  );

// --- timeline -------------------------------------------------------------------------------------

const timelineControls = (): string =>
  tag(
    'div',
    { class: 'controls' },
    tag('input', {
      id: 'layers',
      type: 'search',
      placeholder: 'Find layers: up_blocks.1 attn1, conv2d …',
      'aria-label': 'Find layers by path or kernel; Enter goes to the next',
    }),
    textTag('button', { type: 'button', 'data-zoom': 2, 'aria-label': 'Zoom in' }, '+'),
    textTag('button', { type: 'button', 'data-zoom': 0.5, 'aria-label': 'Zoom out' }, '−'),
    textTag('button', { type: 'button', 'data-zoom': 0 }, 'Show all'),
    tag('output', { id: 'layers-found', for: 'layers' }),
  );

/** Positions are percentages of the run, so that zooming is a matter of one width. */
function timeline(dispatches: readonly DispatchTiming[], total: number): string {
  const place = (begin: number, end: number): string =>
    `left:${((100 * begin) / total).toFixed(4)}%;width:${((100 * (end - begin)) / total).toFixed(4)}%`;
  const spans = layerSpans(dispatches);
  const lanes = LEVELS.map((_, level) =>
    tag(
      'div',
      { class: `lane l${level}` },
      ...spans
        .filter((span) => span.level === level)
        .map(({ label, path, begin, end, dispatches }) => {
          const title = `${path}: ${duration((end - begin) / 1e6)}, ${dispatches} ${dispatches === 1 ? 'dispatch' : 'dispatches'}`;
          return tag(
            'div',
            { class: 'span', style: place(begin, end), title },
            textTag('b', {}, label),
          );
        }),
    ),
  );
  const milliseconds = total / 1e6;
  return tag(
    'div',
    {
      class: 'scroller',
      tabindex: 0,
      role: 'region',
      'aria-label': 'Timeline; arrow keys walk through the dispatches',
    },
    tag(
      'div',
      { class: 'timeline', 'data-milliseconds': String(milliseconds) },
      tag(
        'div',
        { class: 'ticks' },
        // What print and readers without scripts see.
        ...linearTicks(milliseconds, 8)
          .slice(0, -1)
          .map((tick) =>
            textTag(
              'span',
              { style: `left:${((100 * tick) / milliseconds).toFixed(3)}%` },
              duration(tick),
            ),
          ),
      ),
      ...lanes,
      tag(
        'div',
        { class: 'lane dispatches' },
        ...dispatches.map((timing) => {
          const { path, name, begin, nanoseconds } = timing;
          return tag('div', {
            class: `bar-d ${familyOf(name)}`,
            style: place(begin, begin + nanoseconds),
            'data-path': path,
            'data-milliseconds': String(nanoseconds / 1e6),
            title: describe(timing),
          });
        }),
      ),
    ),
  );
}

function describe({
  name,
  variant,
  nanoseconds,
  flops,
  bytes,
  workgroups,
}: DispatchTiming): string {
  const rates = [
    ...(flops > 0 ? [`, ${flopRate(flops / nanoseconds)}`] : []),
    `, ${byteRate(bytes / nanoseconds)}`,
  ];
  return `${name} ${variant}: ${duration(nanoseconds / 1e6)}${nanoseconds > 0 ? rates.join('') : ''}, workgroups ${workgroups.join(' × ')}`;
}
