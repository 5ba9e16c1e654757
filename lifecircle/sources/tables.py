"""Tables of people, and lists of facilities: CSV in any common encoding, Excel, GeoJSON, GeoPackage."""

import csv
import io
import re
import unicodedata
import warnings
import zipfile
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
from lifecircle.sources.coordinates import degrees, pair, says_none
from lifecircle.sources.headings import (
    MOST_ABOVE,
    Body,
    columns_of,
    heading_of,
    headings_of,
    names_places,
    shown,
    side_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST_BYTES = 500_000_000
"""A table larger than this, or a workbook that unpacks to more, is no list of facilities."""

ENCODINGS = ("gb18030", "big5", "shift_jis", "euc_kr", "cp1252", "cp1251")
"""What a text that is no UTF is taken for, whichever reads most like a language (charset-normalizer)."""

_PEOPLE = ("lon", "lat", "people")
_MOST_COLUMNS = 1000
_WORKBOOKS = frozenset({".xlsx", ".xlsm"})
_MOST_CELLS = 2_000_000
_EDITS = frozenset({"add_facility", "close_facility", "open_gate"})  # of a scenario, as whatif.js writes it
_OSM_KEY = re.compile(r"[a-z][a-z_:]*")
_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?")

NO_COORDINATES = "no coordinates"
NOT_UNDERSTOOD = "coordinates not understood"
NO_NUMBERS = "coordinates that are no numbers"


@dataclass(frozen=True, eq=False)
class FacilityTable:
    """A list of facilities as it stands in its file.

    Attributes
    ----------
    rows : ``row`` (int, from 1), ``in_file`` (int), ``place`` (text), ``name``, ``service``, ``capacity``, ``opens``,
        ``closes`` (texts), ``tags`` (dict), ``geometry`` (shapely, as told by ``crs``)
        Rows with a place; ``row`` counts the rows of the file that are not empty, without its header; ``in_file`` is
        what a spreadsheet shows beside the row, or the number of a feature; ``place`` the coordinates as written.
    columns : dict of str
        Header of the column taken for each meaning.
    encoding : str
        Of a text file, else empty.
    crs : pyproj.CRS or None
        What the file says of its coordinates; None where it says nothing.
    datum : str
        What the headings of the coordinates say: wgs84, gcj02 or bd09; empty where they say nothing.
    n_rows : int
    left_out : dict of list of (int, str)
        Rows without a place, by reason: their ``in_file`` and ``place``.
    """

    rows: pd.DataFrame
    columns: dict[str, str]
    encoding: str
    crs: pyproj.CRS | None
    datum: str
    n_rows: int
    left_out: dict[str, list[tuple[int, str]]]


def read_facilities(
    path: str | Path, *, columns: dict[str, str] | None = None, sheet: str | None = None, encoding: str | None = None,
    datum: str | None = None,
) -> FacilityTable:  # fmt: skip
    """Read a list of facilities.

    Parameters
    ----------
    path : path
        ``.csv``, ``.tsv``, ``.txt``; ``.xlsx``, ``.xlsm``; ``.geojson``, ``.json``; ``.gpkg``.
    columns : dict of str, optional
        Header by meaning (`MEANINGS`); what is not given is guessed by the header.
    sheet : str, optional
        Sheet of a workbook or layer of a GeoPackage; default: the only one with rows, or with columns of coordinates.
    encoding : str, optional
        Of a text file; default: told by its bytes.
    datum : str, optional
        Which coordinates are taken where headings name several: wgs84, gcj02 or bd09.

    Raises
    ------
    DataError
        The file cannot be read, has no column of places, or two columns could be it.
    """
    path = Path(path)
    if (size := _size(path)) > MOST_BYTES:
        raise DataError(f"{path} has {size:,} bytes; a list of facilities has at most {MOST_BYTES:,}: cut it down")
    kind = path.suffix.casefold()
    if sheet is not None and kind not in {*_WORKBOOKS, ".gpkg"}:
        raise DataError(f"{path} has no sheets: --sheet {sheet!r} names one of a workbook, or a layer of a GeoPackage")
    asked = columns or {}
    told, crs = "", None
    shapes: NDArray[np.object_] | None = None
    if kind in {".csv", ".tsv", ".txt"}:
        cells, told = _csv(path, encoding, asked)
    elif kind in _WORKBOOKS:
        cells = _workbook(path, sheet, asked)
    elif kind in {".geojson", ".json"}:
        frame, shapes = _geojson(path)
        cells = _features(frame)
    elif kind == ".gpkg":
        frame, shapes, crs = _geopackage(path, sheet)
        cells = _features(frame)
    else:
        raise DataError(
            f"{path} is no table that is read here; expected .csv, .tsv, .txt, .xlsx, .geojson or .gpkg "
            "(save an .xls or .ods as .xlsx, export a shapefile as GeoPackage)"
        )
    frame = cells.frame
    meant, said_datum = columns_of(path, cells, asked, placed=shapes is not None, datum=datum)
    places = [""] * len(frame)
    if shapes is None:
        shapes, places = _points(frame, meant)
    there = np.array([shape is not None and not shape.is_empty for shape in shapes], dtype=bool)
    finite = there & np.isfinite(shapely.bounds(shapes)).all(axis=1)
    empty = np.array([not place for place in places], dtype=bool)
    left_out = {
        why: [(int(cells.numbers[ix]), places[ix]) for ix in np.flatnonzero(rows)]
        for why, rows in (
            (NO_COORDINATES, ~there & empty), (NOT_UNDERSTOOD, ~there & ~empty), (NO_NUMBERS, there & ~finite),
        )
        if rows.any()
    }  # fmt: skip
    if not finite.any():
        wrong = left_out.get(NOT_UNDERSTOOD, [])
        raise DataError(
            f"{path} holds no row with coordinates ({len(frame):,} rows); columns read: {shown(meant) or 'none'}"
            + (f"; not understood: {rows_shown(wrong)}; expected degrees such as 121.91 or 121°54′36″" if wrong else "")
        )
    kept = np.flatnonzero(finite)
    said = {name: _texts(frame, meant.get(name)) for name in ("name", "service", "capacity", "opens", "closes")}
    keys = [name for name in frame.columns if _OSM_KEY.fullmatch(name) and name not in meant.values()]
    texts = {name: _texts(frame, name) for name in keys}
    rows = pd.DataFrame(
        {
            "row": kept + 1,
            "in_file": cells.numbers[kept],
            "place": pd.Series([places[ix] for ix in kept], dtype=object),
            **{name: pd.Series([values[ix] for ix in kept], dtype=object) for name, values in said.items()},
            "tags": [{key: value for key in keys if (value := texts[key][ix])} for ix in kept],
            "geometry": pd.Series(list(shapely.force_2d(shapes[kept])), dtype=object),
        }
    )
    return FacilityTable(rows, meant, told, crs, said_datum, len(frame), left_out)


def rows_shown(rows: list[tuple[int, str]], most: int = 5) -> str:
    """Name rows by their number in the file and what they say: the first ones, and how many more there are.

    Examples
    --------
    >>> rows_shown([(7, "121.5.30, 31"), (9, "")], most=1)
    "row 7 '121.5.30, 31' and 1 more"
    """
    shown = ", ".join(f"row {row}" + (f" {text[:40]!r}" if text else "") for row, text in rows[:most])
    return shown + (f" and {len(rows) - most:,} more" if len(rows) > most else "")


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


def _features(frame: pd.DataFrame) -> Body:
    frame.columns = [str(name) for name in frame.columns]
    return Body(frame, np.arange(1, len(frame) + 1), {name: name for name in frame.columns})


def _csv(path: Path, encoding: str | None, asked: dict[str, str]) -> tuple[Body, str]:
    text, told = _decoded(path, encoding)
    first = next((line for line in text.splitlines() if line.strip()), "")
    marks = sorted(",;\t|", key=lambda c: (first.count(c), c == ","), reverse=True)
    tops = {mark: _top(text, mark) for mark in marks}
    # Below a title the first line tells nothing: then the mark is the one that parts the names of the coordinates.
    mark = next((mark for mark, top in tops.items() if names_places([cells for _, cells in top], asked)), marks[0])
    top = tops[mark]
    rows = [cells for _, cells in top]
    head = heading_of(rows, asked)
    if not any(rows):
        raise DataError(f"cannot read the table {path}: it holds no text")
    names, full = headings_of(rows, head)
    if len(names) > _MOST_COLUMNS:
        raise DataError(f"{path} has more than {_MOST_COLUMNS} columns; is it the right file?")
    below = text[top[head][0] :]
    frame = _parsed(path, below, mark, names, head + 1) if below.strip() else pd.DataFrame(columns=names, dtype=object)
    # A line with nothing on it is no row, but has a number.
    some = (frame.fillna("") != "").any(axis=1).to_numpy(dtype=bool)
    numbers = head + 2 + np.arange(len(frame))
    return Body(frame[some].reset_index(drop=True), numbers[some], full), told


def _top(text: str, mark: str) -> list[tuple[int, list[str]]]:
    """First rows of a text: where each ends, and its cells."""
    ends = [0]

    def lines() -> "Iterator[str]":
        for line in io.StringIO(text, newline=""):
            ends[0] += len(line)
            yield line

    found: list[tuple[int, list[str]]] = []
    try:
        for cells in csv.reader(lines(), delimiter=mark, skipinitialspace=True):
            found.append((ends[0], [_line(cell) for cell in cells]))
            if len(found) >= MOST_ABOVE:
                break
    except csv.Error:  # what is wrong below the heading is said by who reads all of it
        pass
    return found


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


def _parsed(
    path: Path, text: str, mark: str = ",", names: list[str] | None = None, above: int = 0
) -> pd.DataFrame:  # fmt: skip
    """Parse a text that begins with its header, or the rows below ``above`` others; these keep their empty lines."""
    if text.partition("\n")[0].count(mark) > _MOST_COLUMNS:
        raise DataError(f"{path} has more than {_MOST_COLUMNS} columns; is it the right file?")
    try:
        with warnings.catch_warnings():
            # A row with more cells than the header has names would else have its first cells taken for labels.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                io.StringIO(text), dtype=str, keep_default_na=False, sep=mark, skipinitialspace=True, index_col=False,
                names=names, header="infer" if names is None else None, skip_blank_lines=names is None,
            )  # fmt: skip
    except pd.errors.ParserWarning as error:
        raise DataError(
            f"{path} has rows with more cells than its header has names; quote numbers with commas"
        ) from error
    except (OSError, ValueError, pd.errors.ParserError) as error:
        # Lines are counted from where parsing began, and rows from 0.
        text = re.sub(r"(?<=in line )\d+", lambda found: str(int(found[0]) + above), str(error).strip())
        text = re.sub(r"(?<=at row )\d+", lambda found: str(int(found[0]) + above + 1), text)
        raise DataError(f"cannot read the table {path}: {text}") from error


def _workbook(path: Path, sheet: str | None, asked: dict[str, str]) -> Body:
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
    if sheet is None:
        # A sheet that explains how to fill in another names no coordinates.
        placed = [name for name, rows in sheets.items() if names_places([cells for _, cells in rows], asked)]
        sheet = placed[0] if len(placed) == 1 else None
    numbered = sheets[_only(path, "sheet", sheet, sheets)]
    rows = [cells for _, cells in numbered]
    head = heading_of(rows, asked)
    names, full = headings_of(rows, head) if rows else ([], {})
    frame = pd.DataFrame([_wide(row, len(names)) for row in rows[head + 1 :]], columns=names, dtype=object)
    return Body(frame, np.array([number for number, _ in numbered[head + 1 :]], dtype=np.int64), full)


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


def _sheet(path: Path, sheet: Any) -> list[tuple[int, list[str]]]:
    """Rows of a sheet by number, their cells as texts, without empty rows and empty ends of rows.

    What a sheet says of its size is not believed: it may be all there could be, and mostly is nothing.
    """
    sheet.reset_dimensions()
    rows, cells = [], 0
    for number, values in enumerate(sheet.iter_rows(values_only=True), start=1):
        row = ["" if value is None else _cell(value) for value in values]
        while row and not row[-1]:
            row.pop()
        if row:
            rows.append((number, row))
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
        raise DataError(f"{path} {has}; name the one that lists the facilities: --sheet NAME (sheet in a study file)")
    return full[0]


def _geojson(path: Path) -> tuple[pd.DataFrame, NDArray[np.object_]]:
    features = read_features(path, what="list of facilities")
    rows = [said if isinstance(said := one.get("properties"), dict) else {} for one in features]
    if any(isinstance(row.get("edit"), str) and row["edit"] in _EDITS for row in rows):
        raise DataError(
            f"{path} is a scenario saved by the map page, a record of edits and no list of facilities; scenarios are "
            "not computed by this version: give a list of facilities (CSV, Excel, GeoJSON or GeoPackage)"
        )
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


def _points(frame: pd.DataFrame, columns: dict[str, str]) -> tuple[NDArray[np.object_], list[str]]:
    """Point of each row, None where it names none; and what each says of its place, empty where nothing."""
    where = ["lonlat"] if "lonlat" in columns else ["lon", "lat"]
    cells = list(zip(*(_texts(frame, columns[meaning]) for meaning in where), strict=True))
    pairs = [pair(*texts) if len(texts) == 1 else texts for texts in cells]
    sides = [side_of(columns[meaning]) for meaning in where]
    if any(sides):
        pairs = [(sides[0] + texts[0], sides[-1] + texts[1]) for texts in pairs]
    x = np.array([degrees(text, "lon") for text, _ in pairs], dtype=np.float64)
    y = np.array([degrees(text, "lat") for _, text in pairs], dtype=np.float64)
    found = np.full(len(frame), None, dtype=object)
    there = np.isfinite(x) & np.isfinite(y)
    found[there] = shapely.points(x[there], y[there])
    return found, ["" if any(map(says_none, texts)) else ", ".join(texts) for texts in cells]


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
