"""Asking an Overpass server: bounded in time, tries and size, and believed only where an answer is whole.

OSMnx repeats a refused query every 55 seconds without end, reads an answer of any length, and changes how the process
resolves host names. So requests are made here, by its settings, and kept as it keeps them: `osmnx` finds every answer
of the cache folder again.
"""

import email.utils
import hashlib
import json
import logging
import math
import queue
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3

from lifecircle.errors import SourceError, StandardError
from lifecircle.sources.boundaries import clean

log = logging.getLogger(__name__)

T = TypeVar("T")
Element = dict[str, Any]

_IDS = 10**12  # what OSM will ever count up to; osmium keeps a bit for every id below the largest it is given
_LONGEST_TEXT = 255  # characters of a key, value or role in OSM
_LONGEST_LIST = 200_000  # nodes of a way (OSM: 2,000), members of a relation (OSM: 32,000)
_TOLD = 160  # characters of what a server says in a message
_FRESH_S = 24 * 3600.0
_UNREACHABLE_TRIES, _UNREACHABLE_S = 3, 15.0  # where there is no network at all, nobody should wait for it
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_REDIRECTS = range(300, 400)
_OK, _BAD_QUERY = 200, 400
_CHUNK = 1 << 16
_TYPES = frozenset({"node", "way", "relation"})
_AREAS = frozenset({"multipolygon", "boundary"})


@dataclass(frozen=True)
class Patience:
    """How long and how often a server is asked.

    Attributes
    ----------
    deadline_s : float
        For everything together.
    attempts : int
        For one query.
    first_pause_s, longest_pause_s : float
        Pauses double from the first on, up to the longest; a server that names a pause gets that one.
    connect_s, query_s, answer_s : float
        For a connection, for the server to work on one query, and for the whole of its answer to be here.
    largest : int
        Bytes of one answer, unpacked.
    clock, sleep : callable
        Seconds that run, and how to let them run.
    """

    deadline_s: float = 1800.0
    attempts: int = 6
    first_pause_s: float = 5.0
    longest_pause_s: float = 120.0
    connect_s: float = 10.0
    query_s: int = 180
    answer_s: float = 420.0
    largest: int = 64 << 20
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class TooHeavyError(Exception):
    """A query the server cannot work off, or whose answer is too large: ask for less at a time."""


class _AgainError(Exception):
    """What is worth another try."""

    def __init__(self, said: str, *, after_s: float | None = None, unreachable: bool = False) -> None:
        super().__init__(said)
        self.after_s, self.unreachable = after_s, unreachable


class _FinalError(Exception):
    """What no other try would change."""


@dataclass(frozen=True)
class Answer:
    """What an Overpass server knows.

    Attributes
    ----------
    base : str
        Date of its data, ISO 8601.
    size : int
        Bytes it came in, unpacked.
    elements : list of dict
        Nodes, ways and relations as Overpass writes them in JSON; types, numbers and texts are as they must be, every
        way has its nodes, every area its ways.
    """

    base: str
    size: int
    elements: list[Element]


@dataclass
class Overpass:
    """A server, and the folder of what it has said so far.

    Attributes
    ----------
    url : str
        Base URL, to which ``/interpreter`` is added.
    cache : Path
        Folder of answers, in the format of OSMnx.
    advice : str
        What to do where the server cannot be had; ends every message.
    n_asked : int
        How many requests were made.
    """

    url: str
    cache: Path
    patience: Patience = field(default_factory=Patience)
    advice: str = ""
    n_asked: int = 0

    def __post_init__(self) -> None:
        self.url = checked_url(self.url)
        self._end = self.patience.clock() + self.patience.deadline_s
        self._reached = False
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"lifecircle/{metadata.version('lifecircle')}"
        self._session.headers["Accept-Encoding"] = "gzip, deflate"

    @property
    def host(self) -> str:
        """Server's name."""
        return urlsplit(self.url).netloc

    def ask(self, query: str) -> Answer:
        """Answer of a query: from the cache if it holds one of the last 24 hours, else from the server.

        Raises
        ------
        TooHeavyError
            The query is more than the server can do, or its answer larger than allowed.
        SourceError
            The server cannot be reached, refuses, or gives no whole answer in time.
        """
        path = self._path(query)
        if (answer := _kept(path)) is not None:
            return answer
        data = {"data": query}
        return self._kept_as(
            path, self.host, lambda: read_answer(self._once("POST", f"{self.url}/interpreter", data=data))
        )

    def geocode(self, url: str, name: str) -> Any:
        """Row of the area Nominatim knows by a name, as `osmnx.geocode_to_gdf` picks it.

        Raises
        ------
        SourceError
            As `ask`, or nothing of that name has an outline.
        """
        import osmnx

        # The query OSMnx would make, key by key: it then finds the answer in its cache and asks nobody.
        params = {"format": "json", "polygon_geojson": "1", "dedupe": "0", "limit": "50", "q": name}
        address = f"{checked_url(url)}/search"
        path = self._path_of(str(requests.Request("GET", address, params=params).prepare().url))
        host = urlsplit(address).netloc
        if not _is_fresh(path):
            self._kept_as(path, host, lambda: _places(self._once("GET", address, params=params)))
        settings = osmnx.settings
        before = settings.cache_folder, settings.use_cache, settings.nominatim_url
        settings.cache_folder, settings.use_cache, settings.nominatim_url = self.cache, True, checked_url(url)
        try:
            return osmnx.geocode_to_gdf(name).iloc[0]
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise SourceError(
                f"{host} knows no area called {clean(name)!r} ({clean(str(error))[:_TOLD]}); give its "
                "relation id (--place ID), a box (--bbox) or a boundary file (--boundary)"
            ) from error
        finally:
            settings.cache_folder, settings.use_cache, settings.nominatim_url = before

    def divide(self, query: str) -> None:
        """Remember that a query was too heavy."""
        _write(self._path(query).with_suffix(".split"), b"")

    def is_divided(self, query: str) -> bool:
        """Whether a query was found too heavy before."""
        return self._path(query).with_suffix(".split").is_file()

    @property
    def n_kept(self) -> int:
        """How many answers the cache holds."""
        return sum(1 for _ in self.cache.glob("*.json")) if self.cache.is_dir() else 0

    def clear(self, *, before: float = math.inf) -> None:
        """Remove the answers kept (those from before a time, s), and the folder if nothing else is in it."""
        if not self.cache.is_dir() or self.cache.is_symlink():
            return
        for path in self.cache.iterdir():
            ours = path.is_file() and re.fullmatch(r"\.?[0-9a-f]{40}\.(json|split)(\.new)?", path.name)
            if ours and path.stat().st_mtime <= before:
                path.unlink()
        if not any(self.cache.iterdir()):
            self.cache.rmdir()

    def _path(self, query: str) -> Path:
        prepared = requests.Request("GET", f"{self.url}/interpreter", params={"data": query}).prepare()
        return self._path_of(str(prepared.url))

    def _path_of(self, url: str) -> Path:
        return self.cache / f"{hashlib.sha1(url.encode()).hexdigest()}.json"  # noqa: S324 (OSMnx names its files so)

    def _kept_as(self, path: Path, host: str, attempt: Callable[[], tuple[T, bytes]]) -> T:
        """Try until an answer is whole, and keep it."""
        patience, failed, began = self.patience, 0, self.patience.clock()
        while True:
            try:
                answer, raw = attempt()
            except _FinalError as error:
                raise SourceError(f"{host} {error}; {self.advice}") from error
            except _AgainError as error:
                failed += 1
                unreachable = error.unreachable and not self._reached
                most = min(_UNREACHABLE_TRIES, patience.attempts) if unreachable else patience.attempts
                if failed >= most or (unreachable and patience.clock() - began > _UNREACHABLE_S):
                    tries = f"{failed} tries" if failed > 1 else "1 try"
                    raise SourceError(f"{host} {error} ({tries}); {self.advice}") from error
                pause = min(1.0, patience.first_pause_s) if unreachable else patience.first_pause_s
                pause = min(patience.longest_pause_s, pause * 2 ** (failed - 1))
                if error.after_s is not None:
                    pause = error.after_s
                if pause >= self._left():
                    raise SourceError(
                        f"{host} {error}, and the {patience.deadline_s / 60:g} minutes set for all of it are over "
                        f"before it may be asked again (--deadline); {self.advice}"
                    ) from error
                log.info("%s %s; asking again in %.0f s", host, error, pause)
                patience.sleep(pause)
            else:
                self._reached = True
                _write(path, raw)
                return answer

    def _left(self) -> float:
        return self._end - self.patience.clock()

    def _once(self, method: str, url: str, **what: Any) -> bytes:
        """Body of the answer to one request.

        The request runs beside, in a thread: neither the name service nor a server that drips has a limit of its own.
        """
        seconds = min(self.patience.answer_s, self._left())
        if seconds <= 0:
            raise _FinalError(f"was not asked: the {self.patience.deadline_s / 60:g} minutes set are over (--deadline)")
        self.n_asked += 1
        said: queue.SimpleQueue[tuple[bytes, Exception | None]] = queue.SimpleQueue()
        stop = threading.Event()

        def work() -> None:
            try:
                said.put((self._body(method, url, stop, **what), None))
            except Exception as error:  # noqa: BLE001 (carried over to the thread that waits)
                said.put((b"", error))

        threading.Thread(target=work, daemon=True).start()
        try:
            body, error = said.get(timeout=seconds)
        except queue.Empty:
            raise _AgainError(f"did not send its answer within {seconds:.0f} s") from None
        finally:
            stop.set()
        if error is not None:
            raise error
        return body

    def _body(self, method: str, url: str, stop: threading.Event, **what: Any) -> bytes:
        from osmnx import settings

        patience, parts, size = self.patience, [], 0
        try:
            with self._session.request(
                method, url, stream=True, allow_redirects=False, timeout=(patience.connect_s, patience.query_s + 30),
                **what, **settings.requests_kwargs,
            ) as response:  # fmt: skip
                _check_status(response)
                for chunk in response.iter_content(_CHUNK):
                    parts.append(chunk)
                    size += len(chunk)
                    if size > patience.largest:
                        raise TooHeavyError(f"its answer has more than {patience.largest >> 20} MB")
                    if stop.is_set():
                        break
        except requests.exceptions.SSLError as error:
            raise _FinalError(f"has no certificate that holds ({_short(error)})") from error
        except requests.exceptions.RequestException as error:
            said, unreachable = _told(error)
            raise _AgainError(said, unreachable=unreachable) from error
        return b"".join(parts)


def checked_url(url: str) -> str:
    """Check the base URL of a server, and take off what is added to it.

    Raises
    ------
    StandardError
        It is no http address, or holds a password.
    """
    try:
        parts = urlsplit(url.strip())
        good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.username or parts.password or parts.query or parts.fragment:
        raise StandardError(
            f"{clean(url)!r} is no server's address; expected a base URL such as https://overpass-api.de/api"
        )
    return parts.geturl().rstrip("/").removesuffix("/interpreter")


def read_answer(raw: bytes) -> tuple[Answer, bytes]:
    """Take an answer apart and doubt all of it.

    Returns
    -------
    Answer, bytes
        And the bytes it was read from.

    Raises
    ------
    TooHeavyError
        The server ran out of time or memory.
    _AgainError
        It is no whole answer.
    """
    said = _json(raw)
    if not isinstance(said, dict) or not isinstance(said.get("elements"), list):
        raise _AgainError("sent JSON that is no answer of Overpass")
    if "remark" in said:
        remark = clean(str(said["remark"]))[:_TOLD]
        if re.search(r"timed out|out of memory", remark):
            raise TooHeavyError(f"it says {remark!r}")
        raise _AgainError(f"broke off its answer and says {remark!r}")
    meta = said.get("osm3s")
    base = _base(meta.get("timestamp_osm_base") if isinstance(meta, dict) else None)
    elements = said["elements"]
    try:
        _check_elements(elements)
    except _WrongError as error:
        raise _AgainError(f"sent elements that cannot be: {error}") from error
    return Answer(base, len(raw), elements), raw


class _WrongError(Exception):
    """An element that is none."""


def _check_elements(elements: list[Any]) -> None:
    ids: dict[str, set[int]] = {kind: set() for kind in _TYPES}
    for element in elements:
        if not isinstance(element, dict) or not _is_type(element.get("type")) or not _is_id(element.get("id")):
            raise _WrongError(clean(json.dumps(element, default=str))[:_TOLD])
        ids[element["type"]].add(element["id"])
        if not _ELEMENT[element["type"]](element) or not _are_tags(element.get("tags", {})):
            raise _WrongError(f"{element['type']} {element['id']}")
    for element in elements:
        if element["type"] == "way" and not ids["node"].issuperset(element["nodes"]):
            raise _WrongError(f"way {element['id']} comes without some of its nodes")
        if element["type"] == "relation" and element.get("tags", {}).get("type") in _AREAS:
            refs = {member["ref"] for member in element["members"] if member["type"] == "way"}
            if not ids["way"].issuperset(refs):
                raise _WrongError(f"relation {element['id']} comes without some of its ways")


def _is_type(value: object) -> bool:
    return isinstance(value, str) and value in _TYPES


def _is_id(value: object) -> bool:
    return type(value) is int and 0 < value < _IDS


def _is_text(value: object) -> bool:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or "\0" in value:
        return False
    return value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value)


def _are_tags(tags: object) -> bool:
    return isinstance(tags, dict) and all(_is_text(key) and key and _is_text(value) for key, value in tags.items())


def _is_degree(value: object, most: float) -> bool:
    return type(value) in (int, float) and abs(value) <= most  # type: ignore[arg-type]


def _is_node(element: Element) -> bool:
    return _is_degree(element.get("lon"), 180) and _is_degree(element.get("lat"), 90)


def _is_way(element: Element) -> bool:
    nodes = element.get("nodes")
    return isinstance(nodes, list) and len(nodes) <= _LONGEST_LIST and all(map(_is_id, nodes))


def _is_relation(element: Element) -> bool:
    members = element.get("members", [])
    if not isinstance(members, list) or len(members) > _LONGEST_LIST:
        return False
    element["members"] = members
    return all(
        isinstance(m, dict) and _is_type(m.get("type")) and _is_id(m.get("ref")) and _is_text(m.get("role", ""))
        for m in members
    )


_ELEMENT: dict[str, Callable[[Element], bool]] = {"node": _is_node, "way": _is_way, "relation": _is_relation}


def _base(said: object) -> str:
    """Date of the data, if it is one."""
    if isinstance(said, str) and re.fullmatch(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", said):
        try:
            when = datetime.fromisoformat(said)
        except ValueError:
            when = datetime.max.replace(tzinfo=UTC)
        if when <= datetime.now(UTC) + timedelta(days=1):
            return said
    raise _AgainError(f"does not say of what date its data is, but {clean(str(said))[:_TOLD]!r}")


def _places(raw: bytes) -> tuple[list[Any], bytes]:
    said = _json(raw)
    if not isinstance(said, list) or not all(isinstance(row, dict) for row in said):
        raise _AgainError("sent JSON that is no list of places")
    return said, raw


def _json(raw: bytes) -> object:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no number")

    try:
        return json.loads(raw.decode("utf-8"), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        text = raw[:4096].decode("utf-8", "replace")
        if "<" in text[:100]:
            raise _AgainError(f"sent a page instead of data, which says {_words(text)!r}") from error
        what = "nothing at all" if not raw else f"{len(raw):,} bytes that are no whole JSON"
        raise _AgainError(f"sent {what}") from error


class _Words(HTMLParser):
    """Gathers what a page says."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.hidden = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        self.hidden = tag if tag in {"script", "style"} else ""

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self.hidden = ""

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.words.append(data)


def _words(page: str) -> str:
    reader = _Words()
    reader.feed(page)
    return clean(" ".join(reader.words))[:_TOLD]


def _check_status(response: requests.Response) -> None:
    status = response.status_code
    if status == _OK:
        return
    if status in _REDIRECTS:
        raise _FinalError(
            f"sends us on to {clean(response.headers.get('Location', 'nowhere'))[:_TOLD]!r}; if you trust that, give "
            "it as --overpass-url"
        )
    start = next(response.iter_content(4096), b"").decode("utf-8", "replace")
    reason = f"{status} {clean(response.reason or '')}".strip()
    if status in _BUSY:
        raise _AgainError(f"is busy ({reason})", after_s=_after(response.headers.get("Retry-After")))
    what = "does not understand the query" if status == _BAD_QUERY else "refuses; is it the base URL of an Overpass API"
    raise _FinalError(f"{what} ({reason}: {_words(start)!r})")


def _after(said: str | None) -> float | None:
    """Seconds a server asks to wait, by number or by date."""
    if said is None:
        return None
    if re.fullmatch(r"\s*[0-9]{1,9}\s*", said):
        return float(said)
    try:
        when = email.utils.parsedate_to_datetime(said)
    except (TypeError, ValueError):
        return None
    now = datetime.now(UTC)
    return max(0.0, ((when if when.tzinfo else when.replace(tzinfo=UTC)) - now).total_seconds())


def _told(error: requests.exceptions.RequestException) -> tuple[str, bool]:
    """Say in words what happened to a request, and whether the server was never reached."""
    causes: list[object] = [error, *error.args]
    causes += [getattr(cause, "reason", None) for cause in causes]
    if any(isinstance(cause, urllib3.exceptions.NameResolutionError | socket.gaierror) for cause in causes):
        return "cannot be reached: there is no address for its name", True
    if isinstance(error, requests.exceptions.ProxyError):
        return f"cannot be reached through the proxy ({_short(error)})", True
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return "cannot be reached: no connection in time", True
    if any(isinstance(cause, urllib3.exceptions.NewConnectionError) for cause in causes):
        return "cannot be reached: connection refused or no route", True
    if isinstance(error, requests.exceptions.Timeout):
        return "went silent", False
    packed = isinstance(error, requests.exceptions.ContentDecodingError)
    return "sent what cannot be unpacked" if packed else f"broke off ({_short(error)})", False


def _short(error: Exception) -> str:
    return clean(str(error))[:_TOLD]


def _is_fresh(path: Path) -> bool:
    try:
        return abs(time.time() - path.stat().st_mtime) < _FRESH_S
    except OSError:
        return False


def _kept(path: Path) -> Answer | None:
    """Answer of the cache, if it is a good one of the last day."""
    if not _is_fresh(path):
        return None
    try:
        return read_answer(path.read_bytes())[0]
    except (OSError, _AgainError, TooHeavyError):
        return None


def _write(path: Path, raw: bytes) -> None:
    made = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        made.write_bytes(raw)
        made.replace(path)
    except OSError as error:
        raise SourceError(f"cannot write {path}: {error.strerror or error}") from error
