"""Monaco is steep: what slopes, stairs and lifts do there, and that a wheelchair is never quicker than an adult."""

from importlib import resources

import numpy as np
import pytest
from regions import study_of

from lifecircle.model.snapping import price
from lifecircle.profiles import Profile


@pytest.fixture(scope="module")
def monaco():
    return study_of("monaco").prepare()


def test_uphill_takes_longer_than_downhill(monaco):
    network, height = monaco.network, monaco.elevation
    adult = Profile.load("adult")
    uv, vu = network.ticks(adult, height)
    grade = (height[network.edge_v] - height[network.edge_u]) / np.where(network.length_m > 0, network.length_m, 1)
    steep = network.own & (uv >= 0) & (vu >= 0) & ~network.steps & (network.length_m > 30) & (np.abs(grade) < 1)
    up, down = steep & (grade > 0.03), steep & (grade < -0.03)
    assert up.sum() > 100
    assert (uv[up] > vu[up]).all()
    assert (uv[down] < vu[down]).all()
    level_uv, level_vu = network.ticks(adult)
    assert ((level_uv == level_vu) | (level_uv < 0) | (level_vu < 0)).all()


def test_stairs_and_lifts_take_time(monaco):
    network, height = monaco.network, monaco.elevation
    adult = Profile.load("adult")
    quick = adult.model_copy(update={"steps_factor": None, "slope": "none"})
    uv, _ = network.ticks(adult, height)
    flat, _ = network.ticks(quick)
    stairs = network.steps & (uv >= 0)
    assert stairs.sum() > 100
    assert np.abs(uv[stairs] - 3 * flat[stairs]).max() <= 2  # each rounded once
    lifts = network.passage & (network.kind == "elevator") & (uv >= 0)
    assert lifts.sum() > 20
    assert set(uv[lifts].tolist()) == {110 * 32 // 2}  # half on each way that meets it


def test_stairs_bar_wheelchairs_from_a_good_part_of_the_town(tmp_path):
    """What the rule decides: a wheelchair that climbs stairs is never slower, and better served."""
    preset = (resources.files("lifecircle") / "presets/profiles/wheelchair.toml").read_text(encoding="utf-8")
    climber = tmp_path / "climber.toml"
    climber.write_text(preset.replace("steps = false", "steps = true"), encoding="utf-8")
    barred = study_of("monaco").changed(profile="wheelchair").run().coverage
    free = study_of("monaco").changed(profile=str(climber)).run().coverage
    assert (free.met > barred.met).sum() > 100
    assert (free.ticks <= barred.ticks).all()


@pytest.mark.parametrize("region", ["monaco", "newport"])
def test_law_7_a_wheelchair_is_nowhere_quicker_and_nowhere_better_served(region):
    """A walker allowed more ways, and quicker on each, is never slower: with the joins of both kept."""
    adult, wheels = (study_of(region).changed(profile=name).run().coverage for name in ("adult", "wheelchair"))
    assert np.isfinite(wheels.point_ticks).any()
    # F(y) - F(x) of two places on one edge may be a tick shorter for the slower.
    assert (wheels.point_ticks >= adult.point_ticks - 1).all()
    assert (wheels.point_met <= adult.point_met).all()
    assert (wheels.point_met < adult.point_met).any()


def test_law_7_holds_edge_by_edge(monaco):
    network, height = monaco.network, monaco.elevation
    quick, slow = Profile.load("adult"), Profile.load("wheelchair")
    for fast, late in zip(network.ticks(quick, height), network.ticks(slow, height), strict=True):
        assert ((late < 0) | ((fast >= 0) & (fast <= late))).all()
    joins = monaco.cells.joins
    fast = price(joins, network, network.ticks(quick, height), quick)
    late = price(joins, network, network.ticks(slow, height), slow)
    assert ((late.to_u < 0) | (fast.to_u <= late.to_u)).all()
