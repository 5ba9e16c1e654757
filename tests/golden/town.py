"""A town small enough to check by hand. Metres, north up; every street is 1 m a letter of arithmetic away.

         x=0       200       400       600             1000      1200
    400   A---------B---------C   clinic 10 m N of B     P---------Q    an island: a street of its own
          |                   |                          home 'island' 20 m S of (1100, 400)
    200   D---------E---------F---------G (dead end)
          |    park entered where the path (100, 200)-(100, 100) crosses its outline at (100, 150)
      0   H---------I---------J   school south of I: a node inside its own polygon, 30 m S of (200, 0)

The bridge K-L runs from (300, 300) to (300, 100) over street D-G and shares no node with it: it joins nothing.
"""

from drawn import Drawing, boundary, raster

STANDARD = """\
schema = 1
name = "golden"
title = "Golden"
title_zh = "金镇"
source = "made up for the test"
[services.clinic]
title = "Clinic"
title_zh = "诊所"
profile = "adult"
threshold = { value = 240, source = "made up", status = "unverified" }
tags = [{ match = { amenity = ["clinic"] } }]
[services.park]
title = "Park"
title_zh = "公园"
profile = "metres"
threshold = { value = 300, source = "made up", status = "unverified" }
tags = [{ match = { leisure = ["park"] } }]
[services.school]
title = "School"
title_zh = "学校"
profile = "metres"
threshold = { value = 500, source = "made up", status = "unverified" }
tags = [{ match = { amenity = ["school"] } }]
"""

PEOPLE = {
    # name: (pixel centre x, y), people
    "near_a": ((50, 410), 100.0),
    "near_f": ((450, 210), 50.0),
    "near_g": ((550, 210), 25.5),
    "near_h": ((50, 10), 30.0),
    "island": ((1050, 410), 7.0),
    "far": ((750, 410), 3.25),
    "beyond": ((1950, 1010), 2.0),
}


def drawing():
    """What the map shows."""
    town = Drawing()
    town.way((0, 400), (200, 400), (400, 400), highway="residential", name="北街")
    town.way((0, 200), (100, 200), (200, 200), (400, 200), (600, 200), highway="residential", oneway="yes")
    town.way((0, 0), (200, 0), (400, 0), highway="tertiary")
    town.way((0, 400), (0, 200), (0, 0), highway="residential")
    town.way((400, 400), (400, 200), (400, 0), highway="residential")
    town.way((300, 300), (300, 100), highway="footway", bridge="yes", layer="1")
    town.way((100, 200), (100, 100), highway="path")
    town.way((1000, 400), (1200, 400), highway="residential")
    town.way((0, 600), (400, 600), highway="motorway")
    town.poi(200, 410, amenity="clinic", name="镇卫生院")
    town.area(60, 60, 140, 150, leisure="park", name="人民公园")
    town.area(150, -130, 250, -30, amenity="school", name="第一小学")
    town.poi(200, -60, amenity="school", name="第一小学")
    return town


def draw(folder):
    """Write town.osm.pbf, people.tif, boundary.geojson, golden.toml and study.toml; return the study's path."""
    drawing().write(folder / "town.osm.pbf")
    values = [[0.0] * 21 for _ in range(13)]
    for (x, y), people in PEOPLE.values():
        values[(1060 - y) // 100][x // 100] = people
    raster(folder / "people.tif", values, left=0, top=1060)
    boundary(
        folder / "boundary.geojson",
        ("west", "zone", -300, -300, 500, 1100),
        ("east", "zone", 500, -300, 2100, 1100),
        ("centre", "overlay", -300, 100, 500, 500),
    )
    (folder / "golden.toml").write_text(STANDARD, encoding="utf-8")
    study = folder / "study.toml"
    study.write_text(
        'schema = 1\nname = "town"\nosm = "town.osm.pbf"\npopulation = "people.tif"\nboundary = "boundary.geojson"\n'
        'standard = "golden.toml"\nsnap_limit_m = 250\n'
        'crs = "+proj=aeqd +lat_0=45 +lon_0=9 +datum=WGS84 +units=m +type=crs"\n',
        encoding="utf-8",
    )
    return study
