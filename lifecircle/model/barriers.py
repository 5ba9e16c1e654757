"""What nobody crosses to reach a path: water, railways and motorways on the ground."""

from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from lifecircle.model.ways import is_aloft
from lifecircle.region import Region

_WATERWAYS = frozenset({"river", "canal", "stream", "drain", "ditch"})


def barriers(
    ways: pd.DataFrame, way_nodes: pd.DataFrame, lines: pd.DataFrame, features: pd.DataFrame, region: Region
) -> NDArray[np.object_]:
    """Gather the barriers of a source's frames, (n,) shapely geometries in the metre CRS.

    Parameters
    ----------
    ways, way_nodes : streets, as `Network.from_osm` takes them
    lines : ``tags``, ``geometry`` (lon/lat) of waterways and railways
    features : ``tags``, ``geometry`` (lon/lat) of areas
    region : Region
    """
    flat = [
        shape
        for tags, shape in zip(lines["tags"], lines["geometry"], strict=True)
        if tags.get("tunnel", "no") == "no"
        and tags.get("bridge", "no") == "no"
        and (tags.get("waterway") in _WATERWAYS or tags.get("railway") == "rail")
    ]
    road = np.array([t["highway"] in {"motorway", "motorway_link"} and not is_aloft(t) for t in ways["tags"]])
    nodes = way_nodes[road.astype(bool)[way_nodes["way_ix"]] & way_nodes["inside"]]
    roads = [
        shapely.LineString(part)
        for _, way in nodes.groupby("way_ix")
        if len(part := way[["lon", "lat"]].to_numpy()) > 1
    ]
    return np.asarray(region.project(np.array([*water(features), *flat, *roads], dtype=object)), dtype=object)


def water(features: pd.DataFrame) -> list[Any]:
    """Pick the water areas, lon/lat polygons."""
    return [
        shape
        for tags, shape in zip(features["tags"], features["geometry"], strict=True)
        if (tags.get("natural") == "water" or tags.get("waterway") == "riverbank")
        and shape.geom_type.endswith("Polygon")
    ]
