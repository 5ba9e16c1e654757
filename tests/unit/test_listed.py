"""Facilities listed in tables: every kind of file says the same, rows add up, and what cannot be right is refused."""

import json
import time
import zipfile

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import town
from commandline import command
from drawn import CRS, Drawing, boundary, lonlat, raster
from openpyxl import load_workbook

from lifecircle.errors import CrsError, DataError, LifecircleError, StandardError
from lifecircle.sources import tables
from lifecircle.sources.tables import read_facilities
from lifecircle.study import Study

PLACES = [("第一幼儿园", 40, 12), ("滴水湖小学", 260, -14), ("海港卫生站", 420, 11), ("书院", 560, -9)]


def frame(**columns):
    lon, lat = zip(*(lonlat(x, y) for _, x, y in PLACES), strict=True)
    base = {"名称": [name for name, *_ in PLACES], "经度": np.round(lon, 7), "纬度": np.round(lat, 7)}
    return pd.DataFrame(base | {"床位": ["12张", "", "1,200", "约 30"], "类别": ["School"] * 4} | columns)


def csv(path, made, encoding="utf-8", sep=","):
    path.write_bytes(made.to_csv(index=False, sep=sep).encode(encoding))
    return path


def plain(table):
    rows = table.rows
    return [
        (row.row, row.name_, row.service, tables.number_in(row.capacity), *np.round(row.geometry.coords[0], 6))
        for row in rows.rename(columns={"name": "name_"}).itertuples()
    ]


def expected():
    return [
        (n, name, "School", capacity, *np.round(lonlat(x, y), 6))
        for n, ((name, x, y), capacity) in enumerate(zip(PLACES, (12, np.nan, 1200, 30), strict=True), start=1)
    ]


def same(one, other):
    return len(one) == len(other) and all(
        a == b or (isinstance(a, float) and np.isnan(a) and np.isnan(b))
        for left, right in zip(one, other, strict=True)
        for a, b in zip(left, right, strict=True)
    )


# ------------------------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030", "gbk"])
@pytest.mark.parametrize("sep", [",", ";", "\t", "|"])
def test_a_text_in_any_encoding_says_the_same(encoding, sep, tmp_path):
    assert same(plain(read_facilities(csv(tmp_path / "t.csv", frame(), encoding, sep))), expected())


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("big5", "臺北市立圖書館"),
        ("shift_jis", "さくら保育園"),
        ("euc_kr", "서울 어린이집"),
        ("cp1252", "École élémentaire Molière"),
        ("cp1251", "Школа номер один"),
    ],
)
def test_names_of_elsewhere_are_read_as_written(encoding, name, tmp_path):
    (tmp_path / "t.csv").write_bytes(f"name,lon,lat\n{name},9.0,45.0\n".encode(encoding))
    table = read_facilities(tmp_path / "t.csv")
    assert table.rows["name"].tolist() == [name]
    assert table.encoding.replace("cp949", "euc_kr") == encoding


def test_workbooks_geojson_and_geopackage_say_the_same(tmp_path):
    made = frame()
    made.to_excel(tmp_path / "t.xlsx", index=False)
    with pd.ExcelWriter(tmp_path / "titled.xlsx") as book:
        made.to_excel(book, index=False, startrow=2, sheet_name="名单")
        book.sheets["名单"]["A1"] = "2024年设施名单"
        pd.DataFrame().to_excel(book, sheet_name="空")
    shapes = gpd.GeoDataFrame(
        made.drop(columns=["经度", "纬度"]), geometry=gpd.points_from_xy(made["经度"], made["纬度"]), crs=4326
    )
    shapes.to_file(tmp_path / "t.geojson")
    shapes.to_file(tmp_path / "t.gpkg", layer="facilities")
    for name in ("t.xlsx", "titled.xlsx", "t.geojson", "t.gpkg"):
        assert same(plain(read_facilities(tmp_path / name)), expected()), name


def test_a_geopackage_says_its_own_system(tmp_path):
    made = frame()
    shapes = gpd.GeoDataFrame(made, geometry=gpd.points_from_xy(made["经度"], made["纬度"]), crs=4326).to_crs(32632)
    shapes.to_file(tmp_path / "t.gpkg")
    assert read_facilities(tmp_path / "t.gpkg").crs.to_epsg() == 32632


def test_one_column_of_both_and_degrees_minutes_seconds(tmp_path):
    (tmp_path / "a.csv").write_text('name,location\nA,"9.0125,45.5"\nB,9.0125 45.5\nC,none\n', encoding="utf-8")
    table = read_facilities(tmp_path / "a.csv")
    assert [point.coords[0] for point in table.rows["geometry"]] == [(9.0125, 45.5)] * 2
    assert table.left_out == {"no coordinates": [(4, "")]}
    (tmp_path / "b.csv").write_text("name,经度,纬度\nA,9°0′45″,45度30分\nB,9°0'45\",45°30'\n", encoding="utf-8")
    assert [point.coords[0] for point in read_facilities(tmp_path / "b.csv").rows["geometry"]] == [(9.0125, 45.5)] * 2


def test_columns_are_guessed_whatever_stands_in_brackets_and_can_be_named(tmp_path):
    made = frame().rename(columns={"经度": "经度（WGS84）", "纬度": "纬度(WGS84)", "名称": "机构名称"})
    table = read_facilities(csv(tmp_path / "t.csv", made))
    assert table.columns == {
        "name": "机构名称",
        "lon": "经度（WGS84）",
        "lat": "纬度(WGS84)",
        "capacity": "床位",
        "service": "类别",
    }
    both = frame(lng=[0.0] * 4, 学名=["a", "b", "c", "d"])
    with pytest.raises(DataError, match=r"two columns that could be lon, '经度' and 'lng'"):
        read_facilities(csv(tmp_path / "both.csv", both))
    named = read_facilities(tmp_path / "both.csv", columns={"lon": "经度", "name": "学名"})
    assert named.rows["name"].tolist() == ["a", "b", "c", "d"]


def test_rows_keep_their_number_and_none_is_lost(tmp_path):
    made = frame(经度=["", 9.0, "east", 9.001])
    table = read_facilities(csv(tmp_path / "t.csv", made))
    assert table.rows["row"].tolist() == [2, 4]
    assert table.n_rows == len(table.rows) + sum(map(len, table.left_out.values()))


@pytest.mark.parametrize("blank", ["", "\n"])
def test_rows_are_named_as_the_sheet_shows_them(blank, tmp_path):
    """Title, heading and empty rows count, for they are what a spreadsheet numbers."""
    text = f"2024年设施名单\n{blank}名称,经度,纬度\nA,9.0,45.5\n\nB,121.5.30,45.5\nC,,\n"
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    with pd.ExcelWriter(tmp_path / "t.xlsx") as book:
        sheet = book.book.create_sheet("名单")
        for number, line in enumerate(text.split("\n"), start=1):
            for column, cell in enumerate(line.split(",") if line else [], start=1):
                sheet.cell(number, column, cell)
    for name in ("t.csv", "t.xlsx"):
        table = read_facilities(tmp_path / name)
        first = 3 + len(blank)
        assert table.rows[["row", "in_file"]].to_numpy().tolist() == [[1, first]], name
        assert table.left_out == {
            "coordinates not understood": [(first + 2, "121.5.30, 45.5")], "no coordinates": [(first + 3, "")]
        }  # fmt: skip


def test_what_is_not_understood_is_shown_where_nothing_else_is_there(tmp_path):
    (tmp_path / "t.csv").write_text("名称,经度,纬度\nA,121.5.30,30\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"not understood: row 2 '121.5.30, 30'; expected degrees such as"):
        read_facilities(tmp_path / "t.csv")


@pytest.mark.parametrize("header", ["医疗机构名称", "小区名称", "校名", "名称（全称）", "Name"])
def test_names_are_known_by_how_their_heading_ends(header, tmp_path):
    table = read_facilities(csv(tmp_path / "t.csv", frame().rename(columns={"名称": header})))
    assert table.columns["name"] == header


def test_a_name_is_not_guessed_among_several_nor_taken_from_a_person_or_street(tmp_path):
    two = frame().rename(columns={"名称": "小区名称"}).assign(物业公司名称="x")
    assert "name" not in read_facilities(csv(tmp_path / "two.csv", two)).columns
    exact = read_facilities(csv(tmp_path / "exact.csv", frame(小区名称="x")))
    assert exact.columns["name"] == "名称"
    other = frame().rename(columns={"名称": "编号"}).assign(负责人姓名="x", 街道名称="y", 校长名="z")
    assert "name" not in read_facilities(csv(tmp_path / "other.csv", other)).columns


@pytest.mark.parametrize(
    ("lon", "lat", "datum"),
    [
        ("GCJ02经度", "GCJ02纬度", "gcj02"), ("高德经度", "高德纬度", "gcj02"), ("百度经度", "百度纬度", "bd09"),
        ("经度_WGS84", "纬度_WGS84", "wgs84"), ("经度(GCJ-02)", "纬度(GCJ-02)", "gcj02"), ("lng_bd09", "lat_bd09", "bd09"),
        ("火星坐标经度", "火星坐标纬度", "gcj02"), ("bd_lng", "bd_lat", "bd09"), ("经度", "纬度", ""), ("GPS经度", "GPS纬度", ""),
        ("CGCS2000经度", "CGCS2000纬度", "wgs84"), ("腾讯地图经度", "腾讯地图纬度", "gcj02"), ("X坐标（百度）", "Y坐标（百度）", "bd09"),
    ],
)  # fmt: skip
def test_headings_of_coordinates_say_their_datum(lon, lat, datum, tmp_path):
    made = frame().rename(columns={"经度": lon, "纬度": lat})
    table = read_facilities(csv(tmp_path / "t.csv", made))
    assert (table.columns["lon"], table.columns["lat"], table.datum) == (lon, lat, datum)


def test_a_heading_can_say_the_half_of_the_globe(tmp_path):
    (tmp_path / "t.csv").write_text(
        "name,经度(W),纬度（南）\nA,2.5,33.5\nB,-2.5,33.5\nC,2°30′W,33.5\n", encoding="utf-8"
    )
    table = read_facilities(tmp_path / "t.csv")
    assert [point.coords[0] for point in table.rows["geometry"]] == [(-2.5, -33.5)]
    assert table.left_out == {"coordinates not understood": [(3, "-2.5, 33.5"), (4, "2°30′W, 33.5")]}


def test_of_coordinates_in_two_datums_the_one_asked_for_is_taken(tmp_path):
    csv(tmp_path / "t.csv", frame(百度经度=[1.0] * 4, 百度纬度=[2.0] * 4))
    with pytest.raises(
        DataError, match=r"could be lon, '经度' and '百度经度'; say which: --datum bd09 or write a study file .*columns"
    ):
        read_facilities(tmp_path / "t.csv")
    assert read_facilities(tmp_path / "t.csv", datum="bd09").columns["lon"] == "百度经度"
    mixed = frame().rename(columns={"经度": "高德经度", "纬度": "百度纬度"})
    with pytest.raises(DataError, match="name two datums"):
        read_facilities(csv(tmp_path / "mixed.csv", mixed))


@pytest.mark.parametrize("sep", [",", ";", "\t"])
@pytest.mark.parametrize("title", ["2024年设施名单", "2024年设施名单,截至六月,共四处", '"名单\n2024"'])
def test_a_title_stands_above_the_header_of_a_text_too(title, sep, tmp_path):
    made = csv(tmp_path / "t.csv", frame(), sep=sep)
    made.write_text(f"{title}\n\n" + made.read_text(encoding="utf-8"), encoding="utf-8")
    assert same(plain(read_facilities(made)), expected())


@pytest.mark.parametrize("over", ["坐标", "位置", "高德坐标"])
def test_headings_of_two_rows_are_read_together(over, tmp_path):
    rows = [
        ["名称", over, "", "床位"],
        ["", "经度", "纬度", ""],
        *frame()[["名称", "经度", "纬度", "床位"]].to_numpy().tolist(),
    ]
    pd.DataFrame(rows).to_excel(tmp_path / "t.xlsx", index=False, header=False)
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False, header=False)
    for name in ("t.xlsx", "t.csv"):
        table = read_facilities(tmp_path / name)
        assert table.columns == {"lon": "经度", "lat": "纬度", "name": "名称", "capacity": "床位"}
        assert table.rows["name"].tolist() == [name for name, *_ in PLACES]
        assert table.datum == ("gcj02" if over == "高德坐标" else "")


def test_columns_of_one_name_are_told_apart_and_the_first_is_read(tmp_path):
    made = frame()
    made.insert(1, "x", "second")
    made.columns = ["名称", "名称", *made.columns[2:]]
    for name in ("t.csv", "t.xlsx"):
        made.to_csv(tmp_path / name, index=False) if name == "t.csv" else made.to_excel(tmp_path / name, index=False)
        assert read_facilities(tmp_path / name).rows["name"].tolist() == [name for name, *_ in PLACES]
        again = read_facilities(tmp_path / name, columns={"name": "名称.1"})
        assert again.rows["name"].tolist() == ["second"] * 4


def test_a_sheet_that_explains_another_is_no_list(tmp_path):
    with pd.ExcelWriter(tmp_path / "t.xlsx") as book:
        pd.DataFrame({"填表说明": ["名称填全称", "坐标填至六位小数"]}).to_excel(
            book, index=False, sheet_name="填表说明"
        )
        frame().to_excel(book, index=False, sheet_name="名单")
    assert same(plain(read_facilities(tmp_path / "t.xlsx")), expected())


def test_a_scenario_of_the_map_page_is_no_list(tmp_path):
    edits = [
        {"type": "Feature", "properties": {"edit": "add_facility", "service": "school"}, "geometry": {"type": "Point", "coordinates": [9.0, 45.5]}},
        {"type": "Feature", "properties": {"edit": "close_facility", "facility_id": "n1"}, "geometry": None},
    ]  # fmt: skip
    text = json.dumps({"type": "FeatureCollection", "schema": 1, "features": edits})
    (tmp_path / "scenario.geojson").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"is a scenario .* not computed by this version"):
        read_facilities(tmp_path / "scenario.geojson")


def test_lines_of_errors_are_those_of_the_file(tmp_path):
    (tmp_path / "t.csv").write_text("title\n\nname,lon,lat\nA,1,2\nB,1,2,3\n", encoding="utf-8")
    with pytest.raises(DataError, match="in line 5, saw 4"):
        read_facilities(tmp_path / "t.csv")


def test_cells_that_are_slow_to_read_are_not_read_for_names(tmp_path):
    (tmp_path / "t.csv").write_text(f"{'(' * 100_000},b\nname,lon,lat\nA,1,{'1' * 100_000}x\nB,1,2\n", encoding="utf-8")
    started = time.perf_counter()
    assert read_facilities(tmp_path / "t.csv").rows["name"].tolist() == ["B"]
    assert time.perf_counter() - started < 5


def test_hostile_cells_are_one_line_of_what_can_be_read(tmp_path):
    made = frame(名称=["a\x1b[31mb\x00c", "evil\u202egnp", "x" * 10_000, "=cmd|' /C calc'!A0"])
    names = read_facilities(csv(tmp_path / "t.csv", made)).rows["name"].tolist()
    assert all(name.isprintable() for name in names)
    assert names[3] == "=cmd|' /C calc'!A0"


@pytest.mark.parametrize(
    ("name", "raw", "match"),
    [
        ("t.csv", "name,a,b\nA,1,2\n", "no columns of longitude and latitude .* it has 'name', 'a', 'b'"),
        ("t.csv", "name,lon,lat\n", "no row with coordinates"),
        ("t.csv", "", "cannot read the table"),
        ("t.csv", "name,lon,lat\nA,1,2,3\n", "more cells than its header"),
        ("t.shp", "x", "export a shapefile as GeoPackage"),
        ("t.gpkg", "no database", "is no GeoPackage"),
        ("t.xlsx", "no workbook", "cannot read the workbook"),
        ("t.geojson", "{", "is not GeoJSON"),
        ("t.geojson", '{"type":"Feature","geometry":{"type":"Point","coordinates":["a"]},"properties":{}}', "feature 1: its coordinates are broken"),
        ("t.geojson", '{"type":"Feature","geometry":{"type":"Point","coordinates":[1' + "0" * 400 + ',1]},"properties":{}}', "feature 1: its coordinates are broken"),
        ("absent.csv", None, "there is no such file"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said(name, raw, match, tmp_path):
    if raw is not None:
        (tmp_path / name).write_text(raw, encoding="utf-8")
    with pytest.raises(DataError, match=match):
        read_facilities(tmp_path / name)


def test_an_encoding_that_is_named_is_taken_or_refused(tmp_path):
    csv(tmp_path / "t.csv", frame(), "gb18030")
    with pytest.raises(DataError, match=r"is not in utf-8: .* name another"):
        read_facilities(tmp_path / "t.csv", encoding="utf-8")
    with pytest.raises(DataError, match="there is no encoding 'klingon'"):
        read_facilities(tmp_path / "t.csv", encoding="klingon")


def test_a_workbook_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MOST_BYTES", 100_000)
    with zipfile.ZipFile(tmp_path / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b"0" * 1_000_000)
    with pytest.raises(DataError, match="unpacks to 1,000,000 bytes"):
        read_facilities(tmp_path / "bomb.xlsx")


def test_a_cell_at_the_far_end_takes_no_room(tmp_path):
    """A stray format at XFD1048576 is common; a table as large as its sheet would be 17 billion cells."""
    made = frame()
    made.to_excel(tmp_path / "t.xlsx", index=False)
    book = load_workbook(tmp_path / "t.xlsx")
    book.active["XFD1048576"] = "far"
    book.save(tmp_path / "t.xlsx")
    assert same(plain(read_facilities(tmp_path / "t.xlsx")), expected())


def test_a_workbook_that_defines_entities_is_refused(tmp_path):
    frame().to_excel(tmp_path / "t.xlsx", index=False)
    with zipfile.ZipFile(tmp_path / "t.xlsx") as whole, zipfile.ZipFile(tmp_path / "bad.xlsx", "w") as bad:
        for name in whole.namelist():
            text = whole.read(name)
            if "sheet1" in name:
                text = text.replace(b"<worksheet", b'<!DOCTYPE x [<!ENTITY a "aaaa">]><worksheet', 1)
            bad.writestr(name, text)
    with pytest.raises(DataError, match="has a DOCTYPE"):
        read_facilities(tmp_path / "bad.xlsx")


def test_a_workbook_with_two_full_sheets_asks_which(tmp_path):
    with pd.ExcelWriter(tmp_path / "t.xlsx") as book:
        frame().to_excel(book, index=False, sheet_name="学校")
        frame().to_excel(book, index=False, sheet_name="医院")
    with pytest.raises(DataError, match=r"has the sheets 学校, 医院; name the one .*: --sheet NAME"):
        read_facilities(tmp_path / "t.xlsx")
    assert len(read_facilities(tmp_path / "t.xlsx", sheet="学校").rows) == 4
    with pytest.raises(DataError, match="has no sheets: --sheet '学校' names one of a workbook"):
        read_facilities(csv(tmp_path / "t.csv", frame()), sheet="学校")
    with pytest.raises(DataError, match="has no sheet '学'"):
        read_facilities(tmp_path / "t.xlsx", sheet="学")


# --------------------------------------------------------------------------------------------------------- in a study


def drawn(folder, *pois, listed=(), **keys):
    """A street with homes, its schools as nodes of the map or as rows of a table."""
    sketch = Drawing()
    sketch.way((0, 0), (300, 0), (600, 0), highway="residential")
    sketch.way((300, 0), (300, 300), highway="residential")
    for (name, x, y), tags in ((place, {"amenity": "school"}) for place in pois):
        sketch.poi(x, y, name=name, **tags)
    sketch.poi(595, 3, amenity="clinic")
    folder.mkdir(exist_ok=True)
    sketch.write(folder / "map.osm.pbf")
    raster(folder / "people.tif", np.full((5, 7), 8.0), left=-50, top=350)
    boundary(folder / "b.geojson", ("all", "zone", -100, -100, 700, 400))
    (folder / "s.toml").write_text(town.STANDARD, encoding="utf-8")
    if listed:
        lon, lat = zip(*(lonlat(x, y) for _, x, y in listed), strict=True)
        pd.DataFrame({"name": [name for name, *_ in listed], "lon": lon, "lat": lat}).to_csv(
            folder / "schools.csv", index=False, float_format="%.12f"
        )
        keys.setdefault("facilities", [{"table": str(folder / "schools.csv"), "service": "school"}])
    return Study.from_keys(
        {
            "osm": str(folder / "map.osm.pbf"), "population": str(folder / "people.tif"), "boundary": str(folder / "b.geojson"),
            "standard": str(folder / "s.toml"), "services": ["school"], "crs": CRS, "data_date": "2024-06-01",
        } | keys
    )  # fmt: skip


def schools(study):
    return study.prepare(allow_empty=True).facilities


def test_a_table_is_walked_to_as_the_map_is(tmp_path):
    """A facility is what it is, whoever says so."""
    named = [(name, x, y) for name, x, y in PLACES]
    mapped = drawn(tmp_path / "a", *named).run().coverage
    listed = drawn(tmp_path / "b", listed=named).run().coverage
    half = drawn(tmp_path / "c", *named[:2], listed=named[2:]).run().coverage
    twice = drawn(tmp_path / "d", *named, listed=named).run().coverage
    assert np.isfinite(mapped.ticks).any()
    for other in (listed, half, twice):
        assert other.ticks.tolist() == mapped.ticks.tolist()
        assert other.met.tolist() == mapped.met.tolist()
    assert set(listed.facilities.source) == {"table"}
    assert set(half.facilities.source) == {"table", "osm"}
    assert set(twice.facilities.source) == {"both"}
    assert len(twice.facilities) == len(PLACES)


def test_a_table_and_the_map_mean_one_place_by_its_full_and_its_short_name(tmp_path):
    made = schools(
        drawn(
            tmp_path,
            ("明珠小学", 100, 10),
            ("明珠", 160, 10),
            listed=[("上海市浦东新区明珠小学", 130, 12), ("第二小学", 100, 12)],
        )
    )
    assert sorted(zip(made.name, made.source, strict=True)) == [
        ("明珠", "osm"),
        ("明珠小学", "both"),
        ("第二小学", "table"),
    ]
    alone = schools(drawn(tmp_path / "osm", ("明珠小学", 100, 10), ("上海市明珠小学", 110, 10)))
    assert len(alone) == 2  # within one source another name is another place


def test_what_a_table_says_of_capacity_and_years_stands(tmp_path):
    study = drawn(tmp_path, ("A", 100, 10))
    (tmp_path / "t.csv").write_text(
        f"name,lon,lat,capacity,opens,closes,beds\nA,{lonlat(101, 10)[0]},{lonlat(101, 10)[1]},120张,,,7\n"
        f"B,{lonlat(300, 10)[0]},{lonlat(300, 10)[1]},,2026年9月,,\nC,{lonlat(500, 10)[0]},{lonlat(500, 10)[1]},,1990,2020,\n",
        encoding="utf-8",
    )
    study = study.changed(facilities=[{"table": str(tmp_path / "t.csv"), "service": "school"}])
    now, later = schools(study), schools(study.changed(year=2027))
    assert dict(zip(now.name, now.capacity, strict=True)) == {"A": 120.0}
    assert now.tags[0]["beds"] == "7"
    assert sorted(later.name) == ["A", "B"]
    told = study.run().about.tables[0]
    assert (told["alone"], told["in_osm_too"], told["not_open"]) == (0, 1, 2)
    assert told["kept"] == told["alone"] + told["in_osm_too"] + told["not_open"]


def test_words_name_services_and_what_they_do_not_name_is_counted(tmp_path):
    study = drawn(tmp_path, services=["school", "clinic"])
    lon, lat = lonlat(100, 10)
    words = ["学校", "SCHOOL", "school;诊所", "kiosk", "kiosk", "小学"]
    csv(
        tmp_path / "t.csv",
        pd.DataFrame({"name": list("abcdef"), "lon": lon + np.arange(6) * 0.001, "lat": lat, "type": words}),
    )
    study = study.changed(facilities=[{"table": str(tmp_path / "t.csv"), "services": {"小学": "school"}}])
    ready = study.prepare()
    assert ready.facilities.count()["school"] == 4
    told = ready.about.tables[0]
    assert told["left_out"] == {"service not of the standard": 2}
    assert told["services_unknown"] == {"kiosk": 2}
    assert told["rows"] == told["kept"] + sum(told["left_out"].values())
    assert any("'kiosk' (2)" in warning["text"] for warning in ready.check.findings["warnings"])


def test_a_table_of_tags_is_judged_by_the_tag_rules(tmp_path):
    study = drawn(tmp_path)
    lon, lat = lonlat(100, 10)
    csv(tmp_path / "t.csv", pd.DataFrame({"name": ["a", "b"], "lon": lon, "lat": lat, "amenity": ["school", "pub"]}))
    made = schools(study.changed(facilities=[{"table": str(tmp_path / "t.csv")}]))
    assert made.facility_id.tolist() == ["tt:1"]


def test_an_outline_is_entered_from_the_streets_beside_it(tmp_path):
    study = drawn(tmp_path)
    outline = shapely.Polygon([lonlat(x, y) for x, y in ((310, 20), (400, 20), (400, 120), (310, 120))])
    gpd.GeoDataFrame({"name": ["campus"]}, geometry=[outline], crs=4326).to_file(tmp_path / "t.geojson")
    made = schools(study.changed(facilities=[{"table": str(tmp_path / "t.geojson"), "service": "school"}]))
    assert len(made.joins) >= 2  # the street south of it, and the one west of it
    assert set(made.join_kind) == {"nearest"}


@pytest.mark.parametrize(
    ("entry", "kind", "match"),
    [
        ({"service": "scool"}, StandardError, "did you mean 'school'"),
        ({"services": {"a": "nothing"}}, StandardError, "no service 'nothing'"),
        ({}, StandardError, r"does not say what its places give"),
        ({"service": "school", "datum": "gcj02"}, CrsError, "in use in China alone"),
        ({"service": "school", "datum": "epsg:999999"}, CrsError, "there is no CRS"),
        (
            {"service": "school", "columns": {"lon": "lat", "lat": "lon"}},
            DataError,
            "lon and lat are the wrong way round",
        ),
        ({"service": "school", "columns": {"lon": "breadth"}}, DataError, "has no column 'breadth'"),
        ({"service": "school", "datum": "mars"}, StandardError, "datum"),
        ({"service": "school", "pickle": True}, StandardError, "pickle"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(entry, kind, match, tmp_path):
    study = drawn(tmp_path, listed=[("A", 100, 10)])
    with pytest.raises(LifecircleError, match=match) as caught:
        study.changed(facilities=[{"table": str(tmp_path / "schools.csv")} | entry]).prepare()
    assert isinstance(caught.value, kind)


def test_metres_are_read_where_their_system_is_named(tmp_path):
    study = drawn(tmp_path, listed=[("A", 100, 10)])
    place = gpd.GeoSeries(gpd.points_from_xy(*zip(lonlat(100, 10), strict=True)), crs=4326).to_crs(32632).iloc[0]
    (tmp_path / "m.csv").write_text(f"name,x坐标,y坐标\nA,{place.x},{place.y}\n", encoding="utf-8")
    with pytest.raises(CrsError, match=r"are no degrees of longitude and latitude .*name their system: --datum epsg:N"):
        study.changed(facilities=[{"table": str(tmp_path / "m.csv"), "service": "school"}]).prepare()
    made = schools(
        study.changed(facilities=[{"table": str(tmp_path / "m.csv"), "service": "school", "datum": "EPSG:32632"}])
    )
    assert made.points[0].distance(schools(study).points[0]) < 0.01


def many(folder, n, **wrong):
    """A list of places along the street, some rows of which are wrong."""
    study = drawn(folder, services=["school"])
    lon, lat = zip(*(lonlat(10 + 5 * ix, 12) for ix in range(n)), strict=True)
    made = pd.DataFrame({"名称": [f"S{ix}" for ix in range(n)], "经度": lon, "纬度": lat}).astype(object)
    for row, (x, y) in wrong.items():
        made.loc[int(row[1:]), ["经度", "纬度"]] = [x, y]
    csv(folder / "t.csv", made)
    return study.changed(facilities=[{"table": str(folder / "t.csv"), "service": "school"}])


def test_a_few_rows_that_lie_nowhere_are_left_out_by_name(tmp_path):
    lon, lat = lonlat(100, 12)
    study = many(tmp_path, 40, r3=(1219.1, 45.0), r7=(lat, lon))
    ready = study.prepare()
    told = ready.about.tables[0]
    assert told["left_out"] == {
        "longitude and latitude the wrong way round": 1, "coordinates that are no degrees": 1
    }  # fmt: skip
    assert told["left_out_rows"]["coordinates that are no degrees"] == [{"row": 5, "place": "1219.1, 45.0"}]
    assert told["left_out_rows"]["longitude and latitude the wrong way round"][0]["row"] == 9
    assert told["rows"] == told["kept"] + sum(told["left_out"].values())
    said = [one for one in ready.check.findings["warnings"] if one["code"] == "table_rows"]
    assert any("row 5 '1219.1, 45.0'" in one["text"] and "第 5 行“1219.1, 45.0”" in one["text_zh"] for one in said)


def test_more_rows_that_lie_nowhere_are_no_slip(tmp_path):
    wrong = {f"r{ix}": (500000 + ix, 12) for ix in range(7)}
    with pytest.raises(CrsError, match=r"in 7 of 40 rows, more than 5%, .* \(row 2 '500000, 12', .* and 2 more\)"):
        many(tmp_path, 40, **wrong).prepare()


def test_many_turned_rows_stop_with_advice(tmp_path):
    lon, lat = lonlat(100, 12)
    wrong = {f"r{ix}": (lat, lon) for ix in range(30)}
    with pytest.raises(
        DataError,
        match=r'in 30 of 40 rows, .* lon and lat are the wrong way round .* columns = \{ lon = "纬度", lat = "经度" \}',
    ):
        many(tmp_path, 40, **wrong).prepare()


def test_a_list_without_names_is_warned_of_in_both_languages(tmp_path):
    study = drawn(tmp_path, services=["school"])
    lon, lat = lonlat(100, 12)
    (tmp_path / "t.csv").write_text(f"编号,经度,纬度\n1,{lon},{lat}\n", encoding="utf-8")
    found = study.changed(facilities=[{"table": str(tmp_path / "t.csv"), "service": "school"}]).prepare().check.findings
    (said,) = (one for one in found["warnings"] if one["code"] == "table_names")
    assert "may count twice" in said["text"]
    assert "没有可识别的名称列" in said["text_zh"]


def test_the_datum_of_the_headings_is_taken_and_told(tmp_path):
    study = drawn(tmp_path, services=["school"])
    lon, lat = lonlat(100, 12)
    (tmp_path / "t.csv").write_text(f"名称,高德经度,高德纬度\nA,{lon},{lat}\n", encoding="utf-8")
    entry = {"table": str(tmp_path / "t.csv"), "service": "school"}
    with pytest.raises(CrsError, match=r"has headings that say GCJ-02, which is in use in China alone; say wgs84"):
        study.changed(facilities=[entry]).prepare()
    ready = study.changed(facilities=[entry | {"datum": "wgs84"}]).prepare()
    assert ready.about.tables[0]["datum_of_headings"] == "gcj02"
    assert any(one["code"] == "table_headings" for one in ready.check.findings["warnings"])


@pytest.mark.parametrize("said", ["school", "School", "学校", "SCHOOL"])
def test_a_service_is_named_by_key_or_title(said, tmp_path):
    study = drawn(tmp_path, listed=[("A", 100, 10)])
    assert len(schools(study.changed(facilities=[{"table": str(tmp_path / "schools.csv"), "service": said}]))) == 1


def test_a_service_that_is_none_is_answered_with_keys_and_titles(tmp_path):
    study = drawn(tmp_path, listed=[("A", 100, 10)])
    with pytest.raises(StandardError, match=r"no service '学校们' .*did you mean '学校'\? Valid: .*school \(.*学校\)"):
        study.changed(facilities=[{"table": str(tmp_path / "schools.csv"), "service": "学校们"}]).prepare()


def test_the_encoding_a_study_names_is_that_of_its_table(tmp_path):
    study = drawn(tmp_path)
    lon, lat = lonlat(100, 12)
    (tmp_path / "t.csv").write_bytes(f"name,lon,lat\nPo\xeate,{lon},{lat}\n".encode("cp1252"))
    entry = {"table": str(tmp_path / "t.csv"), "service": "school"}
    assert schools(study.changed(facilities=[entry | {"encoding": "cp1252"}])).name.tolist() == ["Poête"]
    with pytest.raises(DataError, match="is not in utf-8"):
        study.changed(facilities=[entry | {"encoding": "utf-8"}]).prepare()


def test_two_tables_of_one_name_have_names_of_their_own(tmp_path):
    study = drawn(tmp_path / "a", listed=[("A", 100, 10)])
    drawn(tmp_path / "b", listed=[("B", 400, 10)])
    files = [{"table": str(tmp_path / one / "schools.csv"), "service": "school"} for one in "ab"]
    assert schools(study.changed(facilities=files)).facility_id.tolist() == ["tschools-2:1", "tschools:1"]


def test_a_run_with_a_table_says_so_everywhere_and_is_verified(tmp_path, capsys):
    study = town.draw(tmp_path)
    lon, lat = lonlat(450, 190)
    (tmp_path / "more.csv").write_text(f"名称,经度,纬度\n<b>新学校</b>,{lon},{lat}\n废弃,,\n", encoding="gb18030")
    listed = ("--facilities", tmp_path / "more.csv", "--service", "school")
    assert command("run", study, "--out", tmp_path / "out") == 0
    assert command("run", study, *listed, "--out", tmp_path / "more") == 0
    rows = gpd.read_parquet(tmp_path / "more" / "facilities.parquet")
    new = rows[rows["source"] == "table"]
    assert new[["facility_id", "name"]].to_numpy().tolist() == [["tmore:1", "<b>新学校</b>"]]
    assert new["osm_id"].isna().all()
    assert set(rows[rows["source"] != "table"]["source"]) == {"osm"}
    summary = json.loads((tmp_path / "more" / "summary.json").read_text(encoding="utf-8"))
    assert summary["tables"][0]["left_out"] == {"no coordinates": 1}
    page = (tmp_path / "more" / "index.html").read_text(encoding="utf-8")
    assert "<b>新学校" not in page
    assert "more.csv" in page
    capsys.readouterr()
    assert command("verify", tmp_path / "more") == 0
    assert command("diff", tmp_path / "out", tmp_path / "more", "--json") == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [one["input"] for one in said["inputs"]] == ["facilities.0"]
    assert {part for change in said["figures"] for part, n in change["owed"].items() if n} == {"facilities"}
    (tmp_path / "more.csv").write_text(f"名称,经度,纬度\n别的,{lon},{lat}\n", encoding="gb18030")
    capsys.readouterr()
    assert command("verify", tmp_path / "more") == 3
    assert "facilities.0 has changed" in capsys.readouterr().err


def test_the_command_line_pairs_lists_with_services(tmp_path, capsys):
    study = drawn(tmp_path, ("A", 100, 10), listed=[("B", 400, 10)])
    for part in ("map.osm.pbf", "b.geojson", "s.toml"):
        assert (tmp_path / part).exists()
    assert study.keys.facilities[0].service == "school"
    asked = (
        "check",
        "--osm",
        tmp_path / "map.osm.pbf",
        "--population",
        tmp_path / "people.tif",
        "--boundary",
        tmp_path / "b.geojson",
        "--standard",
        tmp_path / "s.toml",
        "--services",
        "school",
        "--out",
        tmp_path / "out",
    )
    one = ("--facilities", tmp_path / "schools.csv")
    assert command(*asked, *one, *one, "--service", "school", "--service", "school", "--service", "school") == 2
    assert "3 are given for 2 lists" in capsys.readouterr().err
    assert command(*asked, *one, "--service", "school", "--datum", "wgs84") == 0
    assert "schools.csv" in capsys.readouterr().out


@pytest.mark.parametrize(("option", "value"), [("--service", "school"), ("--datum", "gcj02"), ("--sheet", "名单")])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_is_said_of_no_list_is_refused(option, value, language, capsys):
    assert command("--lang", language, "check", "lingang-model", option, value) == 2
    said = capsys.readouterr().err
    assert "--facilities" in said
    assert ("没有给出名单" if language == "zh" else "none is given") in said


def test_the_command_line_names_the_sheet(tmp_path, capsys):
    drawn(tmp_path, ("A", 100, 10), listed=[("B", 400, 10)])
    made = pd.read_csv(tmp_path / "schools.csv")
    with pd.ExcelWriter(tmp_path / "two.xlsx") as book:
        made.to_excel(book, index=False, sheet_name="小学")
        made.to_excel(book, index=False, sheet_name="中学")
    asked = (
        "check", "--osm", tmp_path / "map.osm.pbf", "--boundary", tmp_path / "b.geojson", "--standard", tmp_path / "s.toml",
        "--population", tmp_path / "people.tif", "--services", "school", "--out", tmp_path / "out",
        "--facilities", tmp_path / "two.xlsx", "--service", "学校",
    )  # fmt: skip
    assert command(*asked) == 3
    assert "--sheet NAME" in " ".join(capsys.readouterr().err.split())
    assert command(*asked, "--sheet", "小学") == 0


def test_of_several_headings_of_one_meaning_the_plainest_is_taken(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("type,title,name,service,lon,lat\nnode,Dr,Alpha,clinic,9.0,45.0\n", encoding="utf-8")
    columns = read_facilities(path).columns
    assert (columns["name"], columns["service"]) == ("name", "service")
