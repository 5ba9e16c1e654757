/**
 * The gap clusters: their colours, their legend, and the table that leads to them.
 * @param {object} kit what the map lends
 */
function lifecircleGaps(kit) {
  'use strict';

  const {
    scene, state, map, art, sheets, byId, t, local, name, make, cell, heading, table, grouped, people, serviceTitle, cost, cutoff,
    area, zoneName, toLatLng, inShape, line, swatch, legendRow, range, choose,
  } = kit;
  const {columns: packed, abouts} = scene.gaps;
  scene.gaps.rows = packed.about.map((about, i) => ({
    ...abouts[about], service: packed.service[i], people: packed.people[i], area_m2: packed.area_m2[i], worst: packed.worst[i],
  }));
  const GAPS = scene.kind === 'gaps';
  const MOST_ROWS = 300;
  state.byCause = GAPS && scene.gaps.rows.length > 0 && scene.gaps.rows.every((row) => row.people === null);
  const box = byId('gaps');

  /** Clusters let the cells shine through, but those of different services overlap and would mix their colours. */
  const clusterAlpha = () => (state.layer.service < 0 ? '30' : 'b8');
  const gapClass = (row) => scene.gaps.limits.filter((limit) => row.people > limit).length;
  const shownGap = (row) => (state.layer.service < 0 || row.service === state.layer.service)
    && (!state.cause || causeOf(row) === state.cause);

  /** The kind of a cause: what it says first, apart from what severs this very gap. */
  const firstSentence = (row) => row.cause.split('. ')[0].replace(/\.$/, '');
  const causeOf = (row) => row.kind || firstSentence(row);
  const causeText = (row) => local(firstSentence(row), row.cause_zh.split('；')[0]).slice(0, 120);
  const causeColour = (row) => scene.causes[row.kind] || '#777777';

  function clusterLegend() {
    const {limits, colours, rows} = scene.gaps;
    const shown = rows.filter(shownGap);
    const count = (test) => grouped(shown.filter(test).length);
    if (state.byCause) {
      const kinds = new Map(shown.map((row) => [causeOf(row), row]));
      return [make('p', {}, t('gap_causes')), table([make('td', {colspan: 2}), heading(t('n_clusters'))],
        [...kinds].sort(([a], [b]) => (a < b ? -1 : 1)).map(([kind, row]) => legendRow(swatch(causeColour(row), 'lc-cluster'),
          name(causeText(row)), count((one) => causeOf(one) === kind))))];
    }
    const body = colours.map((colour, i) => legendRow(swatch(colour, 'lc-cluster'), range(limits, i, grouped),
      count((row) => row.people !== null && gapClass(row) === i)));
    if (shown.some((row) => row.people === null)) {
      body.push(legendRow(swatch('#ffffff', 'lc-cluster'), t('not_known'), count((row) => row.people === null)));
    }
    return [make('p', {}, t('gap_classes')), table([make('td', {colspan: 2}), heading(t('n_clusters'))], body)];
  }
  const sorters = {
    service: (row) => serviceTitle(row.service),
    people: (row) => (row.people === null ? -1 : row.people),
    worst: (row) => (row.worst === null ? Infinity : row.worst),
    area: (row) => row.area_m2,
  };

  function drawGaps() {
    if (!GAPS) return;
    const by = sorters[state.sort];
    const compare = (a, b) => (by(a) < by(b) ? -1 : by(a) > by(b) ? 1 : 0) * (state.down ? -1 : 1) || a.i - b.i;
    const all = scene.gaps.rows.map((row, i) => ({...row, i})).filter(shownGap).sort(compare);
    const shown = all.slice(0, MOST_ROWS);
    const sorter = (column, word) => make('th', {
      scope: 'col', 'aria-sort': state.sort !== column ? 'none' : state.down ? 'descending' : 'ascending',
    }, make('button', {type: 'button', 'data-sort': column, click: () => sortBy(column)},
      t(word) + (state.sort !== column ? '' : state.down ? ' ▾' : ' ▴')));
    const columns = {service: 'service', people: 'residents', worst: 'worst', area: 'area'};
    const head = Object.entries(columns).map(([column, word]) => sorter(column, word));
    const rows = shown.map((row) => make('tr', {'data-gap': row.i, 'aria-current': row.i === state.gap && 'true', click: () => zoomTo(row.i)},
      make('th', {scope: 'row'}, make('button', {type: 'button'}, name(serviceTitle(row.service))),
        make('small', {}, name(local(row.cause, row.cause_zh)), row.zone ? [' · ', name(zoneName(row.zone))] : '')),
      cell(row.people === null ? t('not_known') : people(row.people)), cell(worst(row)), cell(area(row.area_m2))));
    box.hidden = false;
    const causes = new Map(scene.gaps.rows.map((row) => [causeOf(row), row]));
    const select = make('select', {'aria-label': t('cause'), change: (event) => {
      state.cause = event.target.value;
      choose(state.layer);
      box.querySelector('select').focus();
    }}, make('option', {value: ''}, t('every_cause')), [...causes.keys()].sort().map((cause) => make('option',
      {value: cause, selected: cause === state.cause}, causeText(causes.get(cause)))));
    const colouring = make('select', {'aria-label': t('colour_by'), 'data-colour': true, change: (event) => {
      state.byCause = event.target.value === 'cause';
      choose(state.layer);
      box.querySelector('[data-colour]').focus();
    }}, ['people', 'cause'].map((key) => make('option', {value: key, selected: (key === 'cause') === state.byCause}, t('colour_' + key))));
    box.replaceChildren(...(causes.size > 1 ? [select, colouring] : []),
      make('h2', {}, t('gap_table', grouped(shown.length), grouped(all.length))),
      make('p', {}, t(all.length ? 'gap_hint' : 'no_gaps')), table(head, rows));
  }

  function worst(row) {
    const {unit} = scene.services[row.service];
    return row.worst === null ? cutoff(unit) : cost(unit, row.worst);
  }

  function sortBy(column) {
    state.down = state.sort === column ? !state.down : column !== 'service';
    state.sort = column;
    drawGaps();
    box.querySelector('[data-sort=' + column + ']').focus();
  }

  /** Shows one cluster: outlined, in the middle of the map, and the map itself where it is out of sight. */
  function zoomTo(i) {
    state.gap = i;
    for (const row of box.querySelectorAll('[data-gap]')) row.ariaCurrent = Number(row.dataset.gap) === i ? 'true' : null;
    sheets.gaps.repaint();
    map.getContainer().scrollIntoView({block: 'nearest'});
    const [x0, y0, x1, y1] = art.gaps.box.subarray(4 * i, 4 * i + 4);
    map.fitBounds([toLatLng(x0, y0), toLatLng(x1, y1)], {maxZoom: 64, padding: [40, 40]});
  }

  /** The pens of one cluster: an outline on the coverage page, an area on the page of gaps. */
  function pens(row) {
    if (!shownGap(row)) return [];
    if (!GAPS) return [{stroke: '#ffffff', width: 3.5}, {stroke: '#8b1e3f', width: 1.8}];
    const chosen = row === scene.gaps.rows[state.gap];
    const fill = state.byCause ? causeColour(row) : row.people === null ? '#ffffff' : scene.gaps.colours[gapClass(row)];
    if (chosen) return [{fill: fill + clusterAlpha(), stroke: '#ffffff', width: 8}, {stroke: '#111111', width: 4}];
    return [{fill: fill + clusterAlpha()}, {stroke: '#4a1c0c', width: 1.3}];
  }

  /** What clusters lie at a place in world pixels. */
  const lines = (px, py) => scene.gaps.rows.filter((row, i) => shownGap(row) && inShape(art.gaps, i, px, py)).slice(0, 4)
    .flatMap((row) => line(name(serviceTitle(row.service)), row.people === null ? t('not_known') : people(row.people),
      ' · ', name(local(row.cause, row.cause_zh))));

  /** The service most people lack (by area where people are unknown): gaps of all services at once hide one another. */
  function widest() {
    const lacking = scene.services.map((_, i) => scene.gaps.rows.filter((row) => row.service === i)
      .reduce((sum, row) => sum + (row.people === null ? row.area_m2 : row.people), 0));
    return lacking.indexOf(Math.max(...lacking));
  }

  return {draw: drawGaps, legend: clusterLegend, alpha: clusterAlpha, pens, lines, widest};
}
