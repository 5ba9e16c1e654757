"""Whatever is packed comes back the same; what would not is refused."""

import json

import numpy as np
import pandas as pd
import pyproj
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lifecircle.packing import PackError, digest, pack, unpack
from lifecircle.region import Zone
from lifecircle.sources.rasters import Note

TEXT = st.text(st.characters(exclude_categories=()), max_size=12)  # NUL and lone surrogates too
NUMBERS = arrays.arrays(
    st.sampled_from([np.bool_, np.uint8, np.int8, np.int16, np.int32, np.int64, np.float32, np.float64]),
    arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4),
)
TAGS = st.lists(st.dictionaries(TEXT, TEXT, max_size=4), max_size=6)
COORDINATE = st.floats(-1e6, 1e6, allow_subnormal=False)
POINT = st.tuples(COORDINATE, COORDINATE)
SHAPE = st.one_of(
    st.builds(shapely.Point, POINT),
    st.just(shapely.Point()),
    st.builds(shapely.LineString, st.lists(POINT, min_size=2, max_size=5)),
    st.builds(shapely.MultiPoint, st.lists(POINT, max_size=3)),
    st.builds(lambda a, b: shapely.box(*a, *b), POINT, POINT),
    st.builds(lambda a, b: shapely.GeometryCollection([shapely.Point(a), shapely.LineString([a, b])]), POINT, POINT),
)
SCALAR = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT)
NESTED = st.recursive(
    SCALAR,
    lambda one: st.one_of(st.lists(one, max_size=3), st.tuples(one, one), st.dictionaries(TEXT, one, max_size=3)),
)

PLAIN = settings(deadline=None)


def objects(items):
    return np.fromiter(items, dtype=object, count=len(items))


def alike(a, b):
    """Same kinds, same values to the bit, same shapes."""
    if isinstance(a, np.ndarray):
        told = a.dtype == b.dtype and a.shape == b.shape
        return told and (all(map(alike, a, b)) if a.dtype == object else a.tobytes() == b.tobytes())
    if isinstance(a, pd.DataFrame):
        return alike([a.index.to_numpy(), *a.items()], [b.index.to_numpy(), *b.items()])
    if isinstance(a, pd.Series):
        return alike(a.to_numpy(), b.to_numpy())
    if isinstance(a, shapely.Geometry):
        a, b = shapely.to_wkb(a), shapely.to_wkb(b)
    if isinstance(a, dict):
        return alike([*a.items()], [*b.items()])
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(alike, a, b))
    return type(a) is type(b) and (a == b or (a != a and b != b))  # noqa: PLR0124 (NaN)


def back(value, given=None):
    return unpack(pack(value, given), given)


@PLAIN
@given(NESTED)
def test_scalars_and_containers(value):
    assert alike(back(value), value)


@PLAIN
@given(NUMBERS)
def test_numbers(value):
    assert alike(back(value), value)


@PLAIN
@given(st.lists(st.one_of(st.none(), TEXT), max_size=6))
def test_texts(items):
    assert alike(back(objects(items)), objects(items))


@PLAIN
@given(st.lists(st.tuples(SCALAR, SCALAR), min_size=1, max_size=4))
def test_tuples(items):
    assert alike(back(objects(items)), objects(items))


@PLAIN
@given(st.lists(SHAPE, max_size=5))
def test_shapes(items):
    assert alike(back(objects(items)), objects(items))


@PLAIN
@given(TAGS, st.data())
def test_tags_and_which_of_them_are_one(items, data):
    chosen = data.draw(st.lists(st.integers(0, len(items) - 1), max_size=10)) if items else []
    value = objects([items[ix] for ix in chosen])
    found = back(value)
    assert alike(found, value)
    for a in range(len(chosen)):
        for b in range(len(chosen)):
            assert (found[a] is found[b]) == (chosen[a] == chosen[b])


@PLAIN
@given(TAGS, st.lists(SHAPE, max_size=6), NUMBERS)
def test_frames(tags, shapes, numbers):
    n = min(len(tags), len(shapes))
    frame = pd.DataFrame(
        {"id": np.arange(n), "tags": pd.Series(tags[:n], dtype=object), "geometry": pd.Series(shapes[:n], dtype=object)}
    )
    assert alike(back({"frame": frame, "numbers": numbers}), {"frame": frame, "numbers": numbers})


@PLAIN
@given(TAGS, st.lists(SHAPE, max_size=6), NESTED)
def test_a_digest_is_of_what_a_value_holds_and_not_of_where_it_lies(tags, shapes, nested):
    value = [objects(tags), objects(shapes), nested]
    assert digest(value) == digest(back(value))
    assert digest([value]) != digest(value)


def test_nouns_systems_and_transforms():
    zone = Zone("a", "A", "甲", shapely.box(0, 0, 1, 1), renewal=True)
    assert back(zone) == zone
    note = Note("gap", "a gap", "空白", 3)
    assert back((note,)) == (note,)
    transform = Affine(100.0, 0.0, 3.5, 0.0, -100.0, 1e6 + 1 / 3)
    assert back(transform) == transform
    for said in ("EPSG:32651", "+proj=aeqd +lat_0=45 +lon_0=9 +datum=WGS84 +units=m +type=crs"):
        crs = pyproj.CRS.from_user_input(said)
        assert back(crs) == crs
        assert back(crs).to_string() == crs.to_string()


def test_what_is_given_is_not_packed_but_put_back():
    region = Zone("a", "A", "甲", shapely.box(0, 0, 1, 1))
    arrays = pack({"of": (region, 1)}, {"region": region})
    assert b"POLYGON" not in b"".join(array.tobytes() for array in arrays.values())
    other = object()
    assert unpack(arrays, {"region": other}) == {"of": (other, 1)}
    with pytest.raises(PackError):
        unpack(arrays)


@pytest.mark.parametrize(
    "value",
    [
        object(),
        {1, 2},
        np.array(["a"]),
        np.array([1, "a"], dtype=object),
        np.array([[None]], dtype=object),
        np.array(["2020"], dtype="M8[s]"),
        objects([{"a": 1}]),
        objects([{"a": float("nan")}]),
        objects([shapely.LinearRing([(0, 0), (1, 0), (1, 1)])]),
        objects([shapely.Point(0, 0), None]),
        pd.DataFrame({"a": [1]}, index=[5]),
        pd.DataFrame({"a": pd.Series(["x"], dtype="string")}),
        np.float64(3.0),
    ],
)
def test_what_would_not_come_back_the_same_is_refused(value):
    with pytest.raises(PackError):
        pack(value)


@pytest.mark.parametrize(
    "plan",
    ["]", '["noun","Popen",[["args","x"]]]', '["noun","Zone",[["keys","x"]]]', '["array",9]', '["__init__",1]', '["crs"]', "[]",
     '["leaf",1]', '["shapes",0,0]', '["crs","no such"]'],
)  # fmt: skip
def test_what_nobody_packed_is_refused(plan):
    with pytest.raises(PackError):
        unpack({"plan": np.frombuffer(plan.encode(), dtype=np.uint8), "0": np.array([3])})


def test_a_plan_is_json():
    assert json.loads(pack((1, np.arange(3)))["plan"].tobytes()) == ["tuple", [1, ["array", 0]]]
