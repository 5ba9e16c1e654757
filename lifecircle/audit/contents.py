"""Two results files that should be the same: where they are not, by file, row and column, and what each says."""

import base64
import hashlib
import json
import re
import sqlite3
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from html.parser import HTMLParser
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from lifecircle.errors import DataError, plain_text
from lifecircle.reading import read_json

MOST = 5
"""Differences told of a file; how many more there are is counted."""

_SHOWN = 80  # characters of a value
_NOTHING = "(nothing)"
_ROWS_BY = (
    *("cell_id", "point_n", "join_n", "edge_id", "facility_id", "cost", "rule", "service", "zone", "year", "measure"),
    *("gates", "tier", "key", "name", "decided_by"),
)
"""Columns and keys that name a row to a reader."""

_MANIFEST = "manifest.json"  # clock, timings and command line are free, and so are its bytes
_UNFOLDED, _TIMES, _ROWS_AT_ONCE = 256 << 20, 200, 128
"""What a table may unfold into: so many bytes, and so many times its size."""

_LARGEST_BLOCK = 100_000_000  # pixels of a raster stored in one piece
_BIGGER = 4  # a file that is so many times as large, and a megabyte more, is not even opened


@dataclass(frozen=True)
class Difference:
    """One place where a results file does not say what its inputs give.

    Attributes
    ----------
    file : str
    place : str
        Where in the file: row and column, key, text after a heading.
    said, computed : str
        What stands there, and what should.
    """

    file: str
    place: str
    said: str
    computed: str

    def __str__(self) -> str:
        return f"{self.file}: {self.place}: says {self.said}, computed {self.computed}"


class UnreadableError(Exception):
    """A file is not what its name says; the message says why."""


Found = Iterator[tuple[str, Any, Any]]
"""Places that differ, with what is said there and what was computed."""


def compare(said: Path, made: Path, *, strict: bool) -> tuple[list[Difference], int]:
    """Compare a file with the one computed anew: first its bytes, then what it says.

    Parameters
    ----------
    strict : bool
        Whether both were made with the same library versions, so that every byte must be the same.

    Returns
    -------
    differences, and how many more there are
    """
    name = made.name
    if said.is_symlink() or not said.is_file():
        return [Difference(name, "file", "no regular file", "a file")], 0
    size, right = said.stat().st_size, made.stat().st_size
    if size > _BIGGER * right + 1_000_000:
        return [Difference(name, "file", f"{size:,} bytes", f"{right:,} bytes")], 0
    if size == right and said.read_bytes() == made.read_bytes():
        return [], 0
    try:
        rows = ((place, _text(a), _text(b)) for place, a, b in _COMPARE[made.suffix](said, made, strict=strict))
        found = [Difference(name, *row) for row in islice(rows, MOST)]
        more = sum(1 for _ in rows)
    except UnreadableError as error:
        return [Difference(name, "file", f"cannot be read: {_text(str(error))}", "a file that can")], 0
    if strict and not found and name != _MANIFEST:
        a, b = (hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in (said, made))
        found = [
            Difference(name, "bytes (what they say is the same)", f"sha256 {a}…, {size:,} bytes", f"{b}…, {right:,}")
        ]
    return found, more


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return f"{len(value)} bytes, sha256 {hashlib.sha256(value).hexdigest()[:16]}…"
    text = _NOTHING if value is None else repr(value) if isinstance(value, str) else plain_text(str(value))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _same(a: Any, b: Any) -> bool:
    """Equal in type and value, NaN with NaN, minus zero not with zero."""
    if isinstance(a, float) and isinstance(b, float):
        return (a == b and str(a) == str(b)) or (a != a and b != b)  # noqa: PLR0124
    return type(a) is type(b) and bool(a == b)


# ----------------------------------------------------------------------------------------------------------- tables


def _parquet(said: Path, made: Path, *, strict: bool) -> Found:
    import pyarrow as pa
    import pyarrow.parquet as pq

    right = pq.ParquetFile(made).read()
    try:
        opened = pq.ParquetFile(said)
        n = opened.metadata.num_rows
        if n > _BIGGER * right.num_rows + 1000:
            yield "rows", n, right.num_rows
            return
        left = read_table(said)
        for table in (left, right):
            table.validate(full=True)  # texts that are none, offsets beyond the data: found here and not in a value
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UnreadableError(str(error)) from error
    yield from _columns(left.schema, right.schema)
    keys = [name for name in _ROWS_BY if name in right.schema.names and name in left.schema.names]
    named = [_keys_of(table, keys) for table in (left, right)]
    if left.num_rows != right.num_rows:
        yield "rows", left.num_rows, right.num_rows
        yield from ((f"row {_row(keys, key)}", "there", None) for key in sorted({*named[0]} - {*named[1]}, key=repr))
        yield from ((f"row {_row(keys, key)}", None, "there") for key in sorted({*named[1]} - {*named[0]}, key=repr))
        return
    for field in right.schema:
        if field.name not in left.schema.names or left.schema.field(field.name).type != field.type:
            continue
        a, b = left[field.name], right[field.name]
        if a.equals(b):
            continue
        for number, (x, y) in enumerate(zip(a.to_pylist(), b.to_pylist(), strict=True)):
            if not _same(x, y):
                yield f"row {_row(keys, named[1][number], number)}, column {field.name}", x, y
    yield from _metadata(left.schema.metadata or {}, right.schema.metadata or {}, strict=strict)


def read_table(path: Path, columns: list[str] | None = None) -> Any:
    """Read a Parquet file piece by piece, and no further than it may unfold: a text can be said once for many rows.

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    ValueError, OSError, ArrowException
        It is damaged, or a flood.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    opened = pq.ParquetFile(path)
    schema = opened.schema_arrow
    if columns is not None:
        schema = pa.schema([schema.field(name) for name in columns], schema.metadata)
    most, size, batches = _UNFOLDED + _TIMES * path.stat().st_size, 0, []
    for batch in opened.iter_batches(_ROWS_AT_ONCE, columns=columns):
        size += batch.nbytes
        if size > most:
            raise ValueError(f"it unfolds into more than {most >> 20:,} MB")
        batches.append(batch.select(schema.names))
    return pa.Table.from_batches(batches, schema)


def _columns(left: Any, right: Any) -> Found:
    """Columns of two Arrow schemas that are not the same."""
    for name in (*right.names, *(name for name in left.names if name not in right.names)):
        a, b = (schema.field(name).type if schema.names.count(name) == 1 else None for schema in (left, right))
        if a != b:
            yield f"column {name}", a, b
    if left.names != right.names and sorted(left.names) == sorted(right.names):
        yield "order of columns", left.names, right.names


def _keys_of(table: Any, keys: list[str]) -> list[tuple[Any, ...]]:
    return list(zip(*(table[key].to_pylist() for key in keys), strict=True))


def _metadata(left: dict[bytes, bytes], right: dict[bytes, bytes], *, strict: bool) -> Found:
    keys = sorted({*left, *right}) if strict else sorted({*left, *right} & {b"geo"})
    for key in keys:
        a, b = left.get(key), right.get(key)
        if a == b:
            continue
        place = f"metadata {key.decode(errors='replace')}"
        try:
            one, other = (None if text is None else json.loads(text) for text in (a, b))
        except (ValueError, RecursionError):
            yield place, a, b
            continue
        if not strict and isinstance(one, dict) and isinstance(other, dict):
            one, other = _without_versions(one), _without_versions(other)
        yield from ((f"{place} {where}".strip(), x, y) for where, x, y in _values(one, other))


def _without_versions(geo: dict[str, Any]) -> dict[str, Any]:
    """GeoParquet metadata without what another version of PROJ may write otherwise."""
    import pyproj

    columns = {}
    for name, column in dict(geo.get("columns") or {}).items():
        try:
            crs = pyproj.CRS.from_user_input(column.get("crs")).to_wkt("WKT1_GDAL")
        except (pyproj.exceptions.CRSError, AttributeError, TypeError):
            crs = "none"
        columns[name] = {**column, "crs": crs}
    return {"primary_column": geo.get("primary_column"), "columns": columns}


def _row(keys: list[str], values: tuple[Any, ...], number: int | None = None) -> str:
    text = ", ".join(f"{key} {value}" for key, value in zip(keys, values, strict=True) if value is not None)
    if number is None or not text:
        return text or f"{number}"
    return f"{number} ({text})"


def _geopackage(said: Path, made: Path, *, strict: bool) -> Found:
    try:
        with closing(_database(said)) as left, closing(_database(made)) as right:
            yield from _tables(left, right, strict=strict)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise UnreadableError(str(error)) from error


def _database(path: Path) -> sqlite3.Connection:
    """Open a database that nothing in it can act from: read-only, its own functions not trusted."""
    found = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    found.execute("PRAGMA trusted_schema=OFF")
    found.execute("PRAGMA cell_size_check=ON")
    return found


def _tables(left: sqlite3.Connection, right: sqlite3.Connection, *, strict: bool) -> Found:
    schema = [
        {(kind, name): sql for kind, name, sql in one.execute("SELECT type, name, sql FROM sqlite_master")}
        for one in (left, right)
    ]
    a, b = schema
    ours = [key for key in b if strict or not key[1].startswith("rtree_")]
    for key in (*ours, *(key for key in a if key not in b)):
        if key not in a or key not in b or a[key] != b[key]:
            yield f"{key[0]} {key[1]}", a.get(key, _NOTHING), b.get(key, _NOTHING)
    for kind, name in ours:
        virtual = (b[kind, name] or "").startswith("CREATE VIRTUAL")
        if kind != "table" or virtual or a.get((kind, name)) != b[kind, name]:
            continue
        quoted = name.replace('"', '""')
        rows = [one.execute(f'SELECT * FROM "{quoted}"') for one in (left, right)]  # noqa: S608  a name of our own
        columns = [column[0] for column in rows[1].description]
        keys = [key for key in _ROWS_BY if key in columns] or columns[:1]
        at = [columns.index(key) for key in keys]
        for number, (x, y) in enumerate(zip_longest(*rows)):
            if x == y:
                continue
            named = _row(keys, tuple((y or x)[ix] for ix in at), number)
            if x is None or y is None:
                yield f"table {name}, row {named}", "there" if x else None, "there" if y else None
                continue
            for column, p, q in zip(columns, x, y, strict=True):
                if not _same(p, q):
                    yield f"table {name}, row {named}, column {column}", p, q


def _geotiff(said: Path, made: Path, *, strict: bool) -> Found:  # noqa: ARG001  as the others are called
    import numpy as np
    import rasterio

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with rasterio.open(said, driver="GTiff") as left, rasterio.open(made, driver="GTiff") as right:
                for name in ("width", "height", "count", "dtypes", "crs", "transform", "nodata", "descriptions"):
                    a, b = getattr(left, name), getattr(right, name)
                    if a != b:
                        yield name, a, b
                yield from _values(left.tags(), right.tags())
                if max(rows * columns for rows, columns in left.block_shapes) > _LARGEST_BLOCK:
                    raise UnreadableError("it is stored in pieces that no memory holds")
                if (left.shape, left.count) != (right.shape, right.count):
                    return
                for band, title in enumerate(right.descriptions, start=1):
                    a, b = left.read(band), right.read(band)
                    for row, column in np.argwhere((a != b) & ~(np.isnan(a) & np.isnan(b))).tolist():
                        place = f"band {band} ({title}), row {row}, column {column}"
                        yield place, float(a[row, column]), float(b[row, column])
    except rasterio.errors.RasterioError as error:
        raise UnreadableError(str(error)) from error


# ------------------------------------------------------------------------------------------------------------- JSON


def load_json(path: Path) -> Any:
    """Read JSON text.

    Raises
    ------
    UnreadableError
        It is none.
    """
    try:
        return read_json(path, once=True)
    except DataError as error:
        raise UnreadableError(str(error)) from error


def changes(a: Any, b: Any) -> list[tuple[str, Any, Any]]:
    """Places where two JSON values differ, with what each says."""
    return list(_values(a, b))


def _json(said: Path, made: Path, *, strict: bool) -> Found:
    left, right = load_json(said), load_json(made)
    if made.name == _MANIFEST:
        left, right = (of_any_run(value) for value in (left, right))
        if not strict:
            left, right = ({k: v for k, v in value.items() if k != "versions"} for value in (left, right))
    yield from _values(left, right)


def of_any_run(manifest: Any) -> dict[str, Any]:
    """Take from a manifest what must be the same in every run on the same inputs: no clock, no command, no folder."""
    if not isinstance(manifest, dict):
        raise UnreadableError("it is no object")
    kept = {key: value for key, value in manifest.items() if key not in {"finished", "timings_s", "command"}}
    for part in ("inputs", "rules"):
        files = kept.get(part)
        if isinstance(files, dict):
            kept[part] = {
                key: {k: v for k, v in one.items() if k != "path"} if isinstance(one, dict) else one
                for key, one in files.items()
            }
    parameters = kept.get("parameters")
    if isinstance(parameters, dict):
        kept["parameters"] = {key: _name_of_file(value) for key, value in parameters.items()}
    return kept


def _name_of_file(value: Any) -> Any:
    """Name of a rule's file without its folder; anything else as it is."""
    if isinstance(value, list):
        return [_name_of_file(one) for one in value]
    return re.split(r"[/\\]", value)[-1] if isinstance(value, str) and value.endswith(".toml") else value


def _values(a: Any, b: Any, path: str = "") -> Found:
    """Places where two JSON values differ; arrays that a page packs are opened first."""
    if isinstance(a, dict) and isinstance(b, dict):
        if b.keys() == {"n", "width", "delta", "zip"} == a.keys():
            yield from _packed(a, b, path)
            return
        yield from _keyed(a, b, path)
    elif isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            yield f"length of {path}", len(a), len(b)
        for number, (x, y) in enumerate(zip(a, b, strict=False)):
            if isinstance(y, dict | list) or not _same(x, y):
                yield from _values(x, y, f"{path}[{number}]{_named(y)}")
    elif not _same(a, b):
        yield path or "the file", a, b


def _keyed(a: dict[str, Any], b: dict[str, Any], path: str) -> Found:
    for key in (*b, *(key for key in a if key not in b)):
        place = f"{path}.{key}" if path else str(key)
        if key in a and key in b:
            yield from _values(a[key], b[key], place)
        else:
            yield place, a.get(key), b.get(key)
    if list(a) != list(b) and a.keys() == b.keys():
        yield f"order of keys in {path or 'the file'}", list(a), list(b)


def _named(value: Any) -> str:
    """Say what a row of a JSON list is about."""
    if not isinstance(value, dict):
        return ""
    text = ", ".join(f"{key} {value[key]}" for key in _ROWS_BY if isinstance(value.get(key), str | int))
    return f" ({text})" if text else ""


def _packed(a: dict[str, Any], b: dict[str, Any], path: str) -> Found:
    for key in ("n", "width", "delta"):
        if not _same(a[key], b[key]):
            yield f"{path}.{key}", a[key], b[key]
            return
    if a["zip"] == b["zip"]:
        return
    size = b["n"] * b["width"]
    opened = []
    for one in (a, b):
        try:
            # No more than there should be: a small text may open into a flood.
            opened.append(zlib.decompressobj(wbits=31).decompress(base64.b64decode(one["zip"]), size + 1))
        except (ValueError, TypeError, zlib.error) as error:
            yield path, f"cannot be opened ({error})", f"{size:,} bytes"
            return
    left, right = opened
    if len(left) != len(right):
        yield f"{path}, opened", f"{len(left):,} bytes", f"{len(right):,} bytes"
    elif left != right:
        at = next(ix for ix, (x, y) in enumerate(zip(left, right, strict=True)) if x != y)
        yield f"{path}, value {at % b['n']}", f"byte {left[at]}", f"byte {right[at]}"


# ------------------------------------------------------------------------------------------------------------ pages


_HEADINGS = frozenset({"h1", "h2", "h3"})
_TAG = re.compile(r"""<[/!]?([A-Za-z][^\s/>]*)[^<>"']*(?:(?:"[^"]*"|'[^']*')[^<>"']*)*>""")
_ENDS = {name: re.compile(rf"</{name}\s*>", re.IGNORECASE) for name in ("script", "style")}


def _check_closed(text: str) -> None:
    """Refuse a page in which anything is opened and not closed: after each such place `HTMLParser` looks to the end."""
    at = text.find("<")
    while at >= 0:
        if text.startswith("<!--", at):
            end = text.find("-->", at + 4)
        elif tag := _TAG.match(text, at):
            found = (
                _ENDS[name].search(text, tag.end())
                if (name := tag[1].casefold()) in _ENDS and text[at + 1] != "/"
                else tag
            )
            end = found.end() if found else -1
        else:
            end = -1
        if end <= at:
            raise ValueError(f"what opens at character {at:,} is not closed")
        at = text.find("<", end)


class _Reader(HTMLParser):
    """A page as a list of parts: tags with their attributes, texts with the heading they stand under, blocks."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[tuple[str, str, Any]] = []  # what, place, value
        self.heading, self.block = "top", ""
        self.in_heading = self.unnamed = False
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.in_heading = tag in _HEADINGS or (self.in_heading and tag == "span")  # a text in several languages
        self.unnamed = tag in _HEADINGS or (self.in_heading and self.unnamed)
        said = dict(attrs)
        if tag in {"script", "style"}:
            self.scripts += 1
            self.block = "data" if said.get("type") == "application/json" else "program"
        program = tag == "meta" and (said.get("http-equiv") or "").casefold() == "content-security-policy"
        self.parts.append(("program" if program else "tag", f"<{tag}> under {self.heading!r}", attrs))

    def handle_endtag(self, tag: str) -> None:
        self.block = "" if tag in {"script", "style"} else self.block
        self.in_heading = self.in_heading and tag == "span"
        self.parts.append(("tag", f"</{tag}> under {self.heading!r}", tag))

    def handle_data(self, data: str) -> None:
        if self.block:
            self.parts.append((self.block, f"{self.block} block {self.scripts}", data))
        elif data.strip():
            if self.in_heading and self.unnamed:
                self.heading, self.unnamed = data.strip()[:60], False
            self.parts.append(("text", f"text under {self.heading!r}", data))

    def handle_comment(self, data: str) -> None:
        self.parts.append(("tag", "comment", data))

    def handle_decl(self, decl: str) -> None:
        self.parts.append(("tag", "declaration", decl))


def _html(said: Path, made: Path, *, strict: bool) -> Found:
    pages = []
    for path in (said, made):
        reader = _Reader()
        try:
            text = path.read_text(encoding="utf-8")
            _check_closed(text)
            reader.feed(text)
            reader.close()
        except (UnicodeDecodeError, AssertionError, ValueError, RecursionError) as error:
            raise UnreadableError(str(error)) from error
        pages.append([part for part in reader.parts if strict or part[0] != "program"])
    for a, b in zip_longest(*pages):
        if a == b:
            continue
        if a is None or b is None or a[0] != b[0] or (a[0] == "tag" and a[1] != b[1]):
            yield (b or a)[1], a and a[2], b and b[2]
            return  # from here on nothing stands beside its like
        if b[0] == "data":
            yield from _data(a, b)
        elif b[0] == "tag" and isinstance(b[2], list):
            yield from _attributes(a[2], b[2], b[1], strict=strict)
        elif a[2] != b[2]:
            yield b[1], *_around(str(a[2]), str(b[2]))


def _data(a: tuple[str, str, Any], b: tuple[str, str, Any]) -> Found:
    try:
        left = json.loads(a[2])
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"{b[1]}: {error}") from error
    yield from ((f"{b[1]}: {where}", x, y) for where, x, y in _values(left, json.loads(b[2])))


def _attributes(a: list[tuple[str, Any]], b: list[tuple[str, Any]], place: str, *, strict: bool) -> Found:
    for x, y in zip_longest(a, b):
        if x == y:
            continue
        if not strict and x and y and x[0] == y[0] and _same_picture(x[1], y[1]):
            continue
        name = (y or x)[0]
        yield f"{place}, {name}", *_around(str(x and x[1]), str(y and y[1]))


def _same_picture(a: Any, b: Any) -> bool:
    """Whether two inline PNGs show the same; other versions may compress otherwise."""
    import numpy as np
    from rasterio.errors import RasterioError
    from rasterio.io import MemoryFile

    head = "data:image/png;base64,"
    if not (isinstance(a, str) and isinstance(b, str) and a.startswith(head) and b.startswith(head)):
        return False
    shown: list[Any] = []
    try:
        for text in (b, a):  # ours first: what has another size is not unpacked
            with warnings.catch_warnings(), MemoryFile(base64.b64decode(text[len(head) :])) as memory:
                warnings.simplefilter("ignore")
                with memory.open(driver="PNG") as picture:
                    if shown and picture.shape != shown[0].shape[1:]:
                        return False
                    shown.append(picture.read())
    except (RasterioError, ValueError):
        return False
    return np.array_equal(*shown)


def _around(a: str, b: str) -> tuple[str, str]:
    """Cut out of two long texts where they part."""
    at = next((ix for ix, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    start = max(0, at - 20)
    lead = "…" if start else ""
    return lead + a[start : at + 50], lead + b[start : at + 50]


_COMPARE: dict[str, Callable[..., Found]] = {
    ".parquet": _parquet, ".gpkg": _geopackage, ".tif": _geotiff, ".json": _json, ".html": _html,
}  # fmt: skip
