"""What is read of a box does not depend on how large the file around it is, nor on which way it is read."""

import drawn
import numpy as np
import osmium
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from osmium.osm.mutable import Node, Relation, Way

from lifecircle.errors import DataError
from lifecircle.sources import osm

PLACE = st.tuples(st.integers(-9, 9), st.integers(-9, 9)).map(lambda p: (p[0] * 100, p[1] * 100))
TAGS = st.sampled_from(
    [{"highway": "residential"}, {"highway": "pedestrian", "area": "yes"}, {"building": "yes"}, {"waterway": "river"},
     {"landuse": "residential"}, {"natural": "water"}, {"power": "line"}, {}, {"barrier": "wall", "area": "no"}]
)  # fmt: skip
BOX = (*drawn.lonlat(-250, -350), *drawn.lonlat(350, 250))


@st.composite
def maps(draw):
    """Nodes, ways that may be closed, wind round the box or lack nodes, and relations of them that may lack ways."""
    nodes = draw(st.lists(PLACE, min_size=5, max_size=14, unique=True))
    shop = draw(st.lists(st.booleans(), min_size=len(nodes), max_size=len(nodes)))
    some = st.lists(st.integers(0, len(nodes)), min_size=1, max_size=6)  # one more than there are
    ways = draw(st.lists(st.tuples(some, st.booleans(), TAGS), min_size=1, max_size=8))
    nodes[:2] = [(50, 50), (-950, 50)]
    ways += [([0, 1], False, {"highway": "path"})]
    if draw(st.booleans()):  # round the box, no node in it
        nodes += [(-900, -900), (900, -900), (900, 900), (-900, 900)]
        n = len(nodes)
        parted = draw(st.booleans())
        ring = [n - 4, n - 3, n - 2, n - 1]
        ways += (
            [(ring[:3], False, {}), ([*ring[2:], ring[0]], False, {})]
            if parted
            else [(ring, True, {"natural": "water"})]
        )
    members = st.lists(st.integers(0, len(ways)), min_size=0, max_size=3, unique=True)
    relations = [*draw(st.lists(members, max_size=3)), [len(ways) - 2, len(ways) - 1]]
    return nodes, shop, ways, relations


def write(path, nodes, shop, ways, relations):
    path.unlink(missing_ok=True)
    with osmium.SimpleWriter(str(path)) as out:
        for ix, (x, y) in enumerate(nodes):
            tags = {"shop": "yes"} if ix < len(shop) and shop[ix] else {}
            out.add_node(Node(id=ix + 1, location=drawn.lonlat(x, y), tags=tags, version=1))
        for ix, (refs, closed, tags) in enumerate(ways):
            line = [ref + 1 for ref in (*refs, *(refs[:1] if closed else ()))]
            date = f"2024-0{ix % 9 + 1}-01T00:00:00Z"
            out.add_way(Way(id=ix + 1, nodes=line, tags=tags, version=1, timestamp=date))
        for ix, members in enumerate(relations):
            tags = {"type": "multipolygon", "natural": "water"}
            out.add_relation(
                Relation(id=ix + 1, members=[("w", way + 1, "outer") for way in members], tags=tags, version=1)
            )
    return path


def read(path, box, small, *, chunks=64, mostly=2.0):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(osm, "_SMALL", small)
        patch.setattr(osm, "_MOSTLY", mostly)
        patch.setattr(osm, "_CHUNKS", chunks)
        patch.setattr(osm, "_AT_ONCE", 3)
        try:
            return osm.read_osm(path, box)
        except DataError as error:
            return str(error)


def rows(frame):
    geometry = [] if "geometry" not in frame else shapely.to_wkt(frame["geometry"].to_numpy(dtype=object)).tolist()
    return [*frame.drop(columns="geometry", errors="ignore").itertuples(index=False), *geometry]


@given(maps(), st.sampled_from([0, 64]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_looking_first_what_is_near_finds_what_looking_into_all_does(tmp_path, drawing, chunks):
    path = write(tmp_path / "map.osm.pbf", *drawing)
    all_at_once, near_first = read(path, BOX, 1 << 30), read(path, BOX, 0, chunks=chunks)
    if isinstance(all_at_once, str):
        assert near_first == all_at_once
        return
    for name in ("ways", "way_nodes", "features", "lines"):
        assert rows(getattr(near_first, name)) == rows(getattr(all_at_once, name)), name
    assert (near_first.extent, near_first.timestamp) == (all_at_once.extent, all_at_once.timestamp)
    for name, count in near_first.counts.items():
        if name not in {"features_outside", "areas_broken", "area_relations_incomplete"}:
            assert count == all_at_once.counts[name], name


@given(maps(), st.sampled_from([BOX, (8, 44, 10, 46), (9.0, 45.0, 9.001, 45.001)]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_large_file_that_lies_in_the_box_is_read_as_a_small_one(tmp_path, drawing, box):
    path = write(tmp_path / "map.osm.pbf", *drawing)
    all_at_once, mostly_near = read(path, box, 1 << 30), read(path, box, 0, mostly=0.0)
    if isinstance(all_at_once, str):
        assert mostly_near == all_at_once
        return
    for name in ("ways", "way_nodes", "features", "lines"):
        assert rows(getattr(mostly_near, name)) == rows(getattr(all_at_once, name)), name
    for name in ("extent", "timestamp", "counts"):
        assert getattr(mostly_near, name) == getattr(all_at_once, name), name


def test_how_much_of_a_large_file_lies_in_the_box_chooses_how_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "map.osm.pbf"
    with osmium.SimpleWriter(str(path)) as out:
        for number, x in enumerate((0, 50, 100, 90_000), start=1):
            out.add_node(Node(id=number, location=drawn.lonlat(x, 0), tags={"shop": "yes"}, version=1))
        out.add_way(Way(id=1, nodes=[1, 2, 3], tags={"highway": "path"}, version=1))
    looked = []
    monkeypatch.setattr(osm._Survey, "read", lambda *_, **__: looked.append(True))
    monkeypatch.setattr(osm._Survey, "near", lambda *_: np.array([1]))
    for mostly, twice in ((0.75, False), (0.76, True)):
        looked.clear()
        assert len(read(path, BOX, 0, mostly=mostly).ways) == 1
        assert bool(looked) == twice


def test_a_far_street_that_begins_with_a_missing_node_counts_the_same_however_it_is_read(tmp_path):
    path = tmp_path / "map.osm.pbf"
    with osmium.SimpleWriter(str(path)) as out:
        for number, x in enumerate((0, 100, 5000, 5100), start=1):
            out.add_node(Node(id=number, location=drawn.lonlat(x, 0), version=1))
        for number, nodes in enumerate(([1, 2], [999, 3, 4]), start=1):
            out.add_way(Way(id=number, nodes=nodes, tags={"highway": "path"}, version=1))
    assert read(path, BOX, 0).counts == read(path, BOX, 1 << 30).counts == read(path, BOX, 0, mostly=0.0).counts


@given(maps())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_box_holds_what_a_larger_box_holds_there(tmp_path, drawing):
    path = write(tmp_path / "map.osm.pbf", *drawing)
    part, whole = read(path, BOX, 0), read(path, (8, 44, 10, 46), 0)
    if isinstance(part, str):
        return
    west, south, east, north = BOX
    for name in ("features", "lines"):
        frame = getattr(whole, name)
        bounds = shapely.bounds(frame["geometry"].to_numpy(dtype=object)).reshape(-1, 4)
        here = (bounds[:, 0] <= east) & (bounds[:, 2] >= west) & (bounds[:, 1] <= north) & (bounds[:, 3] >= south)
        assert rows(getattr(part, name)) == rows(frame[here])
    nodes = whole.way_nodes
    inside = (nodes["lon"] >= west) & (nodes["lon"] <= east) & (nodes["lat"] >= south) & (nodes["lat"] <= north)
    kept = np.unique(nodes["way_ix"][inside & nodes["inside"]])
    assert part.ways["way_id"].tolist() == whole.ways["way_id"].to_numpy()[kept].tolist()


def test_ids_that_openstreetmap_has_not_come_to_take_no_memory(tmp_path):
    path = tmp_path / "map.osm.pbf"
    ids = [*range(1, 1 << 60, 1 << 52), (1 << 60) + 1]
    with osmium.SimpleWriter(str(path)) as out:
        for number, (x, y) in enumerate(((0, 0), (100, 0), (100, 100)), start=1):
            out.add_node(Node(id=number, location=drawn.lonlat(x, y), version=1))
        for number in ids:
            out.add_way(Way(id=number, nodes=[1, 2, 3, 1], tags={"building": "yes"}, version=1))
        out.add_way(Way(id=(1 << 60) + 2, nodes=[1, 2], tags={"highway": "path"}, version=1))
        members = [("w", ids[-1], "outer"), ("w", (1 << 60) + 9, "outer")]
        out.add_relation(Relation(id=1, members=members, tags={"type": "multipolygon", "natural": "water"}, version=1))
    data = read(path, BOX, 0)
    assert data.features["osm_id"].tolist() == ids
    assert data.counts["area_relations_incomplete"] == 1
