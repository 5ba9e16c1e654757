/**
 * Finds cells and facilities by their id, facilities and zones by their name, Chinese or English, and places by longitude and
 * latitude, and shows where they are.
 * @param {object} kit what the map lends
 */
function lifecircleFind(kit) {
  'use strict';

  const {scene, map, art, byId, make, name, t, local, serviceTitle, toLatLng, cellAt, circle, pin} = kit;
  const MOST = 8;
  const NEAR_ZOOM = 60;
  let list = null;

  /** Text without case, width and marks, so that two ways of writing a name meet. */
  const folded = (text) => String(text).normalize('NFKD').replace(/[\u0300-\u036f]/g, '').toLowerCase();

  /** A place on the map, as two numbers: longitude first, or the other way round where only that lies within. */
  function placeOf(wanted) {
    const numbers = /^(-?\d+(?:\.\d+)?)\s*[,;、\s]\s*(-?\d+(?:\.\d+)?)$/.exec(wanted);
    if (!numbers) return null;
    const [a, b] = [Number(numbers[1]), Number(numbers[2])];
    return [[a, b], [b, a]].map(([lon, lat]) => window.L.latLng(lat, lon))
      .find((place) => window.L.latLngBounds(scene.bounds).pad(0.2).contains(place)) || null;
  }

  function goTo(place) {
    const at = cellAt(place);
    if (at >= 0) pin(at);
    else map.setView(place, NEAR_ZOOM, {animate: false});
  }

  async function showFacility(f) {
    const {start} = await circle.ready();
    map.setView(toLatLng(art.facilities.x[start[f]], art.facilities.y[start[f]]), NEAR_ZOOM, {animate: false});
  }

  function* matches(wanted) {
    const cells = kit.cells();
    const place = placeOf(wanted);
    if (place) yield {label: place.lng + ', ' + place.lat, kind: t('place'), show: () => goTo(place)};
    const ids = scene.walk && art.facilities ? scene.walk.facility_id : [];
    const known = ids.findIndex((id) => folded(id) === wanted);
    if (known >= 0) yield {label: ids[known], kind: t('facility'), show: () => showFacility(known)};
    for (let i = 0; i < cells.n; i++) if (cells.id(i) === wanted) yield {label: cells.id(i), kind: t('readout'), show: () => pin(i)};
    for (const key of ['zones', 'overlays']) {
      for (let i = 0; i < scene[key].labels.length; i++) {
        const names = [scene[key].names[i], scene[key].names_zh[i] || ''];
        if (!names.some((text) => folded(text).includes(wanted))) continue;
        const [x0, y0, x1, y1] = art[key].box.subarray(4 * i, 4 * i + 4);
        yield {
          label: local(names[0], names[1]), kind: t(key === 'zones' ? 'zone' : 'other_areas'),
          show: () => map.fitBounds([toLatLng(x0, y0), toLatLng(x1, y1)]),
        };
      }
    }
    const f = art.facilities;
    for (let i = 0; f && i < f.x.length; i++) {
      if (!f.names[i] || !folded(f.names[i]).includes(wanted)) continue;
      yield {
        label: f.names[i], kind: serviceTitle(f.service[i]),
        show: () => map.setView(toLatLng(f.x[i], f.y[i]), NEAR_ZOOM, {animate: false}),
      };
    }
  }

  function look(text) {
    const wanted = folded(text.trim());
    const found = [];
    if (wanted) {
      for (const one of matches(wanted)) {
        if (found.push(one) > MOST) break;
      }
    }
    const rows = found.slice(0, MOST).map((one) => make('li', {}, make('button', {type: 'button', click: one.show},
      name(one.label)), make('small', {}, ' ', name(one.kind))));
    list.replaceChildren(...rows, ...(wanted && !found.length ? [make('li', {role: 'status'}, t('nothing_found'))] : []),
      ...(found.length > MOST ? [make('li', {}, '…')] : []));
  }

  return {
    draw() {
      list = list || make('ul', {});
      const input = make('input', {type: 'search', 'aria-label': t('find'), placeholder: t('find'), input: (event) => look(event.target.value)});
      byId('find').replaceChildren(input, list);
      list.replaceChildren();
    },
  };
}
