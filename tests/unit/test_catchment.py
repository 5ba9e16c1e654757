"""Floating catchments, decays, gravity, nearest means and diversity, each beside a slow twin and PySAL access."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from access import Access as PySal
from access import weights as pysal_weights
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from lifecircle.assess import catchment as fca
from lifecircle.assess.catchment import Catchment
from lifecircle.assess.decay import Binary, BoundedGaussian, Exponential, Gaussian, InversePower, Steps
from lifecircle.assess.diversity import CHOICES, choice_class, shannon
from lifecircle.errors import DataError
from lifecircle.reach.products import Pairs

INF, NAN = math.inf, math.nan
TRIES = settings(max_examples=40, deadline=None)


# Slow twins: plain Python, a full table of costs, None for what nobody knows.


def steps(cost):
    return 1.0 if cost <= 300 else 0.68 if cost <= 600 else 0.22 if cost <= 900 else 0.0


def bounded(cost):
    if cost >= 900:
        return 0.0
    return (math.exp(-0.5 * (cost / 900) ** 2) - math.exp(-0.5)) / (1 - math.exp(-0.5))


DECAYS = {
    "binary": (Binary(600), lambda cost: 1.0 if cost <= 600 else 0.0),
    "steps": (Steps((300, 600, 900), (1, 0.68, 0.22)), steps),
    "gaussian": (Gaussian(400), lambda cost: math.exp(-cost * cost / (2 * 400 * 400))),
    "bounded": (BoundedGaussian(900), bounded),
    "exponential": (Exponential(1 / 300), lambda cost: math.exp(-cost / 300)),
    "power": (InversePower(1.5, 30, 60), lambda cost: 1 / (max(cost, 30) / 60) ** 1.5),
}


def total(numbers):
    numbers = list(numbers)
    return None if None in numbers else math.fsum(numbers)


def twin(costs, people, supply, weigh, how):
    """Access of every point, and level of every facility."""
    weight = [[0.0 if cost == INF else weigh(cost) for cost in row] for row in costs]
    points, facilities = range(len(people)), range(len(supply))
    of_point = [[w / sum(row) if w else 0.0 for w in row] for row in weight]
    of_facility = [
        [weight[i][j] / sum(weight[k][j] for k in points) if weight[i][j] else 0.0 for j in facilities] for i in points
    ]
    both = [[weight[i][j] * of_point[i][j] for j in facilities] for i in points]
    out, back = {
        "enhanced": (weight, weight), "three": (both, both), "level": (of_point, of_facility), "supply": (of_point, of_point),
    }[how]  # fmt: skip
    level = []
    for j in facilities:
        demand = math.fsum(people[i] * out[i][j] for i in points)
        level.append(None if math.isnan(supply[j]) or demand == 0 else supply[j] / demand)
    value = [
        total(None if level[j] is None else level[j] * back[i][j] for j in facilities if weight[i][j] > 0)
        for i in points
    ]
    return value, level


def ours(costs, people, supply, decay, how):
    made = Catchment.from_costs(costs)
    if how in {"level", "supply"}:
        return fca.balanced(made, people, supply, decay=decay, conserve=how)
    return {"enhanced": fca.enhanced, "three": fca.three_step}[how](made, people, supply, decay=decay)


HOW = ("enhanced", "three", "level", "supply")


def same(found, truth):
    assert found.tolist() == pytest.approx([NAN if x is None else x for x in truth], rel=1e-11, abs=0, nan_ok=True)


@st.composite
def towns(draw, *, unknown=True, empty=True):
    """Costs (points x facilities, inf where not reached), people and supply."""
    n, m = draw(st.integers(0 if empty else 1, 6)), draw(st.integers(0 if empty else 1, 5))
    cost = st.one_of(
        st.just(INF), st.sampled_from([0.0, 300.0, 600.0, 900.0]), st.integers(0, 32 * 1200).map(lambda t: t / 32)
    )
    row = st.lists(cost, min_size=m, max_size=m)
    costs = np.array(draw(st.lists(row, min_size=n, max_size=n)), dtype=float).reshape(n, m)
    people = draw(st.lists(st.sampled_from([0.0, 1 / 1024, 1.0, 3.5, 1000.0]), min_size=n, max_size=n))
    offered = [0.0, 1.0, 2.5, 400.0, *([NAN] if unknown else [])]
    return costs, people, draw(st.lists(st.sampled_from(offered), min_size=m, max_size=m))


# Decays


@pytest.mark.parametrize("name", DECAYS)
@given(cost=st.lists(st.floats(0, 5000), max_size=20))
@TRIES
def test_a_decay_equals_its_formula(name, cost):
    decay, twin_of = DECAYS[name]
    got = decay(np.array(cost, dtype=float))
    assert got.dtype == np.float64
    assert got.tolist() == pytest.approx([twin_of(c) for c in cost], rel=1e-9, abs=1e-15)
    assert ((got >= 0) & np.isfinite(got)).all()
    by_cost = got[np.argsort(cost)]
    assert (np.diff(by_cost) <= 0).all()


@pytest.mark.parametrize("decay", [Steps((300, 600, 900), (1, 0.68, 0.22)), Gaussian(400), InversePower(1.5, 30, 60)])
def test_a_decay_equals_that_of_pysal(decay):
    theirs = {
        Steps: pysal_weights.step_fn({300: 1, 600: 0.68, 900: 0.22}),
        Gaussian: pysal_weights.gaussian(400),
        InversePower: pysal_weights.gravity(60, -1.5, 30),
    }[type(decay)]
    cost = np.arange(0, 1300, 7.5)
    assert decay(cost).tolist() == pytest.approx([theirs(c) for c in cost], rel=1e-13, abs=0)


@pytest.mark.parametrize(
    "made",
    [
        lambda: Binary(-1), lambda: Binary(INF), lambda: Gaussian(0), lambda: Gaussian(NAN), lambda: BoundedGaussian(0),
        lambda: Exponential(0), lambda: Exponential(-1), lambda: InversePower(0, 1), lambda: InversePower(1, 0),
        lambda: InversePower(1, 1, 0), lambda: Steps((), ()), lambda: Steps((1, 2), (1,)), lambda: Steps((2, 1), (1, 0.5)),
        lambda: Steps((1, 1), (1, 0.5)), lambda: Steps((1, 2), (0.5, 1)), lambda: Steps((1, 2), (1, -1)),
        lambda: Steps((-1, 2), (1, 0)), lambda: Steps((1, INF), (1, 0)), lambda: Steps((1, 2), (NAN, 0)),
    ],
)  # fmt: skip
def test_a_decay_refuses_what_makes_no_sense(made):
    with pytest.raises(DataError):
        made()


def test_a_decay_says_what_it_is():
    assert repr(Steps((600, 1200), (1, 0.22))) == "Steps(breaks=(600, 1200), weights=(1, 0.22))"


# The matrix


@given(towns(), st.data())
@TRIES
def test_pairs_give_the_matrix_of_their_costs(town, data):
    costs = town[0]
    n, m = costs.shape
    rows = [sorted((int(c * 32), j) for j, c in enumerate(row) if c < INF) for row in costs.tolist()]
    ptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    flat = [pair for row in rows for pair in row]
    pairs = Pairs(ptr, np.array([j for _, j in flat], np.int32), np.array([t for t, _ in flat], np.int32))
    chosen = np.array(data.draw(st.lists(st.booleans(), min_size=m, max_size=m)), dtype=bool)
    within = data.draw(st.sampled_from([None, 300.0, 600.0]))
    made = Catchment.from_pairs(pairs, chosen, within=within)
    wanted = np.where(chosen[None, :] & (costs <= (5000 if within is None else within)), costs, INF)
    again = Catchment.from_costs(wanted)
    for name in ("ptr", "facility", "cost"):
        assert getattr(made, name).tolist() == getattr(again, name).tolist()
        assert not getattr(made, name).flags.writeable
    assert (made.n_points, made.n_facilities) == (n, m)
    back = np.full((n, m), INF)
    back[made.point, made.facility] = made.cost
    assert (back == wanted).all()
    assert pairs.ptr.flags.writeable  # what was given stays as it was


def arrays(ptr, facility, cost, n):
    return lambda: Catchment(np.array(ptr), np.array(facility, np.int32), np.array(cost, float), n)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (arrays([], [], [], 0), "pointers"),
        (arrays([1, 1], [0], [1], 1), "starts at 0"),
        (arrays([0, 2, 1], [0], [1], 1), "never falls"),
        (arrays([0, 2], [0], [1], 1), "2 walks, but 1"),
        (arrays([0, 1], [0], [1, 2], 1), "1 facilities and 2 costs"),
        (arrays([0, 1], [1], [1], 1), "none of 0 to 0"),
        (arrays([0, 1], [-1], [1], 1), "none of 0"),
        (arrays([0, 1], [0], [-1], 1), "less than nothing"),
        (arrays([0, 1], [0], [NAN], 1), "no number"),
        (arrays([0, 1], [0], [INF], 1), "no number"),
        (arrays([0, 0, 2, 2], [0, 1], [2, 1], 2), "nearest first"),
        (arrays([0, 2], [0, 0], [1, 2], 2), "twice"),
        (lambda: Catchment(np.array([0, 1]), np.array([0]), np.array([1.0]), 1), "int64, int64, float64"),
        (lambda: Catchment.from_costs([1.0, 2.0]), "full matrix"),
        (lambda: Catchment.from_costs([[NAN]]), "1 NaN"),
        (lambda: Catchment.from_costs([[-1.0]]), "less than nothing"),
    ],
)
def test_a_matrix_is_looked_at_once(made, said):
    with pytest.raises(DataError, match=said):
        made()


@pytest.mark.parametrize("chosen", [np.array([1]), np.array([[True]]), np.array([True, True])])
def test_a_choice_speaks_of_every_facility(chosen):
    with pytest.raises(DataError, match="at least 3 facilities"):
        Catchment.from_pairs(Pairs(np.array([0, 1]), np.array([2], np.int32), np.array([1], np.int32)), chosen)


def test_a_matrix_may_fall_from_one_point_to_the_next_over_points_without_walks():
    made = arrays([0, 0, 2, 2, 3, 3], [1, 0, 1], [1, 2, 0], 2)()
    assert made.point.tolist() == [1, 1, 3]
    assert "3 walks from 5 demand points to 2" in made._repr_html_()


# Catchments against their twin


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", DECAYS)
@given(town=towns())
@example(town=(np.zeros((0, 0)), [], []))
@example(town=(np.zeros((0, 2)), [], [1.0, NAN]))
@example(town=(np.zeros((2, 0)), [1.0, 0.0], []))
@example(town=(np.full((1, 1), INF), [1.0], [5.0]))
@example(town=(np.array([[0.0, 300.0], [300.0, INF]]), [0.0, 5.0], [2.0, 3.0]))
@TRIES
def test_a_catchment_equals_its_twin(name, how, town):
    costs, people, supply = town
    decay, weigh = DECAYS[name]
    # A weight of nearly nothing is nothing to one formula and not to the other.
    assume(all(weigh(c) == 0 or weigh(c) > 1e-12 for c in costs.ravel().tolist() if c < INF))
    found = ours(costs, people, supply, decay, how)
    value, level = twin(costs.tolist(), people, supply, weigh, how)
    same(found.value, value)
    same(found.level, level)
    reached = [any(c < INF and weigh(c) > 0 for c in column) for column in costs.T.tolist()]
    assert found.reached == sum(reached)
    assert found.unknown == sum(there and math.isnan(s) for there, s in zip(reached, supply, strict=True))


@given(towns(), st.sampled_from([0.0, 300.0, 900.0, 1000.0]))
@TRIES
def test_two_steps_are_the_enhanced_two_with_one_band(town, limit):
    costs, people, supply = town
    found = fca.two_step(Catchment.from_costs(costs), people, supply, limit=limit)
    value, level = twin(costs.tolist(), people, supply, lambda cost: float(cost <= limit), "enhanced")
    same(found.value, value)
    same(found.level, level)


@pytest.mark.parametrize("name", DECAYS)
@given(town=towns())
@TRIES
def test_gravity_and_cumulative_access_equal_their_twins(name, town):
    costs, _, supply = town
    decay, weigh = DECAYS[name]
    assume(all(weigh(c) == 0 or weigh(c) > 1e-12 for c in costs.ravel().tolist() if c < INF))
    made = Catchment.from_costs(costs)
    found = fca.gravity(made, supply, decay=decay)
    same(found.value, [
        total(None if math.isnan(s) else s * weigh(c) for c, s in zip(row, supply, strict=True) if c < INF and weigh(c) > 0)
        for row in costs.tolist()
    ])  # fmt: skip
    assert found.level is None
    near = fca.cumulative(made, supply, limit=300)
    same(near.value, [
        total(None if math.isnan(s) else s for c, s in zip(row, supply, strict=True) if c <= 300) for row in costs.tolist()
    ])  # fmt: skip
    there = (costs <= 300).any(axis=0)
    assert (near.reached, near.unknown) == (there.sum(), (there & np.isnan(supply)).sum())
    assert fca.count_within(made, 300).tolist() == (costs <= 300).sum(axis=1).tolist()


# PySAL access


@pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame:DeprecationWarning")  # access 1.1.10 on pandas 3.1
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", ["two", "enhanced steps", "enhanced gaussian", "three"])
def test_catchments_equal_pysal(seed, name):
    rng = np.random.default_rng(seed)
    n, m, limit = 40, 12, 900
    costs = rng.integers(0, 1500, (n, m)).astype(float)
    costs[rng.random((n, m)) < 0.3] = INF
    costs[3] = INF  # somebody reaches nothing
    people, supply = rng.integers(1, 500, n), rng.integers(0, 40, m).astype(float)
    i, j = np.nonzero(costs <= limit)
    table = PySal(
        demand_df=pd.DataFrame({"home": np.arange(n), "people": people}), demand_index="home", demand_value="people",
        supply_df=pd.DataFrame({"shop": np.arange(m), "supply": supply}), supply_index="shop", supply_value="supply",
        cost_df=pd.DataFrame({"home": i, "shop": j, "cost": costs[i, j]}), cost_origin="home", cost_dest="shop",
        cost_name="cost",
    )  # fmt: skip
    by_step, bell = pysal_weights.step_fn({300: 1, 600: 0.68, 900: 0.22}), pysal_weights.gaussian(400)
    made = Catchment.from_costs(np.where(costs <= limit, costs, INF))
    if name == "two":
        theirs, mine = table.two_stage_fca(max_cost=limit), fca.two_step(made, people, supply, limit=limit)
    elif name == "enhanced steps":
        theirs = table.enhanced_two_stage_fca(weight_fn=by_step, max_cost=limit)
        mine = fca.enhanced(made, people, supply, decay=DECAYS["steps"][0])
    elif name == "enhanced gaussian":
        theirs = table.enhanced_two_stage_fca(weight_fn=bell, max_cost=limit)
        mine = fca.enhanced(made, people, supply, decay=Gaussian(400))
    else:
        theirs = table.three_stage_fca(weight_fn=by_step, max_cost=limit)
        mine = fca.three_step(made, people, supply, decay=DECAYS["steps"][0])
    found = theirs.iloc[:, 0].reindex(np.arange(n)).to_numpy()
    nothing = np.diff(made.ptr) == 0
    assert nothing[3]
    assert (np.isnan(found) == nothing).all()  # PySAL leaves out who reaches nothing; here they have 0
    assert (mine.value[nothing] == 0).all()
    assert mine.value[~nothing].tolist() == pytest.approx(found[~nothing].tolist(), rel=1e-12, abs=0)
    assert mine.unknown == 0


# Conservation and other laws


def served(costs, people, decay):
    """Facilities that somebody reaches, and people who reach some facility."""
    made = Catchment.from_costs(costs)
    walks = fca._weigh(made, decay)
    lived = np.asarray(people)[walks.point] > 0
    return np.unique(walks.facility[lived]), np.unique(walks.point)


@pytest.mark.parametrize("name", DECAYS)
@given(town=towns(unknown=False))
@TRIES
def test_nothing_is_gained_or_lost(name, town):
    costs, people, supply = town
    people, supply, decay = np.array(people), np.array(supply), DECAYS[name][0]
    open_to, going = served(costs, people, decay)
    offered = supply[open_to].sum()
    for how in ("enhanced", "three", "supply"):
        found = ours(costs, people, supply, decay, how)
        lived = people > 0
        assert (found.value[lived] * people[lived]).sum() == pytest.approx(offered, rel=1e-9, abs=0)
    for how in ("level", "supply"):
        level = ours(costs, people, np.ones(len(supply)), decay, how).level
        assert np.flatnonzero(~np.isnan(level)).tolist() == open_to.tolist()
        assert (1 / level[open_to]).sum() == pytest.approx(people[going].sum(), rel=1e-9, abs=0)
    levels = ours(costs, people, supply, decay, "level")
    if not np.isnan(levels.value).any():
        assert levels.value.sum() == pytest.approx(np.nansum(levels.level), rel=1e-9, abs=0)


def test_the_published_balance_keeps_levels_and_not_supply():
    # One facility of 4, a point of 100 and one of 300: each has half of the level of service of 1/100.
    costs, people, supply = [[0.0], [0.0]], [100, 300], [4.0]
    by_level = ours(costs, people, supply, Binary(1), "level")
    assert by_level.value.tolist() == [0.005, 0.005]
    assert by_level.level.tolist() == [0.01]
    assert by_level.value @ np.array(people) == 2.0
    assert ours(costs, people, supply, Binary(1), "supply").value.tolist() == [0.01, 0.01]
    made = Catchment.from_costs(costs)
    with pytest.raises(DataError, match="'level' or 'supply'"):
        fca.balanced(made, people, supply, decay=Binary(1), conserve="demand")


@pytest.mark.parametrize("how", ["enhanced", "three", "supply"])
@given(town=towns(empty=False), data=st.data())
@TRIES
def test_cutting_a_point_in_two_changes_nothing(how, town, data):
    costs, people, supply = town
    at = data.draw(st.integers(0, len(people) - 1))
    cut = [*people[:at], people[at] / 4, *people[at + 1 :], people[at] * 3 / 4]
    before = ours(costs, people, supply, Gaussian(400), how).value
    after = ours(np.vstack([costs, costs[at]]), cut, supply, Gaussian(400), how).value
    assert after.tolist() == pytest.approx([*before.tolist(), before[at]], rel=1e-11, abs=0, nan_ok=True)


@pytest.mark.parametrize("how", HOW)
@given(town=towns(), times=st.sampled_from([0.5, 2.0, 1024.0]))
@TRIES
def test_twice_the_supply_is_twice_the_access_and_twice_the_people_half(how, town, times):
    costs, people, supply = town
    once = ours(costs, people, supply, Gaussian(400), how)
    more = ours(costs, people, np.array(supply) * times, Gaussian(400), how)
    assert more.value.tolist() == pytest.approx((once.value * times).tolist(), rel=1e-14, abs=0, nan_ok=True)
    crowd = ours(costs, np.array(people) * times, supply, Gaussian(400), how)
    assert crowd.value.tolist() == pytest.approx((once.value / times).tolist(), rel=1e-14, abs=0, nan_ok=True)


@given(towns(empty=False, unknown=False), st.data())
@TRIES
def test_one_more_facility_lowers_nobodys_opportunities(town, data):
    costs, _, supply = town
    column = data.draw(st.lists(st.sampled_from([0.0, 300.0, 700.0, INF]), min_size=len(costs), max_size=len(costs)))
    wider, more = np.hstack([costs, np.array(column)[:, None]]), [*supply, data.draw(st.sampled_from([0.0, 3.0]))]
    before, after = Catchment.from_costs(costs), Catchment.from_costs(wider)
    for limit in (0, 300, 900):
        had, has = (fca.cumulative(*of, limit=limit).value for of in ((before, supply), (after, more)))
        gained = np.where(np.array(column) <= limit, more[-1], 0.0)
        assert has.tolist() == pytest.approx((had + gained).tolist(), rel=1e-14, abs=0)
        assert (has >= had).all()
    had, has = (fca.gravity(*of, decay=Exponential(0.01)).value for of in ((before, supply), (after, more)))
    assert has.tolist() == pytest.approx((had + np.exp(-0.01 * np.array(column)) * more[-1]).tolist(), rel=1e-12, abs=0)
    for k in (1, 2):
        had, has = fca.nearest_mean(before, k), fca.nearest_mean(after, k)
        known = ~np.isnan(had)
        assert (has[known] <= had[known]).all()


@pytest.mark.parametrize("how", [*HOW, "gravity", "nearest"])
@given(town=towns(), seed=st.integers(0, 99))
@TRIES
def test_order_does_not_matter(how, town, seed):
    costs, people, supply = town
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(costs.shape[0]), rng.permutation(costs.shape[1])

    def value(costs, people, supply):
        made = Catchment.from_costs(costs)
        if how == "gravity":
            return fca.gravity(made, supply, decay=Gaussian(400)).value
        return fca.nearest_mean(made, 2) if how == "nearest" else ours(costs, people, supply, Gaussian(400), how).value

    plain = value(costs, people, supply)
    mixed = value(costs[rows][:, columns], np.array(people)[rows], np.array(supply)[columns])
    assert mixed.tolist() == pytest.approx(plain[rows].tolist(), rel=1e-12, abs=0, nan_ok=True)


@pytest.mark.parametrize("how", HOW)
@given(town=towns(unknown=False, empty=False), data=st.data())
@TRIES
def test_unknown_supply_is_unknown_to_those_who_reach_it_and_to_nobody_else(how, town, data):
    costs, people, supply = town
    at = data.draw(st.integers(0, len(supply) - 1))
    hidden = [NAN if j == at else s for j, s in enumerate(supply)]
    clear, found = (ours(costs, people, s, Gaussian(400), how) for s in (supply, hidden))
    reach = costs[:, at] < INF
    assert np.isnan(found.value[reach]).all()
    assert found.value[~reach].tolist() == pytest.approx(clear.value[~reach].tolist(), rel=0, abs=0, nan_ok=True)
    assert found.unknown == int(reach.any())
    assert found.reached == clear.reached


def test_what_has_no_people_no_walks_or_no_facility():
    # Home 0 is empty and alone with facility 0; home 1 has people and facility 1; home 2 reaches nothing;
    # facility 2 is reached by nobody, and nobody knows what it offers: that is no one's concern.
    costs = [[100.0, INF, INF], [INF, 100.0, INF], [INF, INF, INF]]
    for how in HOW:
        found = ours(costs, [0, 10, 7], [3.0, 5.0, NAN], Binary(900), how)
        assert found.value.tolist() == pytest.approx([NAN, 0.5, 0.0], nan_ok=True, rel=1e-15, abs=0)
        assert found.level.tolist() == pytest.approx([NAN, 0.5, NAN], nan_ok=True, rel=1e-15, abs=0)
        assert (found.reached, found.unknown) == (2, 0)
    # An empty home beside one with people has what a person there would have.
    found = ours([[100.0], [200.0]], [0, 10], [5.0], Binary(900), "enhanced")
    assert found.value.tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("people", "supply"),
    [
        ([1], [1.0]),
        ([1, NAN], [1.0]),
        ([1, -1], [1.0]),
        ([1, INF], [1.0]),
        ([1, 1], [1.0, 2.0]),
        ([1, 1], [-1.0]),
        ([1, 1], [INF]),
    ],
)
def test_people_and_supply_are_looked_at(people, supply):
    made = Catchment.from_costs([[1.0], [2.0]])
    with pytest.raises(DataError, match="came as"):
        fca.two_step(made, people, supply, limit=5)


@pytest.mark.parametrize("decay", [lambda c: c - 2, lambda c: c * NAN, lambda c: c[:1], InversePower(300, 1e-3)])
def test_weights_are_looked_at(decay):
    with pytest.raises(DataError, match="weights"):
        fca.gravity(Catchment.from_costs([[0.0], [2.0]]), [1.0], decay=decay)


def test_a_weight_of_next_to_nothing_is_none():
    made = Catchment.from_costs([[0.0, 1.0], [INF, 1.0]])
    found = fca.enhanced(made, [1, 1], [1.0, NAN], decay=lambda c: np.where(c > 0, 1e-300, 1.0))
    assert (found.value.tolist(), found.unknown, found.reached) == ([1.0, 0.0], 0, 1)


def test_results_cannot_be_written_to():
    found = fca.two_step(Catchment.from_costs([[0.0]]), [1], [1.0], limit=1)
    for array in (found.value, found.level):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.unknown = 3


# Nearest means


@given(towns(), st.integers(1, 7))
@example((np.zeros((0, 3)), [], []), 1)
@TRIES
def test_the_mean_of_the_nearest_is_that_of_the_sorted_row(town, k):
    costs = town[0]
    found = fca.nearest_mean(Catchment.from_costs(costs), k)
    for got, row in zip(found.tolist(), costs.tolist(), strict=True):
        near = sorted(c for c in row if c < INF)[:k]
        assert (got == sum(near) / k) if len(near) == k else math.isnan(got)  # multiples of 1/32: exact


def test_fewer_than_k_within_the_cutoff_is_unknown_however_near_they_are():
    made = Catchment.from_costs([[1.0] * 19 + [INF], [1.0] * 20])
    assert fca.nearest_mean(made, 20).tolist() == pytest.approx([NAN, 1.0], nan_ok=True)
    with pytest.raises(DataError, match="at least 1"):
        fca.nearest_mean(made, 0)


# Diversity


def test_classes_of_choice():
    wanted = {0: "0", 1: "1", 2: "2-4", 4: "2-4", 5: "5-10", 10: "5-10", 11: "11+", 10_000: "11+"}
    assert {n: CHOICES[choice_class(n)] for n in wanted} == wanted
    assert choice_class([[3, -1], [0, 6]]).tolist() == [[2, -1], [0, 3]]
    assert choice_class([]).shape == (0,)
    assert choice_class(np.array([7], np.int32)).dtype == np.int8
    with pytest.raises(DataError, match="whole numbers"):
        choice_class([1.5])


@given(st.integers(1, 5), st.integers(0, 4), st.data())
@TRIES
def test_shannon_equals_its_twin(services, points, data):
    one = st.sampled_from([0.0, 0.0, 1.0, 2.0, 7.5, 400.0, NAN])
    table = data.draw(st.lists(st.lists(one, min_size=points, max_size=points), min_size=services, max_size=services))
    amounts = np.array(table, dtype=float).reshape(services, points)
    found = shannon(amounts, normalised=False)
    for got, column in zip(found.tolist(), amounts.T.tolist(), strict=True):
        every = sum(column)
        wanted = -sum(a / every * math.log(a / every) for a in column if a > 0) if every else 0.0
        assert got == pytest.approx(NAN if math.isnan(every) else wanted, rel=1e-12, abs=1e-15, nan_ok=True)
    if services > 1:
        assert shannon(amounts).tolist() == pytest.approx(
            (found / math.log(services)).tolist(), rel=1e-15, abs=0, nan_ok=True
        )
        mixed = np.random.default_rng(services).permutation(services)
        assert shannon(amounts[mixed]).tolist() == pytest.approx(
            shannon(amounts).tolist(), rel=1e-12, abs=1e-15, nan_ok=True
        )


def test_shannon_of_equal_and_of_one():
    assert shannon(np.full((9, 1), 3)).tolist() == pytest.approx([1.0], rel=1e-15)
    found = shannon([[5, 0], [0, 0]])
    assert found.tolist() == [0.0, 0.0]
    assert not np.signbit(found).any()
    for wrong in ([1, 2], [[-1], [1]], [[INF], [1]], [[1]]):
        with pytest.raises(DataError):
            shannon(wrong)
