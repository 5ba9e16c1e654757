"""Numbers as people read them: a share is never rounded up to all nor down to none."""

from lifecircle.standards import Service

UNKNOWN_TEXT = "unknown"


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
    >>> people_text(1234.9), people_text(None), people_text(0.4)
    ('1,235', 'unknown', 'fewer than 1')
    """
    if people is None:
        return UNKNOWN_TEXT
    if 0 < people < 1:
        return "fewer than 1"
    return f"{people:,.0f}"


def limit_text(value: float, unit: str) -> str:
    """Write a threshold or a cutoff.

    Examples
    --------
    >>> limit_text(900.0, "s"), limit_text(450.0, "s"), limit_text(500.0, "m")
    ('15 min', '7.5 min', '500 m')
    """
    return f"{value / 60:g} min" if unit == "s" else f"{value:g} m"


def threshold_text(service: Service, unit: str) -> str:
    """Write what a service is held to, with the zone classes that are held to something else.

    Examples
    --------
    ``1000 m``; ``1000 m (new_city 1500 m)``
    """
    others = [
        f"{name} {limit_text(one.value, unit)}{_MODES[one.mode]}" for name, one in sorted(service.by_zone_class.items())
    ]
    plain = limit_text(service.threshold.value, unit) + _MODES[service.threshold.mode]
    return plain + (f" ({', '.join(others)})" if others else "")


_MODES = {"walk": "", "walk_or_cycle": " walking or cycling"}


def cost_text(value: float | None, unit: str, cutoff: float) -> str:
    """Write a walk in minutes or metres; beyond the cutoff it is only known to be longer.

    Examples
    --------
    >>> cost_text(905.0, "s", 1800.0), cost_text(None, "s", 1800.0), cost_text(350.0, "m", 2000.0)
    ('15.1 min', '> 30 min', '350 m')
    """
    if value is None or value != value or value == float("inf"):  # noqa: PLR0124
        return f"> {limit_text(cutoff, unit)}"
    return f"{value / 60:.1f} min" if unit == "s" else f"{value:.0f} m"


def tidy_numbers(value: float | None) -> float | int | None:
    """Turn whole floats into integers, so that JSON shows 5 and not 5.0.

    Examples
    --------
    >>> tidy_numbers(5.0), tidy_numbers(5.5), tidy_numbers(None)
    (5, 5.5, None)
    """
    return int(value) if value is not None and float(value).is_integer() else value
