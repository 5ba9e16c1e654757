/**
 * Opens the arrays of a page. Geometry becomes world pixels at zoom 0 (256 across), so that a tile needs one
 * multiplication a coordinate.
 */
function lifecircleArrays() {
  'use strict';

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
    const bands = sums(counts);
    const [next, order] = [bands.slice(), new Int32Array(n)];
    for (let i = 0; i < n; i++) order[next[bandOf(y[4 * i])]++] = i;
    /** Calls `visit` with every cell that may touch the box. */
    function near(x0, y0, x1, y1, visit) {
      for (let j = bands[bandOf(y0 - reach)]; j < bands[bandOf(y1 + reach) + 1]; j++) {
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

  return {open, sums, worldX, worldY, openPoints, openPaths, openCells, inRing, inShape};
}
