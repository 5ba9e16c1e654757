"""Tables of people and where they are (CSV)."""

import io
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lifecircle.errors import CrsError, DataError
from lifecircle.reading import read_text

_LARGEST = 256 << 20  # bytes
_MOST_COLUMNS = 1000
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
    text = read_text(path, most=_LARGEST, what="the table")
    if text.partition("\n")[0].count(",") > _MOST_COLUMNS:
        raise DataError(f"{path} has more than {_MOST_COLUMNS} columns; expected {', '.join(_COLUMNS)}")
    try:
        with warnings.catch_warnings():
            # A row with more cells than the header has names would else have its first cells taken for labels.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                io.StringIO(text), dtype=str, keep_default_na=False, skipinitialspace=True, index_col=False
            )
    except pd.errors.ParserWarning as error:
        raise DataError(
            f"{path} has rows with more cells than its header has names; quote numbers with commas"
        ) from error
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise DataError(f"cannot read the table {path}: {error}") from error
    lacking = [name for name in _COLUMNS if name not in frame.columns]
    if len(lacking) == len(_COLUMNS):  # what is no such table may be anything, and is nothing for a message or a log
        raise DataError(f"{path} has none of the columns {', '.join(_COLUMNS)}; is it a CSV table with a header?")
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
