/**
 * What the report does beyond showing itself: it remembers the reader's language, and its tables sort.
 * Without it the page shows the same, in the language chosen at its top.
 */
function lifecircleReport() {
  'use strict';

  const KEY = 'lifecircle-language';  // the map pages remember under it too

  /** The language remembered, else that of the browser; a browser may keep nothing for files. */
  function remembered() {
    try {
      const kept = localStorage.getItem(KEY);
      if (kept) return kept;
    } catch { /* nothing is kept then */ }
    return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en';
  }

  function choose(lang) {
    document.documentElement.lang = lang === 'zh' ? 'zh-CN' : 'en';
    document.getElementById('lang-' + lang).checked = true;
    document.title = document.body.dataset[lang];
    try {
      localStorage.setItem(KEY, lang);
    } catch { /* it is chosen for now */ }
  }

  /** What a cell sorts by: a number where it has one, else its text in the language shown. */
  function valueOf(row, column) {
    const cell = row.cells[column];
    if (cell.dataset.sort !== undefined) return Number(cell.dataset.sort);
    return cell.innerText.trim();
  }

  const missing = (value) => value === '' || value === '–';

  function sort(table, column, down) {
    const rows = Array.from(table.tBodies[0].rows);
    const sign = down ? -1 : 1;
    const order = (a, b) => {
      const [x, y] = [valueOf(a, column), valueOf(b, column)];
      if (missing(x) || missing(y)) return missing(x) - missing(y);  // unknown stands last, whichever way
      if (typeof x === 'number' && typeof y === 'number') return sign * (x - y);
      return sign * String(x).localeCompare(String(y), document.documentElement.lang, {numeric: true});
    };
    table.tBodies[0].append(...rows.sort(order));
  }

  /** Makes the heads of a table buttons: a first click sorts numbers from the largest, names from the first. */
  function sortable(table) {
    const heads = Array.from(table.tHead.rows[0].cells);
    heads.forEach((head, column) => {
      if (!head.textContent.trim()) return;
      const button = document.createElement('button');
      button.type = 'button';
      button.append(...head.childNodes);
      head.append(button);
      head.setAttribute('aria-sort', 'none');
      button.addEventListener('click', () => {
        const was = head.getAttribute('aria-sort');
        const down = was === 'none' ? head.classList.contains('n') : was === 'ascending';
        for (const other of heads) if (other.hasAttribute('aria-sort')) other.setAttribute('aria-sort', 'none');
        head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
        sort(table, column, down);
      });
    });
  }

  for (const lang of ['en', 'zh']) {
    document.getElementById('lang-' + lang).addEventListener('change', () => choose(lang));
  }
  choose(remembered());
  document.querySelectorAll('table.sorts').forEach(sortable);
  window.addEventListener('beforeprint', () => document.querySelectorAll('details').forEach((one) => { one.open = true; }));
}
