/**
 * Writes what a page says: fixed texts in the language shown, names and figures from the data, and elements that hold
 * them. Text from data is only ever set as text content.
 * @param {object} scene the page's data
 * @param {{lang: string}} state the language shown
 */
function lifecircleText(scene, state) {
  'use strict';

  /** A fixed text in the language shown, with {0}, {1} filled in. */
  function t(key, ...args) {
    return scene.words[key][state.lang === 'zh' ? 1 : 0].replace(/\{(\d)\}/g, (_, i) => args[i]);
  }

  /** The text of the data in the language shown. */
  const local = (en, zh) => (state.lang === 'zh' && zh && zh.length ? zh : en);

  /** A name from the data: isolated, so that direction marks in it cannot reorder its surroundings, and not endless. */
  function name(text) {
    const all = Array.from(String(text));
    return make('bdi', {}, all.length > 120 ? all.slice(0, 119).join('') + '…' : text);
  }

  /** An element with attributes (a function listens to that event) and children; strings become text nodes. */
  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) {
      if (typeof value === 'function') element.addEventListener(key, value);
      else if (value !== false) element.setAttribute(key, value === true ? '' : value);
    }
    element.append(...children.flat(2));
    return element;
  }

  const cell = (text) => make('td', {class: 'lc-number'}, text);
  const heading = (text) => make('th', {scope: 'col'}, text);
  const table = (head, rows, foot) => make('table', {}, make('thead', {}, make('tr', {}, head)), make('tbody', {}, rows),
    foot ? make('tfoot', {}, foot) : '');

  const grouped = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, ',');

  /** People as a whole number; a part of a person is not nobody. */
  const people = (n) => (n > 0 && n < 0.5 ? '< 1' : grouped(Math.round(n)));

  /** A share of a whole, never rounded up to all nor down to nothing. */
  function share(part, whole) {
    if (!(whole > 0)) return '–';
    const percent = (100 * part) / whole;
    if (part > 0 && percent < 0.05) return '< 0.1 %';
    if (part < whole && percent >= 99.95) return '> 99.9 %';
    return (part === whole ? '100' : percent.toFixed(part === 0 ? 0 : 1)) + ' %';
  }

  const serviceTitle = (i) => local(scene.services[i].title, scene.services[i].title_zh);
  const bare = (unit, value) => String(Math.round((unit === 's' ? value / 60 : value) * 10) / 10);
  const unitWord = (unit) => t(unit === 's' ? 'min' : 'm');
  const round = (unit, value) => bare(unit, value) + ' ' + unitWord(unit);
  const cutoff = (unit) => '> ' + round(unit, unit === 's' ? scene.cutoff_s : scene.cutoff_m);

  /** A cost as people read it, rounded up, so that 15 min 1 s never reads as the 15 min it misses. */
  function cost(unit, value) {
    if (unit === 'm') return Math.ceil(value) + ' ' + t('m');
    return (Math.ceil(value / 6 - 1e-9) / 10).toFixed(1) + ' ' + t('min');
  }

  /** What is left of a limit, rounded down, so that it and the walk add to no more than the limit. */
  function spare(unit, value) {
    if (unit === 'm') return Math.floor(value) + ' ' + t('m');
    return (Math.floor(value / 6 + 1e-9) / 10).toFixed(1) + ' ' + t('min');
  }

  function area(m2) {
    const ha = m2 / 1e4;
    return (ha < 0.1 ? '< 0.1' : ha < 10 ? ha.toFixed(1) : grouped(Math.round(ha))) + ' ' + t('ha');
  }

  /** The name of a zone, by its position or its name. */
  function zoneName(zone) {
    const i = typeof zone === 'string' ? scene.zones.names.indexOf(zone) : zone;
    if (i < 0 || i >= scene.zones.names.length) return typeof zone === 'string' && zone ? zone : t('none');
    return local(scene.zones.names[i], scene.zones.names_zh[i]);
  }

  const line = (label, ...value) => [make('dt', {}, label), make('dd', {}, ...value)];

  return {
    t, local, name, make, cell, heading, table, grouped, people, share, serviceTitle, bare, unitWord, round, cutoff, cost, spare, area,
    zoneName, line,
  };
}
