"""A stranger with the exported files, a Dijkstra and integers gets every figure back, exactly."""

import json
import random

import networkx as nx
import pyarrow.parquet as pq
import pytest
from oracles import TICKS, Stranger

CELLS = 200


class NetworkxStranger(Stranger):
    """The same, with networkx's search instead of our own."""

    def __init__(self, *tables):
        super().__init__(*tables)
        self.graph = nx.DiGraph()
        for tail, arcs in self.arcs.items():
            for head, ticks in arcs:
                if not self.graph.has_edge(tail, head) or self.graph[tail][head]["ticks"] > ticks:
                    self.graph.add_edge(tail, head, ticks=ticks)

    def reached(self, seeds, cutoff):
        if not seeds:
            return {}
        self.graph.add_weighted_edges_from((("home", node, ticks) for node, ticks in seeds.items()), weight="ticks")
        try:
            found = nx.single_source_dijkstra_path_length(self.graph, "home", cutoff=cutoff, weight="ticks")
        finally:
            self.graph.remove_node("home")
        del found["home"]
        return found


def rows(path, without=("geometry",)):
    names = [name for name in pq.read_schema(path).names if name not in without]
    return pq.read_table(path, columns=names).to_pylist()


def check_region(folder, n_cells):
    tables = [rows(folder / f"{name}.parquet") for name in ("network", "access", "entrances", "facilities")]
    cells = rows(folder / "cells.parquet")
    services = json.loads((folder / "summary.json").read_text())["services"]
    cutoffs = json.loads((folder / "summary.json").read_text())["cutoff"]
    points = {}
    for row in tables[1]:
        points.setdefault(row["cell_id"], {})[row["point_n"]] = row
    chosen = random.Random(7).sample(range(len(cells)), min(n_cells, len(cells)))
    compared = reached = 0
    for cost in {service["cost"] for service in services.values()}:
        twin = NetworkxStranger(*tables, cost)
        mine = {key: s for key, s in services.items() if s["cost"] == cost}
        thresholds = {key: s["threshold"] * TICKS for key, s in mine.items()}
        for cell in (cells[ix] for ix in chosen):
            truth = twin.nearest(cell["cell_id"], cutoffs[cost]["value"] * TICKS, thresholds)
            for key, service in mine.items():
                ticks, count = truth[key]
                value = cell[f"{key}_{service['unit']}"]
                assert value == (None if ticks is None else ticks / TICKS), (cell["cell_id"], key)
                if cell["status"] in {"ok", "edge"}:
                    assert cell[f"{key}_n"] == count
                    assert cell[f"{key}_met"] == (ticks is not None and ticks <= thresholds[key])
                else:
                    assert cell[f"{key}_n"] is None
                    assert cell[f"{key}_met"] is None
                compared += 1
                reached += ticks is not None
            for point_n, row in points.get(cell["cell_id"], {}).items():
                truth = twin.nearest(cell["cell_id"], cutoffs[cost]["value"] * TICKS, thresholds, point_n)
                for key, service in mine.items():
                    ticks, _ = truth[key]
                    assert row[f"{key}_{service['unit']}"] == (None if ticks is None else ticks / TICKS)
    assert compared == len(chosen) * len(services)
    assert reached > compared / 4


@pytest.mark.parametrize("region", [pytest.param("newport", marks=pytest.mark.prove), "monaco", "lingang"])
def test_an_independent_search_over_the_exported_files_gives_equal_seconds(runs, region):
    check_region(runs(region)[1], CELLS)


@pytest.mark.prove
def test_liechtenstein_too(runs):
    check_region(runs("liechtenstein")[1], CELLS)
