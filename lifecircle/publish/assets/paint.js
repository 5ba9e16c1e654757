/**
 * Paints canvas tiles: cells, streets, outlines, facilities, entrances and gates.
 *
 * A tile of cells remembers which cell each of its pixels shows; another colouring is then a table look-up.
 * @param {object} kit what the map lends: map, state, art, cells, make, worldX, worldY, isClosed, gates
 */
function lifecirclePaint(kit) {
  'use strict';

  const {map, state, art, make, worldX, worldY} = kit;
  const TILE = 512;
  const DPR = Math.min(2, window.devicePixelRatio || 1);
  const NO_VERDICT = 255;
  const EDGE = 3;  // judged, but what lies beyond the data could change the verdict

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
      let many = 0;
      context.beginPath();
      for (let s = 0; s < rank.length; s++) {
        if (rank[s] !== r || !touches(paths.box, s, view)) continue;
        trace(context, paths, s, view, false);
        // Very long paths are slower to stroke than many short ones.
        if (++many % 400 === 0) {
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
      context.globalAlpha = kit.isClosed(i) ? 0.25 : 1;
      context.fillStyle = f.planned[i] ? '#ffffff' : '#1f3a8a';
      context.strokeStyle = f.planned[i] ? '#1f3a8a' : '#ffffff';
      context.lineWidth = f.planned[i] ? 1.8 : 1.2;
      context.fill();
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  /** Entrances of the facilities shown, as diamonds: filled where one is mapped, hollow where it was worked out. */
  function paintEntrances(context, view) {
    const {x, y, row, rows, kind} = art.entrances;
    if (view.z < 14) return;
    const r = view.z >= 16 ? 5 : 3.5;
    Object.assign(context, {strokeStyle: '#1f3a8a', lineWidth: 1.4});
    for (let i = 0; i < x.length; i++) {
      if (x[i] < view.x0 || x[i] > view.x1 || y[i] < view.y0 || y[i] > view.y1) continue;
      let shown = false;
      for (let k = row[i]; k < row[i] + rows[i]; k++) shown = shown || shownFacility(k);
      if (!shown) continue;
      const [cx, cy] = [x[i] * view.scale - view.ox, y[i] * view.scale - view.oy];
      context.beginPath();
      [[0, -r], [r, 0], [0, r], [-r, 0]].forEach(([dx, dy], k) => context[k ? 'lineTo' : 'moveTo'](cx + dx, cy + dy));
      context.closePath();
      context.fillStyle = kind[i] === 0 ? '#f2c230' : '#ffffff';
      context.fill();
      context.stroke();
    }
  }

  /** Gates that are not open to all, while the reader may open one. */
  function paintGates(context, view) {
    const gates = kit.gates();
    if (!gates || view.z < 13) return;
    for (let g = 0; g < gates.lon.length; g++) {
      const [x, y] = [worldX(gates.lon[g] * gates.step), worldY(gates.lat[g] * gates.step)];
      if (x < view.x0 || x > view.x1 || y < view.y0 || y > view.y1) continue;
      const [cx, cy] = [x * view.scale - view.ox, y * view.scale - view.oy];
      context.fillStyle = '#c8102e';
      context.fillRect(cx - 5, cy - 5, 10, 10);
      context.fillStyle = '#ffffff';
      context.fillRect(cx - 3.5, cy - 1.2, 7, 2.4);
    }
  }

  const Cells = Sheet.extend({
    /** Which cell every pixel of the tile shows; done once a tile, by scan lines through pixel centres. */
    locate(view, side) {
      const at = new Int32Array(side * side).fill(-1);
      const scale = view.scale * DPR;
      const [ox, oy] = [view.ox * DPR, view.oy * DPR];
      const px = new Float64Array(4);
      const py = new Float64Array(4);
      const cells = kit.cells();
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
      const {shown, status} = kit.cells();
      const marked = state.layer.kind !== 'people';
      const dot = (p) => p % (6 * DPR) < 2 * DPR;
      for (let i = 0; i < at.length; i++) {
        const cell = at[i];
        if (cell < 0) pixels[i] = 0;
        else if (marked && status[cell] === EDGE && dot(i % side) && dot((i / side) | 0)) pixels[i] = 0xff3c3022;
        else if (shown[cell] !== NO_VERDICT) pixels[i] = this.table[shown[cell]];
        else pixels[i] = ((i % side) + ((i / side) | 0)) % (8 * DPR) < 2 * DPR ? 0xff8c8781 : 0xffe4e1dd;
      }
      context.putImageData(this.scratch, 0, 0);
    },
  });

  return {
    NO_VERDICT, EDGE, Sheet, Cells, paintShapes, paintStreets, paintFacilities, paintEntrances, paintGates, shownFacility,
  };
}
