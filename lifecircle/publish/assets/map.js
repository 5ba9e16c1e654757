/**
 * Draws a scene on a Leaflet map: cells, streets, outlines, facilities and gap clusters on canvas tiles, with one
 * legend, a readout and controls.
 * @param {L.Map} map the map to draw on
 */
function lifecircleMap(map) {
  'use strict';

  const scene = JSON.parse(document.getElementById('lc-scene').textContent);
  const GAPS = scene.kind === 'gaps';
  const INK = '#22303c';
  const PAPER = L.point(695, 720);  // pixels of 96 to the inch: A4 or letter, upright, within its margins
  const KEPT = 'lifecircle-language';  // the report remembers under it too
  const state = {
    lang: remembered(), layer: null, slide: null, cost: null, cause: '', byCause: false, gap: -1, pinned: -1, lost: '', sort: 'people', down: true,
  };
  const byId = (id) => document.getElementById('lc-' + id);

  /** The language the reader chose before, else the page's own or the browser's; a browser may keep nothing for files. */
  function remembered() {
    try {
      const kept = localStorage.getItem(KEPT);
      if (kept === 'en' || kept === 'zh') return kept;
    } catch { /* nothing is kept then */ }
    return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : scene.lang;
  }

  const {
    t, local, name, make, cell, heading, table, grouped, people, share, serviceTitle, bare, unitWord, round, cutoff, cost, spare, area,
    zoneName, line,
  } = window.lifecircleText(scene, state);
  const {open, sums, worldX, worldY, openPoints, openPaths, openCells, inRing, inShape} = window.lifecircleArrays();
  const worldScale = () => map.options.crs.scale(map.getZoom()) / 256;
  const toWorld = (latlng) => [worldX(latlng.lng), worldY(latlng.lat)];
  const toLatLng = (x, y) => L.latLng((Math.atan(Math.exp((0.5 - y / 256) * 2 * Math.PI)) * 360) / Math.PI - 90,
    (x / 256 - 0.5) * 360);

  let cells;
  let services;
  const art = {};
  const sheets = {};
  const {
    NO_VERDICT, EDGE, Sheet, Cells, paintShapes, paintStreets, paintFacilities, paintEntrances, paintGates, shownFacility,
  } = window.lifecirclePaint({
    map, state, art, make, worldX, worldY, cells: () => cells, isClosed: (i) => whatif.isClosed(i), gates: () => whatif.gates(),
  });

  // ------------------------------------------------------------------------------------------ readout

  const outline = L.polygon([], {fill: false, color: '#111111', weight: 2.5, interactive: false});
  const mark = L.polygon([], {fill: false, color: '#111111', weight: 1.2, interactive: false});

  const corners = (at) => (at < 0 ? []
    : [0, 1, 2, 3].map((k) => toLatLng(cells.x[4 * at + k], cells.y[4 * at + k])));

  function cellAt(latlng) {
    const [px, py] = toWorld(latlng);
    let found = -1;
    cells.near(px, py, px, py, (at) => {
      if (inRing(cells.x, cells.y, 4 * at, 4, px, py)) found = at;
    });
    return found;
  }

  const verdict = (met) => make('span', {class: ['lc-unknown', 'lc-bad', 'lc-good'][met + 1]},
    t(['not_known', 'not_met', 'met'][met + 1]));

  /** What a walk from the cell to the service costs. */
  function walk(at, i) {
    const {values, met, quantum} = services[i];
    const {unit} = scene.services[i];
    if (values[at] >= 0) return cost(unit, values[at] * quantum);
    return met[at] < 0 ? t('not_known') : cutoff(unit);
  }

  /** Shows a cell: its figures in the layer shown, or everything when it is pinned; and what else is at the place. */
  function readOut(at, place) {
    const box = byId('readout');
    const pinned = at >= 0 && at === state.pinned;
    const lines = at >= 0 ? cellLines(at, pinned) : state.lost ? line(t('readout'), t('no_such_cell', ''), name(state.lost)) : [];
    if (place) lines.push(...facilityLines(place), ...(GAPS ? gaps.lines(...toWorld(place)) : []));
    box.hidden = lines.length === 0;
    box.classList.toggle('lc-pinned', pinned);
    // What was asked for is read out; what the mouse passes over is not.
    box.ariaLive = pinned ? 'polite' : 'off';
    const whole = make('div', {}, pinned ? everything(at) : '');
    box.replaceChildren(at >= 0 ? make('h2', {}, t('readout') + ' ', name(cells.id(at))) : '',
      pinned ? make('button', {type: 'button', class: 'lc-close', 'aria-label': t('unpin'), click: unpin}, '×') : '',
      make('dl', {}, lines), whole,
      pinned ? make('button', {type: 'button', class: 'lc-certificate-button', click: certify}, t('certificate')) : '');
    if (pinned) circle.show(at).then((told) => told && at === state.pinned && whole.replaceChildren(told));
  }

  /** Prints the cell that is kept as a page of its own. */
  function certify() {
    document.documentElement.classList.add('lc-certificate');
    window.print();
    document.documentElement.classList.remove('lc-certificate');
  }

  function cellLines(at, pinned) {
    const tenths = cells.tenths[at];
    const lines = [...line(t('zone'), name(zoneName(cells.zone[at]))),
      ...line(t('residents'), tenths < 0 ? t('not_known') : (tenths / 10).toFixed(1))];
    const status = cells.status[at];
    if (status) lines.push(...line(t(status === EDGE ? 'doubt' : 'no_verdict'), t('status_' + status)));
    const {service} = state.layer;
    if (pinned) return lines;
    if (service >= 0) {
      const {unit, by_zone} = scene.services[service];
      const threshold = by_zone[cells.zone[at]] ?? scene.services[service].threshold;
      return [...lines, ...line(name(serviceTitle(service)), make('b', {}, walk(at, service))),
        ...line(t('verdict'), verdict(services[service].met[at]), ' (' + t('standard', round(unit, threshold)) + ')')];
    }
    const those = (met) => [...services.keys()].filter((i) => services[i].met[at] === met);
    const list = (indices) => indices.flatMap((i, k) => [k ? ', ' : '', name(serviceTitle(i))]);
    const [missing, unknown] = [those(0), those(-1)];
    lines.push(...line(t('missing'), missing.length ? list(missing) : t(unknown.length ? 'not_known' : 'none')));
    return unknown.length ? [...lines, ...line(t('unjudged'), list(unknown))] : lines;
  }

  const everything = (at) => table(['service', 'walk', 'verdict', 'within'].map((key) => heading(t(key))),
    services.map(({met, count}, i) => make('tr', {}, make('th', {scope: 'row'}, name(serviceTitle(i))), cell(walk(at, i)),
      make('td', {}, verdict(met[at])), cell(count[at] < 0 ? t('not_known') : grouped(count[at])))));

  function facilityLines(latlng) {
    const f = art.facilities;
    if (!f || !map.hasLayer(sheets.facilities) || (state.layer.service < 0 && worldScale() < 2 ** 14)) return [];
    const [px, py] = toWorld(latlng);
    let best = 8 / worldScale();
    let found = -1;
    for (let i = 0; i < f.x.length; i++) {
      const distance = Math.hypot(f.x[i] - px, f.y[i] - py);
      if (distance < best && shownFacility(i)) [best, found] = [distance, i];
    }
    if (found < 0) return [];
    const planned = f.planned[found] ? ' · ' + t('planned') : '';
    return line(name(serviceTitle(f.service[found])), name(f.names[found] || '–'), planned);
  }

  function pin(at, place) {
    Object.assign(state, {pinned: at, lost: ''});
    outline.setLatLngs(corners(at));
    mark.setLatLngs([]);
    if (at < 0) circle.hide();
    history.replaceState(null, '', at < 0 ? location.pathname : '#cell=' + encodeURIComponent(cells.id(at)));
    readOut(at, place);
  }

  function unescaped(text) {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;  // a stray percent sign
    }
  }

  /** Keeps the cell the address names, and shows where it is; says so where there is none. */
  function pinNamed() {
    const wanted = /^#cell=(.+)$/.exec(unescaped(location.hash));
    if (!wanted) return;
    let found = -1;
    for (let i = 0; i < cells.n && found < 0; i++) if (cells.id(i) === wanted[1]) found = i;
    if (found < 0) {
      if (state.pinned >= 0) unpin();
      [, state.lost] = wanted;
      readOut(-1, null);
      return;
    }
    map.setView(corners(found)[0], 58, {animate: false});
    pin(found, null);
    const beside = byId('readout').getBoundingClientRect();
    if (beside.left > map.getContainer().getBoundingClientRect().left + 50) map.panBy([beside.width / 2, 0], {animate: false});
  }

  const unpin = () => pin(-1, null);

  const circle = window.lifecircleCircle({
    scene, map, art, Sheet, open, sums, make, name, t, table, heading, cell, cost, spare, round, serviceTitle, verdict,
    cells: () => cells, service: () => state.layer.service, met: (i, at) => services[i].met[at],
    added: (i, point) => whatif.added(i, point), edition: () => whatif.edition(), moreDoors: (i, c) => whatif.moreDoors(i, c),
  });

  const finder = window.lifecircleFind({
    scene, map, art, byId, make, name, t, local, serviceTitle, toLatLng, cellAt, circle, cells: () => cells,
    pin(at) {
      map.setView(corners(at)[0], 58, {animate: false});
      pin(at, null);
    },
  });

  const {classify, layerTitle, range, swatch, legendRow, drawLegend} = window.lifecircleLegend({
    scene, state, byId, make, t, local, name, cell, heading, table, grouped, people, share, serviceTitle, bare, unitWord, round,
    sheets, circle, choose, NO_VERDICT, EDGE, cells: () => cells, services: () => services, gaps: () => gaps,
  });

  const gaps = window.lifecircleGaps({
    scene, state, map, art, sheets, byId, t, local, name, make, cell, heading, table, grouped, people, serviceTitle, cost, cutoff,
    area, zoneName, toLatLng, inShape, line, swatch, legendRow, range, choose,
  });

  const whatif = window.lifecircleWhatif({
    scene, map, art, byId, make, name, t, serviceTitle, people, share, toWorld, toLatLng, circle,
    cells: () => cells, services: () => services, shownFacility,
    drawGates: () => sheets.gates.repaint(),
    changed() {
      countUnmet();
      choose(state.layer);
      if (sheets.facilities) sheets.facilities.repaint();
    },
  });

  // ------------------------------------------------------------------------------------- controls

  function choose(layer) {
    state.layer = layer;
    state.slide = null;
    state.cost = null;
    classify(layer);
    sheets.cells.repaint();
    for (const key of ['entrances', 'facilities', 'gaps']) if (sheets[key]) sheets[key].repaint();
    drawLegend();
    gaps.draw();
    readOut(state.pinned, null);
  }

  function option(type, key, checked, label, sample, change) {
    const input = make('input', {type, name: 'lc-' + type, value: key, checked, change});
    return make('label', {}, input, sample || '', make('span', {}, label));
  }

  function drawControls() {
    byId('layers').lastChild.replaceChildren(...scene.layers.map((layer, i) =>
      option('radio', i, layer === state.layer, name(layerTitle(layer)), null, () => choose(layer))));
    const overlays = ['streets', 'water', 'zones', 'overlays', 'facilities', 'entrances', 'gaps'].filter((key) => sheets[key]);
    byId('overlays').hidden = overlays.length === 0;
    byId('overlays').lastChild.replaceChildren(...overlays.map((key) => {
      const change = (event) => {
        sheets[key][event.target.checked ? 'addTo' : 'removeFrom'](map);
        placeLabels();
      };
      const sample = make('i', {class: 'lc-key lc-key-' + key});
      const word = t(key === 'overlays' ? 'other_areas' : key);
      return option('checkbox', key, map.hasLayer(sheets[key]), word, sample, change);
    }));
  }

  function drawTexts() {
    document.documentElement.lang = state.lang === 'zh' ? 'zh-CN' : 'en';
    const title = local(scene.title, scene.title_zh);
    document.title = title.replace(/[\u202a-\u202e\u2066-\u2069]/g, '').slice(0, 200);
    byId('title').replaceChildren(name(title));
    byId('lang').textContent = t('other_language');
    byId('lang').setAttribute('aria-label', t('switch_language'));
    byId('lang').lang = state.lang === 'zh' ? 'en' : 'zh-CN';
    const notice = local(scene.notice, scene.notice_zh);
    byId('notice').hidden = !notice;
    byId('notice').replaceChildren(name(notice || ''));
    for (const element of document.querySelectorAll('[data-t]')) element.textContent = t(element.dataset.t);
    for (const element of document.querySelectorAll('[data-label]')) element.ariaLabel = t(element.dataset.label);
    const sentences = local(scene.headline, scene.headline_zh)
      .map((text) => make('p', {dir: 'auto'}, text.replaceAll(' %', '\u00a0%')));
    byId('headline').replaceChildren(...sentences, make('p', {class: 'lc-hint'}, t('hint')));
    byId('facts').lastElementChild.replaceChildren(...local(scene.facts, scene.facts_zh)
      .flatMap(([label, value]) => line(name(label), make('bdi', {}, value))));
    const credits = [...scene.attribution, t('data_date', scene.data_date)];
    byId('foot').replaceChildren(...credits.map((text) => make('bdi', {}, text)));
    map.getContainer().setAttribute('aria-label', t('map'));
    drawControls();
    whatif.draw();
    finder.draw();
    drawLegend();
    gaps.draw();
    readOut(state.pinned, null);
    drawButtons();
    drawLabels();
    scaleBar._update();
  }

  /** Leaflet's own says its unit in English. */
  const scaleBar = new (L.Control.Scale.extend({
    _updateScale(bar, text, ratio) {
      L.Control.Scale.prototype._updateScale.call(this, bar, text.replace(/k?m$/, (unit) => t(unit)), ratio);
    },
  }))({imperial: false});

  const buttons = L.control({position: 'topleft'});
  buttons.onAdd = () => {
    const box = make('div', {class: 'leaflet-bar lc-buttons'});
    L.DomEvent.disableClickPropagation(box);
    return box;
  };

  function drawButtons() {
    const button = (sign, word, click) =>
      make('button', {type: 'button', 'aria-label': t(word), title: t(word), click}, sign);
    buttons.getContainer().replaceChildren(button('+', 'zoom_in', () => map.zoomIn()),
      button('−', 'zoom_out', () => map.zoomOut()), button('⤢', 'fit', fit));
  }

  // -------------------------------------------------------------------------------- labels, start

  const labels = L.layerGroup();

  /** Shows the whole area; beside the legend unless that costs more than two of the four steps to half the scale. */
  function fit() {
    map.invalidateSize({pan: false});  // Leaflet measured the page before its texts were in
    const box = byId('legend').getBoundingClientRect();
    const over = box.top < map.getContainer().getBoundingClientRect().bottom - 20 ? box.width + 20 : 0;
    const [all, beside] = [0, over].map((width) => map.getBoundsZoom(scene.bounds, false, L.point(width + 20, 20)));
    const right = beside >= all - 2 ? over + 10 : 10;
    map.fitBounds(scene.bounds, {paddingTopLeft: [10, 10], paddingBottomRight: [right, 10], animate: false});
  }

  function drawLabels() {
    labels.clearLayers();
    for (const key of ['zones', 'overlays']) {
      scene[key].labels.forEach((place, i) => {
        const html = make('span', {}, name(local(scene[key].names[i], scene[key].names_zh[i])));
        const icon = L.divIcon({className: 'lc-label lc-label-' + key, html, iconSize: null});
        const marker = L.marker(place, {icon, interactive: false, keyboard: false}).addTo(labels);
        Object.assign(marker, {key, box: art[key].box.subarray(4 * i, 4 * i + 4)});
      });
    }
    placeLabels();
  }

  /** Hides a label that is wider than its area or lies on another one. */
  function placeLabels() {
    const taken = [];
    const scale = worldScale();
    labels.eachLayer((marker) => {
      const text = marker.getElement().firstChild;
      const {x, y} = map.latLngToLayerPoint(marker.getLatLng());
      const [w, h] = [text.offsetWidth, text.offsetHeight];
      const apart = (o) => Math.abs(o.x - x) * 2 > o.w + w || Math.abs(o.y - y) * 2 > o.h + h;
      const fits = (marker.box[2] - marker.box[0]) * scale > w * 0.6;
      const show = taken.every(apart) && fits && map.hasLayer(sheets[marker.key]);
      if (show) taken.push({x, y, w, h});
      text.style.visibility = show ? '' : 'hidden';
    });
  }

  async function openArt() {
    const {streets, facilities, entrances} = scene;
    for (const key of ['water', 'zones', 'overlays', 'gaps']) art[key] = await openPaths(scene[key].paths);
    if (streets) art.streets = {paths: await openPaths(streets), rank: await open(streets.rank)};
    if (facilities) {
      const [service, planned] = await Promise.all([facilities.service, facilities.planned].map(open));
      art.facilities = {...await openPoints(facilities), service, planned, names: facilities.names};
    }
    if (entrances) {
      const [row, rows, kind] = await Promise.all([entrances.row, entrances.rows, entrances.kind].map(open));
      art.entrances = {...await openPoints(entrances), row, rows, kind};
    }
  }

  /** Makes the sheets that have something to show, lowest first. */
  function makeSheets() {
    const halo = {stroke: '#ffffffb0', width: 4};
    const drawings = {
      water: () => [{fill: '#cfdde8'}],
      gaps: (i) => gaps.pens(scene.gaps.rows[i]),
      zones: () => [halo, {stroke: INK, width: 1.6}],
      overlays: () => [halo, {stroke: '#5b2a86', width: 1.8, dash: [7, 4]}],
    };
    const outlines = (key, level) => {
      if (art[key].shape.length > 1) sheets[key] = new Sheet(key, level, paintShapes(art[key], drawings[key]));
    };
    outlines('water', 210);
    sheets.cells = new Cells('cells', 220, function paint(...tile) {
      this.colour(...tile);
    });
    outlines('gaps', 230);
    if (art.streets) sheets.streets = new Sheet('streets', 240, paintStreets);
    outlines('zones', 250);
    outlines('overlays', 260);
    if (art.entrances) sheets.entrances = new Sheet('entrances', 265, paintEntrances);
    if (art.facilities) sheets.facilities = new Sheet('facilities', 270, paintFacilities);
    if (scene.walk) sheets.gates = new Sheet('gates', 275, paintGates);
  }

  function listen() {
    byId('lang').addEventListener('click', () => {
      state.lang = state.lang === 'zh' ? 'en' : 'zh';
      try {
        localStorage.setItem(KEPT, state.lang);
      } catch { /* it is chosen for now */ }
      drawTexts();
    });
    map.on('zoomend', placeLabels);
    map.on('mousemove', (event) => {
      if (state.pinned >= 0) return;
      const at = cellAt(event.latlng);
      mark.setLatLngs(corners(at));
      readOut(at, event.latlng);
    });
    map.on('mouseout', () => {
      mark.setLatLngs([]);
      if (state.pinned < 0) readOut(-1, null);
    });
    map.on('click', (event) => whatif.takes(event.latlng) || pin(cellAt(event.latlng), event.latlng));
    document.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') unpin();
      if (event.key !== 'Enter' || event.target !== map.getContainer()) return;
      if (!whatif.takes(map.getCenter())) pin(cellAt(map.getCenter()), map.getCenter());
    });
    map.on('resize', fitPaper);
    window.addEventListener('hashchange', pinNamed);
  }

  /** How much the map as it stands is scaled on paper: what is painted while printing does not get there. */
  function fitPaper() {
    const {x, y} = map.getSize();
    const paper = {width: x, height: y, zoom: Math.min(PAPER.x / x, PAPER.y / y)};
    for (const [key, value] of Object.entries(paper)) document.documentElement.style.setProperty('--lc-map-' + key, String(value));
  }

  /** Tiles of a map behind the cells, where the study asks for them: the only requests a page makes. */
  function basemap() {
    const Tiles = L.TileLayer.extend({
      // Theirs is one zoom step to a doubling, ours four.
      _clampZoom: (zoom) => 4 * Math.min(Math.round(zoom / 4), 18),
      _getZoomForUrl() { return this._tileZoom / 4; },
    });
    return new Tiles(scene.basemap, {minZoom: map.getMinZoom(), maxZoom: map.getMaxZoom()});
  }

  async function openServices() {
    return Promise.all(scene.services.map(async (service) => {
      const [values, met, count] = await Promise.all([service.values, service.met, service.count].map(open));
      return {values, met, count, quantum: service.quantum};
    }));
  }

  function countUnmet() {
    cells.unmet = new Uint16Array(cells.n);
    cells.unknown = new Uint16Array(cells.n);
    for (const {met} of services) {
      for (let i = 0; i < cells.n; i++) {
        if (met[i] === 0) cells.unmet[i]++;
        else if (met[i] < 0) cells.unknown[i]++;
      }
    }
    if (!services.length) cells.unknown.fill(1);
  }

  async function start() {
    [cells, services] = await Promise.all([openCells(scene.cells), openServices(), openArt()]);
    countUnmet();
    state.layer = scene.layers[GAPS ? gaps.widest() + 1 : 0];
    makeSheets();
    classify(state.layer);
    for (const [key, sheet] of Object.entries(sheets)) if (GAPS || !['gaps', 'entrances'].includes(key)) sheet.addTo(map);
    if (scene.basemap) basemap().addTo(map);
    buttons.addTo(map);
    scaleBar.addTo(map);
    mark.addTo(map);
    outline.addTo(map);
    labels.addTo(map);
    if (window.matchMedia('(max-width: 760px)').matches) byId('facts').open = false;
    drawTexts();
    fit();
    listen();
    fitPaper();
    pinNamed();
    // For whoever wants to hold the page against the run: the ticks from a cell to the nearest of each service.
    map.getContainer().lifecircle = {ticks: circle.ticks, n: cells.n, id: cells.id};
    map.getContainer().setAttribute('aria-busy', 'false');
  }

  if (typeof DecompressionStream === 'undefined') byId('headline').append(make('p', {}, t('too_old')));
  else start();
}
