"""Boundaries of real extracts, and the true outlines of Lingang's towns in an extract made of them."""

import json
import time

import osmium
import pytest
import regions
from osmium.osm.mutable import Node, Relation, Way

from lifecircle.errors import DataError
from lifecircle.places import Place
from lifecircle.region import geodesic_area
from lifecircle.sources.boundaries import read_region
from lifecircle.sources.osm import digest, read_osm

LIECHTENSTEIN = "liechtenstein/liechtenstein-latest.osm.pbf"
MONACO = "monaco/monaco.osm.pbf"
NEWPORT = "newport/newport-2023-06-13.osm.pbf"
MUNICIPALITIES = {
    "Balzers", "Eschen", "Gamprin", "Mauren", "Planken", "Ruggell", "Schaan", "Schellenberg", "Triesen", "Triesenberg",
    "Vaduz",
}  # fmt: skip
KM2 = {"r14180411": 152.01, "r14180408": 59.62, "r14180406": 54.60, "r14180410": 23.25}


def of(name, **said):
    return read_region(regions.real(name), Place.model_validate(said), name="x")


# ------------------------------------------------------------------------------------------------ real extracts


def test_liechtenstein_by_its_municipalities():
    region = of(LIECHTENSTEIN, boundary=["Liechtenstein"], zones_level=8)
    assert {zone.name for zone in region.zones} == MUNICIPALITIES  # and no rest
    country = of(LIECHTENSTEIN, boundary=[1155955])
    assert region.boundary.symmetric_difference(country.boundary).area == 0
    assert country.area_m2 / 1e6 == pytest.approx(160.5, abs=0.05)  # as published
    areas = [geodesic_area(zone.geometry) for zone in region.zones]
    assert sum(areas) == pytest.approx(country.area_m2, rel=1e-12)
    parts = {zone.name: zone.geometry for zone in region.zones}
    assert {name: len(getattr(parts[name], "geoms", [1])) for name in ("Vaduz", "Schaan", "Planken", "Mauren")} == {
        "Vaduz": 7, "Schaan": 5, "Planken": 5, "Mauren": 1,
    }  # fmt: skip
    assert sum(len(part.interiors) for part in parts["Schaan"].geoms) == 2


def test_an_extract_of_newport_holds_wards_but_not_newport():
    region = of(NEWPORT, boundary=["Victoria", "Gaer", "Tredegar Park"])
    assert [zone.name for zone in region.zones] == ["Victoria", "Gaer", "Tredegar Park"]
    with pytest.raises(
        DataError, match=r"relation 335184 'Newport' \(admin_level 6\) is not whole .* 100 of its 107 ways"
    ):
        of(NEWPORT, boundary=["Newport"])


def test_an_extract_of_monaco_holds_six_quarters_but_not_monaco(call):
    quarters = ["Fontvieille", "Le Rocher", "La Condamine", "La Rousse", "Larvotto", "Monte-Carlo"]
    region = of(MONACO, boundary=quarters)
    assert [zone.name for zone in region.zones] == ["Fontvieille", "Monaco-Ville", *quarters[2:]]
    code, _, err = call("run", "--osm", regions.real(MONACO), "--place", "Monaco")
    assert code == 3
    for word in (
        "relation 1124039 'Monaco' (admin_level 2)",
        "relation 2220322 'Monaco' (admin_level 8)",
        "covers the place whole",
    ):
        assert word in err


def test_monte_carlo_by_place(call, tmp_path):
    path = regions.real(MONACO)
    code, out, err = call(
        "run",
        "--osm",
        path,
        "--place",
        "monte-carlo",
        "--services",
        "eating",
        "--out",
        tmp_path / "out",
        "--json",
    )
    assert code == 0, err
    summary = json.loads(out)
    assert list(summary["zones"]) == ["r5986438"]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["inputs"]["osm"]["sha256"] == digest(path)
    assert manifest["parameters"]["place"]["boundary"][0]["name"] == "monte-carlo"


def test_figures_of_liechtenstein_add_up(call, tmp_path):
    code, out, err = call(
        "run", "--osm", regions.real(LIECHTENSTEIN), "--place", "1155955", "--zones-level", 8,
        "--services", "healthcare,learning", "--out", tmp_path / "out", "--json",
    )  # fmt: skip
    assert code == 0, err
    figures = [f for f in json.loads(out)["figures"] if f["measure"] == "cells"]
    for service in ("healthcare", "learning", "all"):
        (whole,) = [f for f in figures if f["service"] == service and f["kind"] == "region"]
        parts = [f for f in figures if f["service"] == service and f["kind"] == "zone"]
        assert len(parts) == 11
        for key in ("met", "total", "unknown"):
            assert sum(f[key] for f in parts) == whole[key]


def test_finding_a_boundary_takes_less_time_than_reading_the_streets():
    path = regions.real(NEWPORT)
    start = time.perf_counter()
    of(NEWPORT, boundary=["Victoria"], zones_level=10)
    found = time.perf_counter()
    read_osm(path, regions.NEWPORT_BOX)
    assert found - start < time.perf_counter() - found


# ------------------------------------------------------------------------------------ the four towns of Lingang


def lingang(path):
    """Write an extract of the four towns' true outlines and ids, a street through each, homes and a clinic."""
    towns = json.loads(regions.real("lingang-boundaries/lingang_core_towns.geojson").read_text(encoding="utf-8"))
    nodes, ways, relations = {}, [], []

    def way(points, **tags):
        ways.append(([nodes.setdefault(tuple(point), len(nodes) + 1) for point in points], tags))
        return len(ways)

    places = []
    for town in towns["features"]:
        said = town["properties"]
        members = [
            ("w", way(ring), "inner" if number else "outer")
            for polygon in town["geometry"]["coordinates"]
            for number, ring in enumerate(polygon)
        ]
        tags = {"type": "boundary", "boundary": "administrative", "admin_level": "8", "name": said["osm_name"]}
        relations.append((int(said["osm_relation_id_source"]), members, tags))
    for lon, lat in ((121.92, 30.91), (121.83, 30.91), (121.86, 30.96), (121.81, 30.97)):
        way([(lon, lat), (lon + 0.004, lat)], highway="residential")
        for east in (0.0005, 0.0035):
            x, y = lon + east, lat + 0.0002
            home = [(x, y), (x + 0.0001, y), (x + 0.0001, y + 0.0001), (x, y + 0.0001), (x, y)]
            way(home, building="apartments")
        places.append((lon + 0.002, lat + 0.0001))
    with osmium.SimpleWriter(str(path)) as out:
        for (lon, lat), number in nodes.items():
            out.add_node(Node(id=number, location=(lon, lat), version=1))
        for number, place in enumerate(places, start=len(nodes) + 1):
            tags = {"amenity": "clinic", "name": "社区卫生服务中心"}
            out.add_node(Node(id=number, location=place, tags=tags, version=1))
        for number, (refs, tags) in enumerate(ways, start=1):
            out.add_way(Way(id=number, nodes=refs, tags=tags, version=1, timestamp="2026-08-19T00:00:00Z"))
        for number, members, tags in sorted(relations):
            out.add_relation(Relation(id=number, members=members, tags=tags, version=1))
    return path


def test_run_lingang_on_an_extract(call, tmp_path):
    path = lingang(tmp_path / "shanghai.osm.pbf")
    code, out, err = call("run", "lingang", "--osm", path, "--out", tmp_path / "out", "--json")
    assert code == 0, err
    summary = json.loads(out)
    assert list(summary["zones"]) == list(KM2)
    assert summary["zones"]["r14180411"]["name"] == "Nanhui New City"
    assert summary["zones"]["r14180411"]["name_zh"] == "南汇新城镇"
    assert (summary["standard"], "289.5" in summary["notice"]) == ("lingang-2021", True)
    figures = [f for f in summary["figures"] if f["measure"] == "cells" and f["service"] == "community_health"]
    totals = {f["kind"]: 0 for f in figures}
    for figure in figures:
        totals[figure["kind"]] += figure["total"]
    assert totals["zone"] == totals["region"] > 4
    region = read_region(path, Place.model_validate({"boundary": [int(key[1:]) for key in KM2]}), name="x")
    for zone in region.zones:
        assert geodesic_area(zone.geometry) / 1e6 == pytest.approx(KM2[zone.key], rel=0.005)
    assert region.area_m2 / 1e6 == pytest.approx(289.48, rel=0.005)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert [area["relation"] for area in manifest["parameters"]["place"]["boundary"]] == [int(key[1:]) for key in KM2]
    assert manifest["inputs"]["osm"]["sha256"] == digest(path)


def test_check_lingang_and_a_boundary_of_ones_own(call, tmp_path):
    path = lingang(tmp_path / "shanghai.osm.pbf")
    code, out, err = call("check", "lingang", "--osm", path, "--out", tmp_path / "out")
    assert code == 0, err
    assert "289.5 of the zone's 386 km²" in out
    code, out, err = call(
        "check", "lingang", "--osm", path, "--bbox", "121.8,30.9,121.9,30.97", "--out", tmp_path / "out"
    )
    assert code == 0, err
    assert "386" not in out
