"""Coordinates as people write them in the cells of a list, read to degrees; what is not plain is not read."""

import re
import unicodedata
from math import isnan
from typing import Literal

Axis = Literal["lon", "lat"]

_NONE = frozenset({"", "-", "--", "/", "n/a", "na", "nan", "nil", "none", "null", "无", "無", "暂无", "不详", "未知"})
_MARKS = str.maketrans(
    {"′": "'", "’": "'", "‘": "'", "分": "'", "″": '"', "”": '"', "“": '"', "秒": '"', "度": "°", "º": "°", "˚": "°"}
    | dict.fromkeys("−–—‐﹣", "-")
)
_SIDES: dict[str, tuple[Axis, int]] = {
    "e": ("lon", 1), "东经": ("lon", 1), "東經": ("lon", 1), "w": ("lon", -1), "西经": ("lon", -1), "西經": ("lon", -1),
    "n": ("lat", 1), "北纬": ("lat", 1), "北緯": ("lat", 1), "s": ("lat", -1), "南纬": ("lat", -1), "南緯": ("lat", -1),
}  # fmt: skip
_SIDE = "|".join(_SIDES)
_WHOLE = re.compile(rf"(?P<before>{_SIDE})?\s*:?\s*(?P<sign>[-+])?\s*(?P<body>[\d.].*?)\s*(?P<behind>{_SIDE})?")
_PLAIN = re.compile(r"(\d+(?:[.,]\d*)?|\.\d+)(e[-+]?\d{1,3})?\s*°?")
_MINUTES = re.compile(r"(\d{1,3})\s*°\s*(\d{1,2}(?:\.\d+)?)\s*'")
_SECONDS = re.compile(r"""(\d{1,3})\s*°\s*(\d{1,2})\s*'\s*(\d{1,2}(?:\.\d+)?)\s*(?:"|'')?""")
_BARE = re.compile(r"(\d{1,3})(?:\s+|:)(\d{1,2})(?:\s+|:)(\d{1,2}(?:\.\d+)?)")
_USUAL = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]+)?")
_SIXTY = 60
_TWO = 2


def says_none(text: str) -> bool:
    """Say whether a cell says that there is no coordinate, by being empty or by a word such as 无."""
    return unicodedata.normalize("NFKC", text).translate(_MARKS).strip().casefold() in _NONE


def degrees(text: str, axis: Axis | None = None) -> float:
    """Read one coordinate.

    Parameters
    ----------
    text : str
        A number (metres of a projected system too), or degrees, minutes and seconds; with a sign or the half of the
        globe, as a letter or as 东经, 西经, 南纬, 北纬, before or behind it.
    axis : {"lon", "lat"}, optional
        What it is: a half of the globe of the other kind is then not understood.

    Returns
    -------
    float
        Degrees, south and west of zero negative; NaN where any part of the text is not understood.

    Examples
    --------
    >>> degrees("2°30′W"), degrees("东经121.78"), degrees("121.5.30")
    (-2.5, 121.78, nan)
    """
    if _USUAL.fullmatch(text):  # most are: lists are long
        return float(text)
    if any(unicodedata.category(sign) == "No" for sign in text):  # the mark of a footnote, ² or ①, is no further digit
        return float("nan")
    plain = unicodedata.normalize("NFKC", _unmarked(text)).translate(_MARKS).strip().casefold()
    # An apostrophe before a number is how spreadsheets mark what is to stay a text.
    plain = re.sub(r"(?<=\d)。(?=\d)", ".", plain.lstrip("'").lstrip())
    whole = _WHOLE.fullmatch(plain)
    if whole is None:
        return float("nan")
    sides = [_SIDES[said] for said in (whole["before"], whole["behind"]) if said]
    if len(sides) > 1 or (sides and whole["sign"]) or (sides and axis and sides[0][0] != axis):
        return float("nan")
    sign = sides[0][1] if sides else -1 if whole["sign"] == "-" else 1
    return sign * _size(whole["body"])


def pair(text: str) -> tuple[str, str]:
    """Part a cell of both coordinates into the texts of longitude and latitude; empty texts where it holds no two.

    Examples
    --------
    >>> pair("(121.9, 30.9)"), pair("N30.9 E121.9")
    (('121.9', '30.9'), ('E121.9', 'N30.9'))
    """
    bare = text.strip().strip("()[]（）").strip()
    for mark in (r"[;；|]", r"[,，、]", r"\s"):
        parts = [part.strip() for part in re.split(mark, bare) if part.strip()]
        if len(parts) == _TWO:
            first, second = parts
            as_said = not (isnan(degrees(first, "lon")) or isnan(degrees(second, "lat")))
            # Letters may say that latitude stands first.
            turned = not as_said and not (isnan(degrees(first, "lat")) or isnan(degrees(second, "lon")))
            return (second, first) if turned else (first, second)
    return "", ""


def _unmarked(text: str) -> str:
    """Take away what NFKC would make of marks of minutes: two primes for a double one, a blank and an accent."""
    return text.replace("″", '"').replace("′", "'").replace("´", "'").replace("º", "°").replace("˚", "°")


def _size(body: str) -> float:
    if found := _PLAIN.fullmatch(body):
        return float(found[1].replace(",", ".") + (found[2] or ""))
    found = _SECONDS.fullmatch(body) or _MINUTES.fullmatch(body) or _BARE.fullmatch(body)
    if found is None:
        return float("nan")
    whole, minutes, seconds = (float(part) for part in (*found.groups(), "0")[:3])
    if minutes >= _SIXTY or seconds >= _SIXTY:
        return float("nan")
    return whole + minutes / _SIXTY + seconds / _SIXTY**2
