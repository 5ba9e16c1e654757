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
  const KEPT = 'lifecircle-language';  // the report remembers under it too
  const state = {
    lang: remembered(), layer: null, slide: null, cost: null, cause: '', byCause: false, pinned: -1, sort: 'people', down: true,
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
    t, local, name, make, cell, heading, table, grouped, people, share, serviceTitle, bare, unitWord, round, cutoff, cost, area,
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

  // ------------------------------------------------------------------------------------- classes, legend

  /** The class of every cell in a layer, with the rule the file's own sums were made with. */
  function classify(layer) {
    const {shown, status, tenths} = cells;
    const service = services[layer.service];
    const values = layer.values || service?.values;  // those of the standard's own cost, or of another
    const limits = layer.limits.map((limit) => (layer.kind === 'people' ? limit * 10
      : layer.kind === 'service' ? limit / (layer.values ? 1 : service.quantum) : limit));
    for (let i = 0; i < cells.n; i++) {
      let value = -1;
      if (layer.kind === 'people') value = tenths[i];
      else if (status[i] === 0 || status[i] === EDGE) {
        if (layer.kind === 'unmet') value = cells.unmet[i] > 0 || cells.unknown[i] === 0 ? cells.unmet[i] : -1;
        else if (service.met[i] >= 0) {
          if (layer.kind === 'met') value = service.met[i] === 0 ? 1 : 0;
          else value = values[i] < 0 ? Infinity : values[i];
        }
      }
      let at = 0;
      while (at < limits.length && value > limits[at]) at++;
      shown[i] = value < 0 ? NO_VERDICT : at;
    }
    sheets.cells.table = Uint32Array.from(layer.colours, (colour) => {
      const rgb = parseInt(colour.slice(1), 16);
      return ((255 << 24) | ((rgb & 255) << 16) | (rgb & 0xff00) | (rgb >> 16)) >>> 0;
    });
  }

  function layerTitle(layer) {
    if (layer.service >= 0) return serviceTitle(layer.service);
    return t(layer.kind === 'people' ? 'people' : GAPS ? 'all_services' : 'unmet');
  }

  /** Class i between limits, as text. */
  function range(limits, i, show) {
    if (!limits.length) return '> 0';
    if (i === 0) return '≤ ' + show(limits[0]);
    return i < limits.length ? show(limits[i - 1]) + '–' + show(limits[i]) : '> ' + show(limits[i - 1]);
  }

  function classLabel({limits, kind, service}, i) {
    if (kind === 'met') return t(i ? 'not_met' : 'met');
    if (kind === 'unmet' && i === 0) return t('all_met');
    if (kind === 'unmet' && GAPS) return t('some_unmet');
    if (kind === 'unmet') {
      const low = limits[i - 1] + 1;
      return t('n_unmet', i === limits.length ? '≥ ' + low : low < limits[i] ? low + '–' + limits[i] : low);
    }
    if (kind === 'people') return range(limits, i, grouped);
    const unit = unitOf(service);
    return range(limits, i, (value) => bare(unit, value)) + ' ' + unitWord(unit);
  }

  /** The unit a service is shown in: that of its standard, or of the cost the reader chose. */
  const unitOf = (service) => (state.cost === null ? scene.services[service].unit : scene.walk.costs[state.cost].unit);

  function swatch(colour, kind) {
    const box = make('i', {class: 'lc-swatch ' + (kind || '')});
    if (kind === 'lc-cluster') {
      const seen = colour + gaps.alpha();
      box.style.background = `linear-gradient(${seen}, ${seen}), ${scene.layers[0].colours[1]}`;
    } else if (colour) box.style.background = colour;
    return box;
  }

  const legendRow = (sample, label, ...figures) =>
    make('tr', {}, make('td', {}, sample), make('th', {scope: 'row'}, label), figures.map(cell));

  function drawLegend() {
    const layer = state.slide || state.layer;
    const service = scene.services[layer.service];
    const counted = layer.people || layer.cells;
    const whole = counted.reduce((sum, part) => sum + part, 0);
    const last = layer.colours.length;
    const row = (sample, label, i) => legendRow(sample, label, people(counted[i]), share(counted[i], whole));
    const rows = layer.colours.flatMap((colour, i) => [row(swatch(colour), classLabel(layer, i), i),
      i !== layer.standard ? [] : make('tr', {class: 'lc-standard'}, make('td', {colspan: 4}, '▲ ' + t('met') + ' · ',
        make('b', {}, t('standard', round(service.unit, service.threshold))), ' · ▼ ' + t('not_met')))]);
    if (layer.cells[last]) rows.push(row(swatch('', 'lc-hatch'), t('no_verdict'), last));
    if (layer.kind !== 'people' && cells.status.includes(EDGE)) {
      const those = [...cells.status.keys()].filter((i) => cells.status[i] === EDGE);
      const amount = layer.people ? those.reduce((sum, i) => sum + Math.max(0, cells.tenths[i]), 0) / 10 : those.length;
      rows.push(legendRow(swatch('', 'lc-edge'), t('edge'), people(amount), ''));
    }
    const head = [make('td', {colspan: 2}), heading(t(layer.people ? 'residents' : 'n_cells')), heading(t('share'))];
    const walked = service?.by_zone.length ? 'by_zone_note' : 'service_note';
    const note = GAPS ? 'gap_note' : state.cost !== null ? 'other_cost_note' : {unmet: 'unmet_note', service: walked}[layer.kind];
    const unknown = layer.people && layer.kind !== 'people' && cells.tenths.some((value) => value < 0);
    if (!legend.isConnected) byId('legend').replaceChildren(legend, costs.box, slider.box);
    legend.replaceChildren(make('h2', {}, name(layerTitle(layer))), ...(GAPS ? gaps.legend() : []),
      note ? make('p', {}, t(note)) : '', table(head, rows, legendRow('', t('total'), people(whole), '')),
      unknown ? make('p', {}, t('unknown_people')) : '');
    drawCosts();
    drawSlider();
  }

  // The slider stays where it is while the legend above it is drawn anew, or dragging it would end.
  const legend = make('div', {});
  const slider = {input: make('input', {type: 'range', input: slide}), said: make('output', {}), word: make('span', {})};
  slider.box = make('label', {class: 'lc-slider'}, slider.word, slider.input, slider.said);

  function drawSlider() {
    const {layer} = state;
    const shown = layer.kind === 'service' && Boolean(scene.walk);
    slider.box.hidden = !shown;
    slider.input.ariaLabel = t('slider');
    if (!shown) return;
    const {threshold} = scene.services[layer.service];
    const unit = unitOf(layer.service);
    const [least, most, step] = unit === 's' ? [300, Math.min(1800, scene.cutoff_s), 60] : [100, scene.cutoff_m, 50];
    Object.assign(slider.input, {min: least, max: most, step});
    if (!state.slide) slider.input.value = state.cost === null ? threshold : most;
    slider.word.textContent = t('slider');
    slider.said.textContent = round(unit, Number(slider.input.value));
    slider.input.setAttribute('aria-valuetext', slider.said.textContent);
  }

  /** Colours the cells by another threshold, and counts the people within it. */
  async function slide() {
    const {layer} = state;
    const limit = Number(slider.input.value);
    slider.said.textContent = round(unitOf(layer.service), limit);
    const other = state.cost;
    const {ticks, weight, main, judged, first} = await circle.pointTicks(layer.service, other);
    if (state.layer !== layer || state.cost !== other || Number(slider.input.value) !== limit) return;
    const [crowd, number] = [[0, 0, 0], [0, 0, 0]];
    for (let p = 0; p < ticks.length; p++) {
      const at = judged[p] ? (ticks[p] <= limit * scene.walk.ticks ? 0 : 1) : 2;
      crowd[at] += weight[p];
      number[at] += main[p];
    }
    state.slide = {
      ...layer, limits: [limit], colours: [layer.colours[0], layer.colours.at(-1)], standard: null, cells: number,
      people: layer.people && crowd.map((sum) => sum / 1024), values: other === null ? null : cellValues(ticks, first),
    };
    classify(state.slide);
    sheets.cells.repaint();
    drawLegend();
  }

  /** What each cell's main access point walks, in seconds or metres; -1 beyond the search. */
  const cellValues = (ticks, first) => Float64Array.from(first, (p) => (p < 0 || ticks[p] === circle.FAR ? -1
    : ticks[p] / scene.walk.ticks));

  // Which cost a service is shown in: that of its standard, or another one the file holds, which decides nothing.
  const costs = {box: make('label', {class: 'lc-cost'}), select: make('select', {change: chooseCost}), word: make('span', {})};
  costs.box.append(costs.word, costs.select);

  function drawCosts() {
    const {layer} = state;
    const shown = layer.kind === 'service' && scene.walk && scene.walk.costs.length > 1;
    costs.box.hidden = !shown;
    if (!shown) return;
    const own = scene.walk.service_cost[layer.service];
    costs.word.textContent = t('measured_in');
    costs.select.replaceChildren(...scene.walk.costs.map(({title, title_zh: titleZh}, c) => make('option', {
      value: c, selected: c === (state.cost ?? own),
    }, local(title, titleZh) + (c === own ? ' ' + t('of_the_standard') : ''))));
  }

  /** Shows the service by another cost, walked in the page. */
  async function chooseCost() {
    const {layer} = state;
    const c = Number(costs.select.value);
    if (c === scene.walk.service_cost[layer.service]) {
      choose(layer);
      return;
    }
    const {ticks, weight, main, judged, first} = await circle.pointTicks(layer.service, c);
    if (state.layer !== layer) return;
    state.cost = c;
    const {limits, colours} = scene.scales[scene.walk.costs[c].unit];
    const [crowd, number] = [new Float64Array(limits.length + 2), new Float64Array(limits.length + 2)];
    for (let p = 0; p < ticks.length; p++) {
      let at = judged[p] ? 0 : limits.length + 1;
      while (judged[p] && at < limits.length && ticks[p] > limits[at] * scene.walk.ticks) at++;
      crowd[at] += weight[p];
      number[at] += main[p];
    }
    state.slide = {
      ...layer, limits, colours, standard: null, cells: Array.from(number), values: cellValues(ticks, first),
      people: layer.people && Array.from(crowd, (sum) => sum / 1024),
    };
    classify(state.slide);
    sheets.cells.repaint();
    drawLegend();
  }


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
    const lines = at < 0 ? [] : cellLines(at, pinned);
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
    state.pinned = at;
    outline.setLatLngs(corners(at));
    mark.setLatLngs([]);
    if (at < 0) circle.hide();
    history.replaceState(null, '', at < 0 ? location.pathname : '#cell=' + encodeURIComponent(cells.id(at)));
    readOut(at, place);
  }

  /** Keeps the cell the address names, and shows where it is. */
  function pinNamed() {
    const wanted = /^#cell=(.{1,40})$/.exec(decodeURIComponent(location.hash));
    if (!wanted) return;
    let found = -1;
    for (let i = 0; i < cells.n && found < 0; i++) if (cells.id(i) === wanted[1]) found = i;
    if (found < 0) return;
    map.setView(corners(found)[0], 58, {animate: false});
    pin(found, null);
    const beside = byId('readout').getBoundingClientRect();
    if (beside.left > map.getContainer().getBoundingClientRect().left + 50) map.panBy([beside.width / 2, 0], {animate: false});
  }

  const unpin = () => pin(-1, null);

  const circle = window.lifecircleCircle({
    scene, map, art, Sheet, open, sums, make, name, t, table, heading, cell, cost, round, serviceTitle, verdict,
    cells: () => cells, service: () => state.layer.service, met: (i, at) => services[i].met[at],
    added: (i, point) => whatif.added(i, point), edition: () => whatif.edition(), moreDoors: (i, c) => whatif.moreDoors(i, c),
  });

  const finder = window.lifecircleFind({
    scene, map, art, byId, make, name, t, serviceTitle, toLatLng, cells: () => cells,
    pin(at) {
      map.setView(corners(at)[0], 58, {animate: false});
      pin(at, null);
    },
  });

  const gaps = window.lifecircleGaps({
    scene, state, map, art, byId, t, local, name, make, cell, heading, table, grouped, people, serviceTitle, cost, cutoff, area,
    zoneName, toLatLng, inShape, line, swatch, legendRow, range, choose,
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
    const sentences = local(scene.headline, scene.headline_zh).map((text) => make('p', {dir: 'auto'}, text));
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
  }

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
    let seen = null;
    window.addEventListener('beforeprint', () => {
      seen = map.getBounds();
      document.documentElement.classList.add('lc-print');
      map.invalidateSize({pan: false}).fitBounds(seen, {animate: false});
    });
    window.addEventListener('afterprint', () => {
      document.documentElement.classList.remove('lc-print');
      map.invalidateSize({pan: false}).fitBounds(seen, {animate: false});
    });
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
    L.control.scale({imperial: false}).addTo(map);
    mark.addTo(map);
    outline.addTo(map);
    labels.addTo(map);
    if (window.matchMedia('(max-width: 760px)').matches) byId('facts').open = false;
    drawTexts();
    fit();
    listen();
    pinNamed();
    // For whoever wants to hold the page against the run: the ticks from a cell to the nearest of each service.
    map.getContainer().lifecircle = {ticks: circle.ticks, n: cells.n, id: cells.id};
    map.getContainer().setAttribute('aria-busy', 'false');
  }

  if (typeof DecompressionStream === 'undefined') byId('headline').append(make('p', {}, t('too_old')));
  else start();
}
