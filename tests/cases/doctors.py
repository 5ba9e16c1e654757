"""A street with three homes and three clinics, and a norm for their doctors."""

from drawn import boundary
from world import World

RULES = """\
schema = 1
name = "norms"
title = "Norms"
title_zh = "指标"
source = "made up for the tests"
[services.clinic]
title = "Clinic"
title_zh = "诊所"
profile = "metres"
threshold = { value = 200, source = "text", status = "verified" }
tags = [{ match = { amenity = ["clinic"] } }]
[norms.doctors]
title = "Doctors"
title_zh = "医生"
least = 2
unit = "doctors"
service = "clinic"
supply = { tags = ["staff_count:doctors"] }
renewal_share = 0.5
source = "plan"
clause = "§5"
status = "verified"
strength = "应"
"""
STREET = """
    h              i                        j
    A--------------B------------------------C
    s         t                        u
"""


def street(*doctors):
    """1,000 people each at 0, 150 and 400 m; clinics at 0, 100 and 350 m with some doctors."""
    world = World(STREET)
    world.street("ABC")
    world.live("hij", 1000.0)
    for sign, number in zip("stu", doctors, strict=True):
        tags = {} if number is None else {"staff_count:doctors": str(number)}
        world.node(world.place[sign][0], world.place[sign][1])
        world.nodes[world.poi(*world.place[sign], amenity="clinic")][2].update(tags)
    return world


def zones(tmp_path, **east):
    return str(
        boundary(
            tmp_path / "zones.geojson", ("west", "zone", -500, -700, 250, 700),
            ("east", "zone", 250, -700, 900, 700, east), ("all", "overlay", -400, -600, 800, 600),
        )
    )  # fmt: skip


def run(tmp_path, *doctors, rules=RULES, **keys):
    keys = keys if "boundary" in keys else {"boundary": zones(tmp_path)} | keys
    return street(*doctors).run(tmp_path, "clinic", rules=rules, **keys).result


def figures(result, key="doctors"):
    return {f.zone: f for f in result.indicators.capacity[key].figures}
