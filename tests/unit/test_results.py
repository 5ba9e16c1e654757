"""The results folder keeps its contract, read back with other people's tools."""

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pyproj
import pytest
import rasterio
import town

from lifecircle.assess.gaps import _most
from lifecircle.study import Study

FILES = {
    "index.html", "coverage.html", "gaps.html", "cells.parquet", "access.parquet", "facilities.parquet", "entrances.parquet",
    "network.parquet", "gaps.parquet", "verdicts.parquet", "scorecard.parquet", "lifecircle.gpkg", "coverage.tif", "summary.json", "manifest.json", "check.json",
}  # fmt: skip
COLUMNS = {
    "cells": ["cell_id", "zone", "in_centre", "population", "area_m2", "residential_m2", "buildings_n", "status"]
    + [f"{name}_{cost}" for cost in ("adult", "metres") for name in ("edge_id", "offset_m", "leg_ticks", "to_u_ticks", "to_v_ticks")]
    + ["clinic_s", "clinic_n", "clinic_met", "park_m", "park_n", "park_met", "school_m", "school_n", "school_met"]
    + ["met_n", "missing", "worst_s", "worst_m", "shannon", "geometry"],
    "verdicts": ["cell_id", "rule", "kind", "verdict", "unit", "limit", "walk", "slack", "nearest", "second", "second_walk", "within_n", "mean_20", "gravity", "level"],
    "access": ["cell_id", "point_n", "join_n", "people"]
    + ["clinic_s", "clinic_n", "clinic_met", "park_m", "park_n", "park_met", "school_m", "school_n", "school_met"]
    + [f"{name}_{cost}" for cost in ("adult", "metres") for name in ("edge_id", "offset_m", "leg_ticks", "to_u_ticks", "to_v_ticks")],
    "facilities": ["facility_id", "service", "name", "source", "osm_type", "osm_id", "capacity", "opens", "closes", "merged", "merged_n", "geometry"],
    "entrances": ["facility_id", "cost", "edge_id", "offset_m", "leg_ticks", "from_u_ticks", "from_v_ticks", "status", "kind", "evidence", "geometry"],
    "network": ["edge_id", "u", "v", "length_m", "ticks_uv_adult", "ticks_vu_adult", "ticks_uv_metres", "ticks_vu_metres", "osm_way_id", "kind", "geometry"],
    "gaps": ["service", "people", "area_m2", "worst", "cause", "barrier", "detour", "zone", "cells_n", "geometry"],
    "scorecard": ["rule", "kind", "zone", "zone_kind", "year", "measure", "value", "numerator", "denominator", "unknown", "verdict", "tier", "mark", "strength", "clause", "source", "status"],
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    here = tmp_path_factory.mktemp("town")
    return Study.from_toml(town.draw(here)).run().write(here / "out")


def table(folder, name):
    read = pd.read_parquet if name in {"access", "scorecard", "verdicts"} else gpd.read_parquet
    return read(folder / f"{name}.parquet")


def test_every_file_is_there_and_no_other(folder):
    assert {path.name for path in folder.iterdir()} == FILES


@pytest.mark.parametrize("name", COLUMNS)
def test_columns(folder, name):
    assert sorted(table(folder, name).columns) == sorted(COLUMNS[name])


def test_one_metre_crs_in_every_table(folder):
    crs = pyproj.CRS.from_user_input("+proj=aeqd +lat_0=45 +lon_0=9 +datum=WGS84 +units=m +type=crs")
    for name in ("cells", "facilities", "entrances", "network", "gaps"):
        assert pyproj.CRS(table(folder, name).crs).equals(crs, ignore_axis_order=True)


def test_not_reached_and_unknown_are_null_never_a_number(folder):
    cells = table(folder, "cells").set_index("cell_id")
    island = cells[cells["population"] == 7.0].iloc[0]
    assert pd.isna(island["clinic_s"])
    assert island["clinic_n"] == 0
    assert not island["clinic_met"]
    far = cells[cells["status"] == "unsnapped"].iloc[0]
    assert (
        far[["clinic_s", "clinic_n", "clinic_met", "met_n", "missing", "edge_id_adult", "leg_ticks_adult"]].isna().all()
    )


def test_seconds_are_multiples_of_a_32nd(folder):
    values = table(folder, "cells")["clinic_s"].dropna().to_numpy(dtype=np.float64)
    assert len(values)
    assert (values * 32 == np.round(values * 32)).all()


def test_people_of_the_access_points_add_up_those_that_join_nothing_too(folder):
    access = table(folder, "access")
    assert access["people"].sum() == table(folder, "cells")["population"].sum()
    assert access["join_n"].isna().sum() == 2  # far from every path, and beyond the data
    assert access.loc[access["join_n"].isna(), "clinic_met"].isna().all()


def test_the_geopackage_has_the_same_layers_and_a_licence(folder):
    layers = dict(pyogrio.list_layers(folder / "lifecircle.gpkg"))
    assert set(layers) == {"cells", "facilities", "entrances", "network", "gaps", "zones"}
    for name in layers.keys() - {"zones"}:
        assert len(gpd.read_file(folder / "lifecircle.gpkg", layer=name)) == len(table(folder, name))
    assert (
        "OpenStreetMap" in pyogrio.read_info(folder / "lifecircle.gpkg", layer="cells")["layer_metadata"]["lifecircle"]
    )


def test_the_geotiff_is_cloud_optimised_on_the_rasters_own_grid(folder):
    cells = table(folder, "cells")
    with rasterio.open(folder / "coverage.tif") as raster, rasterio.open(folder.parent / "people.tif") as people:
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert raster.descriptions == ("clinic_s", "park_m", "school_m", "unmet_n")
        assert raster.crs == people.crs
        offset = ~people.transform @ (raster.transform.c, raster.transform.f)
        clinic, unmet = raster.read(1, masked=True), raster.read(4, masked=True)
        for row in cells.itertuples():
            r, c = (int(part) for part in row.cell_id[1:].split("c"))
            at = r - round(offset[1]), c - round(offset[0])
            if row.status not in {"ok", "edge"}:
                assert clinic.mask[at]
            else:
                assert clinic[at] == (np.inf if pd.isna(row.clinic_s) else row.clinic_s)
            assert (unmet.mask[at] and pd.isna(row.met_n)) or unmet[at] == 3 - row.met_n


def test_summary_and_scorecard_hold_every_figure_with_numerator_and_denominator(folder):
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["schema"] == 1
    assert (
        summary["services"]["park"]
        | {"title": "Park", "cost": "metres", "unit": "m", "threshold": 300, "measure": "network"}
        == summary["services"]["park"]
    )
    figures = {(f["zone"], f["service"], f["measure"]): f for f in summary["figures"]}
    assert figures["region", "clinic", "people"]["met"] == 100
    assert len(figures) == 4 * 4 * 5  # region, two zones, an overlay; three services and all; five measures
    for figure in figures.values():
        assert figure["met"] + figure["not_met"] + figure["unknown"] == figure["total"]
    for service in ("clinic", "all"):
        for measure in ("people", "area_m2", "cells", "buildings"):
            parts = [figures[zone, service, measure]["total"] for zone in ("west", "east")]
            assert sum(parts) == figures["region", service, measure]["total"]
    card = table(folder, "scorecard").set_index(["rule", "zone"])
    assert card.loc[("clinic", "region"), "numerator"] == 100
    assert card.loc[("clinic", "region"), "source"] == "made up"


def test_the_manifest_says_what_went_in(folder):
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["schema"] == 1
    assert set(manifest["inputs"]) == {"osm", "population", "boundary"}
    assert len(manifest["inputs"]["osm"]["sha256"]) == 64
    assert manifest["counts"]["cells"] == {"ok": 0, "unsnapped": 1, "outside_data": 1, "edge": 5}
    assert manifest["counts"]["facilities"]["merged"] == 1
    assert manifest["counts"]["facilities"]["outside_boundary"] == 0
    islands = manifest["counts"]["network"]["islands"]
    assert [(i["people"], i["cells"], i["facilities"], i["nodes"]) for i in islands] == [(7.0, 1, 0, 2)]
    assert manifest["parameters"]["cutoff_s"] == 1800
    assert manifest["versions"]["lifecircle"]


def test_gaps_add_up_to_the_people_not_met(folder):
    gaps = table(folder, "gaps")
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    for figure in summary["figures"]:
        if figure["zone"] == "region" and figure["measure"] == "people" and figure["service"] != "all":
            assert gaps.loc[gaps["service"] == figure["service"], "people"].sum() == figure["not_met"]


def test_a_gap_is_called_after_most_of_its_people_and_a_tie_by_the_alphabet():
    names = np.array(["b", "a", "a", "b", "c"], dtype=object)
    cluster = np.array([0, 0, 1, 1, 2])
    assert _most(names, np.array([2.0, 2.0, 1.0, 3.0, 0.0]), cluster) == ["a", "b", "c"]
