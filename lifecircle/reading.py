"""Inputs before anything reads them: texts of bounded length, packed files that hold no flood, patterns that end."""

import bz2
import gzip
import json
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lifecircle.errors import DataError, LifecircleError

_UNFOLDED, _TIMES = 64 << 20, 50
"""What a packed file may unfold into: so many bytes, and so many times its size. Maps in XML take 10 to 15 times."""

_LARGEST_JSON = 256 << 20  # bytes
_CHUNK = 1 << 20
_ZIP_FAULTS = (
    OSError,
    ValueError,
    EOFError,
    RuntimeError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    zipfile.BadZipFile,
)
"""What `zipfile` raises; of an unknown way to pack, or of a password, a RuntimeError."""
_LARGEST_HEAD, _LARGEST_BLOCK = 64 << 10, 32 << 20  # as the format of PBF has it
_TABLE = 1  # field of a PBF block: its texts
_RAW, _RAW_SIZE, _ZLIB, _LZ4 = 1, 2, 3, 6  # fields of a PBF blob


def read_text(path: Path, *, most: int, what: str, error: type[LifecircleError] = DataError) -> str:
    """Read a text file in UTF-8, with or without a byte order mark, that has no more bytes than it may.

    Raises
    ------
    LifecircleError
        Of the class given: it is not there, a device or a pipe (which may never end), too large, or no text.
    """
    try:
        if path.exists() and not path.is_file():
            raise error(f"cannot read {what} {path}: it is no file; give the path of a file")
        with path.open("rb") as stream:
            raw = stream.read(most + 1)
        if len(raw) > most:
            raise error(f"{what} {path} has more than the {most:,} bytes that are read; is it the right file?")
        return raw.decode("utf-8-sig")
    except (OSError, ValueError) as cause:  # a path with a NUL in it is a ValueError, text that is none too
        if isinstance(cause, LifecircleError):
            raise
        raise error(f"cannot read {what} {path}: {getattr(cause, 'strerror', None) or cause}") from cause


def read_json(path: Path, *, what: str = "the file", once: bool = False) -> Any:
    """Read a JSON file that is no larger than it may be, and nested no deeper than can be read.

    Parameters
    ----------
    once : bool
        Whether a key that stands twice in an object is a fault.

    Raises
    ------
    DataError
    """

    def single(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if once and len(found) != len(pairs):
            raise ValueError("a key stands twice")
        return found

    text = read_text(path, most=_LARGEST_JSON, what=what)
    try:
        return json.loads(text, object_pairs_hook=single)
    except (ValueError, RecursionError) as error:
        raise DataError(f"cannot read {what} {path} as JSON: {error}") from error


def has_nested_repeats(pattern: str) -> bool:
    """Whether a regular expression repeats, without limit, a group that can itself match one text in several ways.

    Of such a one ``re`` tries every way: thirty letters take it hours.

    Examples
    --------
    >>> [has_nested_repeats(text) for text in ("(a+)+b", "(a|aa)*b", "(?:ab)*c+", "[(+]+(a|b)")]
    [True, True, False, False]
    """
    plain = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "x", pattern, flags=re.DOTALL)
    groups = [False]
    for told in re.finditer(r"\((\?(?:[:=!>]|<[=!]|P?<\w+>|[\w-]*:))?|\)([*+]|\{\d*,\})?|[*+?{|]", plain):
        if told[0].startswith("("):
            groups.append(False)
        elif told[0].startswith(")") and len(groups) > 1:
            ambiguous = groups.pop()
            if ambiguous and told[2]:
                return True
            groups[-1] |= ambiguous or bool(told[2])
        else:
            groups[-1] = True
    return False


def check_packed_xml(path: Path) -> None:
    """Refuse a .gz or .bz2 that unfolds into far more than a map could.

    Raises
    ------
    DataError
    OSError, EOFError
        It cannot be unpacked.
    """
    most = _UNFOLDED + _TIMES * path.stat().st_size
    opener = gzip.open if path.name.endswith(".gz") else bz2.open
    size = 0
    with opener(path, "rb") as stream:
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            if size > most:
                raise _flood(path, most)


def unzipped(path: Path, name: str, *, most: int) -> bytes:
    """Take one file out of a .zip, its checksum right; names of others in it are neither followed nor written anywhere.

    Raises
    ------
    DataError
        It is damaged, does not hold the file once, or that is larger than it may be.
    """
    try:
        with zipfile.ZipFile(path) as packed:
            held = [one for one in packed.infolist() if one.filename == name]
            if len(held) == 1 and 0 < held[0].file_size <= most:
                with packed.open(held[0]) as stream:
                    return stream.read(most)
            told = ", ".join(repr(one)[:80] for one in packed.namelist()[:3]) or "nothing"
    except _ZIP_FAULTS as error:
        raise DataError(f"{path} cannot be opened as a .zip: {error}; is it damaged or cut short?") from error
    if len(held) != 1:
        raise DataError(f"{path} must hold {name!r}, once, and holds {told}; zip the tile itself, without folders")
    raise DataError(f"{name} in {path} unfolds into {held[0].file_size:,} bytes; expected some, and at most {most:,}")


def check_pbf(path: Path) -> None:
    """Refuse a PBF file that unfolds into a flood, or has a NUL in its texts: libosmium reads on behind one.

    What is broken otherwise is left to libosmium, which tells.

    Raises
    ------
    DataError
    """
    most, size = _UNFOLDED + _TIMES * path.stat().st_size, 0
    for number, block in enumerate(_blocks(path)):
        size += len(block)
        if size > most:
            raise _flood(path, most)
        for field, text in _fields(block):
            if field == _TABLE and _has_nul(text):
                raise DataError(
                    f"{path} cannot be read as OSM data (block {number} has a text with a NUL in it); is it damaged?"
                )


def _flood(path: Path, most: int) -> DataError:
    return DataError(
        f"{path} unfolds into more than {most >> 20:,} MB, far more than any map packed into "
        f"{path.stat().st_size:,} bytes; take another extract"
    )


def _blocks(path: Path) -> Iterator[bytes]:
    """Unpack the data blocks of a PBF file, up to the first that is broken."""
    with path.open("rb") as stream:
        while len(length := stream.read(4)) == 4:  # noqa: PLR2004
            n_head = int.from_bytes(length)
            head = dict(_fields(stream.read(n_head))) if n_head <= _LARGEST_HEAD else {}
            n_body = head.get(3, b"")
            if not isinstance(n_body, int) or n_body > _LARGEST_BLOCK:
                return
            body = stream.read(n_body)
            if head.get(1) == b"OSMData":
                yield _unpacked(dict(_fields(body)))


def _unpacked(blob: dict[int, int | bytes]) -> bytes:
    raw, size = blob.get(_RAW), blob.get(_RAW_SIZE)
    if isinstance(raw, bytes):
        return raw
    if not isinstance(size, int) or size > _LARGEST_BLOCK:
        return b""
    packed, swift = blob.get(_ZLIB), blob.get(_LZ4)
    try:
        if isinstance(packed, bytes):
            return zlib.decompressobj().decompress(packed, size + 1)
        if isinstance(swift, bytes):
            import pyarrow as pa

            return bytes(pa.decompress(swift, decompressed_size=size, codec="lz4_raw", asbytes=True))
    except (zlib.error, OSError, ValueError):
        pass
    return b""


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Fields of a protobuf message, up to where it is broken: number, and a whole number or bytes."""
    at, end = 0, len(data)
    while at < end:
        head, at = _varint(data, at)
        kind = head & 7
        if kind == 0:
            number, at = _varint(data, at)
            if at <= end:
                yield head >> 3, number
        elif kind == 2:  # noqa: PLR2004
            size, at = _varint(data, at)
            if at + size > end:
                return
            yield head >> 3, data[at : at + size]
            at += size
        elif kind in {1, 5}:
            at += 8 if kind == 1 else 4
        else:
            return


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    for place in range(at, min(at + 10, len(data))):
        value |= (data[place] & 127) << shift
        if data[place] < 128:  # noqa: PLR2004
            return value, place + 1
        shift += 7
    return 0, len(data) + 1


def _has_nul(table: int | bytes) -> bool:
    """Whether any text of a table of strings holds a NUL; the length of an empty text is one too, and may be.

    Writers put the empty texts first: behind those, what has no NUL at all needs no look at text after text.
    """
    if not isinstance(table, bytes) or table.find(b"\0", re.match(rb"(?:\n\0)*", table).end()) < 0:  # type: ignore[union-attr]
        return False
    return any(isinstance(text, bytes) and b"\0" in text for _, text in _fields(table))
