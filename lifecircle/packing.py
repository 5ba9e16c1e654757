"""Nouns as plain arrays and texts, and back: what a stage of a run is kept as. No pickle: reading runs nothing."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from itertools import chain, islice
from typing import Any

import numpy as np
import pandas as pd
import pyproj
import shapely
from affine import Affine
from numpy.typing import NDArray

from lifecircle.model.barriers import Barriers
from lifecircle.model.cells import Cells
from lifecircle.model.facilities import Facilities
from lifecircle.model.network import Network
from lifecircle.model.snapping import Joins
from lifecircle.model.starts import Starts
from lifecircle.region import Region, Zone
from lifecircle.sources.osm import OsmData
from lifecircle.sources.rasters import Note

_NOUNS: dict[str, Any] = {
    noun.__name__: noun for noun in (Barriers, Cells, Facilities, Joins, Network, Note, OsmData, Region, Starts, Zone)
}
_PLAN = "plan"
_LINEAR_RING = 2  # shapely's number of the one type that WKB does not know: it would come back as a line


class PackError(ValueError):
    """A value that cannot be packed so that it comes back the same, or packed arrays that are none."""


def pack(value: Any, given: Mapping[str, Any] | None = None) -> dict[str, NDArray[Any]]:
    """Take a value apart into arrays of numbers.

    Parameters
    ----------
    value : nouns of `lifecircle.model`, frames, arrays, containers, numbers and texts, in each other
        Arrays of objects hold texts, tags (dict of str), shapely geometries or tuples; what stands in several places of
        an array of tags stands there once again when it is unpacked.
    given : dict, optional
        Objects that are not packed but put back in their places by `unpack`: the region a network lies in.

    Raises
    ------
    PackError
        Something in it would not come back the same.
    """
    packer = _Packer({id(one): name for name, one in (given or {}).items()})
    plan = packer.plan(value)
    return {_PLAN: _text(plan)} | {str(ix): array for ix, array in enumerate(packer.arrays)}


def unpack(arrays: Mapping[str, NDArray[Any]], given: Mapping[str, Any] | None = None) -> Any:
    """Put a value together again.

    Raises
    ------
    PackError
        The arrays are not what `pack` makes.
    """
    try:
        return _Unpacker(arrays, given or {}).value(_said(arrays[_PLAN]))
    except PackError:
        raise
    except (LookupError, ValueError, TypeError, ArithmeticError, RuntimeError, shapely.GEOSException) as error:
        raise PackError(f"these arrays are no packed value ({error})") from error


def digest(value: Any) -> str:
    """SHA-256 of a value by what it holds, as hexadecimal text."""
    found = hashlib.sha256()
    for name, array in pack(value).items():
        found.update(f"{name}:{array.dtype.str}:{array.shape};".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


class _Packer:
    def __init__(self, given: dict[int, str]) -> None:
        self.given = given
        self.arrays: list[NDArray[Any]] = []

    def add(self, array: NDArray[Any]) -> int:
        self.arrays.append(array)
        return len(self.arrays) - 1

    def plan(self, value: Any) -> Any:
        """Say as JSON how a value is put together; anything but a scalar is a list that begins with its kind."""
        if id(value) in self.given:
            return ["given", self.given[id(value)]]
        if value is None or type(value) in {bool, int, float, str}:
            return value
        if type(value) in {tuple, list}:
            return [type(value).__name__, [self.plan(one) for one in value]]
        if type(value) is dict:
            return ["dict", [[self.plan(key), self.plan(one)] for key, one in value.items()]]
        if _NOUNS.get(type(value).__name__) is type(value):
            parts = [[part.name, self.plan(getattr(value, part.name))] for part in fields(value)]
            return ["noun", type(value).__name__, parts]
        return self.leaf(value)

    def leaf(self, value: Any) -> list[Any]:
        if isinstance(value, np.ndarray):
            return self.array(value)
        if isinstance(value, pd.DataFrame):
            return self.frame(value)
        if isinstance(value, shapely.Geometry):
            return ["shape", self.array(np.array([value], dtype=object))]
        if type(value) is pyproj.CRS:
            return ["crs", value.srs]
        if type(value) is Affine:
            return ["affine", list(value[:6])]
        raise PackError(f"a {type(value).__name__} cannot be packed")

    def frame(self, frame: pd.DataFrame) -> list[Any]:
        if not frame.index.equals(pd.RangeIndex(len(frame))):
            raise PackError("a frame whose rows are not numbered from 0")
        if not all(isinstance(dtype, np.dtype) for dtype in frame.dtypes):
            raise PackError("a frame with columns of pandas' own types")
        return ["frame", [[name, self.array(frame[name].to_numpy())] for name in frame.columns]]

    def array(self, array: NDArray[Any]) -> list[Any]:
        if array.dtype.kind in "biuf":
            return ["array", self.add(array)]
        if array.dtype != object or array.ndim != 1:
            raise PackError(f"an array of {array.dtype} in {array.ndim} dimensions cannot be packed")
        items = array.tolist()
        kinds = set(map(type, items))
        if kinds <= {str, type(None)}:
            return ["texts", self.add(_text(items))]
        if kinds == {dict}:
            return self.tags(items)
        if kinds == {tuple}:
            return ["tuples", self.plan(items)]
        if bool(shapely.is_geometry(array).all()):
            if (shapely.get_type_id(array) == _LINEAR_RING).any():
                raise PackError("a linear ring cannot be packed")
            wkb = shapely.to_wkb(array).tolist()
            blob = np.frombuffer(b"".join(wkb), dtype=np.uint8)
            return ["shapes", self.add(blob), self.add(np.array([*map(len, wkb)], dtype=np.int64))]
        raise PackError(f"an array of {', '.join(sorted(kind.__name__ for kind in kinds))} cannot be packed")

    def tags(self, items: list[dict[str, str]]) -> list[Any]:
        """Pack every dict once, and every word once."""
        once = {id(one): one for one in items}  # in the order they first stand in, whatever their places in memory
        rank = dict(zip(once, range(len(once)), strict=True))
        of = np.array([rank[id(one)] for one in items], dtype=np.int32)
        dicts = [*once.values()]
        flat = [*chain.from_iterable(chain.from_iterable(one.items() for one in dicts))]
        if not set(map(type, flat)) <= {str}:
            raise PackError("tags that are no texts cannot be packed")
        words = dict.fromkeys(flat)
        number = dict(zip(words, range(len(words)), strict=True))
        code = np.fromiter(map(number.__getitem__, flat), dtype=np.int32, count=len(flat))
        sizes = np.array([*map(len, dicts)], dtype=np.int32)
        return ["tags", self.add(_text([*words])), self.add(code), self.add(sizes), self.add(of)]


class _Unpacker:
    def __init__(self, arrays: Mapping[str, NDArray[Any]], given: Mapping[str, Any]) -> None:
        self.arrays, self.given = arrays, given

    def value(self, plan: Any) -> Any:
        if not isinstance(plan, list):
            return plan
        make = getattr(self, f"of_{plan[0]}", None)
        if make is None:
            raise PackError(f"there is no kind {plan[0]!r}")
        return make(*plan[1:])

    def of_given(self, name: str) -> Any:
        return self.given[name]

    def of_array(self, ix: int) -> NDArray[Any]:
        return self.arrays[str(ix)]

    def of_frame(self, columns: list[list[Any]]) -> pd.DataFrame:
        read = {name: self.value(plan) for name, plan in columns}
        return pd.DataFrame({name: pd.Series(array, dtype=array.dtype) for name, array in read.items()})

    def of_tuple(self, parts: list[Any]) -> tuple[Any, ...]:
        return tuple(map(self.value, parts))

    def of_list(self, parts: list[Any]) -> list[Any]:
        return [*map(self.value, parts)]

    def of_dict(self, pairs: list[list[Any]]) -> dict[Any, Any]:
        return {self.value(key): self.value(one) for key, one in pairs}

    def of_noun(self, name: str, parts: list[list[Any]]) -> Any:
        return _NOUNS[name](**{key: self.value(plan) for key, plan in parts})

    def of_shape(self, plan: list[Any]) -> Any:
        return self.value(plan)[0]

    def of_crs(self, srs: str) -> pyproj.CRS:
        return pyproj.CRS.from_user_input(srs)

    def of_affine(self, numbers: list[float]) -> Affine:
        return Affine(*numbers)

    def of_texts(self, ix: int) -> NDArray[np.object_]:
        return _objects(_said(self.of_array(ix)))

    def of_tuples(self, plan: list[Any]) -> NDArray[np.object_]:
        return _objects(self.value(plan))

    def of_shapes(self, blob: int, sizes: int) -> NDArray[np.object_]:
        raw, end = self.of_array(blob).tobytes(), np.cumsum(self.of_array(sizes))
        start = end - self.of_array(sizes)
        cut = [raw[a:b] for a, b in zip(start.tolist(), end.tolist(), strict=True)]
        return np.asarray(shapely.from_wkb(_objects(cut)), dtype=object)

    def of_tags(self, words: int, code: int, sizes: int, of: int) -> NDArray[np.object_]:
        said = _objects(_said(self.of_array(words)))[self.of_array(code)].tolist()
        pairs = zip(said[::2], said[1::2], strict=True)
        dicts = [dict(islice(pairs, size)) for size in self.of_array(sizes).tolist()]
        array: NDArray[np.object_] = _objects(dicts)[self.of_array(of)]
        return array


def _objects(items: list[Any]) -> NDArray[np.object_]:
    return np.fromiter(items, dtype=object, count=len(items))  # an assignment would look into tuples


def _text(value: Any) -> NDArray[np.uint8]:
    """JSON in ASCII, whatever signs are in it, lone surrogates too."""
    return np.frombuffer(json.dumps(value, separators=(",", ":")).encode("ascii"), dtype=np.uint8)


def _said(array: NDArray[np.uint8]) -> Any:
    return json.loads(array.tobytes())
