"""One run at a time writes a results folder, and what killed runs left beside it is cleared away."""

import errno
import json
import logging
import os
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from lifecircle.errors import SourceError
from lifecircle.reading import read_json

log = logging.getLogger(__name__)

_TAKEN = {errno.EWOULDBLOCK, errno.EACCES, errno.EAGAIN}
_held: set[tuple[int, Path]] = set()
"""Locks of this process, by the thread that took each: a run takes its own again when it writes."""


@contextmanager
def held(target: Path) -> Iterator[None]:
    """Hold the lock of a results folder: ``.<name>.lock`` beside it.

    The system lets go of it when a process ends in whatever way, so a dead one never blocks. Where there are no such
    locks (not POSIX, some network folders) nothing is locked, and the last to finish wins, whole.

    Raises
    ------
    SourceError
        Another run holds it, or there is no place to write.
    """
    mine = (threading.get_ident(), target)
    if mine in _held:
        yield
        return
    missing = [folder for folder in target.parents if not folder.exists()]
    path = target.with_name(f".{target.name}.lock")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _taken(path, target)
    except SourceError:
        raise
    except OSError as error:
        raise SourceError(f"cannot write beside {target}: {error.strerror or error}; choose another --out") from error
    _held.add(mine)
    try:
        yield
    finally:
        _held.discard(mine)
        with suppress(OSError):
            path.unlink(missing_ok=True)  # while it is held: who waits for it takes a new one
        os.close(descriptor)
        for folder in missing:  # nothing was written after all
            with suppress(OSError):
                folder.rmdir()


def _taken(path: Path, target: Path) -> int:
    """Open and lock a file, and write into it who holds it; the descriptor keeps the lock."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        try:
            _lock(descriptor)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), path.stat()):
                    break
            os.close(descriptor)  # its holder removed it in between: that one locks nothing
        except OSError as error:
            os.close(descriptor)
            if error.errno in _TAKEN:
                raise SourceError(
                    f"another run is writing {target} ({_holder(path)}); wait until it is done, or choose another --out"
                ) from error
            raise
    who = {"pid": os.getpid(), "host": socket.gethostname(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
    os.ftruncate(descriptor, 0)
    os.write(descriptor, json.dumps(who).encode())
    return descriptor


def _lock(descriptor: int) -> None:
    try:
        import fcntl
    except ImportError:
        log.warning("this system has no file locks: see to it that two runs do not write the same folder")
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _TAKEN:
            raise
        log.warning("no file locks here (%s): see to it that two runs do not write the same folder", error.strerror)


def _holder(path: Path) -> str:
    """Say who holds a lock, as far as the lock tells."""
    try:
        said = read_json(path)
        host = str(said["host"])
        where = "" if host == socket.gethostname() else f" on {host[:100]!r}"
        return f"process {int(said['pid'])}{where} since {datetime.fromisoformat(said['since']):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, KeyError, TypeError):
        return "it does not say which"


def name_of_new(target: Path) -> str:
    """Begin the name of the folder a run writes before it is exchanged: with its process, so that others can tell."""
    return f".{target.name}.{os.getpid()}."


def sweep(target: Path) -> None:
    """Remove what runs that are dead left beside a results folder; the caller holds its lock."""
    pattern = re.compile(rf"\.{re.escape(target.name)}\.(\d+)\.[a-z0-9_]{{8}}\.new")
    for path in list(target.parent.iterdir()):
        said = pattern.fullmatch(path.name)
        if said and path.is_dir() and not path.is_symlink() and not _alive(int(said[1])):
            log.info("removing %s, left by a run that was killed", path)
            shutil.rmtree(path, ignore_errors=True)
    left = target.with_name(f".{target.name}.check.new")
    if left.is_file():
        left.unlink(missing_ok=True)
    previous = previous_of(target)
    if target.exists() and previous.is_dir() and not previous.is_symlink():
        shutil.rmtree(previous, ignore_errors=True)  # an exchange was cut off after its second rename


def previous_of(target: Path) -> Path:
    """Where the old results wait while the new take their place, on systems that cannot exchange at once."""
    return target.with_name(f".{target.name}.previous")


def _alive(pid: int) -> bool:
    """Say whether a process is there; where that cannot be asked, it may be."""
    if os.name != "posix" or not 0 < pid < 1 << 31:
        return os.name != "posix"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def settle(folder: Path) -> None:
    """Wait until a folder's files are on the disk: a disk that is full, or breaks, says so here at the latest."""
    for path in (*sorted(folder.iterdir()), folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
