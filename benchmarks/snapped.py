"""The Newport job as it is done without lifecircle: pyrosm or OSMnx for the streets, Pandana for the walks.

    python benchmarks/snapped.py pyrosm|osmnx OUT.npz

One process is one run: it reads the same extract, the same raster and the same tag rules, and leaves the seconds to the
nearest place of every service, the counts within the threshold, and how long each stage took. Homes and places are put
on the nearest node, as Pandana does; lines and points are projected first, so that near means near.
"""

import argparse
import json
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from run import REAL

EXTRACT = REAL / "newport/newport-2023-06-13.osm.pbf"
RASTER = REAL / "newport/ghs-pop-2015-100m.tif"
BOX = (-3.075, 51.529, -2.929, 51.594)
CUTOFF_S = 1800.0
PEERS = {"pyrosm": "pyrosm + Pandana", "osmnx": "OSMnx + Pandana"}

_NO_WALK = (
    *("abandoned", "bus_guideway", "construction", "cycleway", "motor", "no", "planned", "platform", "proposed"),
    *("raceway", "razed", "rest_area", "services"),
)
"""What OSMnx 2 leaves out of a network for walkers (its Overpass filter); it applies none to a file."""


@dataclass
class Clock:
    """Wall seconds of the stages."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage."""
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start


@dataclass
class Streets:
    """A network as Pandana wants it: places of nodes, degrees, and edges by the positions of their ends."""

    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    u: NDArray[np.int64]
    v: NDArray[np.int64]
    length_m: NDArray[np.float64]


def main() -> None:
    """Do the job once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    clock = Clock()
    with clock.stage("import"):
        import pandana  # noqa: F401

        __import__(options.peer)
        from lifecircle.profiles import Profile
        from lifecircle.standards import Standard
    standard, speed = Standard.load("xminute-generic"), Profile.load("adult").level_speed
    with tempfile.TemporaryDirectory() as folder:
        streets, places = {"pyrosm": _pyrosm, "osmnx": _osmnx}[options.peer](clock, standard, Path(folder))
    with clock.stage("cells"):
        row, column, lon, lat = cells()
    found = _asked(clock, streets, places, (lon, lat), standard, speed)
    np.savez(options.out, row=row, column=column, **found)
    told = {"stages_s": clock.seconds, "nodes": len(streets.lon), "street_km": _street_km(streets)}
    print(json.dumps(told | {"places": {key: len(at) for key, at in places.items()}}))


def _street_km(streets: Streets) -> float:
    """Length of the streets, each once."""
    low, high = np.minimum(streets.u, streets.v), np.maximum(streets.u, streets.v)
    _, first = np.unique(np.stack([low, high, streets.length_m.round(3)]), axis=1, return_index=True)
    return float(streets.length_m[first].sum() / 1000)


def _wanted(standard: Any) -> dict[str, Any]:
    """Tag filter in the form both libraries take: key -> values, or True for any."""
    from lifecircle.standards import ANY

    wanted: dict[str, Any] = {}
    for service in standard.services.values():
        for rule in service.tags:
            for key, values in rule.match.items():
                if ANY in values or wanted.get(key) is True:
                    wanted[key] = True
                else:
                    wanted[key] = sorted({*wanted.get(key, []), *values})
    return wanted


def _by_service(frame: Any, standard: Any) -> dict[str, NDArray[np.float64]]:
    """Centroids, lon/lat, of the rows that give each service."""
    rules = [rule for service in standard.services.values() for rule in service.tags]
    wanted = {key for rule in rules for key in (*rule.match, *rule.unless)}
    keys = [key for key in (*sorted(wanted), "name") if key in frame.columns]
    at = np.stack([frame.geometry.centroid.x, frame.geometry.centroid.y], axis=1)
    places: dict[str, list[int]] = {key: [] for key in standard.services}
    for ix, values in enumerate(frame[keys].itertuples(index=False, name=None)):
        tags = {key: value for key, value in zip(keys, values, strict=True) if isinstance(value, str)}
        for service in standard.serves(tags):
            places[service].append(ix)
    return {key: at[rows] for key, rows in places.items()}


def _pyrosm(clock: Clock, standard: Any, _: Path) -> tuple[Streets, dict[str, NDArray[np.float64]]]:
    """Read with pyrosm: every node of a way is a node, so snapping is fine; the largest part is kept, as it does."""
    from pyrosm import OSM
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    with clock.stage("streets"):
        osm = OSM(str(EXTRACT))
        nodes, edges = osm.get_network("walking", nodes=True)
        ids = nodes["id"].to_numpy()
        order = np.argsort(ids)
        ends = [order[np.searchsorted(ids[order], edges[end].to_numpy())] for end in ("u", "v")]
        joined = coo_array((np.ones(len(edges)), tuple(ends)), shape=(len(ids), len(ids)))
        _, part = connected_components(joined, directed=False)
        main_part = part == np.bincount(part).argmax()
        number = np.cumsum(main_part) - 1
        kept = main_part[ends[0]]
        streets = Streets(
            nodes["lon"].to_numpy()[main_part], nodes["lat"].to_numpy()[main_part], number[ends[0][kept]],
            number[ends[1][kept]], edges["length"].to_numpy(dtype=np.float64)[kept],
        )  # fmt: skip
    with clock.stage("places"):
        wanted = _wanted(standard)
        frame = osm.get_data_by_custom_criteria(custom_filter=wanted, tags_as_columns=[*wanted, "access", "name"])
        places = _by_service(frame, standard)
    return streets, places


def _osmnx(clock: Clock, standard: Any, folder: Path) -> tuple[Streets, dict[str, NDArray[np.float64]]]:
    """Read with OSMnx, which takes XML only: pyosmium writes the walkable ways and the places to it first."""
    import osmnx

    with clock.stage("to XML"):
        _write(folder / "streets.osm", ["highway"], _walked)
        _write(folder / "places.osm", list(_wanted(standard)), lambda tags: bool(standard.serves(tags)))
    with clock.stage("streets"):
        graph = osmnx.graph_from_xml(folder / "streets.osm", bidirectional=True)
        nodes, edges = osmnx.graph_to_gdfs(graph)
        number = nodes.index.get_indexer
        u, v = (number(edges.index.get_level_values(end)) for end in ("u", "v"))
        streets = Streets(nodes["x"].to_numpy(), nodes["y"].to_numpy(), u, v, edges["length"].to_numpy())
    with clock.stage("places"):
        frame = osmnx.features_from_xml(folder / "places.osm", tags=_wanted(standard))
        places = _by_service(frame, standard)
    return streets, places


def _walked(tags: dict[str, str]) -> bool:
    """Decide as OSMnx's filter for walkers does."""
    return (
        not any(word in tags["highway"] for word in _NO_WALK)
        and "yes" not in tags.get("area", "")
        and "private" not in tags.get("access", "")
        and "no" not in tags.get("foot", "")
        and "private" not in tags.get("service", "")
        and not any("separate" in tags.get(f"sidewalk{side}", "") for side in ("", ":both", ":left", ":right"))
    )


def _write(target: Path, keys: list[str], fits: Any) -> None:
    """Write what fits, and all it refers to, as XML."""
    import osmium

    only_ways = keys == ["highway"]
    with osmium.BackReferenceWriter(str(target), ref_src=str(EXTRACT), overwrite=True, relation_depth=1) as writer:
        for thing in osmium.FileProcessor(str(EXTRACT)).with_filter(osmium.filter.KeyFilter(*keys)):
            if (not only_ways or thing.is_way()) and fits({tag.k: tag.v for tag in thing.tags}):
                writer.add(thing)


def cells() -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Pixels with people whose centre lies in the box: row, column, lon, lat."""
    import rasterio
    from pyproj import Transformer

    with rasterio.open(RASTER) as raster:
        people = raster.read(1)
        row, column = np.nonzero(people > 0)
        x, y = raster.xy(row, column)
        to_lonlat = Transformer.from_crs(raster.crs, "EPSG:4326", always_xy=True)
    lon, lat = to_lonlat.transform(np.asarray(x), np.asarray(y))
    inside = (lon >= BOX[0]) & (lon <= BOX[2]) & (lat >= BOX[1]) & (lat <= BOX[3])
    return row[inside], column[inside], lon[inside], lat[inside]


def _asked(
    clock: Clock,
    streets: Streets,
    places: dict[str, NDArray[np.float64]],
    homes: tuple[NDArray[np.float64], NDArray[np.float64]],
    standard: Any,
    speed: float,
) -> dict[str, NDArray[Any]]:
    """Ask Pandana for N and C of every service at the nodes of the cells."""
    import pandas as pd
    from peers import hushed, pandana_network
    from pyproj import Transformer

    to_metres = Transformer.from_crs("EPSG:4326", "EPSG:32630", always_xy=True)
    x, y = to_metres.transform(streets.lon, streets.lat)
    with clock.stage("hierarchy"):
        ends = (streets.u, streets.v)
        net = pandana_network(np.stack([x, y], axis=1), ends, streets.length_m, twoway=True)
        # One threshold for all services, so range queries are stored once and serve every count.
        limit = next(iter(standard.services.values())).threshold.value * speed
        with hushed():
            net.precompute(limit)
    with clock.stage("walks"), hushed():
        cell_x, cell_y = (pd.Series(axis) for axis in to_metres.transform(*homes))
        node = net.get_node_ids(cell_x, cell_y).to_numpy()
        seconds, counts = [], []
        for key, at in places.items():
            place = [pd.Series(axis) for axis in to_metres.transform(at[:, 0], at[:, 1])]
            net.set_pois(key, CUTOFF_S * speed, 1, *place)
            metres = net.nearest_pois(CUTOFF_S * speed, key, 1)[1].to_numpy()[node]
            seconds.append(np.where(metres >= CUTOFF_S * speed, np.inf, metres / speed))
            net.set(net.get_node_ids(*place), name=key)
            counts.append(net.aggregate(limit, type="count", name=key).to_numpy()[node])
    leg = np.hypot(cell_x.to_numpy() - x[node], cell_y.to_numpy() - y[node])
    told = {"services": np.array(list(places)), "seconds": np.array(seconds)}
    return told | {"counts": np.array(counts), "leg_s": leg / speed}


if __name__ == "__main__":
    main()
