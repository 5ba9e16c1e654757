"""Coordinates as people write them: what is written is what is read, sign and half of the globe included."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lifecircle.sources.coordinates import degrees, pair, says_none

WIDE = str.maketrans("0123456789.-+", "０１２３４５６７８９．－＋")


def parts(size, digits):
    """Degrees, minutes and seconds, the last rounded and carried over."""
    unit = 10**digits
    seconds = round(size * 3600 * unit)
    whole, seconds = divmod(seconds, 3600 * unit)
    minutes, seconds = divmod(seconds, 60 * unit)
    return whole, minutes, f"{seconds / unit:.{digits}f}"


def minutes_of(size, digits):
    unit = 10**digits
    whole, minutes = divmod(round(size * 60 * unit), 60 * unit)
    return whole, f"{minutes / unit:.{digits}f}"


#: How a size of degrees is written, and half of the last digit of it in degrees.
BODIES = {
    "plain": (lambda v: f"{v:.6f}", 5e-7),
    "comma": (lambda v: f"{v:.6f}".replace(".", ","), 5e-7),
    "ideographic stop": (lambda v: f"{v:.6f}".replace(".", "。"), 5e-7),
    "sign of degrees": (lambda v: f"{v:.6f}°", 5e-7),
    "度": (lambda v: f"{v:.6f}度", 5e-7),
    "wide": (lambda v: f"{v:.6f}".translate(WIDE), 5e-7),
    "minutes": (lambda v: "{}°{}′".format(*minutes_of(v, 4)), 5e-5 / 60),
    "分": (lambda v: "{}度{}分".format(*minutes_of(v, 4)), 5e-5 / 60),
    "seconds": (lambda v: "{}°{}′{}″".format(*parts(v, 2)), 5e-3 / 3600),
    "whole seconds": (lambda v: "{}°{}'{}\"".format(*parts(v, 0)), 0.5 / 3600),
    "two primes": (lambda v: "{}° {}' {}''".format(*parts(v, 1)), 5e-2 / 3600),
    "度分秒": (lambda v: "{}度{}分{}秒".format(*parts(v, 2)), 5e-3 / 3600),
    "seconds without a mark": (lambda v: "{}°{}’{}".format(*parts(v, 2)), 5e-3 / 3600),
    "blanks": (lambda v: "{} {} {}".format(*parts(v, 2)), 5e-3 / 3600),
    "colons": (lambda v: "{}:{}:{}".format(*parts(v, 2)), 5e-3 / 3600),
}
LETTERS = {"lon": ("E", "W"), "lat": ("N", "S")}
WORDS = {"lon": ("东经", "西经"), "lat": ("北纬", "南纬")}
SIDES = {
    "minus": lambda body, _, below: ("-" if below else "") + body,
    "minus of mathematics": lambda body, _, below: ("−" if below else "+") + body,
    "letter behind": lambda body, axis, below: body + LETTERS[axis][below],
    "small letter behind a blank": lambda body, axis, below: f"{body} {LETTERS[axis][below].lower()}",
    "letter before": lambda body, axis, below: LETTERS[axis][below] + body,
    "word before": lambda body, axis, below: WORDS[axis][below] + body,
    "word and colon": lambda body, axis, below: f"{WORDS[axis][below]}：{body}",
    "word behind": lambda body, axis, below: body + WORDS[axis][below],
    "text of a spreadsheet": lambda body, _, below: "'" + ("-" if below else "") + body,
}


@given(
    st.sampled_from([("lon", 180.0), ("lat", 90.0)]), st.floats(-1, 1), st.sampled_from(sorted(BODIES)),
    st.sampled_from(sorted(SIDES)),
)  # fmt: skip
@example(("lon", 180.0), -2.9961 / 180, "seconds", "letter behind")
@example(("lon", 180.0), -0.0001, "seconds", "minus")
@example(("lat", 90.0), 59.99999999 / 60 / 90, "seconds", "word before")
def test_what_is_written_is_read_to_its_last_digit(kind, share, body, side):
    axis, most = kind
    value = share * most
    write, exact = BODIES[body]
    text = SIDES[side](write(abs(value)), axis, value < 0)
    assert degrees(text, axis) == pytest.approx(value, abs=exact + 1e-9), text
    assert degrees(f" {text} ") == degrees(text, axis)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2°59′46″W", -2.996111), ("-2°59′46″", -2.996111), ("南纬33°51′", -33.85), ("东经121.78", 121.78), ("121.78°", 121.78),
        ("E121.78", 121.78), ("121°54.6′", 121.91), ("'121.91", 121.91), ("121.91E", 121.91), ("121。91", 121.91),
        ("121 54 36", 121.91), ("9.0125", 9.0125), ("1e2", 100.0), ("351234.75", 351234.75),
    ],
)  # fmt: skip
def test_forms_of_offices_are_read(text, value):
    assert degrees(text) == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "121.5.30", "121 60 00", "121°54′60″", "121 54", "-121.9W", "E121.9E", "121°54′36″ N W", "121.91 (approx.)", "about 121",
        "121.91 30.9", "121_91", "inf", "nan", "1,234,567.8", "121°54′36″7", "121.5°30′", "", "W", "°", "1e9999",
    ],
)  # fmt: skip
def test_what_is_not_plain_is_not_read(text):
    assert not math.isfinite(degrees(text))


def test_a_half_of_the_globe_of_the_other_kind_is_not_read():
    assert math.isnan(degrees("30.9N", "lon"))
    assert degrees("30.9N", "lat") == 30.9


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("121.9,30.9", ("121.9", "30.9")), ("（121.9，30.9）", ("121.9", "30.9")), ("[121.9 30.9]", ("121.9", "30.9")),
        ("121,9; 30,9", ("121,9", "30,9")), ("121 54 36, 30 54 0", ("121 54 36", "30 54 0")),
        ("N30.9, E121.9", ("E121.9", "N30.9")), ("none", ("", "")), ("1,2,3", ("", "")),
    ],
)  # fmt: skip
def test_two_coordinates_in_one_cell(text, expected):
    assert pair(text) == expected


def test_a_cell_can_say_that_there_is_none():
    assert all(says_none(text) for text in ("", " ", "无", "N/A", "—", "－"))
    assert not says_none("121.5.30")


@pytest.mark.parametrize("text", ["31.1²", "121.9①", "¹121.9", "121.9⑴", "31½"])
def test_the_mark_of_a_footnote_is_no_digit(text):
    assert math.isnan(degrees(text))
