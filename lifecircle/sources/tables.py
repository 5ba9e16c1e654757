"""Tables of people and where they are (CSV)."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lifecircle.errors import CrsError, DataError

_COLUMNS = ("lon", "lat", "people")


def read_places(path: str | Path) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Read people by place: a CSV table in UTF-8 with the columns ``lon``, ``lat`` (degrees, WGS84) and ``people``.

    Returns
    -------
    lon, lat, people : (n,) float64
        Rows with no people are left out.

    Raises
    ------
    DataError
        The file cannot be read, lacks a column, or a cell holds no number or a negative one; the first is named.
    CrsError
        The numbers are not degrees.
    """
    path = Path(path)
    try:
        with warnings.catch_warnings():
            # A row with more cells than the header has names would else have its first cells taken for labels.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                path, dtype=str, keep_default_na=False, encoding="utf-8-sig", skipinitialspace=True, index_col=False
            )
    except pd.errors.ParserWarning as error:
        raise DataError(
            f"{path} has rows with more cells than its header has names; quote numbers with commas"
        ) from error
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise DataError(f"cannot read the table {path}: {error}") from error
    lacking = [name for name in _COLUMNS if name not in frame.columns]
    if lacking:
        raise DataError(
            f"{path} lacks the column {', '.join(lacking)}; it has {', '.join(map(str, frame.columns))}. Expected "
            f"{', '.join(_COLUMNS)}"
        )
    columns = []
    for name in _COLUMNS:
        values = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64)
        wrong = np.flatnonzero(~np.isfinite(values) | ((values < 0) if name == "people" else False))
        if len(wrong):
            row = int(wrong[0])
            raise DataError(
                f"{path}, line {row + 2}: {name} is {frame[name].iloc[row]!r}; expected a number"
                + (" that is not negative" if name == "people" else " in degrees")
            )
        columns.append(values)
    lon, lat, people = columns
    if len(lon) and (np.abs(lon).max() > 180 or np.abs(lat).max() > 90):  # noqa: PLR2004
        raise CrsError(f"{path} holds numbers that are no degrees; expected lon and lat in WGS84")
    some = people > 0
    return lon[some], lat[some], people[some]
