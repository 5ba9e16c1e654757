"""The datum detective on real streets and buildings: what is shifted is found out, what is true never is accused."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from regions import study_of

from lifecircle.audit.datum import TITLES, Detective
from lifecircle.region import GEOD
from lifecircle.sources.datum import SHIFTS, to_wgs84

AT_LINGANG = (121.9264, 30.9095)  # the middle of Dishui Lake
SUBSETS = 200


@pytest.fixture(scope="module", params=["newport", "monaco", "lingang"])
def region(request):
    ready = study_of(request.param).prepare(allow_empty=True)
    return request.param, ready, Detective(ready.network, ready.data.features, ready.facilities)


def shift_m(name):
    """How far a datum lies off at Lingang, metres east and north."""
    lon, lat = (np.array([value]) for value in AT_LINGANG)
    azimuth, _, far = GEOD.inv(lon, lat, *SHIFTS[name](lon, lat))
    return np.concatenate([far * np.sin(np.radians(azimuth)), far * np.cos(np.radians(azimuth))])


def tried(region, chosen, made_in, noise_m, rng):
    """Evidence on some facilities of the region, listed in a datum as if the region lay at Lingang."""
    _, ready, detective = region
    facilities = ready.facilities
    listed = (
        shapely.get_coordinates(facilities.points)[chosen] + rng.normal(0, noise_m, (len(chosen), 2)) + shift_m(made_in)
    )
    return detective.try_(
        {name: listed - shift_m(name) for name in TITLES},
        [facilities.services[ix] for ix in chosen],
        [facilities.name[ix] for ix in chosen],
    )


@pytest.mark.prove
@pytest.mark.parametrize("made_in", TITLES)
def test_what_is_in_another_datum_is_found_out(region, made_in):
    """At least 99 in 100 tables of 30 facilities and more, each up to some 20 m off."""
    rng = np.random.default_rng(len(made_in))
    n = len(region[1].facilities)
    right = 0
    for turn in range(SUBSETS):
        evidence = tried(
            region, rng.choice(n, int(rng.integers(30, 120)), replace=False), made_in, 10.0 * (turn % 2), rng
        )
        declared = "wgs84" if made_in != "wgs84" else "gcj02"
        winner = evidence.against(declared)
        right += winner is not None and winner.datum == made_in
    assert right >= 0.99 * SUBSETS


@pytest.mark.prove
def test_what_is_true_is_never_accused(region):
    """Tables of any size, of all services and of one alone, as exact as the map or 20 m off."""
    ready = region[1]
    rng = np.random.default_rng(7)
    n, services = len(ready.facilities), ready.facilities.services
    of_one = [
        [ix for ix, served in enumerate(services) if key in served] for key in range(len(ready.standard.services))
    ]
    for turn in range(SUBSETS):
        pool = np.arange(n) if turn % 2 else np.array(of_one[turn // 2 % len(of_one)])
        chosen = rng.choice(pool, min(len(pool), int(rng.integers(1, 80))), replace=False)
        assert tried(region, chosen, "wgs84", 20.0 * (turn % 4 > 1), rng).against("wgs84") is None


@pytest.mark.prove
def test_places_the_map_has_not_are_told_by_streets_and_buildings(region):
    """Without one twin: the facilities listed are taken out of what is known."""
    name, ready, _ = region
    rng = np.random.default_rng(3)
    order = rng.permutation(len(ready.facilities))
    listed, known = order[: len(order) // 2], np.sort(order[len(order) // 2 :])
    keep = np.zeros(len(order), dtype=bool)
    keep[known] = True
    detective = Detective(ready.network, ready.data.features, ready.facilities.only(keep))
    right = wrong = 0
    for turn in range(60):
        made_in, declared = [("gcj02", "wgs84"), ("bd09", "wgs84"), ("wgs84", "gcj02")][turn % 3]
        winner = tried((name, ready, detective), rng.choice(listed, 60, replace=False), made_in, 5.0, rng).against(
            declared
        )
        right += winner is not None and winner.datum == made_in
        wrong += winner is not None and winner.datum != made_in
    # The model has buildings for homes alone: what stands beside a street is all there is to go by.
    assert right >= {"newport": 0.95, "monaco": 0.95, "lingang": 0.6}[name] * 60
    assert wrong == 0


@given(st.floats(73, 135), st.floats(18, 53), st.sampled_from(["gcj02", "bd09"]))
def test_there_and_back_is_where_one_was(lon, lat, name):
    """To a tenth of a millimetre, anywhere in China."""
    x, y = np.array([lon]), np.array([lat])
    back = to_wgs84(*SHIFTS[name](x, y), name)
    assert GEOD.inv(x, y, *back)[2][0] < 1e-4


def test_shifts_are_those_that_are_published():
    """Dishui Lake and People's Square, as computed from the published constants by others."""
    lake = [np.array([value]) for value in AT_LINGANG]
    assert np.allclose(shift_m("gcj02"), [391, -262], atol=1.5)
    for name, far in (("gcj02", 471), ("bd09", 1095)):
        assert GEOD.inv(*lake, *SHIFTS[name](*lake))[2][0] == pytest.approx(far, abs=1)
    square = [np.array([121.4737]), np.array([31.2304])]
    for name, far in (("gcj02", 481), ("bd09", 1141)):
        assert GEOD.inv(*square, *SHIFTS[name](*square))[2][0] == pytest.approx(far, abs=2)
