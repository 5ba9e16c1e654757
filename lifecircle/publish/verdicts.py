"""The verdict of every cell by every rule, with what it rests on: ``verdicts.parquet``."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lifecircle.assess.clauses import composite_met
from lifecircle.assess.coverage import MET, NOT_MET, UNKNOWN
from lifecircle.assess.findings import Findings
from lifecircle.profiles import TICKS

WORDS = ("unknown", "not_met", "advisory", "met")
"""``advisory``: beyond a distance that should not, but may, be exceeded."""

_SCHEMA = pa.schema(
    [
        ("cell_id", pa.string()), ("rule", pa.string()), ("kind", pa.string()), ("verdict", pa.string()),
        ("unit", pa.string()), ("limit", pa.float32()), ("walk", pa.float32()), ("slack", pa.float32()),
        ("nearest", pa.string()), ("second", pa.string()), ("second_walk", pa.float32()), ("within_n", pa.int32()),
        ("mean_20", pa.float64()), ("gravity", pa.float64()), ("level", pa.float64()),
    ]
)  # fmt: skip


def write_verdicts(path: Path, found: Findings) -> None:
    """Write one row per cell and rule: services, then composites, then norms; of the cell's main access point.

    ``walk``, ``limit``, ``slack`` (what is left of the limit, negative where it is exceeded) and ``second_walk`` in the
    rule's ``unit``, null beyond the cutoff; ``nearest`` and ``second`` are facility ids; ``level`` is what a floating
    catchment gives for 1,000 people, of the supply that is known.
    """
    coverage, first = found.coverage, found.coverage.cells.starts.first
    ids = pa.array(coverage.cells.cell_id, pa.string())
    with pq.ParquetWriter(path, _SCHEMA, compression="zstd") as out:
        for ix, key in enumerate(coverage.keys):
            strength = coverage.standard.services[key].threshold.strength
            tier = coverage.standard.services[key].tier
            advice = strength in {"宜", "不宜", "可"} or (strength == "none" and bool(tier))
            walk = coverage.point_ticks[ix, first] / TICKS
            limit = coverage.point_limit[ix, first]
            columns = {
                "unit": pa.repeat(coverage.unit_of(key), len(first)),
                "limit": limit,
                "walk": walk,
                "slack": limit - walk,
                "nearest": _facilities(found, coverage.point_nearest[ix, first]),
                "within_n": pa.array(coverage.point_count[ix, first], mask=coverage.point_met[ix, first] == UNKNOWN),
            }
            if found.indicators is not None:
                second, which = found.indicators.second(key)
                columns |= {
                    "second": _facilities(found, which[first]),
                    "second_walk": second[first],
                    "mean_20": found.indicators.mean_nearest(key)[first],
                    "gravity": np.where(found.indicators.judged, found.indicators.gravity(key), np.nan)[first],
                }
            out.write_table(_rows(ids, key, "service", coverage.point_met[ix, first], columns, advice=advice))
        for key, composite in coverage.standard.composites.items():
            met = composite_met(coverage, composite)[first]
            out.write_table(_rows(ids, key, "composite", met, {}, advice=composite.strength in {"宜", "不宜", "可"}))
        for key, norm in found.capacity.items():
            level = {} if norm.level is None else {"level": norm.level[first]}
            advice = norm.rule.strength in {"宜", "不宜", "可"}
            out.write_table(_rows(ids, key, "norm", norm.point_met[first], level, advice=advice))


def _rows(
    ids: pa.Array, key: str, kind: str, met: NDArray[np.int8], columns: dict[str, Any], *, advice: bool
) -> pa.Table:
    """Rows of one rule; what a rule has no value of is null, and so is what is not finite."""
    word = np.select([met == MET, met == NOT_MET], [3, 2 if advice else 1], 0)
    verdict = pa.DictionaryArray.from_arrays(pa.array(word, pa.int8()), pa.array(WORDS)).cast(pa.string())
    own = {"cell_id": ids, "rule": pa.repeat(key, len(ids)), "kind": pa.repeat(kind, len(ids)), "verdict": verdict}
    arrays = []
    for field in _SCHEMA:
        value = (own | columns).get(field.name)
        if value is None:
            value = pa.nulls(len(ids), field.type)
        elif isinstance(value, np.ndarray):
            value = pa.array(value, field.type, mask=~np.isfinite(value))
        arrays.append(value.cast(field.type))
    return pa.table(arrays, schema=_SCHEMA)


def _facilities(found: Findings, which: NDArray[np.int32]) -> pa.Array:
    ids = pa.array(found.coverage.facilities.facility_id, pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(which, mask=which < 0), ids).cast(pa.string())
