"""Walking access, coverage and gaps of the 15-minute life circle (15分钟社区生活圈).

The names below are all there is to learn; each is loaded when it is first used, so that ``import lifecircle`` costs
nothing.

Examples
--------
>>> import lifecircle as lc
>>> sorted(lc.__all__)[:3]
['Cells', 'Coverage', 'Facilities']
"""

from importlib import import_module, metadata
from typing import Any

_HOME = {
    "Cells": "lifecircle.model.cells",
    "Coverage": "lifecircle.assess.coverage",
    "Facilities": "lifecircle.model.facilities",
    "Gaps": "lifecircle.assess.gaps",
    "Isochrone": "lifecircle.reach.isochrone",
    "LifecircleError": "lifecircle.errors",
    "Network": "lifecircle.model.network",
    "Profile": "lifecircle.profiles",
    "Reach": "lifecircle.reach.products",
    "Region": "lifecircle.region",
    "Result": "lifecircle.result",
    "Standard": "lifecircle.standards",
    "Study": "lifecircle.study",
    "Units": "lifecircle.assess.units",
    "diff": "lifecircle.study",
    "isochrone_of": "lifecircle.study",
    "verify": "lifecircle.study",
}

__all__ = [
    "Cells",
    "Coverage",
    "Facilities",
    "Gaps",
    "Isochrone",
    "LifecircleError",
    "Network",
    "Profile",
    "Reach",
    "Region",
    "Result",
    "Standard",
    "Study",
    "Units",
    "diff",
    "isochrone_of",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    if name == "__version__":
        return metadata.version("lifecircle")
    raise AttributeError(f"module 'lifecircle' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
