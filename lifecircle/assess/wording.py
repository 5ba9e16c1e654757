"""Numbers as people read them: a share is never rounded up to all nor down to none."""

import math
from typing import Any

from lifecircle.standards import Service

UNKNOWN_TEXT = "unknown"

_WHY_ZH = {
    "no coordinates": "无坐标", "coordinates not understood": "坐标写法无法识别",
    "coordinates that are no numbers": "坐标不是数字", "coordinates that are no degrees": "坐标不是经纬度",
    "longitude and latitude the wrong way round": "经度与纬度颠倒",
    "service not of the standard": "不是标准中的服务", "beyond what is walked": "超出步行范围",
}  # fmt: skip
_TO_MEND = frozenset(key for key in _WHY_ZH if key.startswith(("coordinates", "longitude")))


def share_text(met: float | None, total: float | None) -> str:
    """Write a share of a total.

    Examples
    --------
    >>> share_text(1, 3), share_text(9997, 10000), share_text(1, 100000), share_text(5, 5), share_text(0, 5)
    ('33.3 %', '> 99.9 %', '< 0.1 %', '100 %', '0 %')
    >>> share_text(0, 0), share_text(None, None)
    ('no residents', 'unknown')
    """
    if met is None or total is None:
        return UNKNOWN_TEXT
    if total == 0:
        return "no residents"
    if met in {0, total}:
        return "100 %" if met else "0 %"
    percent = 100 * met / total
    if not 0.1 <= percent <= 99.9:  # noqa: PLR2004
        return "> 99.9 %" if met > total / 2 else "< 0.1 %"
    return f"{percent:.1f} %"


def people_text(people: float | None) -> str:
    """Write a number of people as whole persons.

    Examples
    --------
    >>> people_text(1234.9), people_text(2.5), people_text(None), people_text(0.4)
    ('1,235', '3', 'unknown', 'fewer than 1')
    """
    if people is None:
        return UNKNOWN_TEXT
    if 0 < people < 1:
        return "fewer than 1"
    return f"{math.floor(people + 0.5):,}"  # halves upwards, as scripts round


def rate_text(value: float) -> str:
    """Write a supply for 1,000 people, never rounded up to what is asked: three figures, and two decimals at least.

    Examples
    --------
    >>> rate_text(2.0), rate_text(1.9999), rate_text(5 / 3), rate_text(0.0456), rate_text(0.0), rate_text(3333.5844)
    ('2.00', '1.99', '1.66', '0.0456', '0.00', '3,333.58')
    """
    digits = 2 if not 0 < value < 0.1 else min(9, 2 - math.floor(math.log10(value)))  # noqa: PLR2004
    return f"{math.floor(value * 10**digits * (1 + 1e-12)) / 10**digits:,.{digits}f}"


def amount_text(value: float) -> str:
    """Write a supply, never rounded up: whole, or with two decimals.

    Examples
    --------
    >>> amount_text(1234.0), amount_text(1.99), amount_text(9999.999)
    ('1,234', '1.99', '9,999.99')
    """
    return f"{value:,.0f}" if float(value).is_integer() else rate_text(value)


_UNITS_ZH = {"m²": "平方米", "m² floor": "平方米建筑面积", "GPs": "名全科医生", "beds": "张床位", "places": "个名额"}
_GROUPS_ZH = {"residents": "居民"}


def unit_zh(unit: str) -> str:
    """Say in Chinese what a norm counts; a unit that no shipped standard has is left as it is."""
    return _UNITS_ZH.get(unit, unit)


def group_zh(key: str) -> str:
    """Say in Chinese for whom a norm is; a group that a study names is called by its key."""
    return _GROUPS_ZH.get(key, key)


def lack_text(value: float) -> str:
    """Write what is missing, rounded up to what would be enough.

    Examples
    --------
    >>> lack_text(0.01), lack_text(3.0), lack_text(1233.5)
    ('1', '3', '1,234')
    """
    return f"{math.ceil(value * (1 - 1e-12)):,}"


def limit_text(value: float, unit: str) -> str:
    """Write a threshold or a cutoff.

    Examples
    --------
    >>> limit_text(900.0, "s"), limit_text(450.0, "s"), limit_text(500.0, "m")
    ('15 min', '7.5 min', '500 m')
    """
    return f"{value / 60:g} min" if unit == "s" else f"{value:g} m"


def threshold_text(service: Service, unit: str, *, chinese: bool = False) -> str:
    """Write what a service is held to, with the zone classes that are held to something else.

    Examples
    --------
    ``1000 m``; ``1000 m (new_city 1500 m)``
    """

    def say(value: float, mode: str) -> str:
        text = limit_text(value, unit)
        if chinese:
            text = text.replace("min", "分钟").replace(" m", " 米")
        return text + ("" if mode == "walk" else "（步行或骑行）" if chinese else " walking or cycling")

    others = [f"{name} {say(one.value, one.mode)}" for name, one in sorted(service.by_zone_class.items())]
    plain = say(service.threshold.value, service.threshold.mode)
    return plain + (f" ({', '.join(others)})" if others else "")


def cost_text(value: float | None, unit: str, cutoff: float) -> str:
    """Write a walk in minutes or metres; beyond the cutoff it is only known to be longer.

    It is rounded up, as the map pages do (``cost`` in ``text.js``): 15 min 1 s never reads as the 15 min it misses.

    Examples
    --------
    >>> cost_text(901.0, "s", 1800.0), cost_text(None, "s", 1800.0), cost_text(349.2, "m", 2000.0)
    ('15.1 min', '> 30 min', '350 m')
    """
    if value is None or value != value or value == float("inf"):  # noqa: PLR0124
        return f"> {limit_text(cutoff, unit)}"
    return f"{math.ceil(value / 6 - 1e-9) / 10:.1f} min" if unit == "s" else f"{math.ceil(value)} m"


def tidy_numbers(value: float | None) -> float | int | None:
    """Turn whole floats into integers, so that JSON shows 5 and not 5.0.

    Examples
    --------
    >>> tidy_numbers(5.0), tidy_numbers(5.5), tidy_numbers(None)
    (5, 5.5, None)
    """
    return int(value) if value is not None and float(value).is_integer() else value


def left_out_texts(told: dict[str, Any]) -> list[tuple[str, str]]:
    """Write why rows of a table of facilities are left out, in English and Chinese; those to mend by row and text.

    Parameters
    ----------
    told : dict
        A table as ``check.json`` has it.

    Examples
    --------
    >>> row = {"row": 7, "place": "121.5.30, 31"}
    >>> why = "coordinates not understood"
    >>> left_out_texts({"left_out": {why: 2}, "left_out_rows": {why: [row]}})[0][0]
    "2 coordinates not understood (row 7 '121.5.30, 31' and 1 more)"
    """
    found = []
    for why, n in told["left_out"].items():
        text, text_zh = f"{n:,} {why}", f"{n:,} 行{_WHY_ZH.get(why, why)}"
        rows = told.get("left_out_rows", {}).get(why, []) if why in _TO_MEND else []
        if rows:
            more = f" and {n - len(rows):,} more" if n > len(rows) else ""
            shown = ", ".join(f"row {row['row']} {row['place']!r}" for row in rows)
            shown_zh = "、".join(f"第 {row['row']} 行“{row['place']}”" for row in rows)
            text, text_zh = f"{text} ({shown}{more})", f"{text_zh}（{shown_zh}{'等' if more else ''}）"
        found.append((text, text_zh))
    return found
