/**
 * Draws a scene on a Leaflet map: cells, streets, outlines, facilities and gap clusters on canvas tiles, with one
 * legend, a readout and controls. Text from data is only ever set as text content.
 *
 * Geometry is kept in world pixels at zoom 0 (256 across), so a tile needs one multiplication per coordinate. A tile
 * of cells remembers which cell each of its pixels shows; another colouring is then a table look-up.
 * @param {L.Map} map the map to draw on
 */
function lifecircleMap(map) {
  'use strict';

  const scene = JSON.parse(document.getElementById('lc-scene').textContent);
  const TILE = 512;
  const DPR = Math.min(2, window.devicePixelRatio || 1);
  const GAPS = scene.kind === 'gaps';
  const MOST_ROWS = 300;
  const NO_VERDICT = 255;
  const EDGE = 3;  // judged, but what lies beyond the data could change the verdict
  const INK = '#22303c';
  const state = {lang: scene.lang, layer: null, slide: null, cause: '', pinned: -1, sort: 'people', down: true};
  const byId = (id) => document.getElementById('lc-' + id);

  // ---------------------------------------------------------------------------------------------- text

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

  // -------------------------------------------------------------------------------------- opening arrays

  /** Undoes `pack`: base64, gzip, byte planes, zigzag, differences. */
  async function open(packed) {
    const text = atob(packed.zip);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
    const planes = new Uint8Array(await new Response(stream).arrayBuffer());
    const {n, width, delta} = packed;
    const out = new Int32Array(n);
    let last = 0;
    for (let i = 0; i < n; i++) {
      let folded = 0;
      for (let p = 0; p < width; p++) folded |= planes[p * n + i] << (8 * p);
      const value = (folded >>> 1) ^ -(folded & 1);
      last = delta ? last + value : value;
      out[i] = last;
    }
    return out;
  }

  const worldX = (lon) => (lon / 360 + 0.5) * 256;
  const worldY = (lat) => (0.5 - Math.log(Math.tan(Math.PI / 4 + (lat * Math.PI) / 360)) / (2 * Math.PI)) * 256;
  const worldScale = () => map.options.crs.scale(map.getZoom()) / 256;
  const toWorld = (latlng) => [worldX(latlng.lng), worldY(latlng.lat)];
  const toLatLng = (x, y) => L.latLng((Math.atan(Math.exp((0.5 - y / 256) * 2 * Math.PI)) * 360) / Math.PI - 90,
    (x / 256 - 0.5) * 360);

  const emptyBox = () => [Infinity, Infinity, -Infinity, -Infinity];

  function grow(box, x, y) {
    if (x < box[0]) box[0] = x;
    if (y < box[1]) box[1] = y;
    if (x > box[2]) box[2] = x;
    if (y > box[3]) box[3] = y;
  }

  function sums(counts) {
    const out = new Int32Array(counts.length + 1);
    for (let i = 0; i < counts.length; i++) out[i + 1] = out[i] + counts[i];
    return out;
  }

  /** Points in world pixels. */
  async function openPoints(packed) {
    const [lon, lat] = await Promise.all([packed.x, packed.y].map(open));
    const {step} = packed;
    return {x: Float64Array.from(lon, (v) => worldX(v * step)), y: Float64Array.from(lat, (v) => worldY(v * step))};
  }

  /** Lines or rings with the box of each shape; shape s owns lines shape[s] .. shape[s + 1]. */
  async function openPaths(packed) {
    const [xy, points, lines] = await Promise.all([openPoints(packed), open(packed.points), open(packed.lines)]);
    const paths = {...xy, start: sums(points), shape: sums(lines), box: new Float64Array(4 * lines.length)};
    for (let s = 0; s < lines.length; s++) {
      const box = emptyBox();
      const [from, to] = [paths.start[paths.shape[s]], paths.start[paths.shape[s + 1]]];
      for (let i = from; i < to; i++) grow(box, paths.x[i], paths.y[i]);
      paths.box.set(box, 4 * s);
    }
    return paths;
  }

  /** Cells as quads in world pixels, sorted by the row of a coarse grid so that `near` reads few of them. */
  async function openCells({n, corners, tenths, zone, status, ids, step}) {
    const [at, people10, zones, statuses] = await Promise.all([corners, tenths, zone, status].map(open));
    const place = ids.list ? null : await Promise.all([ids.row, ids.col].map(open));
    const [x, y] = [new Float64Array(4 * n), new Float64Array(4 * n)];
    const box = emptyBox();
    let reach = 0;
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < 4; k++) {
        x[4 * i + k] = worldX((at[i] + (k && at[2 * k * n + i])) * step);
        y[4 * i + k] = worldY((at[n + i] + (k && at[(2 * k + 1) * n + i])) * step);
        reach = Math.max(reach, Math.abs(x[4 * i + k] - x[4 * i]), Math.abs(y[4 * i + k] - y[4 * i]));
      }
      grow(box, x[4 * i], y[4 * i]);
    }
    const band = Math.max((box[3] - box[1]) / 512, reach, 1e-9);
    const bandOf = (value) => Math.max(0, Math.min(511, Math.floor((value - box[1]) / band)));
    const counts = new Int32Array(512);
    for (let i = 0; i < n; i++) counts[bandOf(y[4 * i])]++;
    const start = sums(counts);
    const [next, order] = [start.slice(), new Int32Array(n)];
    for (let i = 0; i < n; i++) order[next[bandOf(y[4 * i])]++] = i;
    /** Calls `visit` with every cell that may touch the box. */
    function near(x0, y0, x1, y1, visit) {
      for (let j = start[bandOf(y0 - reach)]; j < start[bandOf(y1 + reach) + 1]; j++) {
        const left = x[4 * order[j]];
        if (left >= x0 - reach && left <= x1 + reach) visit(order[j]);
      }
    }
    const id = (i) => (place ? 'r' + place[0][i] + 'c' + place[1][i] : ids.list[i]);
    return {n, x, y, tenths: people10, zone: zones, status: statuses, id, near, shown: new Uint8Array(n)};
  }

  /** Whether a place lies inside a ring of n corners that starts at `from`. */
  function inRing(x, y, from, n, px, py) {
    let inside = false;
    for (let i = from, j = from + n - 1; i < from + n; j = i++) {
      if (y[i] > py !== y[j] > py && px < ((x[j] - x[i]) * (py - y[i])) / (y[j] - y[i]) + x[i]) inside = !inside;
    }
    return inside;
  }

  function inShape(paths, s, px, py) {
    const b = paths.box.subarray(4 * s, 4 * s + 4);
    if (px < b[0] || py < b[1] || px > b[2] || py > b[3]) return false;
    let inside = false;
    for (let l = paths.shape[s]; l < paths.shape[s + 1]; l++) {
      const from = paths.start[l];
      inside = inside !== inRing(paths.x, paths.y, from, paths.start[l + 1] - from, px, py);
    }
    return inside;
  }

  // ---------------------------------------------------------------------------------------- tiles

  let cells;
  let services;
  const art = {};
  const sheets = {};

  /** Canvas tiles in a pane of their own, painted by `paint(context, view, canvas)`; `repaint` paints them again. */
  const Sheet = L.GridLayer.extend({
    options: {tileSize: TILE, updateWhenZooming: false, keepBuffer: 1},
    initialize(pane, zIndex, paint) {
      map.createPane('lc-' + pane).style.zIndex = zIndex;
      L.setOptions(this, {pane: 'lc-' + pane});
      this.paint = paint;
      this.canvases = new Map();
      this.on('tileunload', (event) => this.canvases.delete(event.tile));
    },
    createTile(coords) {
      const canvas = make('canvas', {width: TILE * DPR, height: TILE * DPR});
      const scale = map.options.crs.scale(coords.z) / 256;
      const margin = 12 / scale;
      const view = {
        z: Math.log2(scale), scale, ox: coords.x * TILE, oy: coords.y * TILE,
        x0: (coords.x * TILE) / scale - margin, y0: (coords.y * TILE) / scale - margin,
        x1: ((coords.x + 1) * TILE) / scale + margin, y1: ((coords.y + 1) * TILE) / scale + margin,
      };
      this.canvases.set(canvas, view);
      this.draw(canvas, view);
      return canvas;
    },
    draw(canvas, view) {
      const context = canvas.getContext('2d');
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, canvas.width, canvas.height);
      context.setTransform(DPR, 0, 0, DPR, 0, 0);
      context.lineJoin = 'round';
      this.paint(context, view, canvas);
    },
    repaint() {
      for (const [canvas, view] of this.canvases) this.draw(canvas, view);
    },
  });

  const touches = (box, s, view) =>
    box[4 * s] <= view.x1 && box[4 * s + 2] >= view.x0 && box[4 * s + 1] <= view.y1 && box[4 * s + 3] >= view.y0;

  /** Adds the lines of a shape to the current path, leaving out points closer than half a pixel to the one before. */
  function trace(context, paths, s, view, closed) {
    for (let l = paths.shape[s]; l < paths.shape[s + 1]; l++) {
      const end = paths.start[l + 1] - 1;
      let px = Infinity;
      let py = Infinity;
      for (let i = paths.start[l]; i <= end; i++) {
        const x = paths.x[i] * view.scale - view.ox;
        const y = paths.y[i] * view.scale - view.oy;
        if (px === Infinity) context.moveTo(x, y);
        else if (i < end && Math.abs(x - px) + Math.abs(y - py) < 0.7) continue;
        else context.lineTo(x, y);
        px = x;
        py = y;
      }
      if (closed) context.closePath();
    }
  }

  /** Paints polygons in passes, so that no halo covers a neighbour's line; `style(s)` gives a shape's pen for each. */
  function paintShapes(paths, style) {
    return (context, view) => {
      for (let pass = 0; pass < 2; pass++) {
        for (let s = 0; s < paths.shape.length - 1; s++) {
          const pen = touches(paths.box, s, view) && style(s)[pass];
          if (!pen) continue;
          context.beginPath();
          trace(context, paths, s, view, true);
          Object.assign(context, {fillStyle: pen.fill, strokeStyle: pen.stroke, lineWidth: pen.width});
          context.setLineDash(pen.dash || []);
          if (pen.fill) context.fill('evenodd');
          if (pen.stroke) context.stroke();
        }
      }
    };
  }

  /** Main roads always, streets and then paths as the map comes closer: stroking is what slow machines feel. */
  function paintStreets(context, view) {
    const {paths, rank} = art.streets;
    const pens = [[8, '#6f6b66', 1.5], [13, '#85817b', 0.8], [15, '#9a958e', 0.7]];
    for (let r = 2; r >= 0; r--) {
      const [from, colour, width] = pens[r];
      if (view.z < from) continue;
      context.strokeStyle = colour;
      context.lineWidth = width * (view.z >= 16 ? 1.8 : view.z < 12 ? 0.7 : 1);
      context.setLineDash(r === 2 && view.z >= 16 ? [4, 2] : []);
      context.globalAlpha = 0.75;
      let open = 0;
      context.beginPath();
      for (let s = 0; s < rank.length; s++) {
        if (rank[s] !== r || !touches(paths.box, s, view)) continue;
        trace(context, paths, s, view, false);
        // Very long paths are slower to stroke than many short ones.
        if (++open % 400 === 0) {
          context.stroke();
          context.beginPath();
        }
      }
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  const shownFacility = (i) => state.layer.service < 0 || art.facilities.service[i] === state.layer.service;

  function paintFacilities(context, view) {
    const f = art.facilities;
    if (state.layer.service < 0 && view.z < 14) return;
    const radius = (state.layer.service < 0 ? 2 : 3.2) + (view.z >= 15 ? 1.3 : view.z >= 13 ? 0.6 : 0);
    for (let i = 0; i < f.x.length; i++) {
      if (f.x[i] < view.x0 || f.x[i] > view.x1 || f.y[i] < view.y0 || f.y[i] > view.y1 || !shownFacility(i)) continue;
      context.beginPath();
      context.arc(f.x[i] * view.scale - view.ox, f.y[i] * view.scale - view.oy, radius, 0, 2 * Math.PI);
      context.globalAlpha = whatif.isClosed(i) ? 0.25 : 1;
      context.fillStyle = f.planned[i] ? '#ffffff' : '#1f3a8a';
      context.strokeStyle = f.planned[i] ? '#1f3a8a' : '#ffffff';
      context.lineWidth = f.planned[i] ? 1.8 : 1.2;
      context.fill();
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  const Cells = Sheet.extend({
    /** Which cell every pixel of the tile shows; done once a tile, by scan lines through pixel centres. */
    locate(view, side) {
      const at = new Int32Array(side * side).fill(-1);
      const scale = view.scale * DPR;
      const [ox, oy] = [view.ox * DPR, view.oy * DPR];
      const px = new Float64Array(4);
      const py = new Float64Array(4);
      cells.near(view.x0, view.y0, view.x1, view.y1, (cell) => {
        let top = Infinity;
        let bottom = -Infinity;
        for (let k = 0; k < 4; k++) {
          px[k] = cells.x[4 * cell + k] * scale - ox;
          py[k] = cells.y[4 * cell + k] * scale - oy;
          top = Math.min(top, py[k]);
          bottom = Math.max(bottom, py[k]);
        }
        let drawn = false;
        const last = Math.min(side - 1, Math.ceil(bottom - 0.5) - 1);
        for (let row = Math.max(0, Math.ceil(top - 0.5)); row <= last; row++) {
          let left = Infinity;
          let right = -Infinity;
          const level = row + 0.5;
          for (let k = 0, j = 3; k < 4; j = k++) {
            if (py[k] <= level === py[j] <= level) continue;
            const x = px[k] + ((level - py[k]) * (px[j] - px[k])) / (py[j] - py[k]);
            left = Math.min(left, x);
            right = Math.max(right, x);
          }
          const from = Math.max(0, Math.ceil(left - 0.5));
          const to = Math.min(side, Math.ceil(right - 0.5));
          if (from < to) {
            at.fill(cell, row * side + from, row * side + to);
            drawn = true;
          }
        }
        // A cell smaller than a pixel still shows, unless another cell holds that pixel.
        const column = Math.floor((px[0] + px[2]) / 2);
        const row = Math.floor((py[0] + py[2]) / 2);
        if (!drawn && column >= 0 && row >= 0 && column < side && row < side && at[row * side + column] < 0) {
          at[row * side + column] = cell;
        }
      });
      return at;
    },
    /** Colours the pixels of a tile from its cells. */
    colour(context, view, canvas) {
      const side = canvas.width;
      view.at = view.at || this.locate(view, side);
      this.scratch = this.scratch || context.createImageData(side, side);
      const pixels = new Uint32Array(this.scratch.data.buffer);
      const {at} = view;
      const {shown, status} = cells;
      const table = this.table;
      const marked = state.layer.kind !== 'people';
      const dot = (p) => p % (6 * DPR) < 2 * DPR;
      for (let i = 0; i < at.length; i++) {
        const cell = at[i];
        if (cell < 0) pixels[i] = 0;
        else if (marked && status[cell] === EDGE && dot(i % side) && dot((i / side) | 0)) pixels[i] = 0xff3c3022;
        else if (shown[cell] !== NO_VERDICT) pixels[i] = table[shown[cell]];
        else pixels[i] = ((i % side) + ((i / side) | 0)) % (8 * DPR) < 2 * DPR ? 0xff8c8781 : 0xffe4e1dd;
      }
      context.putImageData(this.scratch, 0, 0);
    },
  });

  // ------------------------------------------------------------------------------------- classes, legend

  /** The class of every cell in a layer, with the rule the file's own sums were made with. */
  function classify(layer) {
    const {shown, status, tenths} = cells;
    const service = services[layer.service];
    const limits = layer.limits.map((limit) => (layer.kind === 'people' ? limit * 10
      : layer.kind === 'service' ? limit / service.quantum : limit));
    for (let i = 0; i < cells.n; i++) {
      let value = -1;
      if (layer.kind === 'people') value = tenths[i];
      else if (status[i] === 0 || status[i] === EDGE) {
        if (layer.kind === 'unmet') value = cells.unmet[i] > 0 || cells.unknown[i] === 0 ? cells.unmet[i] : -1;
        else if (service.met[i] >= 0) {
          if (layer.kind === 'met') value = service.met[i] === 0 ? 1 : 0;
          else value = service.values[i] < 0 ? Infinity : service.values[i];
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
    const {unit} = scene.services[service];
    return range(limits, i, (value) => bare(unit, value)) + ' ' + unitWord(unit);
  }

  function swatch(colour, kind) {
    const box = make('i', {class: 'lc-swatch ' + (kind || '')});
    if (kind === 'lc-cluster') {
      const seen = colour + clusterAlpha();
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
    const note = GAPS ? 'gap_note' : {unmet: 'unmet_note', service: walked}[layer.kind];
    const unknown = layer.people && layer.kind !== 'people' && cells.tenths.some((value) => value < 0);
    if (!legend.isConnected) byId('legend').replaceChildren(legend, slider.box);
    legend.replaceChildren(make('h2', {}, name(layerTitle(layer))), ...(GAPS ? clusterLegend() : []),
      note ? make('p', {}, t(note)) : '', table(head, rows, legendRow('', t('total'), people(whole), '')),
      unknown ? make('p', {}, t('unknown_people')) : '');
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
    const {unit, threshold} = scene.services[layer.service];
    const [least, most, step] = unit === 's' ? [300, Math.min(1800, scene.cutoff_s), 60] : [100, scene.cutoff_m, 50];
    Object.assign(slider.input, {min: least, max: most, step});
    if (!state.slide) slider.input.value = threshold;
    slider.word.textContent = t('slider');
    slider.said.textContent = round(unit, Number(slider.input.value));
    slider.input.setAttribute('aria-valuetext', slider.said.textContent);
  }

  /** Colours the cells by another threshold, and counts the people within it. */
  async function slide() {
    const {layer} = state;
    const limit = Number(slider.input.value);
    slider.said.textContent = round(scene.services[layer.service].unit, limit);
    const {ticks, weight, main, judged} = await circle.pointTicks(layer.service);
    if (state.layer !== layer || Number(slider.input.value) !== limit) return;
    const [crowd, number] = [[0, 0, 0], [0, 0, 0]];
    for (let p = 0; p < ticks.length; p++) {
      const at = judged[p] ? (ticks[p] <= limit * scene.walk.ticks ? 0 : 1) : 2;
      crowd[at] += weight[p];
      number[at] += main[p];
    }
    state.slide = {
      ...layer, limits: [limit], colours: [layer.colours[0], layer.colours.at(-1)], standard: null, cells: number,
      people: layer.people && crowd.map((sum) => sum / 1024),
    };
    classify(state.slide);
    sheets.cells.repaint();
    drawLegend();
  }

  /** Clusters let the cells shine through, but those of different services overlap and would mix their colours. */
  const clusterAlpha = () => (state.layer.service < 0 ? '30' : 'b8');
  const gapClass = (row) => scene.gaps.limits.filter((limit) => row.people > limit).length;
  const shownGap = (row) => (state.layer.service < 0 || row.service === state.layer.service)
    && (!state.cause || causeOf(row) === state.cause);

  /** The kind of a cause: what it says first, apart from what severs this very gap. */
  const causeOf = (row) => row.cause.split('. ')[0];

  function clusterLegend() {
    const {limits, colours, rows} = scene.gaps;
    const shown = rows.filter(shownGap);
    const count = (test) => grouped(shown.filter(test).length);
    const body = colours.map((colour, i) => legendRow(swatch(colour, 'lc-cluster'), range(limits, i, grouped),
      count((row) => row.people !== null && gapClass(row) === i)));
    if (shown.some((row) => row.people === null)) {
      body.push(legendRow(swatch('#ffffff', 'lc-cluster'), t('not_known'), count((row) => row.people === null)));
    }
    return [make('p', {}, t('gap_classes')), table([make('td', {colspan: 2}), heading(t('n_clusters'))], body)];
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

  const line = (label, ...value) => [make('dt', {}, label), make('dd', {}, ...value)];

  /** Shows a cell: its figures in the layer shown, or everything when it is pinned; and what else is at the place. */
  function readOut(at, place) {
    const box = byId('readout');
    const pinned = at >= 0 && at === state.pinned;
    const lines = at < 0 ? [] : cellLines(at, pinned);
    if (place) lines.push(...facilityLines(place), ...(GAPS ? gapLines(place) : []));
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

  function gapLines(latlng) {
    const [px, py] = toWorld(latlng);
    return scene.gaps.rows.filter((row, i) => shownGap(row) && inShape(art.gaps, i, px, py)).slice(0, 4)
      .flatMap((row) => line(name(serviceTitle(row.service)), row.people === null ? t('not_known') : people(row.people),
        ' · ', name(local(row.cause, row.cause_zh))));
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
    added: (i, point) => whatif.added(i, point), edition: () => whatif.edition(), moreDoors: (i) => whatif.moreDoors(i),
  });

  const finder = window.lifecircleFind({
    scene, map, art, byId, make, name, t, serviceTitle, toLatLng, cells: () => cells,
    pin(at) {
      map.setView(corners(at)[0], 58, {animate: false});
      pin(at, null);
    },
  });

  const whatif = window.lifecircleWhatif({
    scene, map, art, byId, make, name, t, serviceTitle, people, share, toWorld, toLatLng, circle,
    cells: () => cells, services: () => services, shownFacility,
    changed() {
      countUnmet();
      choose(state.layer);
      if (sheets.facilities) sheets.facilities.repaint();
    },
  });

  // -------------------------------------------------------------------------------------- gap table

  const sorters = {
    service: (row) => serviceTitle(row.service),
    people: (row) => (row.people === null ? -1 : row.people),
    worst: (row) => (row.worst === null ? Infinity : row.worst),
    area: (row) => row.area_m2,
  };

  function drawGaps() {
    if (!GAPS) return;
    const key = sorters[state.sort];
    const compare = (a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0) * (state.down ? -1 : 1) || a.i - b.i;
    const all = scene.gaps.rows.map((row, i) => ({...row, i})).filter(shownGap).sort(compare);
    const shown = all.slice(0, MOST_ROWS);
    const sorter = (column, word) => make('th', {
      scope: 'col', 'aria-sort': state.sort !== column ? 'none' : state.down ? 'descending' : 'ascending',
    }, make('button', {type: 'button', 'data-sort': column, click: () => sortBy(column)},
      t(word) + (state.sort !== column ? '' : state.down ? ' ▾' : ' ▴')));
    const columns = {service: 'service', people: 'residents', worst: 'worst', area: 'area'};
    const head = Object.entries(columns).map(([column, word]) => sorter(column, word));
    const rows = shown.map((row) => make('tr', {click: () => zoomTo(row.i)},
      make('th', {scope: 'row'}, make('button', {type: 'button'}, name(serviceTitle(row.service))),
        make('small', {}, name(local(row.cause, row.cause_zh)), row.zone ? [' · ', name(zoneName(row.zone))] : '')),
      cell(row.people === null ? t('not_known') : people(row.people)), cell(worst(row)), cell(area(row.area_m2))));
    byId('gaps').hidden = false;
    const causes = new Map(scene.gaps.rows.map((row) => [causeOf(row), row]));
    const select = make('select', {'aria-label': t('cause'), change: (event) => {
      state.cause = event.target.value;
      choose(state.layer);
      byId('gaps').querySelector('select').focus();
    }}, make('option', {value: ''}, t('every_cause')), [...causes.keys()].sort().map((cause) => make('option',
      {value: cause, selected: cause === state.cause}, local(cause, causes.get(cause).cause_zh.split('；')[0]).slice(0, 120))));
    byId('gaps').replaceChildren(causes.size > 1 ? select : '', make('h2', {}, t('gap_table', grouped(shown.length), grouped(all.length))),
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
    byId('gaps').querySelector('[data-sort=' + column + ']').focus();
  }

  function zoomTo(i) {
    const [x0, y0, x1, y1] = art.gaps.box.subarray(4 * i, 4 * i + 4);
    map.fitBounds([toLatLng(x0, y0), toLatLng(x1, y1)], {maxZoom: 64, padding: [40, 40]});
  }

  // ------------------------------------------------------------------------------------- controls

  function choose(layer) {
    state.layer = layer;
    state.slide = null;
    classify(layer);
    sheets.cells.repaint();
    for (const key of ['facilities', 'gaps']) if (sheets[key]) sheets[key].repaint();
    drawLegend();
    drawGaps();
    readOut(state.pinned, null);
  }

  function option(type, key, checked, label, sample, change) {
    const input = make('input', {type, name: 'lc-' + type, value: key, checked, change});
    return make('label', {}, input, sample || '', make('span', {}, label));
  }

  function drawControls() {
    byId('layers').lastChild.replaceChildren(...scene.layers.map((layer, i) =>
      option('radio', i, layer === state.layer, name(layerTitle(layer)), null, () => choose(layer))));
    const overlays = ['streets', 'water', 'zones', 'overlays', 'facilities', 'gaps'].filter((key) => sheets[key]);
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
    drawGaps();
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
    const {streets, facilities} = scene;
    for (const key of ['water', 'zones', 'overlays', 'gaps']) art[key] = await openPaths(scene[key].paths);
    if (streets) art.streets = {paths: await openPaths(streets), rank: await open(streets.rank)};
    if (facilities) {
      const [service, planned] = await Promise.all([facilities.service, facilities.planned].map(open));
      art.facilities = {...await openPoints(facilities), service, planned, names: facilities.names};
    }
  }

  /** Makes the sheets that have something to show, lowest first. */
  function makeSheets() {
    const halo = {stroke: '#ffffffb0', width: 4};
    const drawings = {
      water: () => [{fill: '#cfdde8'}],
      gaps: (i) => gapPens(scene.gaps.rows[i]),
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
    if (art.facilities) sheets.facilities = new Sheet('facilities', 270, paintFacilities);
  }

  function gapPens(row) {
    if (!shownGap(row)) return [];
    if (!GAPS) return [{stroke: '#ffffff', width: 3.5}, {stroke: '#8b1e3f', width: 1.8}];
    const fill = row.people === null ? '#ffffff' : scene.gaps.colours[gapClass(row)];
    return [{fill: fill + clusterAlpha()}, {stroke: '#4a1c0c', width: 1.3}];
  }

  function listen() {
    byId('lang').addEventListener('click', () => {
      state.lang = state.lang === 'zh' ? 'en' : 'zh';
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

  /** The service most people lack (by area where people are unknown): gaps of all services at once hide one another. */
  function widestGap() {
    const lacking = scene.services.map((_, i) => scene.gaps.rows.filter((row) => row.service === i)
      .reduce((sum, row) => sum + (row.people === null ? row.area_m2 : row.people), 0));
    return lacking.indexOf(Math.max(...lacking));
  }

  async function start() {
    [cells, services] = await Promise.all([openCells(scene.cells), openServices(), openArt()]);
    countUnmet();
    state.layer = scene.layers[GAPS ? widestGap() + 1 : 0];
    makeSheets();
    classify(state.layer);
    for (const [key, sheet] of Object.entries(sheets)) if (key !== 'gaps' || GAPS) sheet.addTo(map);
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
    map.getContainer().lifecircle = {ticks: circle.ticks, ids: Array.from({length: cells.n}, (_, i) => cells.id(i))};
    map.getContainer().setAttribute('aria-busy', 'false');
  }

  if (typeof DecompressionStream === 'undefined') byId('headline').append(make('p', {}, t('too_old')));
  else start();
}
