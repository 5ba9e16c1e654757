"""Two districts with their subdistricts, drawn as boundary relations of a small extract."""

import drawn
from drawn import Drawing

HOSTILE = "殷行<script>alert(1)</script>\"';\x1b[31m街道\n\u202e"


def corners(x0, y0, x1, y1):
    return ((x0, y0), (x1, y0), (x1, y1), (x0, y1))


AT = {  # corners of an area in metres; neighbours share every corner, as what is straight in metres is not in degrees
    "district": ((0, 0), (1500, 0), (3000, 0), (3000, 1500), (3000, 2900), (3000, 3000), (1500, 3000), (0, 3000)),
    "west": ((0, 0), (1500, 0), (1500, 1500), (1500, 2900), (1500, 3000), (0, 3000)),
    "south": corners(1500, 0, 3000, 1500),
    "north": corners(1500, 1500, 3000, 2900),
    "nobody's": corners(1500, 2900, 3000, 3000),
    "enclave": corners(500, 500, 800, 800),
    "other": ((5000, 0), (6000, 0), (8000, 0), (8000, 3000), (5000, 3000), (5000, 1000)),
    "elsewhere": corners(5000, 0, 6000, 1000),
    "village": corners(5100, 5100, 5200, 5200),
}


class Land(Drawing):
    """A drawing with boundary relations, whose neighbours share ways as in OpenStreetMap."""

    def __init__(self):
        super().__init__()
        self.sides = {}
        self.key = {}

    def ring(self, *corners):
        """Ways around corners, one a side, each drawn once."""
        found = []
        for one, other in zip(corners, (*corners[1:], corners[0]), strict=True):
            side = frozenset((one, other))
            if side not in self.sides:
                self.sides[side] = self.way(one, other)
            found.append(self.sides[side])
        return found

    def box(self, name):
        return self.ring(*AT[name])

    def area_of(self, key, outer, inner=(), **tags):
        members = [("w", way, "outer") for way in outer] + [("w", way, "inner") for way in inner]
        said = {"type": "boundary", "boundary": "administrative"} | drawn.clean(tags)
        self.relations.append((members, said))
        self.key[key] = len(self.relations)


def land(hostile=HOSTILE):
    """Two districts; the first of three subdistricts with a hole, an exclave and a strip that is nobody's."""
    world = Land()
    west, enclave = world.box("west"), world.box("enclave")
    world.area_of("district", world.box("district"), name="测试区", name__en="Test District", admin_level="6")
    world.area_of("west", west, enclave, name="大桥街道", alt_name="西街;Bridge Town", admin_level="8")
    world.area_of(
        "south",
        [*world.box("south"), *enclave],
        name="定海路街道",
        name__en="Dinghai Road",
        name__zh="定海路",
        admin_level="8",
    )
    world.area_of("north", world.box("north"), name=hostile, admin_level="8")
    world.area_of("other", world.box("other"), name="另一区", admin_level="6")
    world.area_of("elsewhere", world.box("elsewhere"), name="大桥街道", admin_level="8")
    world.area_of(
        "broken", [*world.ring((9000, 0), (9500, 0), (9500, 500))[:2], 99_999], name="残街道", admin_level="8"
    )
    world.area_of("open", world.ring((9000, 1000), (9500, 1000), (9500, 1500))[:2], name="开街道", admin_level="8")
    bow = world.ring((9000, 2000), (9500, 2500), (9500, 2000), (9000, 2500))
    for key, level in (("city", "4"), ("core", "8")):
        world.area_of(key, world.box("other"), name="双城", admin_level=level)
    world.area_of("quarter", enclave, boundary="", place="quarter", name="新区")
    world.area_of("crossed", bow, name="叉街道", admin_level="11")
    world.area_of("empty", [], name="空街道", admin_level="11")
    world.area_of("route", world.box("west"), type="route", boundary="", name="环线")
    world.relations = [(members, {k: v for k, v in tags.items() if v}) for members, tags in world.relations]
    world.key["village"] = world.area(
        5100, 5100, 5200, 5200, boundary="administrative", admin_level="10", name="环村", name__en="Ring Village"
    )
    world.key["forest"] = world.area(5300, 5100, 5400, 5200, boundary="protected_area", name="林")
    return world
