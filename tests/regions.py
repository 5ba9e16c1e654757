"""The regions the tests run on: real extracts where they are at hand, and the embedded model."""

import os
from pathlib import Path

import pytest

from lifecircle.study import Study

ROOT = Path(__file__).resolve().parents[1]
REAL = Path(os.environ.get("LIFECIRCLE_REAL_DATA", ROOT.parent / "shared" / "data"))
LINGANG = ROOT / "data" / "lingang-model" / "study.toml"
NEWPORT_BOX = (-3.075, 51.529, -2.929, 51.594)
MONACO_BOX = (7.405, 43.72, 7.445, 43.755)
LIECHTENSTEIN_BOX = (9.47, 47.04, 9.64, 47.28)


def real(name):
    """Path of a real extract; where there is none, a machine that must have it fails and any other skips."""
    path = REAL / name
    if not path.exists():
        if os.environ.get("CI"):
            pytest.fail(f"no real data at {path}")
        pytest.skip(f"no real data at {path}; set LIFECIRCLE_REAL_DATA")
    return path


def study_of(name):
    if name == "lingang":
        return Study.from_toml(LINGANG)
    if name == "newport":
        keys = {
            "osm": real("newport/newport-2023-06-13.osm.pbf"),
            "population": real("newport/ghs-pop-2015-100m.tif"),
            "bbox": NEWPORT_BOX,
        }
    elif name == "monaco":
        keys = {
            "osm": real("monaco/monaco.osm.pbf"),
            "elevation": real("monaco/N43E007.hgt.zip"),
            "bbox": MONACO_BOX,
        }
    else:
        keys = {"osm": real("liechtenstein/liechtenstein-latest.osm.pbf"), "bbox": LIECHTENSTEIN_BOX}
    return Study.from_keys({"name": name, **{key: str(v) if isinstance(v, Path) else v for key, v in keys.items()}})
