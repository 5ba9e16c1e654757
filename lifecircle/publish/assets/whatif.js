/**
 * What if there were a facility here, or none there, or a gate stood open: coverage at once, with the streets and people of the run.
 * @param {object} kit what the map lends
 */
function lifecircleWhatif(kit) {
  'use strict';

  const {scene, map, art, byId, make, name, t, serviceTitle, people, share, toWorld, circle} = kit;
  const NEAR_PX = 10;
  const FARTHEST_M = 500;
  const edits = [];
  const original = new Map();  // what the run said of a service, before the first edit of it
  let mode = 'off';
  let service = 0;
  let walk = null;
  let told = '';
  let before = null;
  const counted = new Map();  // what the run counted in a layer, before the first edit
  let closedRows = new Set();

  const marks = window.L.layerGroup();

  /** Metres on the ground for one world pixel at a latitude. */
  const metres = (lat) => (Math.cos((lat * Math.PI) / 180) * 40_075_016.7) / 256;

  /** The point of the streets nearest to a place: line, share of its length, distance in world pixels. */
  function nearestStreet([px, py]) {
    const {x, y, start, box} = art.streets.paths;
    let found = null;
    let best = Infinity;
    for (let s = 0; s < start.length - 1; s++) {
      const dx = Math.max(box[4 * s] - px, 0, px - box[4 * s + 2]);
      const dy = Math.max(box[4 * s + 1] - py, 0, py - box[4 * s + 3]);
      if (Math.hypot(dx, dy) >= best) continue;
      let whole = 0;
      let here = null;
      for (let i = start[s] + 1; i < start[s + 1]; i++) {
        const [ax, ay, bx, by] = [x[i - 1], y[i - 1], x[i], y[i]];
        const length = Math.hypot(bx - ax, by - ay);
        const w = length > 0 ? Math.max(0, Math.min(1, ((px - ax) * (bx - ax) + (py - ay) * (by - ay)) / length ** 2)) : 0;
        const off = Math.hypot(px - ax - w * (bx - ax), py - ay - w * (by - ay));
        if (off < best) {
          best = off;
          here = whole + w * length;
        }
        whole += length;
      }
      if (here !== null) found = {line: s, share: whole > 0 ? here / whole : 0};
    }
    return found && {...found, off: best};
  }

  /** Doors of a new facility: on the street and on its copy that is arrived on, priced as the run prices doors. */
  function doorsAt(place, c) {
    const cost = walk.net.costs[c];
    const street = nearestStreet(toWorld(place));
    if (!street || street.off * metres(place.lat) > FARTHEST_M) return null;
    const leg = Math.floor(street.off * metres(place.lat) * cost.perMetre + 0.5);
    const made = [];
    walk.net.line.forEach((line, e) => {
      if (line !== street.line) return;
      const [uv, vu] = [cost.uv[e], cost.vu[e]];
      const [forth, back] = [uv, vu].map((ticks) => Math.floor(ticks * street.share + 0.5));
      made.push({
        edge: e, fromU: uv >= 0 ? leg + forth : -1, fromV: vu >= 0 ? leg + vu - back : -1,
        along(j) {
          const forward = street.share >= walk.net.homes.share[j] / 1000;
          if ((forward ? uv : vu) < 0) return -1;
          const at = cost.homes[forward ? 'forth' : 'back'][j];
          if (at < 0) return -1;
          return cost.homes.leg[j] + leg + (forward ? forth - at : at - back);
        },
      });
    });
    return made;
  }

  /** Recomputes one service under all edits. */
  function apply(i) {
    const c = scene.walk.service_cost[i];
    const {threshold, by_zone: byZone} = scene.services[i];
    const mine = kit.services()[i];
    if (!original.has(i)) original.set(i, {values: mine.values.slice(), met: mine.met.slice(), points: walk.met.slice(i * n(), (i + 1) * n())});
    const those = edits.filter((edit) => edit.service === i);
    const first = original.get(i);
    const layer = scene.layers.find((one) => one.kind === 'service' && one.service === i);
    if (!those.length && !walk.giving[i].some((f) => walk.closed.has(f)) && !edits.some((edit) => edit.gate !== undefined)) {
      Object.assign(layer, counted.get(layer));
      mine.values.set(first.values);
      mine.met.set(first.met);
      walk.met.set(first.points, i * n());
      return;
    }
    const open = walk.giving[i].filter((f) => !walk.closed.has(f));
    const serving = new Set(open);
    const doors = [];
    walk.net.doors.facility.forEach((f, d) => serving.has(f) && doors.push(d));
    const ticks = walk.walkTo(c, doors, moreDoors(i, c), n());
    const cells = kit.cells();
    for (let p = 0; p < n(); p++) {
      if (first.points[p] < 0) continue;
      const limit = byZone[cells.zone[walk.cellOf[p]]] ?? threshold;
      walk.met[i * n() + p] = ticks[p] <= Math.floor(limit * scene.walk.ticks) ? 1 : 0;
    }
    for (let at = 0; at < cells.n; at++) {
      const p = walk.first[at];
      if (p < 0 || first.met[at] < 0) continue;
      mine.met[at] = walk.met[i * n() + p];
      mine.values[at] = ticks[p] === walk.FAR ? -1 : Math.ceil(ticks[p] / scene.walk.ticks / mine.quantum);
    }
    recount(layer, (p) => (first.points[p] < 0 ? -1
      : ticks[p] === walk.FAR ? Infinity : ticks[p] / scene.walk.ticks));
  }

  /** Counts the people and cells of every class of a layer anew; a value below 0 is no verdict. */
  function recount(layer, valueOf) {
    if (!counted.has(layer)) counted.set(layer, {people: layer.people, cells: layer.cells});
    const {limits} = layer;
    const [crowd, number] = [new Float64Array(limits.length + 2), new Float64Array(limits.length + 2)];
    for (let p = 0; p < n(); p++) {
      const value = valueOf(p);
      let at = 0;
      while (at < limits.length && value > limits[at]) at++;
      if (value < 0) at = limits.length + 1;
      crowd[at] += walk.people ? walk.people[p] : 0;
      if (walk.first[walk.cellOf[p]] === p) number[at]++;
    }
    if (layer.people) layer.people = Array.from(crowd, (sum) => sum / 1024);
    layer.cells = Array.from(number);
  }

  /** Unmet needs of an access point; below 0 where one is unknown and none is known to be missing. */
  function unmetOf(p) {
    let [unmet, unknown] = [0, 0];
    for (let i = 0; i < scene.services.length; i++) {
      if (walk.met[i * n() + p] === 0) unmet++;
      else if (walk.met[i * n() + p] < 0) unknown++;
    }
    return unmet || !unknown ? unmet : -1;
  }

  const n = () => walk.cellOf.length;

  /** Doors of the facilities added of a service, priced by a cost. */
  const moreDoors = (i, c) => edits.filter((edit) => edit.service === i).flatMap((edit) => edit.doors[c] || []);

  /** People (cells, where nobody counted them) by service and for all of them together, and the whole. */
  function totals() {
    const weight = (p) => (walk.people ? walk.people[p] : walk.first[walk.cellOf[p]] === p ? 1024 : 0);
    const met = new Float64Array(scene.services.length);
    let [all, whole] = [0, 0];
    const full = new Uint8Array(n());
    for (let p = 0; p < n(); p++) {
      let every = true;
      for (let i = 0; i < met.length; i++) {
        if (walk.met[i * n() + p] === 1) met[i] += weight(p);
        else every = false;
      }
      full[p] = every ? 1 : 0;
      if (every) all += weight(p);
      whole += weight(p);
    }
    return {met: Array.from(met, (sum) => sum / 1024), all: all / 1024, whole: whole / 1024, points: walk.met.slice(), weight};
  }

  function gained(i, now) {
    let [more, less] = [0, 0];
    for (let p = 0; p < n(); p++) {
      const [was, is] = [before.points[i * n() + p], now.points[i * n() + p]];
      if (is === 1 && was === 0) more += now.weight(p);
      if (is === 0 && was === 1) less += now.weight(p);
    }
    return [more / 1024, less / 1024];
  }

  function refresh(touched) {
    for (const i of touched) apply(i);
    const unmet = scene.layers.find((layer) => layer.kind === 'unmet');
    if (edits.length) recount(unmet, unmetOf);
    else Object.assign(unmet, counted.get(unmet));
    closedRows = new Set(edits.flatMap((edit) => (edit.closes === undefined ? [] : rowsOf(edit.closes))));
    kit.changed();
    draw();
  }

  /** The facility row under a place, -1 for none. */
  function rowAt(place) {
    const [px, py] = toWorld(place);
    const scale = map.options.crs.scale(map.getZoom()) / 256;
    const f = art.facilities;
    let found = -1;
    let best = NEAR_PX / scale;
    for (let i = 0; i < f.x.length; i++) {
      if (f.service[i] !== service) continue;
      const off = Math.hypot(f.x[i] - px, f.y[i] - py);
      if (off < best) [best, found] = [off, i];
    }
    return found;
  }

  function facilityOf(row) {
    let f = 0;
    while (walk.start[f + 1] <= row) f++;
    return f;
  }

  function add(place) {
    const doors = scene.walk.costs.map((_, c) => doorsAt(place, c));
    told = doors[scene.walk.service_cost[service]]?.length ? '' : t('too_far_off');
    if (told) return draw();
    const mark = window.L.circleMarker(place, {radius: 7, color: '#c8102e', weight: 3, fillColor: '#ffffff', fillOpacity: 1, interactive: false});
    edits.push({service, place, doors, mark: mark.addTo(marks)});
    return refresh([service]);
  }

  function close(place) {
    const row = rowAt(place);
    told = row < 0 ? t('no_one_there') : '';
    if (told) return draw();
    const f = facilityOf(row);
    if (walk.closed.has(f)) return undefined;
    walk.closed.add(f);
    edits.push({closes: f, row});
    return refresh(servicesOf(f));
  }

  /** The gate nearest to a place, -1 where none is near enough on the screen. */
  function gateAt(place) {
    const {lon, lat, step} = walk.gates;
    let found = -1;
    let best = NEAR_PX;
    const here = map.latLngToContainerPoint(place);
    for (let g = 0; g < lon.length; g++) {
      if (Math.abs(lon[g] * step - place.lng) > 0.01 || Math.abs(lat[g] * step - place.lat) > 0.01) continue;
      const off = here.distanceTo(map.latLngToContainerPoint([lat[g] * step, lon[g] * step]));
      if (off < best) [best, found] = [off, g];
    }
    return found;
  }

  /** Lets everybody through a gate, or shuts it again as the run has it. */
  function setGate(g, ticks) {
    const {first, links} = walk.gates;
    for (const {uv, vu} of walk.net.costs) {
      uv.fill(ticks, first + links[g], first + links[g + 1]);
      vu.fill(ticks, first + links[g], first + links[g + 1]);
    }
  }

  const everyService = () => scene.services.map((_, i) => i);

  function openGate(place) {
    const g = gateAt(place);
    told = g < 0 ? t('no_gate_there') : '';
    if (told || edits.some((edit) => edit.gate === g)) return draw();
    setGate(g, 0);
    const {lon, lat, step} = walk.gates;
    const at = [lat[g] * step, lon[g] * step];
    const mark = window.L.circleMarker(at, {radius: 7, color: '#c8102e', weight: 3, fill: false, interactive: false});
    edits.push({gate: g, at, mark: mark.addTo(marks)});
    return refresh(everyService());
  }

  const rowsOf = (f) => Array.from({length: walk.start[f + 1] - walk.start[f]}, (_, k) => walk.start[f] + k);
  const servicesOf = (f) => Array.from(art.facilities.service.slice(walk.start[f], walk.start[f + 1]));

  function undo() {
    const edit = edits.pop();
    if (!edit) return;
    if (edit.mark) edit.mark.remove();
    if (edit.gate !== undefined) {
      setGate(edit.gate, -1);
      refresh(everyService());
    } else if (edit.closes === undefined) refresh([edit.service]);
    else {
      walk.closed.delete(edit.closes);
      refresh(servicesOf(edit.closes));
    }
  }

  /** The edits as a scenario: GeoJSON, each feature an edit. */
  function scenario() {
    const point = (lng, lat) => ({type: 'Point', coordinates: [lng, lat].map((v) => Math.round(v * 1e6) / 1e6)});
    const features = edits.map((edit) => {
      const feature = (properties, geometry) => ({type: 'Feature', properties, geometry});
      if (edit.gate !== undefined) {
        return feature({edit: 'open_gate', node: walk.gates.node[edit.gate]}, point(edit.at[1], edit.at[0]));
      }
      if (edit.place) {
        return feature({edit: 'add_facility', service: scene.services[edit.service].key}, point(edit.place.lng, edit.place.lat));
      }
      return feature({edit: 'close_facility', facility_id: scene.walk.facility_id[edit.closes]}, null);
    });
    return {type: 'FeatureCollection', schema: 1, features};
  }

  function save() {
    const url = URL.createObjectURL(new Blob([JSON.stringify(scenario(), null, 1) + '\n'], {type: 'application/geo+json'}));
    const link = make('a', {href: url, download: 'scenario.geojson'});
    link.click();
    URL.revokeObjectURL(url);
  }

  /** Turns a way of clicking on; the network is opened, and what the run says counted, the first time. */
  async function turn(to) {
    mode = to;
    if (to !== 'off' && !walk) {
      walk = await circle.ready();
      before = totals();
      marks.addTo(map);
    }
    kit.drawGates();
    draw();
  }

  function results() {
    if (!before || !edits.length) return [];
    const now = totals();
    const line = (label, was, is, more) => make('p', {}, make('b', {}, label), ' ',
      t('before_after', share(was, before.whole), share(is, now.whole)), more ? make('small', {}, ' ', more) : '');
    const touched = scene.services.map((_, i) => i).filter((i) => gained(i, now).some((amount) => amount > 0));
    return [line(t('all_of_them'), before.all, now.all, ''),
      ...touched.map((i) => line(serviceTitle(i), before.met[i], now.met[i], t('newly', ...gained(i, now).map(people))))];
  }

  function draw() {
    const box = byId('whatif');
    box.hidden = !scene.walk || !art.facilities || !art.streets;
    if (box.hidden) return;
    const select = make('select', {'aria-label': t('service'), change: (event) => {
      service = Number(event.target.value);
      draw();
    }}, scene.services.map((_, i) => make('option', {value: i, selected: i === service}, serviceTitle(i))));
    const radio = (value, word) => make('label', {}, make('input', {
      type: 'radio', name: 'lc-whatif-mode', value, checked: mode === value, change: () => turn(value),
    }), make('span', {}, t(word)));
    const list = edits.map((edit) => make('li', {}, edit.gate !== undefined ? t('opened_one', walk.gates.node[edit.gate])
      : edit.place ? t('added_one', serviceTitle(edit.service))
        : [t('closed_one', ''), name(art.facilities.names[edit.row] || t('unnamed'))]));
    const button = (word, click) => make('button', {type: 'button', click}, t(word));
    box.lastChild.replaceChildren(make('p', {}, t('what_if_note')), select, radio('off', 'off'), radio('add', 'add_one'),
      radio('close', 'close_one'), ...(scene.walk.gates.node.length ? [radio('gate', 'open_one')] : []),
      make('p', {role: 'status'}, told), make('ol', {}, list), ...results(),
      ...(edits.length ? [button('undo', undo), ' ', button('undo_all', () => {
        while (edits.length) undo();
      }), ' ', button('export', save)] : []));
  }

  return {
    draw,
    /** Whether a click is an edit rather than a question. */
    takes(place) {
      if (mode === 'off' || !walk) return false;
      ({add, close, gate: openGate})[mode](place);
      return true;
    },
    /** Ticks from an access point to the nearest added facility of a service, null where there is none. */
    added(i, point) {
      const c = scene.walk.service_cost[i];
      if (!edits.some((edit) => edit.service === i)) return null;
      const ticks = walk.walkTo(c, [], moreDoors(i, c), n())[point];
      return ticks === walk.FAR ? null : ticks;
    },
    /** Names what was edited, so that what was computed before an edit is known to be old. */
    edition: () => edits.map((edit) => edit.closes ?? (edit.gate === undefined ? `+${edit.place}` : `g${edit.gate}`)).join(),
    moreDoors,
    /** Gates to draw while one may be opened, in degrees; null else. */
    gates: () => (mode === 'gate' && walk ? walk.gates : null),
    isClosed: (row) => closedRows.has(row),
    scenario,
  };
}
