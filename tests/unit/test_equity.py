"""Inequality measures beside slow twins that count people one by one, closed forms, and laws."""

import math

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from lifecircle.assess import equity
from lifecircle.assess.equity import Gap, Portion
from lifecircle.errors import DataError

INF, NAN = math.inf, math.nan
TRIES = settings(max_examples=60, deadline=None)
MEASURES = {
    "gini": equity.gini,
    "palma": equity.palma,
    "theil": equity.theil,
    "ratio_90_10": equity.ratio_90_10,
    "good": lambda x, p, **k: equity.kolm_pollak(
        x, p, kappa=equity.kolm_pollak_kappa(x, p, beta=1, kind="good", **k), **k
    ),
    "bad": lambda x, p, **k: equity.kolm_pollak(
        x, p, kappa=equity.kolm_pollak_kappa(x, p, beta=1, kind="bad", **k), **k
    ),
}
INDICES = ("gini", "palma", "theil", "ratio_90_10")


# Slow twins: every person stands in a row.


def row_of(values, people):
    return sorted(x for x, n in zip(values, people, strict=True) for _ in range(n))


def slow_gini(row):
    n, mean = len(row), math.fsum(row) / len(row)
    return math.fsum(abs(a - b) for a in row for b in row) / (2 * n * n * mean)


def slow_palma(row):
    ten = [x for x in row for _ in range(10)]  # a tenth of ten times as many people is a whole number
    n = len(row)
    poor, rich = math.fsum(ten[: 4 * n]), math.fsum(ten[9 * n :])
    return rich / poor if poor else INF


def slow_theil(row):
    mean = math.fsum(row) / len(row)
    return math.fsum(x / mean * math.log(x / mean) for x in row if x) / len(row)


def slow_90_10(row):
    # The first person with whom at least so many tenths are counted.
    low, high = row[-(-len(row) // 10) - 1], row[-(-9 * len(row) // 10) - 1]
    return high / low if low else INF if high else NAN


def slow_ede(row, sign):
    if not any(row):
        return 0.0
    kappa = sign * math.fsum(row) / math.fsum(x * x for x in row)
    return -math.log(math.fsum(math.exp(-kappa * x) for x in row) / len(row)) / kappa


SLOW = {
    "gini": slow_gini,
    "palma": slow_palma,
    "theil": slow_theil,
    "ratio_90_10": slow_90_10,
    "good": lambda row: slow_ede(row, 1),
    "bad": lambda row: slow_ede(row, -1),
}

VALUE = st.one_of(st.sampled_from([0.0, 0.0, 1.0, 7.5, 900.0]), st.integers(0, 1800 * 32).map(lambda t: t / 32))
TOWNS = st.lists(st.tuples(VALUE, st.integers(0, 6)), max_size=12)


@pytest.mark.parametrize("name", MEASURES)
@given(town=TOWNS)
@example(town=[(5.0, 1)])
@example(town=[(0.0, 4), (1.0, 5), (3.0, 1)])
@example(town=[(0.0, 9), (2.0, 1)])
@TRIES
def test_a_measure_equals_its_twin(name, town):
    values, people = [x for x, _ in town], [n for _, n in town]
    row = row_of(values, people)
    got = MEASURES[name](values, people)
    if not row or (name in INDICES and not any(row)):
        assert math.isnan(got)
        return
    assert got == pytest.approx(SLOW[name](row), rel=1e-9, abs=1e-12, nan_ok=True)


@given(TOWNS)
@TRIES
def test_the_lorenz_curve_runs_from_nothing_to_all_convex_and_below_equality(town):
    values, people = [x for x, _ in town], [n for _, n in town]
    crowd, had = equity.lorenz(values, people)
    row = row_of(values, people)
    if not any(row):
        assert (crowd.size, had.size) == (0, 0)
        return
    assert (crowd[0], had[0], crowd[-1], had[-1]) == (0, 0, 1, 1)
    assert (np.diff(crowd) > 0).all()
    slope = np.diff(had) / np.diff(crowd)
    assert np.sort(slope).tolist() == pytest.approx(slope.tolist(), rel=1e-9, abs=1e-12)
    assert np.minimum(had, crowd).tolist() == pytest.approx(had.tolist(), rel=1e-12, abs=0)
    steps = np.concatenate([[0.0], np.cumsum(row)]) / math.fsum(row)
    at = np.round(crowd * len(row)).astype(int)
    assert had.tolist() == pytest.approx(steps[at].tolist(), rel=1e-12, abs=1e-15)
    assert crowd.tolist() == pytest.approx((at / len(row)).tolist(), rel=1e-12, abs=0)
    # The area between the curve and equality is the Gini coefficient, the ends of the curve give Palma.
    area = 1 - np.sum(np.diff(crowd) * (had[1:] + had[:-1]))
    assert equity.gini(values, people) == pytest.approx(area, rel=1e-9, abs=1e-12)
    poor, rich = np.interp(0.4, crowd, had), 1 - np.interp(0.9, crowd, had)
    if poor > 1e-6:
        assert equity.palma(values, people) == pytest.approx(rich / poor, rel=1e-9, abs=0)


# Closed forms


@pytest.mark.parametrize("n", [1, 2, 3, 10, 1000])
def test_one_owner(n):
    values, people = [0.0] * (n - 1) + [42.0], [1] * n
    assert equity.gini(values, people) == pytest.approx(1 - 1 / n, rel=1e-14, abs=1e-15)
    assert equity.theil(values, people) == pytest.approx(math.log(n), rel=1e-14, abs=1e-15)
    assert equity.palma(values, people) == (0.25 if n == 1 else INF)


@pytest.mark.parametrize("value", [1e-9, 0.1, 7.0, 1234.567])
@pytest.mark.parametrize("people", [[1], [3, 5], [0.1, 0.7, 123.4], [1 / 3] * 7])
def test_all_alike(value, people):
    values = [value] * len(people)
    assert equity.gini(values, people) == 0
    assert equity.theil(values, people) == 0
    assert equity.ratio_90_10(values, people) == 1
    assert equity.palma(values, people) == pytest.approx(0.25, rel=1e-14, abs=0)
    for kind in ("good", "bad"):
        kappa = equity.kolm_pollak_kappa(values, people, beta=1, kind=kind)
        assert equity.kolm_pollak(values, people, kappa=kappa) == value


def test_palma_cuts_a_place_at_the_borders():
    # Ten people: six have 1, four have 3. Poorest four have 4, richest one has 3.
    assert equity.palma([1.0, 3.0], [6, 4]) == pytest.approx(3 / 4, rel=1e-15, abs=0)
    # Four people with 0, 1, 2, 3: the poorest 1.6 have 0.6, the richest 0.4 have 1.2.
    assert equity.palma([0.0, 1.0, 2.0, 3.0], [1] * 4) == pytest.approx(2.0, rel=1e-14, abs=0)
    assert equity.palma([0.0, 1.0, 9.0], [4, 5, 1]) == INF


@pytest.mark.parametrize(("share", "ratio"), [(0.2, 3.0), (0.5, 10.0), (0.05, 100.0)])
def test_two_groups(share, ratio):
    # A share of the people has so many times what the rest has: Gini is their share of all less their share of people.
    of_all = share * ratio / (share * ratio + 1 - share)
    assert equity.gini([1.0, ratio], [1 - share, share]) == pytest.approx(of_all - share, rel=1e-13, abs=0)


def test_gini_of_an_even_spread_is_a_third():
    n = 20_000
    assert equity.gini(np.arange(n) + 0.5, np.ones(n)) == pytest.approx(1 / 3, rel=1e-8, abs=0)


@pytest.mark.parametrize(("kind", "sign"), [("good", 1), ("bad", -1)])
@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_kolm_pollak_of_two(kind, sign, beta):
    # For a ± d: EDE = a - ln(cosh(κd)) / κ.
    a, d = 15.0, 5.0
    kappa = equity.kolm_pollak_kappa([a - d, a + d], [7, 7], beta=beta, kind=kind)
    assert kappa == pytest.approx(sign * beta * a / (a * a + d * d), rel=1e-14, abs=0)
    found = equity.kolm_pollak([a - d, a + d], [7, 7], kappa=kappa)
    assert found == pytest.approx(a - math.log(math.cosh(kappa * d)) / kappa, rel=1e-13, abs=0)
    assert (found < a) == (kind == "good")


def test_kolm_pollak_of_a_normal_spread():
    # EDE = μ - κσ²/2; by a fine grid of the normal curve.
    x = np.linspace(500, 1500, 20_001)
    people = np.exp(-(((x - 1000) / 80) ** 2) / 2)
    for kappa in (0.002, -0.002):
        assert equity.kolm_pollak(x, people, kappa=kappa) == pytest.approx(1000 - kappa * 3200, rel=1e-9, abs=0)


@pytest.mark.parametrize("kappa", [1e-300, -1e-300, 1e-12, -1e-9, 0.0])
def test_kolm_pollak_of_hardly_any_aversion_is_the_mean(kappa):
    # But for the next cumulants, to the last digits.
    found = equity.kolm_pollak([100.0, 900.0, 1700.0], [1, 2, 3], kappa=kappa)
    variance, third = 3_200_000 / 9, -3_584_000_000 / 27
    assert found == pytest.approx(7000 / 6 - kappa * variance / 2 + kappa**2 * third / 6, rel=1e-14, abs=0)


@pytest.mark.parametrize(("kappa", "limit"), [(50.0, 100.0), (-50.0, 1700.0)])
def test_kolm_pollak_of_great_aversion_is_the_worst_off(kappa, limit):
    people = [1, 2, 3]
    worst = people[0 if kappa > 0 else 2] / 6
    assert equity.kolm_pollak([100.0, 900.0, 1700.0], people, kappa=kappa) == pytest.approx(
        limit - math.log(worst) / kappa, rel=1e-14
    )


def test_one_kappa_makes_groups_add_up():
    # exp(-κ EDE) of all is the mean of those of the groups: what the measure was chosen for.
    rng = np.random.default_rng(1)
    x, people, group = rng.gamma(2, 300, 200), rng.integers(1, 50, 200), rng.random(200) < 0.3
    kappa = equity.kolm_pollak_kappa(x, people, beta=1, kind="bad")
    parts = [(people[g].sum(), equity.kolm_pollak(x[g], people[g], kappa=kappa)) for g in (group, ~group)]
    whole = equity.kolm_pollak(np.array([ede for _, ede in parts]), np.array([n for n, _ in parts]), kappa=kappa)
    assert whole == pytest.approx(equity.kolm_pollak(x, people, kappa=kappa), rel=1e-12, abs=0)


# Laws


@pytest.mark.parametrize("name", MEASURES)
@given(town=TOWNS, seed=st.integers(0, 99))
@TRIES
def test_order_does_not_matter(name, town, seed):
    values, people = np.array([x for x, _ in town], dtype=float), np.array([n / 7 for _, n in town], dtype=float)
    mixed = np.random.default_rng(seed).permutation(len(values))
    once, again = MEASURES[name](values, people), MEASURES[name](values[mixed], people[mixed])
    assert once == again or (math.isnan(once) and math.isnan(again))


@pytest.mark.parametrize("name", MEASURES)
@given(town=TOWNS, times=st.sampled_from([0.5, 4.0, 1024.0]))
@TRIES
def test_scale_and_number_of_people_do_not_matter(name, town, times):
    values, people = np.array([x for x, _ in town], dtype=float), np.array([n for _, n in town], dtype=float)
    once = MEASURES[name](values, people)
    scaled = MEASURES[name](values * times, people) / (1 if name in INDICES else times)
    crowd = MEASURES[name](values, people * times)
    assert [scaled, crowd] == pytest.approx([once, once], rel=1e-12, abs=1e-15, nan_ok=True)


@pytest.mark.parametrize("name", MEASURES)
@given(town=TOWNS)
@TRIES
def test_a_place_cut_in_two_or_without_people_does_not_matter(name, town):
    values, people = [x for x, _ in town], [n for _, n in town]
    once = MEASURES[name](values, people)
    again = MEASURES[name](
        [*values, *values, NAN, INF, -1.0], [*[n / 4 for n in people], *[n * 3 / 4 for n in people], 0, 0, 0]
    )
    assert again == pytest.approx(once, rel=1e-11, abs=1e-13, nan_ok=True)


@given(st.lists(VALUE, max_size=10), VALUE, st.floats(0.5, 900), st.floats(0.01, 0.99))
@TRIES
def test_giving_to_the_poorer_never_makes_it_less_even(others, poor, more, part):
    values, a, b = np.array([poor, poor + more, *others]), 0, 1
    people, after = np.ones(len(values)), values.copy()
    gift = (values[b] - values[a]) * part / 2
    after[a], after[b] = values[a] + gift, values[b] - gift
    for name, sign in (("gini", 1), ("theil", 1), ("bad", 1), ("good", -1)):
        if name in INDICES:
            had, has = MEASURES[name](values, people), MEASURES[name](after, people)
        else:
            kappa = equity.kolm_pollak_kappa(values, people, beta=1, kind=name)
            had, has = (equity.kolm_pollak(x, people, kappa=kappa) for x in (values, after))
        assert max(sign * had, sign * has) == pytest.approx(sign * had, rel=1e-11, abs=1e-13)


@given(TOWNS)
@TRIES
def test_measures_stay_within_their_bounds(town):
    values, people = [x for x, _ in town], [n for _, n in town]
    row = row_of(values, people)
    assume(any(row))
    assert 0 <= equity.gini(values, people) < 1
    assert 0 <= equity.theil(values, people) <= math.log(len(row)) + 1e-12
    mean = math.fsum(row) / len(row)
    good, bad = MEASURES["good"](values, people), MEASURES["bad"](values, people)
    assert row[0] - 1e-9 <= good <= mean + 1e-9
    assert mean - 1e-9 <= bad <= row[-1] + 1e-9


# What is refused, and what there is not


@pytest.mark.parametrize("name", [*MEASURES, "lorenz"])
def test_unknown_infinite_and_negative_values_are_refused_and_a_cap_is_stated(name):
    measure = equity.lorenz if name == "lorenz" else MEASURES[name]
    with pytest.raises(DataError, match=r"1 of 3 places \(25\.0% of the people\) is unknown"):
        measure([1.0, NAN, 2.0], [1, 1, 2])
    with pytest.raises(DataError, match="is unknown"):
        measure([1.0, NAN, 2.0], [1, 1, 2], cap=5)
    with pytest.raises(DataError, match=r"2 of 3 places \(75\.0% of the people\) is infinite .*state a cap"):
        measure([1.0, INF, INF], [1, 1, 2])
    with pytest.raises(DataError, match="is infinite"):
        measure([1.0, -INF], [1, 1], cap=5)
    with pytest.raises(DataError, match="is negative"):
        measure([1.0, -2.0], [1, 1])
    for cap in (NAN, INF, -1):
        with pytest.raises(DataError, match="cap came as"):
            measure([1.0, 2.0], [1, 1], cap=cap)
    for values, people in (
        ([1.0], [1, 1]),
        ([[1.0]], [[1]]),
        ([1.0, 2.0], [1, NAN]),
        ([1.0, 2.0], [1, -1]),
        ([1.0, 2.0], [1, INF]),
    ):
        with pytest.raises(DataError):
            measure(values, people)
    capped, plain = measure([1.0, INF, 7.0], [1, 1, 1], cap=5), measure([1.0, 5.0, 5.0], [1, 1, 1])
    assert np.array_equal(capped, plain)


@pytest.mark.parametrize("name", MEASURES)
def test_nobody_and_nothing(name):
    assert math.isnan(MEASURES[name]([], []))
    assert math.isnan(MEASURES[name]([3.0, 4.0], [0, 0]))
    nothing = MEASURES[name]([0.0, 0.0], [3, 4])
    assert math.isnan(nothing) if name in INDICES else nothing == 0


def test_kappa_and_its_parameters():
    assert math.isnan(equity.kolm_pollak_kappa([], [], beta=1, kind="bad"))
    assert equity.kolm_pollak_kappa([0.0], [1], beta=1, kind="bad") == 0
    assert equity.kolm_pollak_kappa([1e-200, 3e-200], [1, 1], beta=1, kind="good") == pytest.approx(0.4e200, rel=1e-14)
    for beta in (0, -1, NAN, INF):
        with pytest.raises(DataError, match="beta came as"):
            equity.kolm_pollak_kappa([1.0], [1], beta=beta, kind="good")
    with pytest.raises(DataError, match="kind came as 'ugly'"):
        equity.kolm_pollak_kappa([1.0], [1], beta=1, kind="ugly")
    for kappa in (NAN, INF):
        with pytest.raises(DataError, match="kappa came as"):
            equity.kolm_pollak([1.0], [1], kappa=kappa)


# Enough, and gaps


@given(st.lists(st.tuples(st.one_of(VALUE, st.just(INF)), st.integers(0, 6)), max_size=12), VALUE)
@TRIES
def test_enough_is_counted(town, level):
    values, people = [x for x, _ in town], [n for _, n in town]
    good, bad = (equity.sufficiency(values, people, level=level, kind=kind) for kind in ("good", "bad"))
    assert (good.met, bad.met) == (sum(n for x, n in town if x >= level), sum(n for x, n in town if x <= level))
    assert good.total == bad.total == sum(people)
    assert good.share == (good.met / sum(people) if sum(people) else None)
    more = equity.sufficiency(values, people, level=level + 1, kind="bad")
    assert more.met >= bad.met


def test_enough_refuses_what_is_unknown_where_there_are_people():
    assert equity.sufficiency([NAN, 1.0], [0, 1], level=1, kind="good") == Portion(1.0, 1.0)
    with pytest.raises(DataError, match="unknown"):
        equity.sufficiency([NAN, 1.0], [1, 1], level=1, kind="good")
    with pytest.raises(DataError, match="level"):
        equity.sufficiency([1.0], [1], level=NAN, kind="good")
    with pytest.raises(DataError, match="kind came as"):
        equity.sufficiency([1.0], [1], level=1, kind="best")


@pytest.mark.parametrize(
    ("group", "other", "difference", "ratio"),
    [
        (Portion(1, 2), Portion(9, 10), -0.4, 5 / 9),
        (Portion(1, 3), Portion(2, 6), 0.0, 1.0),
        (Portion(0.1 * 3, 0.3), Portion(1, 1), 0.0, 1.0),
        (Portion(0, 5), Portion(0, 5), 0.0, None),
        (Portion(3, 5), Portion(0, 5), 0.6, None),
        (Portion(0, 0), Portion(1, 2), None, None),
        (Portion(1, 2), Portion(0, 0), None, None),
    ],
)
def test_gaps(group, other, difference, ratio):
    gap = Gap(group, other)
    assert gap.difference == pytest.approx(difference, abs=3e-16) if difference is not None else gap.difference is None
    assert gap.ratio == pytest.approx(ratio, rel=3e-16) if ratio is not None else gap.ratio is None
