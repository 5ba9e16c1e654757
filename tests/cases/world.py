"""Maps drawn in letters, walked through the whole pipeline.

A column is 10 m, a line 20 m. Letters and figures are places; every other sign is for the reader alone. Streets are
spelt by the places they pass, homes and services stand at one.
"""

from textwrap import dedent

import numpy as np
from drawn import CRS, Drawing, boundary, raster

from lifecircle.study import Study

COLUMN_M, LINE_M, PIXEL_M, MARGIN = 10, 20, 10, 50

STANDARD = """\
schema = 1
name = "cases"
title = "Cases"
title_zh = "案例"
source = "made up for the tests"
[services.school]
title = "School"
title_zh = "学校"
profile = "metres"
threshold = { value = 500, source = "made up", status = "unverified" }
tags = [{ match = { amenity = ["school"] } }]
[services.park]
title = "Park"
title_zh = "公园"
profile = "metres"
threshold = { value = 300, source = "made up", status = "unverified" }
tags = [{ match = { leisure = ["park"] } }]
[services.clinic]
title = "Clinic"
title_zh = "诊所"
profile = "adult"
threshold = { value = 300, source = "made up", status = "unverified" }
tags = [{ match = { amenity = ["clinic"] } }]
"""


class World(Drawing):
    """A drawing with homes, each of them one pixel of the population raster."""

    def __init__(self, drawing):
        super().__init__()
        self.homes, self.place = {}, {}
        for row, line in enumerate(dedent(drawing).strip("\n").split("\n")):
            for column, sign in enumerate(line):
                if sign.isalnum():
                    assert sign not in self.place, f"{sign} is drawn twice"
                    self.place[sign] = (column * COLUMN_M, -row * LINE_M)

    def street(self, spelt, **tags):
        """Draw a way along places; without tags a residential street."""
        return self.way(*(self.place[sign] for sign in spelt), **(tags or {"highway": "residential"}))

    def live(self, signs, people=1.0):
        """Put homes at places."""
        self.homes |= dict.fromkeys(signs, people)

    def stand(self, sign, **tags):
        """Put something at a place that shares no node with any way."""
        return self.poi(*self.place[sign], **tags)

    def mark(self, sign, **tags):
        """Tag the node that ways share at a place."""
        return self.node(*self.place[sign], **tags)

    def hinterland(self, sign):
        """Lead a street 3 km away from a place, so that what hangs on it is no scrap of a network."""
        x, y = self.place[sign]
        self.way((x, y), (x + 1500, y), (x + 1500, y + 1500), highway="residential")

    def study(self, folder, services, **keys):
        xs, ys = zip(*self.place.values(), strict=True)
        columns, rows = max(xs) // PIXEL_M + 1 + MARGIN, -min(ys) // PIXEL_M + 1 + MARGIN
        people = np.zeros((rows, columns))
        for sign, number in self.homes.items():
            x, y = self.place[sign]
            people[-y // PIXEL_M, x // PIXEL_M] = number
        half = PIXEL_M / 2
        raster(folder / "people.tif", people, left=-half, top=half, size=PIXEL_M)
        far = MARGIN * PIXEL_M
        boundary(folder / "boundary.geojson", ("all", "zone", -far, min(ys) - far, max(xs) + far, far))
        (folder / "cases.toml").write_text(keys.pop("rules", STANDARD), encoding="utf-8")
        made = {
            "osm": str(self.write(folder / "map.osm.pbf")),
            "population": str(folder / "people.tif"),
            "boundary": str(folder / "boundary.geojson"),
            "standard": str(folder / "cases.toml"),
            "services": services.split(),
            "crs": CRS,
        }
        return Study.from_keys(made | keys)

    def run(self, folder, services="school", **keys):
        return Walked(self, self.study(folder, services, **keys).run())

    def walks(self, folder, service="school", **keys):
        """Metres or seconds from each home to the service; None where there is no walk."""
        return self.run(folder, service, **keys).walks(service)


class Walked:
    """What came of a run, by home."""

    def __init__(self, world, result):
        self.result, self.coverage = result, result.coverage
        where = {(-y // PIXEL_M, x // PIXEL_M): sign for sign, (x, y) in world.place.items() if sign in world.homes}
        cells = self.coverage.cells
        self.homes = [where[spot] for spot in zip(cells.row.tolist(), cells.column.tolist(), strict=True)]

    def walks(self, service):
        ticks = self.coverage.ticks[self.coverage.keys.index(service)].tolist()
        return {sign: t / 32 if t < np.inf else None for sign, t in zip(self.homes, ticks, strict=True)}

    def met(self, service):
        verdicts = self.coverage.met[self.coverage.keys.index(service)].tolist()
        return dict(zip(self.homes, verdicts, strict=True))

    def count(self, service):
        return self.coverage.facilities.count()[service]

    def entrances(self):
        """Kind and evidence of every entrance, without doubles."""
        facilities = self.coverage.facilities
        return sorted(set(zip(facilities.join_kind.tolist(), facilities.join_evidence.tolist(), strict=True)))
