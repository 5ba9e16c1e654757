"""What the headings of a list mean: which column is what, and what they say of the datum of coordinates."""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lifecircle.errors import DataError, did_you_mean

_HEADERS = {
    "name": "name title facility facilityname placename sitename "
    "名称 名字 设施名称 机构名称 单位名称 学校名称 项目名称 站点名称 名稱",
    "lon": "lon lng long longitude x xcoord pointx 经度 經度 东经 经度坐标 x坐标",
    "lat": "lat latitude y ycoord pointy 纬度 緯度 北纬 纬度坐标 y坐标",
    "lonlat": "location lnglat lonlat coordinates 坐标 经纬度 坐标经纬度 经纬度坐标 经度纬度",
    "service": "service type kind category class 服务 类别 类型 设施类别 设施类型 分类 種類",
    "capacity": "capacity beds places seats 容量 床位 床位数 学位 学位数 座位数 托位数",
    "opens": "opens opening openingyear startdate 建成年份 开业年份 启用年份 投用年份 建成时间 启用时间 开业时间 "
    "投用时间",
    "closes": "closes closing closingyear enddate 关闭年份 停用年份 关闭时间",
}  # fmt: skip
MEANINGS = tuple(_HEADERS)
"""What a column of a list of facilities can mean."""
_MEANT = {word: meaning for meaning, words in _HEADERS.items() for word in words.split()}
_PLACES = frozenset({"lon", "lat", "lonlat"})
_DATUM_WORDS = {
    "gcj02": "gcj02|gcj|火星坐标系|火星|高德地图|高德|腾讯地图|腾讯|amap|gaode|autonavi|tencent",
    "bd09": "bd09ll|bd09|百度地图|百度|baidu|bd(?=l|x|y|经|纬|坐)|(?<=[ngtxy度标])bd$",
    "wgs84": "wgs1984|wgs84|wgs|cgcs2000|国家2000|天地图",
    "": "gps|坐标系",
}
"""Words of a heading that tell the datum (the last tell none), by datum; CGCS2000 is WGS84 to less than a metre."""
_DATUM = {datum: re.compile(words) for datum, words in _DATUM_WORDS.items()}
_NAME = re.compile(r".*(?:名称|名稱|名)")
# What ends in 名称 and is seldom what a facility is called by.
_OTHER_NAME = re.compile(
    r".*(?:姓名|人名|人名称|长名|长名称|曾用名|别名|户名|文件名|(?:街道|乡镇|街镇|镇|区县|行政区|城市|省份?|道路|路|类别|类型|分类|服务|图层|字段|"
    r"文件|上级|主管部门|主管单位)(?:名|名称))"
)
_BELOW_ZERO = re.compile(r"[(\[【]\s*(w|west|西经?|s|south|南纬?)\s*[)\]】]")
_LONGEST_HEADER = 200  # characters; a longer cell is no name of a column
MOST_ABOVE = 50  # rows in which the heading is looked for


@dataclass(frozen=True, eq=False)
class Body:
    """Cells below a heading: texts by column, what a spreadsheet calls each row, and headings with those above them."""

    frame: pd.DataFrame
    numbers: NDArray[np.int64]
    full: dict[str, str]


def headings_of(rows: list[list[str]], head: int) -> tuple[list[str], dict[str, str]]:
    """Names of the columns, and each with the heading that spans it from the row above, if there is one."""
    own, above = rows[head], rows[head - 1] if head else []
    nested = sum(map(bool, above)) > 1 and any(
        text and not (own[ix] if ix < len(own) else "") for ix, text in enumerate(above)
    )
    above = above if nested else []
    names: list[str] = []
    full: dict[str, str] = {}
    span = ""
    for ix in range(max(len(own), len(above))):
        text, over = (row[ix] if ix < len(row) else "" for row in (own, above))
        span = over or span
        name = text or over or f"column {ix + 1}"
        spanned = f"{span} {text}" if text and span else name
        if name in full:
            name = next(one for one in (spanned, *(f"{name}.{n}" for n in range(1, ix + 2))) if one not in full)
        names.append(name)
        full[name] = spanned
    return names, full


def heading_of(rows: list[list[str]], asked: dict[str, str]) -> int:
    """Find the row that names the columns: the one that names the coordinates, else the first that is wide enough."""
    top = rows[:MOST_ABOVE]
    wanted = set(asked.values())
    if wanted and (exact := next((ix for ix, row in enumerate(top) if wanted <= {*row}), None)) is not None:
        return exact
    meant = [{_place_meant(cell) for cell in row if cell} for row in top]
    both = next((ix for ix, said in enumerate(meant) if {"lon", "lat"} <= said), None)
    one = next((ix for ix, said in enumerate(meant) if "lonlat" in said), None)
    if one is not None and (both is None or both > one + 1):  # 坐标 may span 经度 and 纬度 in the row below
        return one
    if both is not None:
        return both
    # What stands above the header, a title say, has fewer cells than it.
    wide = max((sum(map(bool, row)) for row in rows), default=0)
    return next((ix for ix, row in enumerate(rows) if sum(map(bool, row)) > wide / 2), 0)


def names_places(rows: list[list[str]], asked: dict[str, str]) -> bool:
    """Say whether the heading of rows names coordinates, or all that was asked for."""
    if not rows:
        return False
    said = rows[heading_of(rows, asked)]
    if asked and {*asked.values()} <= {*said}:
        return True
    meant = {_place_meant(cell) for cell in said if cell}
    return "lonlat" in meant or {"lon", "lat"} <= meant


def columns_of(
    path: Path, cells: Body, asked: dict[str, str], *, placed: bool, datum: str | None
) -> tuple[dict[str, str], str]:
    """Header of each meaning, as asked, else the one that reads like it; and the datum those of the coordinates say."""
    headers = [str(name) for name in cells.frame.columns]
    for meaning, header in asked.items():
        if meaning not in _HEADERS:
            raise DataError(f"no column of a list of facilities means {meaning!r}; {did_you_mean(meaning, MEANINGS)}")
        if header not in headers:
            raise DataError(f"{path} has no column {header!r} for {meaning}; {did_you_mean(header, headers)}")
    found = dict(asked)
    if not placed and not ({"lon", "lat"} <= asked.keys() or "lonlat" in asked):
        found |= _placing(path, cells, asked, datum)
    _guess(found, headers)
    if {"lon", "lat"} <= found.keys():
        found.pop("lonlat", None)
    if not placed and not ({"lon", "lat"} <= found.keys() or "lonlat" in found):
        raise DataError(
            f"{path} has no columns of longitude and latitude that are known by their names; it has "
            f"{', '.join(map(repr, headers))}. Say which they are: "
            + in_a_study(path, 'columns = { lon = "...", lat = "..." }')
        )
    return found, _datum_said(path, cells, {meaning: found[meaning] for meaning in found if meaning in _PLACES}, datum)


def _guess(found: dict[str, str], headers: list[str]) -> None:
    """Find what is no coordinate by its header: known ones first, then the only one that ends like a name."""
    known = list(_MEANT)  # of several headings of one meaning the plainest: name before title, service before type
    for header in sorted(headers, key=lambda one: known.index(word) if (word := _word(one)) in _MEANT else -1):
        meaning = _MEANT.get(_word(header), "")
        if meaning and meaning not in _PLACES and header not in found.values():
            found.setdefault(meaning, header)
    called = [header for header in headers if header not in found.values() and _is_name(header)]
    if len(called) == 1:
        found.setdefault("name", called[0])


def _datum_said(path: Path, cells: Body, places: dict[str, str], asked: str | None) -> str:
    """Datum that the headings of the coordinates say; empty where they say none."""
    said = {datum_in(cells.full[header]) for header in places.values()} - {""}
    if len(said) > 1 and asked is None:
        raise DataError(
            f"the headings of the coordinates of {path} name two datums, {shown(places)}; say which is true: --datum "
            "wgs84, gcj02 or bd09"
        )
    return said.pop() if len(said) == 1 else ""


def _placing(path: Path, cells: Body, asked: dict[str, str], datum: str | None) -> dict[str, str]:
    """Headers of the coordinates, whatever datum they name."""
    could: dict[str, list[str]] = {meaning: [] for meaning in ("lon", "lat", "lonlat")}
    for header in map(str, cells.frame.columns):
        meaning = _place_meant(header)
        if meaning and header not in asked.values() and header not in could[meaning]:
            could[meaning].append(header)
    found = {meaning: asked[meaning] for meaning in could if meaning in asked}
    for meaning, headers in could.items():
        if meaning in asked or not headers or (meaning == "lonlat" and {"lon", "lat"} <= found.keys()):
            continue
        of_datum = [header for header in headers if datum and datum_in(cells.full[header]) == datum]
        left = of_datum if len(of_datum) == 1 else headers
        if len(left) > 1:
            which = ", ".join(f'{one} = "{several[0]}"' for one, several in could.items() if len(several) > 1)
            named = [datum_in(cells.full[header]) for header in headers]
            by_datum = [f"--datum {one}" for one in named if one and named.count(one) == 1]
            raise DataError(
                f"{path} has two columns that could be {meaning}, {headers[0]!r} and {headers[1]!r}; say which: "
                + " or ".join([*by_datum, in_a_study(path, f"columns = {{ {which} }}")])
            )
        found[meaning] = left[0]
    return found


def in_a_study(path: Path, keys: str) -> str:
    """Say where keys of a list are written, for advice that no option follows."""
    return f'write a study file (lifecircle new study.toml) with [[facilities]], table = "{path.name}", {keys}'


def datum_in(heading: str) -> str:
    """Datum a heading of coordinates tells, wgs84, gcj02 or bd09; empty where it tells none.

    Examples
    --------
    >>> datum_in("经度(GCJ-02)"), datum_in("百度纬度"), datum_in("lng")
    ('gcj02', 'bd09', '')
    """
    word = _alnum(heading)
    told = {datum for datum, words in _DATUM.items() if datum and words.search(word)}
    return told.pop() if len(told) == 1 else ""


def _place_meant(header: str) -> str:
    """Which of the coordinates a header means, whatever it says of their datum; empty where none."""
    word = _word(header)
    bare = word
    for words in _DATUM.values():
        bare = words.sub("", bare)
    for one in (word, bare, bare.removeprefix("坐标")):
        if (meaning := _MEANT.get(one, "")) in _PLACES:
            return meaning
    return ""


def side_of(header: str) -> str:
    """Letter of the half of the globe below zero that a heading says in brackets: its numbers then have no sign."""
    found = _BELOW_ZERO.search(unicodedata.normalize("NFKC", header).casefold())
    return "" if found is None else "W" if found[1].startswith(("w", "西")) else "S"


def _is_name(header: str) -> bool:
    word = _word(header)
    return bool(_NAME.fullmatch(word)) and not _OTHER_NAME.fullmatch(word)


def _word(header: str) -> str:
    """Header without case, width, punctuation and what stands in brackets."""
    return _alnum(re.sub(r"[(\[{（【].*?[)\]}）】]", "", unicodedata.normalize("NFKC", header[:_LONGEST_HEADER])))


def _alnum(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def shown(columns: dict[str, str]) -> str:
    """Write which column was taken for what."""
    return ", ".join(f"{meaning} = {header!r}" for meaning, header in columns.items())
