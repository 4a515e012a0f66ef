/**
 * What the report does in its reader's browser. Each function is embedded as its own source text, so
 * it uses nothing from outside itself; they meet in the document: rows of the record are elements with
 * `data-row`, and the event `invsr-row` says which one the reader looks at.
 */

/** Details of the row under the pointer or with the focus; arrow keys walk from mark to mark. */
export function linkRows(): void {
  const detail = document.querySelector<HTMLElement>('.detail');
  const details = document.querySelectorAll<HTMLTemplateElement>('template[data-detail]');
  const rowOf = (target: EventTarget | null): string | undefined =>
    target instanceof Element
      ? (target.closest('[data-row]')?.getAttribute('data-row') ?? undefined)
      : undefined;
  const show = (row: string | undefined): void => {
    if (row === undefined) return;
    for (const element of document.querySelectorAll('.on[data-row]'))
      element.classList.remove('on');
    for (const element of document.querySelectorAll(`[data-row="${row}"]`)) {
      element.classList.add('on');
    }
    const content = [...details].find((each) => each.dataset['detail'] === row)?.content;
    if (detail && content) detail.replaceChildren(content.cloneNode(true));
  };
  for (const event of ['pointerover', 'focusin', 'click']) {
    document.addEventListener(event, ({ target }) => show(rowOf(target)));
  }
  for (const chart of document.querySelectorAll('svg.chart')) {
    const marks = [...chart.querySelectorAll<SVGElement>('[data-row]')].toSorted((a, b) => {
      const [left, right] = [a.getBoundingClientRect(), b.getBoundingClientRect()];
      return chart.classList.contains('peers') ? left.top - right.top : left.left - right.left;
    });
    marks[0]?.setAttribute('tabindex', '0');
    chart.addEventListener('keydown', (event) => {
      const { key } = event as KeyboardEvent;
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[key];
      const at = marks.indexOf(event.target as SVGElement);
      if (step === undefined || at < 0) return;
      event.preventDefault();
      const shown = marks.filter((mark) => !mark.classList.contains('off'));
      const next =
        shown[(shown.indexOf(marks[at] as SVGElement) + step + shown.length) % shown.length];
      for (const mark of marks) mark.setAttribute('tabindex', mark === next ? '0' : '-1');
      next?.focus();
    });
  }
}

/** Buttons of families and the search field decide which rows are seen, in charts and table alike. */
export function filterRows(): void {
  const search = document.querySelector<HTMLInputElement>('#filter');
  const buttons = [...document.querySelectorAll<HTMLButtonElement>('button.family')];
  const count = document.querySelector('#filter-count');
  const update = (): void => {
    const off = new Set(
      buttons
        .filter((button) => button.getAttribute('aria-pressed') === 'false')
        .map((button) => button.dataset['family']),
    );
    const words = (search?.value ?? '').toLowerCase().split(/\s+/).filter(Boolean);
    const hidden = new Set<string | undefined>();
    const rows = document.querySelectorAll<HTMLElement>('tbody tr[data-row]');
    for (const row of rows) {
      const text = row.dataset['text'] ?? '';
      const isSeen = !off.has(row.dataset['family']) && words.every((word) => text.includes(word));
      if (!isSeen) hidden.add(row.dataset['row']);
    }
    for (const element of document.querySelectorAll<HTMLElement | SVGElement>('[data-row]')) {
      element.classList.toggle('off', hidden.has(element.dataset['row']));
    }
    if (count) count.textContent = `${rows.length - hidden.size} of ${rows.length}`;
  };
  for (const button of buttons) {
    button.addEventListener('click', () => {
      const isOn = button.getAttribute('aria-pressed') !== 'false';
      button.setAttribute('aria-pressed', String(!isOn));
      update();
    });
  }
  search?.addEventListener('input', update);
}

/** A click on a column's title sorts by it, a second one the other way round. */
export function sortTable(): void {
  const body = document.querySelector('tbody');
  const titles = [...document.querySelectorAll<HTMLTableCellElement>('thead th')];
  const valueOf = (row: Element, column: number): string =>
    row.children[column]?.getAttribute('data-value') ?? '';
  for (const [column, title] of titles.entries()) {
    title.querySelector('button')?.addEventListener('click', () => {
      const isText = title.classList.contains('text');
      const order = title.getAttribute('aria-sort');
      const isUp = order ? order === 'descending' : isText;
      for (const other of titles) other.removeAttribute('aria-sort');
      title.setAttribute('aria-sort', isUp ? 'ascending' : 'descending');
      const rows = [...(body?.children ?? [])].toSorted((a, b) => {
        const [left, right] = [valueOf(a, column), valueOf(b, column)];
        // Rows without a figure stay at the end.
        if (left === '' || right === '') return left === right ? 0 : left === '' ? 1 : -1;
        const difference = isText ? left.localeCompare(right) : Number(left) - Number(right);
        return isUp ? difference : -difference;
      });
      body?.append(...rows);
    });
  }
}
