"""Tables of people, and lists of facilities: CSV in any common encoding, Excel, GeoJSON, GeoPackage."""

import io
import re
import unicodedata
import warnings
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.typing import NDArray

from lifecircle.errors import CrsError, DataError, did_you_mean
from lifecircle.region import read_features

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_BYTES = 500_000_000
"""A table larger than this, or a workbook that unpacks to more, is no list of facilities."""

ENCODINGS = ("gb18030", "big5", "shift_jis", "euc_kr", "cp1252", "cp1251")
"""What a text that is no UTF is taken for, whichever reads most like a language (charset-normalizer)."""

_PEOPLE = ("lon", "lat", "people")
_MOST_COLUMNS = 1000
_WORKBOOKS = frozenset({".xlsx", ".xlsm"})
_MOST_CELLS = 2_000_000
_HEADERS = {
    "name": "name title facility 名称 名字 设施名称 机构名称 单位名称 学校名称 项目名称 站点名称 名稱",
    "lon": "lon lng long longitude x xcoord pointx wgs84lon wgs84lng gcj02lon gcj02lng bd09lon bd09lng "
    "经度 經度 东经 经度坐标 x坐标",
    "lat": "lat latitude y ycoord pointy wgs84lat gcj02lat bd09lat 纬度 緯度 北纬 纬度坐标 y坐标",
    "lonlat": "location lnglat lonlat coordinates 坐标 经纬度 坐标经纬度",
    "service": "service type kind category class 服务 类别 类型 设施类别 设施类型 分类 種類",
    "capacity": "capacity beds places seats 容量 床位 床位数 学位 学位数 座位数 托位数",
    "opens": "opens opening openingyear startdate 建成年份 开业年份 启用年份 投用年份 建成时间 启用时间 开业时间 "
    "投用时间",
    "closes": "closes closing closingyear enddate 关闭年份 停用年份 关闭时间",
}
MEANINGS = tuple(_HEADERS)
"""What a column of a list of facilities can mean."""

_MEANT = {word: meaning for meaning, words in _HEADERS.items() for word in words.split()}
_OSM_KEY = re.compile(r"[a-z][a-z_:]*")
_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?")
_DMS = re.compile(r"(\d{1,3})[°度]\s*(\d{1,2})[′'’分]\s*(?:(\d{1,2}(?:\.\d+)?)\s*(?:[″\"”秒]|''))?")


@dataclass(frozen=True, eq=False)
class FacilityTable:
    """A list of facilities as it stands in its file.

    Attributes
    ----------
    rows : ``row`` (int, from 1), ``name``, ``service``, ``capacity``, ``opens``, ``closes`` (texts), ``tags`` (dict),
        ``geometry`` (shapely, as told by ``crs``)
        Rows with a place; their numbers count the rows of the file that are not empty, without its header.
    columns : dict of str
        Header of the column taken for each meaning.
    encoding : str
        Of a text file, else empty.
    crs : pyproj.CRS or None
        What the file says of its coordinates; None where it says nothing.
    n_rows : int
    left_out : dict of int
        Rows without a place, by reason.
    """

    rows: pd.DataFrame
    columns: dict[str, str]
    encoding: str
    crs: pyproj.CRS | None
    n_rows: int
    left_out: dict[str, int]


def read_facilities(
    path: str | Path, *, columns: dict[str, str] | None = None, sheet: str | None = None, encoding: str | None = None
) -> FacilityTable:
    """Read a list of facilities.

    Parameters
    ----------
    path : path
        ``.csv``, ``.tsv``, ``.txt``; ``.xlsx``, ``.xlsm``; ``.geojson``, ``.json``; ``.gpkg``.
    columns : dict of str, optional
        Header by meaning (`MEANINGS`); what is not given is guessed by the header.
    sheet : str, optional
        Sheet of a workbook or layer of a GeoPackage; default: the only one with rows.
    encoding : str, optional
        Of a text file; default: told by its bytes.

    Raises
    ------
    DataError
        The file cannot be read, has no column of places, or two columns could be it.
    """
    path = Path(path)
    if (size := _size(path)) > MOST_BYTES:
        raise DataError(f"{path} has {size:,} bytes; a list of facilities has at most {MOST_BYTES:,}: cut it down")
    kind = path.suffix.casefold()
    told, crs = "", None
    shapes: NDArray[np.object_] | None = None
    if kind in {".csv", ".tsv", ".txt"}:
        frame, told = _csv(path, encoding)
    elif kind in _WORKBOOKS:
        frame = _workbook(path, sheet)
    elif kind in {".geojson", ".json"}:
        frame, shapes = _geojson(path)
    elif kind == ".gpkg":
        frame, shapes, crs = _geopackage(path, sheet)
    else:
        raise DataError(
            f"{path} is no table that is read here; expected .csv, .tsv, .txt, .xlsx, .geojson or .gpkg "
            "(save an .xls or .ods as .xlsx, export a shapefile as GeoPackage)"
        )
    frame.columns = [str(name) for name in frame.columns]
    meant = _columns(path, list(frame.columns), columns or {}, placed=shapes is not None)
    if shapes is None:
        shapes = _points(frame, meant)
    there = np.array([shape is not None and not shape.is_empty for shape in shapes], dtype=bool)
    finite = there & np.isfinite(shapely.bounds(shapes)).all(axis=1)
    left_out = {"no coordinates": int((~there).sum()), "coordinates that are no numbers": int((there & ~finite).sum())}
    if not finite.any():
        raise DataError(
            f"{path} holds no row with coordinates ({len(frame):,} rows); columns read: {_shown(meant) or 'none'}"
        )
    kept = np.flatnonzero(finite)
    said = {name: _texts(frame, meant.get(name)) for name in ("name", "service", "capacity", "opens", "closes")}
    keys = [name for name in frame.columns if _OSM_KEY.fullmatch(name) and name not in meant.values()]
    cells = {name: _texts(frame, name) for name in keys}
    rows = pd.DataFrame(
        {
            "row": kept + 1,
            **{name: pd.Series([values[ix] for ix in kept], dtype=object) for name, values in said.items()},
            "tags": [{key: value for key in keys if (value := cells[key][ix])} for ix in kept],
            "geometry": pd.Series(list(shapely.force_2d(shapes[kept])), dtype=object),
        }
    )
    return FacilityTable(rows, meant, told, crs, len(frame), {why: n for why, n in left_out.items() if n})


def number_in(text: str) -> float:
    """First number in a text such as ``120 张``; NaN where there is none."""
    found = _NUMBER.search(unicodedata.normalize("NFKC", text))
    return float(found[0].replace(",", "")) if found else float("nan")


def _size(path: Path) -> int:
    try:
        if path.is_file():
            return path.stat().st_size
        if path.exists():
            raise DataError(f"cannot read the table {path}: it is no file; give the path of a file")
    except OSError as error:
        raise DataError(f"cannot read the table {path}: {error.strerror or error}") from error
    except ValueError as error:  # a path with a NUL in it; ours is one too
        raise (
            error if isinstance(error, DataError) else DataError(f"cannot read the table {path!r}: {error}")
        ) from error
    raise DataError(f"cannot read the table {path}: there is no such file")


# ---------------------------------------------------------------------------------------------------- by kind of file


def _csv(path: Path, encoding: str | None) -> tuple[pd.DataFrame, str]:
    text, told = _decoded(path, encoding)
    head = next((line for line in text.splitlines() if line.strip()), "")
    marks = Counter(c for c in head if c in ",;\t|")
    mark = max(",;\t|", key=lambda c: (marks[c], c == ","))
    return _parsed(path, text, mark), told


def _decoded(path: Path, encoding: str | None = None) -> tuple[str, str]:
    """Text of a file, and what it was encoded in."""
    if (size := _size(path)) > MOST_BYTES:
        raise DataError(f"the table {path} has {size:,} bytes, more than the {MOST_BYTES:,} that are read")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read the table {path}: {error.strerror or error}") from error
    marked = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
    sure = encoding or next((name for mark, name in marked.items() if raw.startswith(mark)), None)
    try:
        return raw.decode(sure or "utf-8"), sure or "utf-8"
    except LookupError as error:
        raise DataError(f"there is no encoding {encoding!r}; expected one such as utf-8 or gb18030") from error
    except UnicodeDecodeError as error:
        if sure is not None:
            raise DataError(f"{path} is not in {sure}: {error.reason} at byte {error.start}; name another") from error
    from charset_normalizer import from_bytes

    best = from_bytes(raw, cp_isolation=list(ENCODINGS)).best()
    if best is not None:
        return str(best), best.encoding
    try:  # too few words to tell by: what comes from an office in China is in this
        return raw.decode(ENCODINGS[0]), ENCODINGS[0]
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is in no encoding that is known here; save it as UTF-8, or name its encoding"
        ) from error


def _parsed(path: Path, text: str, mark: str = ",") -> pd.DataFrame:
    if text.partition("\n")[0].count(mark) > _MOST_COLUMNS:
        raise DataError(f"{path} has more than {_MOST_COLUMNS} columns; is it the right file?")
    try:
        with warnings.catch_warnings():
            # A row with more cells than the header has names would else have its first cells taken for labels.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                io.StringIO(text), dtype=str, keep_default_na=False, sep=mark, skipinitialspace=True, index_col=False
            )
    except pd.errors.ParserWarning as error:
        raise DataError(
            f"{path} has rows with more cells than its header has names; quote numbers with commas"
        ) from error
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise DataError(f"cannot read the table {path}: {error}") from error


def _workbook(path: Path, sheet: str | None) -> pd.DataFrame:
    from openpyxl import load_workbook

    try:
        _check_parts(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of colours and rules that play no part here
            book = load_workbook(path, read_only=True, data_only=True, keep_links=False)
            try:
                sheets = {one.title: _sheet(path, one) for one in book.worksheets}
            finally:
                book.close()
    except DataError:
        raise
    except Exception as error:  # openpyxl is not made for damaged files: it raises whatever it meets
        raise DataError(f"cannot read the workbook {path}: {type(error).__name__}: {error}") from error
    rows = sheets[_only(path, "sheet", sheet, sheets)]
    # What stands above the header, a title say, has fewer cells than it.
    wide = max((sum(map(bool, row)) for row in rows), default=0)
    head = next((ix for ix, row in enumerate(rows) if sum(map(bool, row)) > wide / 2), 0)
    header = rows[head] if rows else []
    names = [name or f"column {number}" for number, name in enumerate(header, start=1)]
    return pd.DataFrame([_wide(row, len(names)) for row in rows[head + 1 :]], columns=names, dtype=object)


def _check_parts(path: Path) -> None:
    """Refuse a workbook that unpacks to a flood, or whose parts define entities."""
    with zipfile.ZipFile(path) as packed:
        size = sum(part.file_size for part in packed.infolist())
        if size > MOST_BYTES:
            raise DataError(f"{path} unpacks to {size:,} bytes; a list of facilities has at most {MOST_BYTES:,}")
        for name in packed.namelist():
            with packed.open(name) as part:
                if b"<!DOCTYPE" in part.read(4096):
                    raise DataError(f"{path} is no workbook as spreadsheets write it ({name[:80]!r} has a DOCTYPE)")


def _sheet(path: Path, sheet: Any) -> list[list[str]]:
    """Cells of a sheet as texts, without empty rows and empty ends of rows.

    What a sheet says of its size is not believed: it may be all there could be, and mostly is nothing.
    """
    sheet.reset_dimensions()
    rows, cells = [], 0
    for values in sheet.iter_rows(values_only=True):
        row = ["" if value is None else _cell(value) for value in values]
        while row and not row[-1]:
            row.pop()
        if row:
            rows.append(row)
            cells += len(row)
        if cells > _MOST_CELLS:
            raise DataError(f"{path} has more than {_MOST_CELLS:,} cells on one sheet; cut it down to the list itself")
    return rows


def _wide(row: list[str], width: int) -> list[str]:
    """Make a row as wide as the header: what stands beyond it has no name."""
    return [*row[:width], *[""] * (width - len(row))]


def _cell(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def _only(path: Path, what: str, asked: str | None, there: dict[str, Any]) -> str:
    """Name the sheet or layer that is asked for, or the only one that holds rows."""
    if asked is not None:
        if asked not in there:
            raise DataError(f"{path} has no {what} {asked!r}; {did_you_mean(asked, list(there))}")
        return asked
    full = [name for name, rows in there.items() if len(rows)]
    if len(full) != 1:
        has = f"has the {what}s {', '.join(full)}" if full else f"has no {what} with rows"
        raise DataError(f"{path} {has}; name the one that lists the facilities (sheet)")
    return full[0]


def _geojson(path: Path) -> tuple[pd.DataFrame, NDArray[np.object_]]:
    features = read_features(path, what="list of facilities")
    rows = [said if isinstance(said := one.get("properties"), dict) else {} for one in features]
    shapes = np.empty(len(features), dtype=object)
    for ix, one in enumerate(features):
        geometry = one.get("geometry")
        try:
            shape = shapely.geometry.shape(geometry) if isinstance(geometry, dict) else None
            shapes[ix] = None if shape is None else _place(shape)
        except (
            ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, shapely.errors.ShapelyError,
        ) as error:  # fmt: skip
            raise DataError(f"{path}, feature {ix + 1}: its coordinates are broken: {error}") from error
    names = list(dict.fromkeys(str(key) for row in rows for key in row))
    return pd.DataFrame({name: [row.get(name) for row in rows] for name in names}, index=range(len(rows))), shapes


def _geopackage(path: Path, layer: str | None) -> tuple[pd.DataFrame, NDArray[np.object_], pyproj.CRS | None]:
    import pyogrio

    try:
        with path.open("rb") as file:
            if file.read(16) != b"SQLite format 3\x00":
                raise DataError(f"{path} is no GeoPackage")
        layers = {str(name): [kind] if kind is not None else [] for name, kind in pyogrio.list_layers(path)}
        found = pyogrio.read_dataframe(path, layer=_only(path, "layer", layer, layers))
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, pyogrio.errors.GeometryError, OSError,
            ValueError) as error:  # fmt: skip
        raise DataError(f"cannot read the GeoPackage {path}: {error}") from error
    shapes = found.geometry.to_numpy(dtype=object)
    places = np.empty(len(shapes), dtype=object)
    places[:] = [None if shape is None else _place(shape) for shape in shapes]
    return pd.DataFrame(found.drop(columns=found.geometry.name)), places, found.crs


def _place(shape: Any) -> Any:
    """Point or outline a facility is; a line, or several points, is the point in its middle."""
    if shape.geom_type in {"Point", "Polygon", "MultiPolygon"}:
        if shape.is_valid or shape.geom_type == "Point":
            return shape
        parts = shapely.get_parts(shapely.make_valid(shape, method="structure"))
        return shapely.union_all([part for part in parts if part.geom_type in {"Polygon", "MultiPolygon"}])
    return shapely.point_on_surface(shape) if not shape.is_empty else None


# ---------------------------------------------------------------------------------------------------------- columns


def _columns(path: Path, headers: list[str], asked: dict[str, str], *, placed: bool) -> dict[str, str]:
    """Header of each meaning: as asked, else the one that reads like it."""
    for meaning, header in asked.items():
        if meaning not in _HEADERS:
            raise DataError(f"no column of a list of facilities means {meaning!r}; {did_you_mean(meaning, MEANINGS)}")
        if header not in headers:
            raise DataError(f"{path} has no column {header!r} for {meaning}; {did_you_mean(header, headers)}")
    found = dict(asked)
    places = {"lon", "lat", "lonlat"}
    for header in headers:
        meaning = _MEANT.get(_word(header), "")
        if not meaning or header in found.values() or (placed and meaning in places):
            continue
        if meaning in asked or (meaning == "lonlat" and {"lon", "lat"} <= found.keys()):
            continue
        if meaning in found and meaning in places:
            raise DataError(
                f"{path} has two columns that could be {meaning}, {found[meaning]!r} and {header!r}; say which: "
                f'columns = {{ {meaning} = "{header}" }}'
            )
        found.setdefault(meaning, header)
    if {"lon", "lat"} <= found.keys():
        found.pop("lonlat", None)
    if not placed and not ({"lon", "lat"} <= found.keys() or "lonlat" in found):
        raise DataError(
            f"{path} has no columns of longitude and latitude that are known by their names; it has "
            f'{", ".join(map(repr, headers))}. Say which they are: columns = {{ lon = "...", lat = "..." }}'
        )
    return found


def _word(header: str) -> str:
    """Header without case, width, punctuation and what stands in brackets."""
    bare = re.sub(r"[(\[{（【].*?[)\]}）】]", "", unicodedata.normalize("NFKC", header))
    return "".join(c for c in bare.casefold() if c.isalnum())


def _shown(columns: dict[str, str]) -> str:
    return ", ".join(f"{meaning} = {header!r}" for meaning, header in columns.items())


def _texts(frame: pd.DataFrame, header: str | None) -> list[str]:
    """Cells of a column as one line of text each; empty where there is none."""
    if header is None:
        return [""] * len(frame)
    column = frame[header]
    values: Iterable[Any] = column.iloc[:, 0] if isinstance(column, pd.DataFrame) else column
    return ["" if _is_none(value) else _line(_cell(value)) for value in values]


def _is_none(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value)) or value is pd.NA or value is pd.NaT


def _line(text: str) -> str:
    """One line without characters that act instead of being read."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return " ".join("".join(c if c.isprintable() else " " for c in whole).split())


def _points(frame: pd.DataFrame, columns: dict[str, str]) -> NDArray[np.object_]:
    """Point of each row; None where it names none."""
    if "lonlat" in columns:
        pairs = [re.split(r"[,，;；\s]+", text.strip("()[]（）")) for text in _texts(frame, columns["lonlat"])]
        xs, ys = ([pair[ix] if len(pair) == 2 else "" for pair in pairs] for ix in (0, 1))  # noqa: PLR2004
    else:
        xs, ys = _texts(frame, columns["lon"]), _texts(frame, columns["lat"])
    x, y = (np.array([_degrees(text) for text in texts], dtype=np.float64) for texts in (xs, ys))
    found = np.full(len(frame), None, dtype=object)
    there = np.isfinite(x) & np.isfinite(y)
    found[there] = shapely.points(x[there], y[there])
    return found


def _degrees(text: str) -> float:
    """Read the number of a cell: ``121.93``, ``121,93``, ``121°55′48″``; NaN for anything else."""
    plain = unicodedata.normalize("NFKC", text.replace("′", "'").replace("″", '"'))
    if found := _DMS.search(plain):
        return float(found[1]) + float(found[2]) / 60 + float(found[3] or 0) / 3600
    if re.fullmatch(r"[-+]?\d+,\d+", plain):
        plain = plain.replace(",", ".")
    try:
        return float(plain)
    except ValueError:
        return float("nan")


# ----------------------------------------------------------------------------------------------------------- people


def read_places(path: str | Path) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Read people by place: a CSV table with the columns ``lon``, ``lat`` (degrees, WGS84) and ``people``.

    Returns
    -------
    lon, lat, people : (n,) float64
        Rows with no people are left out.

    Raises
    ------
    DataError
        The file cannot be read, lacks a column, or a cell holds no number or a negative one; the first is named.
    CrsError
        The numbers are not degrees.
    """
    path = Path(path)
    frame = _parsed(path, _decoded(path)[0])
    lacking = [name for name in _PEOPLE if name not in frame.columns]
    if len(lacking) == len(_PEOPLE):  # what is no such table may be anything, and is nothing for a message or a log
        raise DataError(f"{path} has none of the columns {', '.join(_PEOPLE)}; is it a CSV table with a header?")
    if lacking:
        raise DataError(
            f"{path} lacks the column {', '.join(lacking)}; it has {', '.join(map(str, frame.columns))}. Expected "
            f"{', '.join(_PEOPLE)}"
        )
    columns = []
    for name in _PEOPLE:
        values = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64)
        wrong = np.flatnonzero(~np.isfinite(values) | ((values < 0) if name == "people" else False))
        if len(wrong):
            row = int(wrong[0])
            raise DataError(
                f"{path}, line {row + 2}: {name} is {frame[name].iloc[row]!r}; expected a number"
                + (" that is not negative" if name == "people" else " in degrees")
            )
        columns.append(values)
    lon, lat, people = columns
    if len(lon) and (np.abs(lon).max() > 180 or np.abs(lat).max() > 90):  # noqa: PLR2004
        raise CrsError(f"{path} holds numbers that are no degrees; expected lon and lat in WGS84")
    some = people > 0
    return lon[some], lat[some], people[some]
