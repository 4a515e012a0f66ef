/** The report's style sheet: one column of figures on paper, wide and narrow, light and dark, in print. */
import { CHART_STYLE, FONT, themeVariables } from '../charts/theme.ts';

const MONO = `ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace`;

export const STYLE = `
${themeVariables(':root')}
${CHART_STYLE}
*{box-sizing:border-box}
html{background:var(--paper);color:var(--ink);font:15px/1.5 ${FONT};-webkit-text-size-adjust:100%}
body{margin:0 auto;max-width:1180px;padding:40px 28px 72px}
h1{font-size:30px;line-height:1.2;letter-spacing:-.015em;font-weight:650;margin:0 0 6px}
h2{font-size:19px;line-height:1.3;letter-spacing:-.005em;font-weight:650;margin:0 0 4px}
p{margin:0}
.eyebrow{font-size:12px;letter-spacing:.07em;text-transform:uppercase;color:var(--muted);margin-bottom:8px}
.note{color:var(--muted);font-size:13px;max-width:76ch}
section{margin-top:48px}
section>.note{margin-bottom:16px}
.warn{border-left:3px solid var(--linear);padding:2px 0 2px 12px;margin-top:16px;font-size:14px;max-width:76ch}
a{color:var(--accent)}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}

.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(180px,1fr));gap:1px;margin-top:28px;background:var(--panel);border:1px solid var(--line);border-radius:10px;overflow:hidden}
.tiles div{padding:14px 18px 16px;box-shadow:0 0 0 1px var(--line)}
.tiles dt{font-size:12.5px;color:var(--muted)}
.tiles dd{margin:2px 0 0;font-size:25px;line-height:1.25;letter-spacing:-.01em;font-weight:600;font-variant-numeric:tabular-nums}
.tiles small{display:block;font-size:12.5px;font-weight:400;letter-spacing:0;color:var(--muted)}

.controls{display:flex;flex-wrap:wrap;gap:8px;align-items:center;margin:0 0 14px}
button,input{font:inherit;font-size:13px;color:inherit;background:var(--panel);border:1px solid var(--line);border-radius:7px;padding:5px 11px;min-height:32px}
button{cursor:pointer}
button:hover{border-color:var(--strong)}
input[type=search]{min-width:220px;flex:1 1 220px;max-width:360px}
.family{display:inline-flex;align-items:center;gap:7px;border-radius:99px;fill:currentColor}
.family svg{width:12px;height:12px;overflow:visible}
.family[aria-pressed=false]{color:var(--muted);text-decoration:line-through}
.family[aria-pressed=false] svg{opacity:.35}
output{font-size:13px;color:var(--muted);font-variant-numeric:tabular-nums}

.figure{display:grid;grid-template-columns:minmax(0,1fr) 264px;gap:20px;align-items:start}
.figure .chart{width:100%}
.chart{max-width:100%;height:auto}
.narrow{display:none}
.detail{background:var(--panel);border:1px solid var(--line);border-radius:10px;padding:16px 18px;font-size:13px;min-height:250px}
.figure aside{position:sticky;top:12px}
.hint{margin-top:10px;padding:0 4px}
.detail h3{font-size:15px;line-height:1.35;margin:0;overflow-wrap:anywhere}
.detail code{display:block;margin:4px 0 10px;font:11.5px/1.5 ${MONO};color:var(--muted);overflow-wrap:anywhere}
.detail dl{display:grid;grid-template-columns:auto 1fr;gap:3px 14px;margin:0}
.detail dt{color:var(--muted)}
.detail dd{margin:0;text-align:right;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
[data-row].mark,[data-row].peer{cursor:pointer}
.mark:hover,.mark.on,.mark:focus-visible{fill-opacity:1;stroke:var(--ink);stroke-width:2;outline:none}
.peer.on .hit,.peer:hover .hit,.peer:focus-visible .hit{fill:var(--line);opacity:.55}
.peer:focus-visible{outline:none}
.off{display:none}
.dim{opacity:.12}

.scroller{overflow-x:auto;border:1px solid var(--line);border-radius:10px;background:var(--panel)}
.timeline{position:relative;width:calc(100%*var(--zoom,1));min-width:100%}
.timeline .lane{position:relative;height:27px;border-bottom:1px solid var(--line)}
.timeline .lane.dispatches{height:46px;border:0}
.timeline .ticks{position:relative;height:24px;border-bottom:1px solid var(--line);font-size:11px;color:var(--muted);font-variant-numeric:tabular-nums}
.timeline .ticks span{position:absolute;top:4px;padding-left:5px;border-left:1px solid var(--strong);white-space:nowrap}
.span{position:absolute;top:2px;bottom:2px;min-width:1px;border-radius:3px;background:color-mix(in srgb,var(--strong) 16%,transparent);overflow:clip;font-size:11.5px;line-height:22px;white-space:nowrap}
.lane.l0 .span{background:color-mix(in srgb,var(--strong) 34%,transparent);font-weight:600}
.span b{position:sticky;left:0;display:inline-block;max-width:100%;padding:0 6px;font-weight:inherit;overflow:hidden;text-overflow:ellipsis;vertical-align:top}
.bar-d{position:absolute;top:5px;bottom:5px;min-width:1px;background:currentColor;border-radius:1px;opacity:.9}
.bar-d:hover,.bar-d.on{opacity:1;outline:2px solid var(--ink);z-index:1}
${['conv', 'upsample', 'linear', 'attention', 'norm', 'other'].map((f) => `.bar-d.${f},.part.${f}{color:var(--${f})}`).join('')}
.bar-d.dim,.span.dim{opacity:.12}
.readout{min-height:44px;margin-top:10px;font-size:13px;font-variant-numeric:tabular-nums}
.readout code{font:12px ${MONO};overflow-wrap:anywhere}

.shares{display:grid;grid-template-columns:max-content minmax(0,1fr) max-content;gap:9px 14px;align-items:center;font-size:13px;font-variant-numeric:tabular-nums}
.shares .track{display:flex;height:18px}
.part{background:currentColor;min-width:1px;border-right:1px solid var(--paper)}
.part:last-child{border:0;border-radius:0 3px 3px 0}

.key{display:flex;flex-wrap:wrap;gap:4px 18px;margin-top:14px;font-size:12.5px;color:var(--muted)}
.key i{display:inline-block;width:10px;height:10px;margin-right:7px;border:0;border-radius:2px}

.table{overflow-x:auto;border:1px solid var(--line);border-radius:10px;background:var(--panel)}
table{border-collapse:collapse;width:100%;font-size:13px;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:6px 12px;border-bottom:1px solid var(--line);white-space:nowrap}
tbody tr:last-child>*{border-bottom:0}
th.text,td.text{text-align:left}
tbody th{font-weight:500;text-align:left}
tbody th code{display:block;font:11px ${MONO};color:var(--muted);max-width:44ch;overflow:hidden;text-overflow:ellipsis}
thead th{font-size:12px;font-weight:500;color:var(--muted);background:var(--panel);padding:4px 4px}
thead button{border:0;background:none;padding:4px 8px;font-size:12px;color:inherit;white-space:nowrap}
thead [aria-sort=ascending] button::after{content:" ↑"}
thead [aria-sort=descending] button::after{content:" ↓"}
thead [aria-sort] button{color:var(--ink);font-weight:600}
tbody tr:hover,tbody tr.on{background:color-mix(in srgb,var(--accent) 9%,transparent)}
.swatch{display:inline-block;width:9px;height:9px;margin-right:8px;overflow:visible}
.meter{display:inline-block;width:56px;height:6px;margin-left:8px;border-radius:3px;background:var(--line);vertical-align:1px;overflow:hidden}
.meter i{display:block;height:100%;background:var(--strong)}
.badge{display:inline-block;font-size:11px;border:1px dashed var(--strong);border-radius:5px;padding:0 5px;margin-left:6px;color:var(--muted)}

.facts{display:grid;grid-template-columns:max-content 1fr;gap:4px 24px;font-size:14px;margin:12px 0 0}
.facts dt{color:var(--muted)}
.facts dd{margin:0;overflow-wrap:anywhere}

@media (max-width:860px){.figure{grid-template-columns:minmax(0,1fr)}.figure aside{position:static}.detail{min-height:0}}
@media (max-width:620px){
body{padding:24px 16px 48px}
h1{font-size:24px}
section{margin-top:36px}
.wide{display:none}.narrow{display:block}
.tiles{grid-template-columns:1fr 1fr}
.tiles div{padding:10px 12px 12px}.tiles dd{font-size:20px}
.facts{grid-template-columns:1fr}.facts dd{margin-bottom:8px}
}
@media print{
html{font-size:11px;background:#fff}
body{max-width:none;padding:0}
section{margin-top:24px;break-inside:avoid}
section.long{break-inside:auto}
tr{break-inside:avoid}
.controls,.figure aside,.readout{display:none}
.figure{grid-template-columns:1fr}
.scroller,.table{overflow:visible}
table,thead th,thead button{font-size:9px}
th,td,thead button{padding:2px 4px}
tbody th code{max-width:30ch;font-size:8px}
.meter{display:none}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
}
@media (prefers-reduced-motion:no-preference){.mark,.bar-d,.span{transition:opacity .12s}}
`;
