import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecircle.model.starts import starts

CELLS = np.array([shapely.box(x, 0, x + 100, 100) for x in (0, 100, 200)], dtype=object)
CENTRES = shapely.get_coordinates(shapely.centroid(CELLS))
NOTHING = shapely.STRtree([])
HOMES = st.lists(
    st.tuples(st.floats(-20, 320), st.floats(-20, 120), st.sampled_from([1.0, 80.0, 333.3, 12_000.0])), max_size=12
)
WALLS = st.lists(
    st.sampled_from([
        shapely.LineString([(-10, 50), (310, 50)]), shapely.LineString([(50, -10), (50, 110)]),
        shapely.LineString([(130, -10), (130, 60)]), shapely.box(220, -10, 240, 110),
    ]),
    max_size=3, unique_by=id,
)  # fmt: skip


def of(homes, people=(7, 1024, 1), walls=()):
    xy = np.array([(x, y) for x, y, _ in homes]).reshape(-1, 2)
    weight = np.array([w for *_, w in homes])
    whole = None if people is None else np.array(people, dtype=np.int64)
    return starts(CELLS, CENTRES, whole, xy, weight, shapely.STRtree(list(walls)))


def test_a_cell_without_homes_starts_from_its_middle():
    found = of([])
    assert found.xy.tolist() == CENTRES.tolist()
    assert found.people.tolist() == [7, 1024, 1]


def test_a_cell_starts_from_the_middle_of_its_floors():
    found = of([(10, 10, 100.0), (50, 30, 300.0)])
    assert found.xy[0].tolist() == [40.0, 25.0]


def test_homes_on_both_banks_start_from_their_own():
    bank = shapely.LineString([(-10, 50), (310, 50)])
    found = of([(10, 10, 100.0), (30, 90, 300.0), (130, 90, 5.0)], people=(8, 8, 8), walls=[bank])
    assert found.cell.tolist() == [0, 0, 1, 2]
    assert found.people.tolist() == [6, 2, 8, 8]
    assert found.xy[:3].tolist() == [[30, 90], [10, 10], [130, 90]]


def test_a_line_that_ends_inside_a_cell_parts_nothing():
    found = of([(110, 10, 1.0), (190, 10, 1.0)], walls=[shapely.LineString([(150, -10), (150, 60)])])
    assert found.cell.tolist() == [0, 1, 2]


def test_unknown_people_stay_unknown():
    found = of([(10, 10, 100.0)], people=None)
    assert found.people is None
    assert found.share.tolist() == [1.0, 1.0, 1.0]


@settings(max_examples=200, deadline=None)
@given(HOMES, st.lists(st.integers(1, 5000), min_size=3, max_size=3), WALLS)
def test_people_add_up_and_the_main_point_has_most(homes, people, walls):
    found = of(homes, people, walls)
    assert found.cell.tolist() == sorted(found.cell.tolist())
    assert set(found.cell.tolist()) == {0, 1, 2}
    assert np.bincount(found.cell, weights=found.people, minlength=3).tolist() == people
    assert np.bincount(found.cell, weights=found.share, minlength=3) == pytest.approx([1, 1, 1])
    for cell, first in enumerate(found.first.tolist()):
        mine = found.people[found.cell == cell]
        assert found.cell[first] == cell
        assert mine.max() == found.people[first]
    assert shapely.dwithin(CELLS[found.cell], shapely.points(found.xy), 1e-9).all()


@settings(max_examples=50, deadline=None)
@given(HOMES, WALLS, st.randoms())
def test_the_order_of_homes_changes_no_share(homes, walls, shuffle):
    again = list(homes)
    shuffle.shuffle(again)
    one, other = of(homes, walls=walls), of(again, walls=walls)
    assert one.people.tolist() == other.people.tolist()
    assert np.allclose(np.sort(one.xy, axis=0), np.sort(other.xy, axis=0), atol=1e-6)
