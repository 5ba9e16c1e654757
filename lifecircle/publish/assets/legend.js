/**
 * The classes the cells are coloured in, the legend that counts them, and what changes them: another threshold, another cost.
 * @param {object} kit what the map lends
 */
function lifecircleLegend(kit) {
  'use strict';

  const {
    scene, state, byId, make, t, local, name, cell, heading, table, grouped, people, share, serviceTitle, bare, unitWord, round,
    sheets, circle, choose, NO_VERDICT, EDGE,
  } = kit;
  const GAPS = scene.kind === 'gaps';

  /** The class of every cell in a layer, with the rule the file's own sums were made with. */
  function classify(layer) {
    const cells = kit.cells();
    const {shown, status, tenths} = cells;
    const service = kit.services()[layer.service];
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
      const seen = colour + kit.gaps().alpha();
      box.style.background = `linear-gradient(${seen}, ${seen}), ${scene.layers[0].colours[1]}`;
    } else if (colour) box.style.background = colour;
    return box;
  }

  const legendRow = (sample, label, ...figures) =>
    make('tr', {}, make('td', {}, sample), make('th', {scope: 'row'}, label), figures.map(cell));

  function drawLegend() {
    const cells = kit.cells();
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
    if (layer.kind !== 'people' && scene.edge.cells) {
      rows.push(legendRow(swatch('', 'lc-edge'), t('edge'), people(layer.people ? scene.edge.people : scene.edge.cells), ''));
    }
    const head = [make('td', {colspan: 2}), heading(t(layer.people ? 'residents' : 'n_cells')), heading(t('share'))];
    const walked = service?.by_zone.length ? 'by_zone_note' : 'service_note';
    const note = GAPS ? 'gap_note' : state.cost !== null ? 'other_cost_note' : {unmet: 'unmet_note', service: walked}[layer.kind];
    const unknown = layer.people && layer.kind !== 'people' && cells.tenths.some((value) => value < 0);
    if (!legend.isConnected) byId('legend').replaceChildren(legend, costs.box, slider.box);
    legend.replaceChildren(make('h2', {}, name(layerTitle(layer))), ...(GAPS ? kit.gaps().legend() : []),
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

  return {classify, layerTitle, range, swatch, legendRow, drawLegend};
}
