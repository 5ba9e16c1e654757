"""Small maps drawn in metres, written as real OSM files, population rasters and boundaries."""

import json
from functools import cache

import numpy as np
import osmium
import pyproj
import rasterio
from osmium.osm.mutable import Node, Relation, Way

LON, LAT = 9.0, 45.0
GEOD = pyproj.Geod(ellps="WGS84")
CRS = f"+proj=aeqd +lat_0={LAT} +lon_0={LON} +datum=WGS84 +units=m +type=crs"
"""True to scale from the middle of the map, so that a hundred drawn metres are a hundred metres."""


def lonlat(x, y):
    """Degrees of a place x metres east and y metres north of the middle."""
    return _to_lonlat().transform(x, y)


@cache
def _to_lonlat():
    return pyproj.Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)


class Drawing:
    """Collects nodes, ways and relations; equal coordinates are one node."""

    def __init__(self):
        self.nodes, self.at = {}, {}
        self.ways, self.relations = [], []

    def node(self, x, y, **tags):
        key = (x, y)
        if key not in self.at:
            self.at[key] = len(self.nodes) + 1
            self.nodes[self.at[key]] = (x, y, {})
        self.nodes[self.at[key]][2].update(clean(tags))
        return self.at[key]

    def poi(self, x, y, **tags):
        """Add a node of its own, shared with nothing."""
        number = len(self.nodes) + 1
        self.nodes[number] = (x, y, clean(tags))
        return number

    def way(self, *points, **tags):
        self.ways.append(([self.node(x, y) for x, y in points], clean(tags)))
        return len(self.ways)

    def area(self, x0, y0, x1, y1, **tags):
        return self.way((x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0), **tags)

    def multipolygon(self, outer, inner, **tags):
        """Add a multipolygon of ways drawn before."""
        members = [("w", way, "outer") for way in outer] + [("w", way, "inner") for way in inner]
        self.relations.append((members, clean(tags) | {"type": "multipolygon"}))
        return len(self.relations)

    def write(self, path):
        path.unlink(missing_ok=True)
        header = osmium.io.Header()
        header.set("generator", "drawn")
        with osmium.SimpleWriter(str(path), header=header) as writer:
            for number, (x, y, tags) in self.nodes.items():
                writer.add_node(
                    Node(id=number, location=lonlat(x, y), tags=tags, version=1, timestamp="2024-06-01T00:00:00Z")
                )
            for number, (refs, tags) in enumerate(self.ways, start=1):
                writer.add_way(Way(id=number, nodes=refs, tags=tags, version=1, timestamp="2024-06-01T00:00:00Z"))
            for number, (members, tags) in enumerate(self.relations, start=1):
                writer.add_relation(Relation(id=number, members=members, tags=tags, version=1))
        return path


def clean(tags):
    return {key.rstrip("_").replace("__", ":"): value for key, value in tags.items()}


def raster(path, values, *, left, top, size=100.0, crs=CRS, nodata=-200.0):
    """Write a raster whose upper left corner is ``left`` metres east and ``top`` metres north of the middle."""
    values = np.asarray(values, dtype=np.float32)
    with rasterio.open(
        path, "w", driver="GTiff", width=values.shape[1], height=values.shape[0], count=1, dtype="float32",
        crs=crs, transform=rasterio.Affine(size, 0, left, 0, -size, top), nodata=nodata,
    ) as out:  # fmt: skip
        out.write(values, 1)
    return path


def boundary(path, *boxes):
    """Write a GeoJSON of boxes: each ``(name, role, x0, y0, x1, y1)`` in metres, and further properties if any."""
    features = []
    for name, role, x0, y0, x1, y1, *more in boxes:
        ring = [lonlat(x, y) for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0))]
        features.append(
            {
                "type": "Feature",
                "properties": {"id": name, "name": name.title(), "role": role} | (more[0] if more else {}),
                "geometry": {"type": "Polygon", "coordinates": [ring]},
            }
        )
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path
