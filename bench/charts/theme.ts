/** Colours and type of the charts, light and dark, as CSS: for the report and for SVG files alike. */
import { FAMILIES, FAMILY_NAMES } from './families.ts';

type Theme = 'light' | 'dark';

const INK: Readonly<Record<Theme, Readonly<Record<string, string>>>> = {
  light: {
    paper: '#fcfcfa',
    panel: '#ffffff',
    ink: '#1b1e22',
    muted: '#5d646c',
    line: '#e2e3e0',
    strong: '#8b9198',
    accent: '#1f4e96',
    halo: '#fcfcfa',
  },
  dark: {
    paper: '#131518',
    panel: '#1a1d21',
    ink: '#e9eaec',
    muted: '#a2a9b1',
    line: '#2b2f34',
    strong: '#757d86',
    accent: '#8ab4f8',
    halo: '#131518',
  },
};

const variables = (theme: Theme): string =>
  [
    ...Object.entries(INK[theme]).map(([name, value]) => `--${name}:${value}`),
    ...FAMILY_NAMES.map((family) => `--${family}:${FAMILIES[family][theme]}`),
  ].join(';');

/** Custom properties on `selector`, by the reader's preference; print is light. */
export const themeVariables = (selector: string): string => `
${selector}{color-scheme:light dark;${variables('light')}}
@media screen and (prefers-color-scheme:dark){${selector}{${variables('dark')}}}`;

export const FONT = `ui-sans-serif,system-ui,-apple-system,"Segoe UI","Helvetica Neue",Arial,"DejaVu Sans",sans-serif`;

export const CHART_STYLE = `
.chart{font:11px ${FONT};fill:var(--muted);font-variant-numeric:tabular-nums;display:block}
.chart .grid{stroke:var(--line)}
.chart .axis{stroke:var(--strong)}
.chart .title{fill:var(--ink)}
.chart .ceiling{stroke:var(--ink);stroke-width:1.5}
.chart .ceilings text{fill:var(--ink);font-weight:600;paint-order:stroke;stroke:var(--halo);stroke-width:3px}
.chart .labels text{fill:var(--ink);paint-order:stroke;stroke:var(--halo);stroke-width:3px;pointer-events:none}
.chart .leader{stroke:var(--strong)}
.chart .ceilings text{pointer-events:none}
.chart .legend text{fill:var(--ink)}
.mark{stroke:var(--halo);stroke-width:1.2;fill-opacity:.86}
.mark.cut{fill-opacity:.42;stroke:var(--ink);stroke-width:.7}
.chart .peer text{fill:var(--ink)}
.chart .peer .value{font-weight:600}
.chart .peer .hit{fill:transparent}
.chart .spread{stroke:var(--ink);stroke-width:1.2;opacity:.75}
${FAMILY_NAMES.map((family) => `.${family}{fill:var(--${family})}`).join('')}`;
