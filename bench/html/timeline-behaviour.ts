/** Zoom, pan and search of the timeline: embedded as its source text, like behaviour.ts. */

export function timeline(): void {
  const scroller = document.querySelector<HTMLElement>('.scroller');
  const inner = scroller?.querySelector<HTMLElement>('.timeline');
  const ticks = inner?.querySelector<HTMLElement>('.ticks');
  const readout = document.querySelector<HTMLElement>('.readout');
  if (!scroller || !inner || !ticks || !readout) return;
  const total = Number(inner.dataset['milliseconds']);
  const bars = [...inner.querySelectorAll<HTMLElement>('.bar-d')];
  let zoom = 1;

  const drawTicks = (): void => {
    const raw = (total / zoom) * (110 / scroller.clientWidth);
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = power * ([1, 2, 5, 10].find((multiple) => multiple * power >= raw) ?? 10);
    const decimals = Math.max(0, -Math.floor(Math.log10(step)));
    // Only those in sight and a screen around it.
    const first = (total * (scroller.scrollLeft - scroller.clientWidth)) / inner.clientWidth;
    const last = (total * (scroller.scrollLeft + 2 * scroller.clientWidth)) / inner.clientWidth;
    const labels: HTMLElement[] = [];
    for (let i = Math.max(0, Math.floor(first / step)); i * step < Math.min(total, last); i++) {
      const label = document.createElement('span');
      label.style.left = `${(100 * i * step) / total}%`;
      label.textContent = `${(i * step).toFixed(decimals)} ms`;
      labels.push(label);
    }
    ticks.replaceChildren(...labels);
  };
  /** `x`: pixels from the left edge of what is seen that stay where they are. */
  const setZoom = (next: number, x = scroller.clientWidth / 2): void => {
    const at = (scroller.scrollLeft + x) / inner.clientWidth;
    zoom = Math.min(2000, Math.max(1, next));
    inner.style.setProperty('--zoom', String(zoom));
    scroller.scrollLeft = at * inner.clientWidth - x;
    drawTicks();
  };
  const show = (bar: HTMLElement): void => {
    for (const other of bars) other.classList.toggle('on', other === bar);
    const path = document.createElement('code');
    path.textContent = bar.dataset['path'] ?? '';
    readout.replaceChildren(path, document.createElement('br'), bar.title);
  };
  const moveTo = (bar: HTMLElement | undefined): void => {
    if (!bar) return;
    show(bar);
    bar.scrollIntoView({ block: 'nearest', inline: 'center' });
  };

  scroller.addEventListener('scroll', drawTicks, { passive: true });
  scroller.addEventListener(
    'wheel',
    (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const x = event.clientX - scroller.getBoundingClientRect().left;
      setZoom(zoom * Math.exp(-event.deltaY / 200), x);
    },
    { passive: false },
  );
  let drag: { readonly x: number; readonly left: number } | undefined;
  scroller.addEventListener('pointerdown', (event) => {
    if (event.pointerType === 'mouse') drag = { x: event.clientX, left: scroller.scrollLeft };
  });
  window.addEventListener('pointerup', () => (drag = undefined));
  window.addEventListener('pointermove', (event) => {
    if (drag) scroller.scrollLeft = drag.left + drag.x - event.clientX;
  });
  inner.addEventListener('pointerover', ({ target }) => {
    if (target instanceof HTMLElement && target.classList.contains('bar-d')) show(target);
  });
  scroller.addEventListener('dblclick', ({ target, clientX }) => {
    // A span fills the window.
    const span = target instanceof HTMLElement ? target.closest<HTMLElement>('.span') : null;
    if (!span) return setZoom(zoom * 2, clientX - scroller.getBoundingClientRect().left);
    setZoom((zoom * scroller.clientWidth) / span.getBoundingClientRect().width);
    scroller.scrollLeft = span.offsetLeft;
  });
  scroller.addEventListener('keydown', (event) => {
    const seen = bars.filter((bar) => !bar.classList.contains('dim'));
    const at = seen.findIndex((bar) => bar.classList.contains('on'));
    if (event.key === 'ArrowRight') moveTo(seen[Math.min(seen.length - 1, at + 1)]);
    else if (event.key === 'ArrowLeft') moveTo(seen[Math.max(0, at - 1)]);
    else if (event.key === '+' || event.key === '=') setZoom(zoom * 1.6);
    else if (event.key === '-') setZoom(zoom / 1.6);
    else if (event.key === '0') setZoom(1);
    else return;
    event.preventDefault();
  });
  for (const button of document.querySelectorAll<HTMLButtonElement>('button[data-zoom]')) {
    const factor = Number(button.dataset['zoom']);
    button.addEventListener('click', () => setZoom(factor > 0 ? zoom * factor : 1));
  }

  const search = document.querySelector<HTMLInputElement>('#layers');
  const found = document.querySelector('#layers-found');
  search?.addEventListener('input', () => {
    const text = search.value.trim().toLowerCase();
    const matches = bars.filter((bar) =>
      `${bar.dataset['path']} ${bar.title}`.toLowerCase().includes(text),
    );
    for (const bar of bars) bar.classList.toggle('dim', !matches.includes(bar));
    const time = matches.reduce((sum, bar) => sum + Number(bar.dataset['milliseconds']), 0);
    if (found) {
      found.textContent =
        text === '' ? '' : `${matches.length} dispatches, ${time.toPrecision(3)} ms`;
    }
  });
  search?.addEventListener('keydown', ({ key }) => {
    if (key !== 'Enter') return;
    const seen = bars.filter((bar) => !bar.classList.contains('dim'));
    const at = seen.findIndex((bar) => bar.classList.contains('on'));
    moveTo(seen[(at + 1) % Math.max(1, seen.length)]);
  });
  new ResizeObserver(drawTicks).observe(scroller);
}
