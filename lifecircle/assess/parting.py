"""Part what hangs together into as few connected parts as fit a bound, and join parts that are too small."""

from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csc_array
from scipy.sparse.csgraph import breadth_first_order
from scipy.sparse.linalg import splu

from lifecircle.assess.neighbours import Links, components

_COARSE_N = 20_000  # above it whole blocks of cells are kept together: a cut need not be fine where parts are large
_FEW = 8
_LEVELS = float(1 << 30)
_TRIES = 64
_DIRECTIONS = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, -1.0]])
_ASIDE = (1, 0, 3, 2)  # the direction at right angles to each


@dataclass(frozen=True, eq=False, repr=False)
class Patch:
    """Cells that hang together.

    Attributes
    ----------
    xy : (n, 2) float64, metre CRS
    people : (n,) int64
    a, b : (n_links,) int64, positions in it
    strength : (n_links,) int64, > 0
    """

    xy: NDArray[np.float64]
    people: NDArray[np.int64]
    a: NDArray[np.int64]
    b: NDArray[np.int64]
    strength: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.people)

    def only(self, mine: NDArray[np.bool_]) -> "Patch":
        """Cut out some of its cells."""
        number = np.cumsum(mine) - 1
        kept = mine[self.a] & mine[self.b]
        return Patch(self.xy[mine], self.people[mine], number[self.a[kept]], number[self.b[kept]], self.strength[kept])

    def parted(self, least: int, most: int) -> NDArray[np.int64]:
        """Part it until every part has at most ``most`` people or is a single cell.

        It is halved again and again, see `halved`. Every part is connected. There are as few as its people need at
        ``most`` each wherever single cells leave room for that, and none has fewer than ``least`` where a cut allows.

        Returns
        -------
        (n,) int64
            Number of each cell's part.
        """
        label = np.zeros(len(self), dtype=np.int64)
        waiting, parts_n = [(self, np.arange(len(self)))], 1
        while waiting:
            patch, cells = waiting.pop()
            if len(patch) == 1 or int(patch.people.sum()) <= most:
                continue
            half = patch.halved(least, most)
            assert half is not None  # noqa: S101 (only `fitting` may fail)
            label[cells[half]] = parts_n
            parts_n += 1
            waiting += [(patch.only(side), cells[side]) for side in (half, ~half)]
        return label

    def halved(self, least: int, most: int, *, fitting: bool = False) -> NDArray[np.bool_] | None:
        """Cut it in two connected sides along weak links, so that each side can be parted further into parts that fit.

        Between two cells far apart the potential of a current through the links is found. What lies above any value of
        it is connected, and so is what lies below (a harmonic function has no peaks of its own). Every value that
        leaves whole parts on both sides is a candidate, for the pairs of cells farthest apart in four directions; the
        one that cuts the least strength for each person on the smaller side is taken.

        Parameters
        ----------
        least, most : int
            Bounds of a part, in the unit of the people.
        fitting : bool
            Whether to give up where two parts within the bounds are not found.

        Returns
        -------
        (n,) bool or None
        """
        rough = self._halved_roughly(least, most)
        if rough is not None:
            return rough
        total = int(self.people.sum())
        cuts = self._cuts()
        parts_n = -(-total // most)
        below, above = cuts.below, total - cuts.below
        ranked = [_whole_parts(below, above, parts_n, least, most)]
        if not fitting or parts_n > 2:  # noqa: PLR2004
            ranked.append(_whole_parts(below, above, parts_n + 1, least, most))
        if not fitting:
            ranked += [_whole_parts(below, above, parts_n, 0, most), np.ones(len(below), dtype=bool)]
        if parts_n > _FEW:  # halves, not slices: fewer rounds, and rounder parts
            ranked.insert(0, ranked[0] & (4 * np.minimum(below, above) >= total))
        smaller = np.minimum(below, above)
        score = cuts.strength / np.maximum(smaller, 1)
        for rank, allowed in enumerate(ranked):
            some = np.flatnonzero(allowed)
            last = not fitting and rank == len(ranked) - 1
            best = np.lexsort((some, score[some], -smaller[some] if last else np.zeros(len(some))))
            for cut in some[best[: None if last else _TRIES]].tolist():
                half = cuts.side(cut)
                if self._connected(half) and self._connected(~half):
                    return half
        if fitting:
            return None
        return self._leaf()

    def _halved_roughly(self, least: int, most: int) -> NDArray[np.bool_] | None:
        """Cut a large patch between blocks of cells; None where it is small, or no such cut fits."""
        if len(self) <= _COARSE_N:
            return None
        block = self._blocks()
        if 2 * int(block.max()) > len(self):
            return None
        half = self._merged(block).halved(least, most, fitting=True)
        return None if half is None else half[block]

    def _cuts(self) -> "_Cuts":
        """Every cut between two values of each potential."""
        strength = np.concatenate([self.strength, self.strength]).astype(np.float64)
        rows, columns = np.concatenate([self.a, self.b]), np.concatenate([self.b, self.a])
        n = len(self)
        degree = np.bincount(rows, weights=strength, minlength=n)
        every = np.arange(n)
        laplacian = csc_array(
            coo_array((np.r_[degree, -strength], (np.r_[every, rows], np.r_[every, columns])), shape=(n, n))
        )[1:, 1:]
        solver = splu(
            csc_array(laplacian), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
        )
        pairs = self._far_apart()
        current = np.zeros((n, len(pairs)))
        for ix, (source, sink) in enumerate(pairs):
            current[source, ix] += 1.0
            current[sink, ix] -= 1.0
        potential = np.zeros((n, len(pairs)))
        potential[1:] = solver.solve(current[1:])
        low, high = potential.min(axis=0), potential.max(axis=0)
        # Whole steps: what differs by rounding alone is one place, on every machine.
        step = np.floor((potential - low) / np.where(high > low, high - low, 1.0) * _LEVELS + 0.5)
        found = [self._at_values(step[:, ix]) for ix in range(len(pairs))]
        return _Cuts(
            step,
            np.concatenate([np.full(len(value), ix) for ix, (value, _, _) in enumerate(found)]),
            *(np.concatenate([one[k] for one in found]) for k in range(3)),
        )

    def _far_apart(self) -> list[tuple[int, int]]:
        """Pairs of cells at opposite ends, in four directions: each the middle one of the outermost twentieth."""
        place = np.floor((self.xy - self.xy.min(axis=0)) * 100 + 0.5)
        k = max(1, len(self) // 20) - 1
        found: dict[tuple[int, int], None] = {}
        for one, other in enumerate(_ASIDE):
            along, aside = place @ _DIRECTIONS[one], place @ _DIRECTIONS[other]
            ends = []
            for outward in (along, -along):
                band = np.flatnonzero(outward <= np.partition(outward, k)[k])
                ends.append(int(band[np.argsort(aside[band], kind="stable")[len(band) // 2]]))
            found[ends[0], ends[1]] = None
        return [pair for pair in found if pair[0] != pair[1]] or [(0, len(self) - 1)]

    def _at_values(self, step: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
        """Value, people up to it and strength cut, of every cut but the one that leaves nothing above."""
        value, rank = np.unique(step, return_inverse=True)
        order = np.argsort(rank, kind="stable")
        last = np.searchsorted(rank[order], np.arange(len(value)), side="right")
        below = np.cumsum(self.people[order])[last - 1]
        change = np.zeros(len(value) + 1, dtype=np.int64)
        first, second = np.minimum(rank[self.a], rank[self.b]), np.maximum(rank[self.a], rank[self.b])
        np.add.at(change, first, self.strength)
        np.add.at(change, second, -self.strength)
        return value[:-1], below[:-1], np.cumsum(change)[: len(value) - 1]

    def _connected(self, mine: NDArray[np.bool_]) -> bool:
        side = self.only(mine)
        return bool(len(side)) and not components(len(side), side.a, side.b).any()

    def _leaf(self) -> NDArray[np.bool_]:
        """Take off one cell without which the rest still hangs together: a cell farthest from the first."""
        graph = coo_array((np.ones(len(self.a)), (self.a, self.b)), shape=(len(self), len(self)))
        half = np.zeros(len(self), dtype=bool)
        half[breadth_first_order(graph.tocsr(), 0, directed=False, return_predecessors=False)[-1]] = True
        return half

    def _blocks(self) -> NDArray[np.int64]:
        """Tell which block each cell is kept together with: those of a square that hang together by firm links."""
        apart = np.hypot(*(self.xy[self.a] - self.xy[self.b]).T)
        side = float(np.median(apart)) * np.ceil(np.sqrt(2 * len(self) / _COARSE_N))
        square = np.floor((self.xy - self.xy.min(axis=0)) / side).astype(np.int64)
        firm = (square[self.a] == square[self.b]).all(axis=1) & (2 * self.strength > np.median(self.strength))
        return components(len(self), self.a[firm], self.b[firm])

    def _merged(self, block: NDArray[np.int64]) -> "Patch":
        """Make each block one cell."""
        n = int(block.max()) + 1
        size = np.bincount(block, minlength=n)
        xy = np.stack([np.bincount(block, weights=self.xy[:, k], minlength=n) / size for k in (0, 1)], axis=1)
        people = np.zeros(n, dtype=np.int64)
        np.add.at(people, block, self.people)
        a, b = np.minimum(block[self.a], block[self.b]), np.maximum(block[self.a], block[self.b])
        between = a != b
        pair, of = np.unique(a[between] * n + b[between], return_inverse=True)
        strength = np.zeros(len(pair), dtype=np.int64)
        np.add.at(strength, of, self.strength[between])
        return Patch(xy, people, pair // n, pair % n, strength)


@dataclass(frozen=True, eq=False, repr=False)
class _Cuts:
    """Candidates: the potentials, and of each cut the potential, the value, the people up to it, what it severs."""

    step: NDArray[np.float64]
    of: NDArray[np.int64]
    value: NDArray[np.float64]
    below: NDArray[np.int64]
    strength: NDArray[np.int64]

    def side(self, cut: int) -> NDArray[np.bool_]:
        return np.asarray(self.step[:, self.of[cut]] <= self.value[cut])


def _whole_parts(
    below: NDArray[np.int64], above: NDArray[np.int64], parts_n: int, least: int, most: int
) -> NDArray[np.bool_]:
    """Which cuts leave people for whole numbers of parts within the bounds on both sides, ``parts_n`` in all."""
    fewest, rest_fewest = -(-below // most), -(-above // most)
    largest = [np.full(len(below), parts_n) if least == 0 else side // least for side in (below, above)]
    low = np.maximum(np.maximum(fewest, parts_n - largest[1]), 1)
    high = np.minimum(np.minimum(largest[0], parts_n - rest_fewest), parts_n - 1)
    return np.asarray(low <= high)


class Parts:
    """Parts of all cells while they are joined: who is in which, and which lie side by side.

    Parameters
    ----------
    label : (n_cells,) int64
        Part of each cell, cells in reading order.
    zone : (n_cells,) int16
    xy, people : as `Patch` has them
    """

    def __init__(
        self, label: NDArray[np.int64], zone: NDArray[np.int16], xy: NDArray[np.float64], people: NDArray[np.int64],
        links: Links,
    ) -> None:  # fmt: skip
        self.label, self.zone, self.xy, self.people, self.links = label.copy(), zone, xy, people, links
        order = np.argsort(label, kind="stable")
        starts = np.flatnonzero(np.diff(label[order], prepend=-1))
        groups = np.split(order, starts[1:])
        self.cells: dict[int, NDArray[np.int64]] = {int(label[group[0]]): group for group in groups}
        self.total: dict[int, int] = {part: int(people[group].sum()) for part, group in self.cells.items()}
        self.zones: dict[int, frozenset[int]] = {
            part: frozenset(np.unique(zone[group]).tolist()) for part, group in self.cells.items()
        }
        self.beside: dict[int, dict[int, tuple[int, int]]] = {part: {} for part in self.cells}
        ends = np.concatenate([links.a, links.b])
        self._by_cell = np.argsort(ends, kind="stable") % max(1, len(links))
        self._offsets = np.searchsorted(np.sort(ends), np.arange(len(label) + 1))
        self._measure(np.arange(len(links)))

    def _measure(self, link: NDArray[np.int64]) -> None:
        """Note what parts share over some links: boundary with nothing between and boundary with something, cm."""
        a, b = self.label[self.links.a[link]], self.label[self.links.b[link]]
        apart = a != b
        link, a, b = link[apart], np.minimum(a, b)[apart], np.maximum(a, b)[apart]
        n = int(self.label.max()) + 1
        pair, of = np.unique(a * n + b, return_inverse=True)
        free, severed = np.zeros(len(pair), dtype=np.int64), np.zeros(len(pair), dtype=np.int64)
        cut, shared = self.links.severed[link], self.links.shared_cm[link]
        np.add.at(free, of[~cut], np.maximum(shared, 1)[~cut])
        np.add.at(severed, of[cut], shared[cut])
        for key, own, other in zip(pair.tolist(), free.tolist(), severed.tolist(), strict=True):
            one, two = divmod(key, n)
            self.beside[one][two] = self.beside[two][one] = (own, other)

    def _links_of(self, part: int) -> NDArray[np.int64]:
        cells = self.cells[part]
        count = self._offsets[cells + 1] - self._offsets[cells]
        first = np.repeat(self._offsets[cells] - np.cumsum(count) + count, count)
        return np.unique(self._by_cell[first + np.arange(int(count.sum()))])

    def _renew(self, parts: list[tuple[int, NDArray[np.int64]]], gone: tuple[int, ...]) -> None:
        """Put parts in the place of others."""
        for part in gone:
            for other in self.beside.pop(part):
                self.beside.get(other, {}).pop(part, None)
            del self.cells[part], self.total[part], self.zones[part]
        for part, cells in parts:
            self.label[cells] = part
            self.cells[part], self.total[part] = cells, int(self.people[cells].sum())
            self.zones[part] = frozenset(np.unique(self.zone[cells]).tolist())
            self.beside[part] = {}
        self._measure(np.unique(np.concatenate([self._links_of(part) for part, _ in parts])))

    def choices(self, part: int) -> list[tuple[bool, int]]:
        """Neighbours of a part, the fittest first, each with whether something lies between.

        Those with nothing between come first, then those of the same zone, then those with most boundary in common.
        """
        own = self.zones[part]
        ranked = sorted(
            (free == 0, not (own & self.zones[other]), -(free or severed), int(self.cells[other][0]), other)
            for other, (free, severed) in self.beside[part].items()
        )
        return [(severed, other) for severed, _, _, _, other in ranked]

    def joined(self, least: int, most: int) -> None:
        """Join every part with fewer than ``least`` people to a neighbour, the smallest part first.

        With nothing between before anything else: it is merged with the fittest neighbour the two of which do not
        exceed ``most``, else the two are parted anew where both then fit. Only then the same is tried across what lies
        between. A part for which nothing is left stays.
        """
        waiting = [(total, int(self.cells[part][0]), part) for part, total in self.total.items() if total < least]
        heapify(waiting)
        stays: set[int] = set()
        while waiting:
            total, first, part = heappop(waiting)
            if part in stays or self.total.get(part) != total or int(self.cells[part][0]) != first:
                continue
            changed = self._placed(part, least, most)
            if not changed:
                stays.add(part)
            for near in sorted({*changed, *(other for one in changed for other in self.beside[one])}):
                if self.total[near] < least:  # what changed beside it may have made room
                    stays.discard(near)
                    heappush(waiting, (self.total[near], int(self.cells[near][0]), near))

    def _placed(self, part: int, least: int, most: int) -> tuple[int, ...]:
        """Try to join a part to a neighbour; the parts that are new."""
        choices = self.choices(part)
        for across in (False, True):
            open_to = [other for severed, other in choices if severed == across]
            for other in open_to:
                if self.total[part] + self.total[other] <= most:
                    self._renew([(other, np.union1d(self.cells[other], self.cells[part]))], (part, other))
                    return (other,)
            for other in open_to:
                if self.total[part] + self.total[other] > 2 * most:
                    continue
                cells = np.union1d(self.cells[other], self.cells[part])
                half = self._patch(cells, across=across).halved(least, most, fitting=True)
                if half is not None:
                    self._renew([(part, cells[half]), (other, cells[~half])], (part, other))
                    return part, other
        return ()

    def _patch(self, cells: NDArray[np.int64], *, across: bool) -> Patch:
        parts = np.unique(self.label[cells])
        link = np.unique(np.concatenate([self._links_of(int(part)) for part in parts]))
        a, b = self.links.a[link], self.links.b[link]
        kept = np.isin(self.label[a], parts) & np.isin(self.label[b], parts)
        # What an earlier joining had to cross stays joined; else nothing that severs counts.
        held = self.label[a] == self.label[b]
        kept &= across | ~self.links.severed[link] | held
        a, b = np.searchsorted(cells, a[kept]), np.searchsorted(cells, b[kept])
        return Patch(self.xy[cells], self.people[cells], a, b, self.links.strength[link][kept])
