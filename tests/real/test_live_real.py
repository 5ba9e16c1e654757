"""A live fetch and an extract of the same place and date are the same map."""

import dataclasses
import json

import numpy as np
import osmium
import pandas as pd
import pyproj
import pytest
from affine import Affine
from regions import MONACO_BOX, NEWPORT_BOX, real
from shapely.geometry.base import BaseGeometry
from standin import World, serving

from lifecircle.sources.live import BUFFER_M, fetch
from lifecircle.sources.osm import FETCHED, read_osm
from lifecircle.study import Study

NEWPORT = "newport/newport-2023-06-13.osm.pbf"
MONACO = "monaco/monaco.osm.pbf"
INNER = (-3.015, 51.565, -2.985, 51.583)  # with the reach around it inside the extract
INNER_BUFFER_M = 2500
WALKS = {"cutoff_s": 900, "cutoff_m": 1000}


def same(one, other, where=""):  # noqa: PLR0912 (a kind of thing a branch)
    """Compare nouns to the last bit, and say where they differ."""
    assert type(one) is type(other), where
    if isinstance(one, np.ndarray):
        assert (one.dtype, one.shape) == (other.dtype, other.shape), where
        if one.dtype == object:
            for ix, pair in enumerate(zip(one.flat, other.flat, strict=True)):
                same(*pair, f"{where}[{ix}]")
        else:
            np.testing.assert_array_equal(one, other, err_msg=where)
    elif dataclasses.is_dataclass(one):
        for field in dataclasses.fields(one):
            same(getattr(one, field.name), getattr(other, field.name), f"{where}.{field.name}")
    elif isinstance(one, tuple | list):
        assert len(one) == len(other), where
        for ix, pair in enumerate(zip(one, other, strict=True)):
            same(*pair, f"{where}[{ix}]")
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            same(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, pd.DataFrame):
        for column in one.columns:
            same(one[column].to_numpy(dtype=object), other[column].to_numpy(dtype=object), f"{where}.{column}")
    elif isinstance(one, BaseGeometry):
        assert one.wkb == other.wkb, where
    elif isinstance(one, float | np.floating) and one != one:  # noqa: PLR0124
        assert other != other, where  # noqa: PLR0124
    elif isinstance(one, str | int | float | bool | np.generic | pyproj.CRS | pyproj.Transformer | Affine | None):
        assert str(one) == str(other) if isinstance(one, pyproj.Transformer) else one == other, where
    else:
        raise AssertionError(f"{where}: nothing compares a {type(one).__name__}")


def stamped(source, path, fetched):
    """Copy an extract and say in its header that it fills the box that was fetched."""
    header = osmium.io.Header()
    header.set("generator", FETCHED)
    header.set("osmosis_replication_timestamp", fetched.base)
    header.add_box(osmium.osm.Box(*fetched.box))
    with osmium.SimpleWriter(str(path), header=header) as writer:
        for thing in osmium.FileProcessor(str(source)):
            writer.add(thing)
    return path


@pytest.fixture(scope="module")
def newport(tmp_path_factory):
    out = tmp_path_factory.mktemp("live") / "newport.osm.pbf"
    with serving(World(real(NEWPORT))) as server:
        return fetch(INNER, out, buffer_m=INNER_BUFFER_M, url=server.url)


@pytest.fixture(scope="module")
def monaco(tmp_path_factory):
    out = tmp_path_factory.mktemp("live") / "monaco.osm.pbf"
    with serving(World(real(MONACO), base="2023-12-26T21:21:22Z")) as server:
        return fetch(MONACO_BOX, out, url=server.url)


def prepared(osm, bbox, **more):
    return Study.from_keys({"name": "x", "osm": str(osm), "bbox": bbox, **more}).prepare()


@pytest.mark.prove
def test_newport_has_the_same_network_facilities_and_cells(newport):
    assert newport.requests == 1  # 6 by 7 km are one tile
    live = prepared(newport.path, INNER, **WALKS)
    truth = prepared(real(NEWPORT), INNER, **WALKS)
    assert live.network.n_edges > 10_000
    assert len(live.facilities) > 500
    for noun in ("network", "facilities", "lanes", "elevation"):
        same(getattr(live, noun), getattr(truth, noun), noun)
    beyond = {"extent": truth.cells.extent, "to_edge_m": truth.cells.to_edge_m}  # how far the two files reach
    same(dataclasses.replace(live.cells, **beyond), truth.cells, "cells")
    for frame in ("ways", "way_nodes"):
        same(getattr(live.data, frame), getattr(truth.data, frame), frame)
    assert live.data.timestamp == "2023-06-12T20:21:44Z"
    assert live.data.extent == pytest.approx(newport.box, abs=1e-7)


def test_monaco_has_the_same_summary(monaco, tmp_path):
    truth = stamped(real(MONACO), tmp_path / "monaco.osm.pbf", monaco)
    summaries = []
    for osm in (monaco.path, truth):
        keys = {"name": "monaco", "osm": str(osm), "bbox": MONACO_BOX, "groups": [], **WALKS}
        summary = Study.from_keys(keys).run().summary
        del summary["self_check"]  # draws its sample by the digest of the file
        summaries.append(json.dumps(summary, sort_keys=True))
        assert {figure["total"] for figure in summary["figures"] if figure["measure"] == "cells"} == {280}
    assert summaries[0] == summaries[1]


def test_every_key_a_standard_may_ask_for_is_there(monaco):
    """Whatever tag rule somebody writes finds the same features in both."""
    keys = {"power", "aeroway", "boundary", "route", "ref", "name", "wheelchair", "access", "bus", "addr:housenumber"}
    live, truth = (read_osm(path, MONACO_BOX, keys=keys) for path in (monaco.path, real(MONACO)))

    def rows(data):
        features = {
            (kind, number): (tags, shape.wkb)
            for kind, number, tags, shape in data.features.itertuples(index=False)
            if not {"boundary", "route"} & tags.keys()
        }
        return features, {
            number: tags for number, tags, _ in data.lines[["osm_id", "tags", "geometry"]].itertuples(index=False)
        }

    (found, lines), (expected, expected_lines) = rows(live), rows(truth)
    assert len(found) > 3_000
    assert found == expected
    assert lines == expected_lines


@pytest.mark.prove
def test_all_of_newport(tmp_path):
    with serving(World(real(NEWPORT))) as server:
        fetched = fetch(NEWPORT_BOX, tmp_path / "live.osm.pbf", url=server.url)
        assert fetched.requests > 4
    assert fetched.nodes == 256_508  # with the reach around it the box is larger than the extract
    truth = stamped(real(NEWPORT), tmp_path / "truth.osm.pbf", fetched)
    people = str(real("newport/ghs-pop-2015-100m.tif"))
    summaries = []
    for osm in (fetched.path, truth):
        keys = {
            "name": "newport",
            "osm": str(osm),
            "bbox": NEWPORT_BOX,
            "population": people,
            "standard": "gb50180-2018",
        }
        summary = Study.from_keys(keys).run().summary
        del summary["self_check"]  # draws its sample by the digest of the file
        summaries.append(json.dumps(summary, sort_keys=True))
    assert summaries[0] == summaries[1]


def test_the_default_buffer_reaches_as_far_as_any_walker_that_ships():
    from lifecircle.profiles import Profile, preset_names
    from lifecircle.study import StudyFile

    keys = {name: field.default for name, field in StudyFile.model_fields.items()}
    cutoff = {"s": keys["cutoff_s"], "m": keys["cutoff_m"]}
    walkers = [Profile.load(name) for name in preset_names("profiles")]
    reach = max(cutoff[walker.unit] * walker.top_speed for walker in walkers)
    assert reach + 2 * keys["snap_limit_m"] <= BUFFER_M < 1.1 * (reach + 2 * keys["snap_limit_m"])
