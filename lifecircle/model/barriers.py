"""What nobody crosses to reach a path: water, railways and motorways on the ground."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from lifecircle.model.ways import is_aloft
from lifecircle.region import Region

_WATERWAYS = frozenset({"river", "canal", "stream", "drain", "ditch"})


@dataclass(frozen=True, eq=False, repr=False)
class Barriers:
    """Barriers of a region.

    Attributes
    ----------
    shape : (n,) shapely geometries, metre CRS
    kind : (n,) object
        ``water``, ``railway`` or ``motorway``.
    name : (n,) object
        Name, or an empty text.
    """

    shape: NDArray[np.object_]
    kind: NDArray[np.object_]
    name: NDArray[np.object_]

    @classmethod
    def of(
        cls, ways: pd.DataFrame, way_nodes: pd.DataFrame, lines: pd.DataFrame, features: pd.DataFrame, region: Region
    ) -> "Barriers":
        """Gather the barriers of a source's frames.

        Parameters
        ----------
        ways, way_nodes : streets, as `Network.from_osm` takes them
        lines : ``tags``, ``geometry`` (lon/lat) of waterways and railways
        features : ``tags``, ``geometry`` (lon/lat) of areas
        region : Region
        """
        found = [
            ("water", tags, shape)
            for tags, shape in zip(features["tags"], features["geometry"], strict=True)
            if _is_water(tags, shape)
        ]
        for tags, shape in zip(lines["tags"], lines["geometry"], strict=True):
            if tags.get("tunnel", "no") == "no" and tags.get("bridge", "no") == "no":
                if tags.get("waterway") in _WATERWAYS:
                    found.append(("water", tags, shape))
                elif tags.get("railway") == "rail":
                    found.append(("railway", tags, shape))
        all_tags = ways["tags"].to_numpy()
        fast = {"motorway", "motorway_link"}
        road = np.array([t["highway"] in fast and not is_aloft(t) for t in all_tags], dtype=bool)
        nodes = way_nodes[road[way_nodes["way_ix"]] & way_nodes["inside"]]
        found += [
            ("motorway", all_tags[way], shapely.LineString(part))
            for way, stretch in nodes.groupby("way_ix")
            if len(part := stretch[["lon", "lat"]].to_numpy()) > 1
        ]
        names = [tags.get("name") or tags.get("name:zh") or tags.get("ref") or "" for _, tags, _ in found]
        return cls(
            np.asarray(region.project(np.array([shape for *_, shape in found], dtype=object)), dtype=object),
            np.array([kind for kind, *_ in found], dtype=object),
            np.array(names, dtype=object),
        )

    def between(self, one: NDArray[np.object_], other: NDArray[np.object_]) -> NDArray[np.object_]:
        """Name what a straight line from each of some places to its other one meets first, (n,) str; empty for nothing.

        Parameters
        ----------
        one, other : (n,) shapely geometries, metre CRS
        """
        said = np.full(len(one), "", dtype=object)
        if not len(one) or not len(self.shape):
            return said
        lines = shapely.shortest_line(one, other)
        line, barrier = shapely.STRtree(self.shape).query(lines, predicate="intersects")
        far = np.zeros(len(line))
        several = np.flatnonzero(np.bincount(line, minlength=len(one))[line] > 1)
        met = shapely.intersection(lines[line[several]], self.shape[barrier[several]])
        far[several] = shapely.distance(one[line[several]], met)
        order = np.lexsort((barrier, far, line))
        line, barrier = line[order], barrier[order]
        first = np.flatnonzero(np.diff(line, prepend=-1))
        names = zip(self.kind[barrier[first]], self.name[barrier[first]], strict=True)
        said[line[first]] = [f"{kind} {name}" if name else kind for kind, name in names]
        return said


def water(features: pd.DataFrame) -> list[Any]:
    """Pick the water areas, lon/lat polygons."""
    pairs = zip(features["tags"], features["geometry"], strict=True)
    return [shape for tags, shape in pairs if _is_water(tags, shape)]


def _is_water(tags: dict[str, str], shape: Any) -> bool:
    wet = tags.get("natural") == "water" or tags.get("waterway") == "riverbank"
    return wet and bool(shape.geom_type.endswith("Polygon"))
