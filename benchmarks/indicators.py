"""Time every indicator for all cells and services of the Lingang model, beside the walks they are made from.

    python benchmarks/indicators.py [--runs N]

Prints CPU seconds (medians): of `Walk.pairs`, of each indicator over all services together, and of all of them, against
the 2 s asked for. Supply is made up, since the data names little: between 1 and 500 for each facility, by a fixed seed.
"""

import argparse
from collections.abc import Callable

import numpy as np
import timing
from numpy.typing import NDArray
from studies import study_of
from timing import Target, Way

from lifecircle.assess import catchment as fca
from lifecircle.assess import equity
from lifecircle.assess.catchment import Catchment
from lifecircle.assess.decay import BoundedGaussian, Exponential, Gaussian, Steps
from lifecircle.assess.diversity import choice_class, shannon
from lifecircle.profiles import TICKS
from lifecircle.reach.search import Walk

LIMIT_S = 900.0
WANTED_S = 2.0
STEPS = Steps((300.0, 600.0, 900.0), (1.0, 0.68, 0.22))
BELL = BoundedGaussian(LIMIT_S)


def main() -> None:
    """Walk, run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    ready = study_of("lingang-model").prepare()
    facilities, starts = ready.facilities, ready.cells.starts
    assert starts.people is not None
    services = ready.standard.services.values()
    thresholds = {ix: (int(service.threshold.value * TICKS),) for ix, service in enumerate(services)}
    assert len({service.profile for service in services}) == 1  # one lane has all the walks
    lane = ready.lanes[next(iter(services)).profile]
    walk = Walk(ready.network, lane, ready.cells.joins, facilities, len(starts), thresholds)
    pairs = walk.pairs()
    chosen = [np.array([ix in given for given in facilities.services]) for ix in thresholds]
    people = starts.people / 1024
    supply = np.random.default_rng(1).integers(1, 500, len(facilities)).astype(np.float64)
    print(
        f"lingang-model: {len(ready.cells):,} cells, {len(starts):,} access points, {len(facilities):,} facilities of "
        f"{len(chosen)} services, {len(pairs.ticks):,} walks within {lane.cutoff / TICKS / 60:g} min\n"
    )

    def matrices() -> list[Catchment]:
        return [Catchment.from_pairs(pairs, mine) for mine in chosen]

    made = matrices()
    parts = indicators(made, people, supply)

    def everything() -> list[object]:
        return [run() for run in indicators(matrices(), people, supply).values()]

    n = len(starts)
    all_of = Way("all indicators", everything, n)
    ways = [Way("Walk.pairs", walk.pairs, n), Way("matrices of the services", matrices, n)]
    ways += [Way(name, run, n) for name, run in parts.items()]
    timing.race([*ways, all_of], runs)
    timing.show([*ways, all_of])
    print(f"\n  all indicators take {timing.paired(all_of, ways[0]):.2f} times the walks")
    timing.show_targets([Target("all indicators after reach, CPU s", "<=", WANTED_S, all_of.cpu_s)])


def indicators(
    made: list[Catchment], people: NDArray[np.float64], supply: NDArray[np.float64]
) -> dict[str, Callable[[], object]]:
    """Name every indicator, each for all services.

    Parameters
    ----------
    made : Catchment of each service
    people : (n_points,) float64
    supply : (n_facilities,) float64
    """
    counts = [fca.count_within(one, LIMIT_S) for one in made]
    access = [fca.enhanced(one, people, supply, decay=BELL).value for one in made]
    nearest = [nearest_s(one) for one in made]
    seniors, slower = people * 0.2, 1.3

    def each(run: Callable[[Catchment], object]) -> Callable[[], object]:
        return lambda: [run(one) for one in made]

    def even(measure: Callable[..., object]) -> Callable[[], object]:
        """Of access, a good, and of walks, a bad, in which not reached counts as the cutoff."""
        return lambda: [measure(x, people, cap=cap) for cap, of in ((None, access), (1800.0, nearest)) for x in of]

    def kolm_pollak() -> object:
        found = []
        goods: tuple[equity.Kind, float | None, list[NDArray[np.float64]]] = ("good", None, access)
        for kind, cap, of in (goods, ("bad", 1800.0, nearest)):
            for x in of:
                kappa = equity.kolm_pollak_kappa(x, people, beta=1, kind=kind, cap=cap)
                found.append(equity.kolm_pollak(x, people, kappa=kappa, cap=cap))
        return found

    def gaps() -> object:
        return [
            equity.Gap(
                equity.sufficiency(x * slower, seniors, level=LIMIT_S, kind="bad"),
                equity.sufficiency(x, people, level=LIMIT_S, kind="bad"),
            ).difference
            for x in nearest
        ]

    return {
        "2SFCA": each(lambda one: fca.two_step(one, people, supply, limit=LIMIT_S)),
        "E2SFCA, steps": each(lambda one: fca.enhanced(one, people, supply, decay=STEPS)),
        "E2SFCA, bounded Gaussian": each(lambda one: fca.enhanced(one, people, supply, decay=BELL)),
        "3SFCA": each(lambda one: fca.three_step(one, people, supply, decay=STEPS)),
        "balanced, supply kept": each(lambda one: fca.balanced(one, people, supply, decay=BELL, conserve="supply")),
        "balanced, level kept": each(lambda one: fca.balanced(one, people, supply, decay=BELL, conserve="level")),
        "cumulative": each(lambda one: fca.cumulative(one, supply, limit=LIMIT_S)),
        "gravity, exponential": each(lambda one: fca.gravity(one, supply, decay=Exponential(1 / 600))),
        "gravity, Gaussian": each(lambda one: fca.gravity(one, supply, decay=Gaussian(600.0))),
        "mean of the nearest 20": each(lambda one: fca.nearest_mean(one, 20)),
        "counts": each(lambda one: fca.count_within(one, LIMIT_S)),
        "classes of choice": lambda: choice_class(np.stack(counts)),
        "Shannon": lambda: shannon(np.stack(counts)),
        "Lorenz": even(equity.lorenz),
        "Gini": even(equity.gini),
        "Palma": even(equity.palma),
        "Theil": even(equity.theil),
        "90/10": even(equity.ratio_90_10),
        "Kolm-Pollak": kolm_pollak,
        "sufficiency and gaps": gaps,
    }


def nearest_s(one: Catchment) -> NDArray[np.float64]:
    """Seconds to the nearest facility, (n_points,) float64, inf where none is reached."""
    found = np.full(one.n_points, np.inf)
    some = np.diff(one.ptr) > 0
    found[some] = one.cost[one.ptr[:-1][some]]
    return found


if __name__ == "__main__":
    main()
