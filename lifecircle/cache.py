"""Stages of a run kept by content: what was read or built from the same inputs by the same code is not made again."""

import hashlib
import json
import logging
import os
import re
import threading
import time
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
import platformdirs
import pyproj
import rasterio
import shapely

from lifecircle.errors import SourceError
from lifecircle.packing import PackError, pack, unpack

log = logging.getLogger(__name__)

T = TypeVar("T")

VARIABLE = "LIFECIRCLE_CACHE"
"""Environment variable that names another folder, or says ``off``."""

MOST_BYTES = 4 << 30
"""What the cache may hold: what was not used for longest goes first."""

_WORTH_S = 0.5  # what takes less to make is not kept
_DAY_S = 86_400  # a file that is being written for longer belongs to nobody
_DIGITS = 40  # of a key in a name: 160 bits
_NAME = re.compile(rf"[a-z]+-[0-9a-f]{{{_DIGITS}}}\.npz")
_UNFINISHED = re.compile(r"\.[a-z]+-[0-9a-f]{40}\.[0-9]+\.part")
_LIBRARIES = ("numpy", "pandas", "shapely", "pyproj", "rasterio", "osmium", "affine", "scipy")


@dataclass(frozen=True)
class Key:
    """What a stage was made from: two of one key are the same, whatever else a run asks."""

    stage: str
    digest: str

    @classmethod
    def of(cls, stage: str, **parts: Any) -> "Key":
        """Make a key of everything the stage depends on, said as JSON, besides the code and its libraries."""
        said = {"stage": stage, "made_by": _made_by(), "grids": _grids(), "parts": parts}
        text = json.dumps(said, default=_as_text)  # in the order said: services are numbered by theirs
        return cls(stage, hashlib.sha256(text.encode()).hexdigest())

    @property
    def name(self) -> str:
        """Name of its file."""
        return f"{self.stage}-{self.digest[:_DIGITS]}.npz"


def _as_text(value: object) -> str:
    if isinstance(value, Key):
        return value.digest
    raise TypeError(f"a {type(value).__name__} is no part of a key")


@lru_cache(maxsize=1)
def _made_by() -> list[str]:
    """Digest of this package's own files, and the versions of what it computes with: other code makes other keys."""
    found, root = hashlib.sha256(), Path(__file__).parent
    for path in sorted(path for kind in ("*.py", "*.toml") for path in root.rglob(kind)):
        found.update(f"{path.relative_to(root).as_posix()}\n".encode() + path.read_bytes())
    below = (shapely.geos_version_string, pyproj.proj_version_str, rasterio.__gdal_version__)
    return [found.hexdigest(), *below, *(f"{name} {metadata.version(name)}" for name in _LIBRARIES)]


def _grids() -> list[Any]:
    """List what PROJ may shift a datum by: with a grid of it metres lie elsewhere than without."""
    folders = [*pyproj.datadir.get_data_dir().split(os.pathsep), pyproj.datadir.get_user_data_dir()]  # type: ignore[attr-defined]
    files = [path for one in folders for path in Path(one).glob("*.*") if path.suffix != ".db" and path.is_file()]
    found = {path.name: path.stat().st_size for path in files}
    return [pyproj.network.is_network_enabled(), sorted(found.items())]  # type: ignore[attr-defined]


class _Listening(logging.Handler):
    """Hears whether this package warns of anything."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.heard = False

    def emit(self, record: logging.LogRecord) -> None:
        self.heard = True
        # Where nobody else listens, logging would have printed it.
        told = [*logging.getLogger("lifecircle").handlers, *logging.getLogger().handlers]
        if all(isinstance(one, _Listening) for one in told) and logging.lastResort is not None:
            logging.lastResort.handle(record)

    def __enter__(self) -> Self:
        logging.getLogger("lifecircle").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("lifecircle").removeHandler(self)


@dataclass
class Cache:
    """A folder of stages, each in one file that is there whole or not at all.

    What cannot be read or written is made anew, and a log line says so: a cache never stops a run. The files are
    numbers and texts (`numpy.savez`, whose ZIP carries a checksum of every part); nothing in them is executed.

    Attributes
    ----------
    folder : Path or None
        None: nothing is kept.
    most_bytes : int
    worth_s : float
        What took less than this to make is not kept.
    found : list of str
        Stages this run took from it.
    """

    folder: Path | None
    most_bytes: int = MOST_BYTES
    worth_s: float = _WORTH_S
    found: list[str] = field(default_factory=list)

    @classmethod
    def of_user(cls) -> "Cache":
        """Open that of the user: where ``LIFECIRCLE_CACHE`` says, else where the system keeps such things."""
        said = os.environ.get(VARIABLE, "")
        if said.casefold() in {"off", "0", "no", "none", "false"}:
            return cls(None)
        try:
            folder = Path(said or platformdirs.user_cache_dir("lifecircle", appauthor=False)).expanduser()
        except RuntimeError as error:
            log.warning("nothing is kept: there is no home folder for the cache %s (%s)", said or "of the user", error)
            return cls(None)
        return cls(folder)

    def take(
        self, key: Key, make: Callable[[], T], *, given: Mapping[str, Any] | None = None,
        keep: Callable[[], bool] = lambda: True,
    ) -> T:  # fmt: skip
        """Take a stage from the cache; what is not there is made, and kept.

        Parameters
        ----------
        key : Key
        make : callable
            Makes the value; what it raises is raised, and nothing is kept. Nor is it where the log warned of something:
            a later run must say so too.
        given : dict, optional
            Objects in the value that are not kept but the caller has (see `lifecircle.packing.pack`); what they hold
            must be part of the key.
        keep : callable
            Asked when it is made: whether its inputs are still those of the key.
        """
        value: T
        if self.folder is None:
            return make()
        path = self.folder / key.name
        try:
            value = _read(path, key, given)
        except FileNotFoundError:
            pass
        except Exception as error:  # noqa: BLE001  whatever is wrong with the file, the stage can be made anew
            log.warning("%s of the cache cannot be read (%s); it is made anew", path.name, error)
        else:
            self.found.append(key.stage)
            return value
        start = time.perf_counter()
        with _Listening() as warned:
            value = make()
        if time.perf_counter() - start >= self.worth_s and not warned.heard and keep():
            try:
                self._keep(path, pack((key.digest, value), given))
            except Exception as error:  # noqa: BLE001  the disk, the memory: the stage is made, and the run goes on
                log.warning("the stage %s is not kept (%s)", key.stage, str(error) or type(error).__name__)
        return value

    def _keep(self, path: Path, arrays: dict[str, Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = path.with_name(f".{path.stem}.{os.getpid()}{threading.get_ident()}.part")
        try:
            with made.open("wb") as stream:
                np.savez(stream, **arrays)
            if (size := made.stat().st_size) > self.most_bytes:
                raise PackError(f"it has {size:,} bytes, more than the cache may hold")
            made.replace(path)
        finally:
            made.unlink(missing_ok=True)
        self._trim(path)

    def _trim(self, newest: Path) -> None:
        """Make room: remove what was not used for longest, and what killed runs left half-written."""
        self._sweep(older_than_s=_DAY_S)
        left = self.most_bytes
        for path, size in sorted(self.files(), key=lambda one: (one[0] != newest, -_used(one[0]))):
            left -= size
            if left < 0:
                with suppress(OSError):
                    path.unlink()

    def _sweep(self, *, older_than_s: float) -> None:
        """Remove what is half-written; a run that is at it then does not keep that stage."""
        for path in self._there():
            with suppress(OSError):  # another run may have removed it
                if _UNFINISHED.fullmatch(path.name) and time.time() - path.stat().st_mtime >= older_than_s:
                    path.unlink()

    def _there(self) -> list[Path]:
        """List whatever is in the folder; nothing of one that is not there, or not to be read."""
        try:
            return [] if self.folder is None else sorted(self.folder.iterdir())
        except OSError:
            return []

    def files(self) -> list[tuple[Path, int]]:
        """List the stages it holds, and their sizes in bytes."""
        found = []
        for path in self._there():
            with suppress(OSError):
                if _NAME.fullmatch(path.name) and path.is_file():
                    found.append((path, path.stat().st_size))
        return found

    def clear(self) -> int:
        """Remove every stage; return how many.

        Raises
        ------
        SourceError
            One cannot be removed.
        """
        found = self.files()
        try:
            for path, _ in found:
                path.unlink(missing_ok=True)
            self._sweep(older_than_s=0)
        except OSError as error:
            raise SourceError(f"cannot clear the cache {self.folder}: {error.strerror or error}") from error
        return len(found)


def _read(path: Path, key: Key, given: Mapping[str, Any] | None) -> Any:
    arrays = {}
    with path.open("rb") as stream, zipfile.ZipFile(stream) as kept:
        for name in kept.namelist():
            with kept.open(name) as part:  # to its end, where the checksum is: what heads it may say that it is shorter
                arrays[name.removesuffix(".npy")] = np.lib.format.read_array(part, allow_pickle=False)
                if part.read(1):
                    raise PackError(f"the array {name} is longer than it says")
    digest, value = unpack(arrays, given)
    if digest != key.digest:
        raise PackError("it is of another key")
    with suppress(OSError):
        os.utime(path)  # used now
    return value


def _used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
