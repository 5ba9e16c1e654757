"""The figures of a run for machines: ``summary.json``, and the counts of ``manifest.json``."""

from dataclasses import asdict
from typing import Any

import numpy as np

from lifecircle.assess.coverage import UNKNOWN, Coverage
from lifecircle.assess.edge import islands
from lifecircle.assess.findings import Findings
from lifecircle.assess.wording import tidy_numbers
from lifecircle.model.cells import PEOPLE, STATUS
from lifecircle.model.network import ARRIVING
from lifecircle.profiles import TICKS
from lifecircle.publish.about import About
from lifecircle.publish.files import SCHEMA
from lifecircle.publish.indicators import indicator_rows
from lifecircle.publish.promises import promise_rows
from lifecircle.publish.scene import classes
from lifecircle.publish.scorecard import clause_rows, gap_rows


def summary(found: Findings, about: About) -> dict[str, Any]:
    """Every headline figure with numerator and denominator, as ``summary.json`` has it."""
    coverage, gaps, clauses = found.coverage, found.gaps, found.clauses
    facilities = coverage.facilities.count()
    services = {
        key: {
            "title": service.title,
            "title_zh": service.title_zh,
            "cost": service.profile,
            "unit": coverage.unit_of(key),
            "threshold": tidy_numbers(service.threshold.value),
            "by_zone_class": {name: tidy_numbers(one.value) for name, one in service.by_zone_class.items()},
            "measure": "network",
            "facilities": facilities[key],
            "source": service.threshold.source,
            "status": service.threshold.status,
        }
        for key, service in coverage.standard.services.items()
    }
    figures = [
        {
            "zone": figure.zone, "kind": figure.kind, "service": figure.service, "measure": figure.measure,
            "met": tidy_numbers(figure.met), "not_met": tidy_numbers(figure.not_met),
            "unknown": tidy_numbers(figure.unknown), "total": tidy_numbers(figure.total), "share": figure.share,
        }
        for figure in coverage.figures()
    ]  # fmt: skip
    region = coverage.cells.region
    return {
        "schema": SCHEMA,
        "name": about.name,
        "title": about.title,
        "title_zh": about.title_zh,
        "notice": about.notice or None,
        "notice_zh": about.notice_zh or None,
        "attribution": list(about.attribution),
        "data_date": about.data_date or None,
        "year": coverage.year,
        "standard": coverage.standard.name,
        "population_spans_region": about.population_whole,
        "tables": list(about.tables),
        "population_known": coverage.cells.people is not None,
        "rasters": [
            {"input": key, "what": note.what, "pixels": note.pixels, "text": note.english} for key, note in about.notes
        ],
        "cutoff": {
            name: {"value": tidy_numbers(lane.cutoff / TICKS), "unit": lane.unit}
            for name, lane in coverage.lanes.items()
        },
        "zones": {
            zone.key: {"name": zone.name, "name_zh": zone.name_zh, "kind": kind}
            for kind, group in (("zone", region.zones), ("overlay", region.overlays))
            for zone in group
        },
        "services": services,
        "absent": {key: {"title": s.title, "title_zh": s.title_zh} for key, s in coverage.absent.items()},
        "walkers": {
            name: {
                "title": profile.title, "title_zh": profile.title_zh, "unit": profile.unit,
                "speed_mps": None if profile.speed_mps is None else profile.speed_mps.value,
            }
            for name, profile in coverage.profiles.items()
        },
        "data": _data(coverage),
        "outside": _outside(coverage),
        "gates": _policies(coverage),
        "clauses": clause_rows(clauses),
        "unmet": _unmet(coverage),
        "promises": promise_rows(found.promises),
        **indicator_rows(found),
        "figures": figures,
        "classes": classes(coverage),
        "largest_gaps": gap_rows(coverage, gaps),
        "gaps": {
            key: {
                "clusters": len(gaps.of(key)),
                "people": None if coverage.cells.people is None
                else tidy_numbers(sum(gap.people or 0 for gap in gaps.of(key))),
                "over_capacity": None if coverage.cells.people is None
                else tidy_numbers(sum(gap.people or 0 for gap in gaps.of(key, over_capacity=True))),
            }
            for key in coverage.keys
        },
    }  # fmt: skip


def counts(coverage: Coverage, elevation: np.ndarray[Any, np.dtype[np.float64]] | None) -> dict[str, Any]:
    """Tell how many nodes, edges, facilities, cells and people were kept, as ``manifest.json`` has it."""
    cells, facilities, network = coverage.cells, coverage.facilities, coverage.network
    apart = _islands(coverage)
    return {
        "network": {
            "nodes": network.streets.n_places,
            "edges": network.streets.n_edges,
            "nodes_of_graph": network.n_nodes,
            "edges_of_graph": network.n_edges,
            "private_edges": int(network.private[network.own].sum()),
            "passages": int((network.passage & (network.role < ARRIVING)).sum()),
            "components": int(network.component.max()) + 1,
            "nodes_without_height": None if elevation is None
            else int(np.isnan(elevation[network.node_same == np.arange(network.n_nodes)]).sum()),
            "islands": apart["used"],
            "islands_without_people_or_facilities": apart["without_people_or_facilities"],
        },
        "facilities": facilities.count()
        | {
            "merged": int(facilities.merged_n.sum()),
            "unjoined": len(facilities) - len(set(facilities.joins.place.tolist())),
            "outside_boundary": int(facilities.outside.sum()),
        },
        "cells": {name: int((cells.status == ix).sum()) for ix, name in enumerate(STATUS)},
        "people": None if cells.people is None else int(cells.people.sum()) / PEOPLE,
        "people_rounding": cells.rounding_people,
    }  # fmt: skip


def _data(coverage: Coverage) -> dict[str, Any]:
    """Tell what was walked on and judged: sizes, statuses and doubts, as the report has them."""
    cells, network, facilities = coverage.cells, coverage.network, coverage.facilities

    def amount(chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> dict[str, Any]:
        people = None if cells.people is None else tidy_numbers(int(cells.people[chosen].sum()) / PEOPLE)
        return {"cells": int(chosen.sum()), "people": people}

    return {
        "nodes": network.streets.n_places,
        "edges": network.streets.n_edges,
        "street_km": round(float(network.streets.length_m.sum()) / 1000, 3),
        "parts": int(network.component.max()) + 1,
        "cells": amount(np.ones(len(cells), dtype=bool)),
        "status": {
            name: {
                "cells": int((cells.status == ix).sum()),
                "people": None if (people := cells.people_of(name)) is None else tidy_numbers(people / PEOPLE),
            }
            for ix, name in enumerate(STATUS)
        },
        "on_scraps": amount(coverage.on_scraps),
        "hard_barriers": len(cells.region.hard_barriers),
        "facilities_merged": int(facilities.merged_n.sum()),
        "facilities_unjoined": len(facilities) - len(np.unique(facilities.joins.place)),
        "islands": _islands(coverage),
    }


def _islands(coverage: Coverage) -> dict[str, Any]:
    """Tell of the parts of the network cut off from the largest."""
    found = islands(coverage.network, coverage.cells, coverage.facilities)
    bare = [island for island in found if not island.used]
    return {
        "used": [asdict(island) for island in found if island.used],
        "without_people_or_facilities": {
            "components": len(bare), "street_km": round(sum(island.street_km for island in bare), 3)
        },
    }  # fmt: skip


def _outside(coverage: Coverage) -> dict[str, Any] | None:
    """Coverage with all facilities and with only those inside the boundary; None where none lies outside."""
    if coverage.point_met_inside is None:
        return None
    return {
        "facilities": coverage.facilities.only(coverage.facilities.outside).count(),
        "figures": [
            {
                "service": every.service, "measure": every.measure, "met": tidy_numbers(every.met),
                "met_inside": tidy_numbers(inside.met), "total": tidy_numbers(every.total),
                "share": every.share, "share_inside": inside.share,
            }
            for every, inside in coverage.figures_inside()
        ],
    }  # fmt: skip


def _policies(coverage: Coverage) -> dict[str, Any] | None:
    """Coverage under every policy for private ways; None where no way is private."""
    if not coverage.point_met_under:
        return None
    streets = coverage.network.streets
    return {
        "of_run": {name: profile.gates for name, profile in coverage.profiles.items()},
        "private_km": round(float(streets.length_m[streets.private].sum()) / 1000, 3),
        "figures": [
            {"gates": policy, "service": f.service, "measure": f.measure, "met": tidy_numbers(f.met),
             "total": tidy_numbers(f.total), "share": f.share}
            for policy, figures in coverage.figures_under().items()
            for f in figures
        ],
    }  # fmt: skip


def _unmet(coverage: Coverage) -> list[dict[str, Any]]:
    """People, by their access points, and cells by the number of needs unmet; null is not judged."""
    starts, met = coverage.cells.starts, coverage.point_met
    unmet = np.where((met == UNKNOWN).any(axis=0), -1, (met == 0).sum(axis=0))
    rows = []
    for number in [*range(len(coverage.keys) + 1), None]:
        chosen = unmet == (-1 if number is None else number)
        people = None if starts.people is None else tidy_numbers(int(starts.people[chosen].sum()) / PEOPLE)
        rows.append({"unmet": number, "cells": int(chosen[starts.first].sum()), "people": people})
    return rows
