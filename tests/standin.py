"""A stand-in for an Overpass server: the statements we send, understood anew, over a real extract; and its ill moods.

python tests/standin.py EXTRACT.osm.pbf [PORT]     serves until it is stopped
"""

import gzip
import json
import re
import sys
import threading
import time
import urllib.parse
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import osmium

STATEMENT = re.compile(r'(node|way|rel)((?:\((?:[^()"]*)\)|\[(?:"(?:[^"\\]|\\.)*"|[^\]"])*\])*);')
FILTER = re.compile(r'\[(~?)"((?:[^"\\]|\\.)*)"(?:(=|!=|~|!~)"((?:[^"\\]|\\.)*)")?\]|\((id:)?([0-9., -]+)\)')
WHOLE = re.compile(r"\[out:json\]\[timeout:([0-9]+)\];\((.*)\);\(\._;>;\);out;")


class World:
    """An extract, as a database without gaps: what refers to something that is not there is not there either."""

    def __init__(self, path, base="2023-06-12T20:21:44Z"):
        self.base, self.tags, self.ways, self.relations = base, {}, {}, {}
        ids, lon, lat = [], [], []
        for thing in osmium.FileProcessor(str(path)):
            if thing.is_node():
                ids.append(thing.id)
                lon.append(thing.location.lon)
                lat.append(thing.location.lat)
                if len(thing.tags):
                    self.tags[thing.id] = dict(thing.tags)
            elif thing.is_way():
                self.ways[thing.id] = ([node.ref for node in thing.nodes], dict(thing.tags))
            else:
                self.relations[thing.id] = ([(m.type, m.ref, m.role) for m in thing.members], dict(thing.tags))
        self.at = {number: (x, y) for number, x, y in zip(ids, lon, lat, strict=True)}
        assert all(ref in self.at for refs, _ in self.ways.values() for ref in refs)
        there = {"n": self.at, "w": self.ways}
        self.relations = {
            number: (members, tags) for number, (members, tags) in self.relations.items()
            if tags.get("type") not in {"multipolygon", "boundary"} or all(r in there["w"] for k, r, _ in members if k == "w")
        }  # fmt: skip
        self.relations = {
            number: ([m for m in members if m[0] == "r" or m[1] in there[m[0]]], tags)
            for number, (members, tags) in self.relations.items()
        }
        self.node_id, self.x, self.y = np.array(ids), np.array(lon), np.array(lat)
        self.way_id = np.array(list(self.ways))
        lengths = [len(refs) for refs, _ in self.ways.values()]
        self.way_of = np.repeat(np.arange(len(lengths)), lengths)
        row = {number: ix for ix, number in enumerate(ids)}
        self.refs = np.array([row[ref] for refs, _ in self.ways.values() for ref in refs], dtype=np.int64)

    def inside(self, south, west, north, east):
        """Ids of nodes in the box; of ways with a node in it or a piece across it; of relations with such a member."""
        node = (self.x >= west) & (self.x <= east) & (self.y >= south) & (self.y <= north)
        way = np.zeros(len(self.way_id), dtype=bool)
        way[self.way_of[node[self.refs]]] = True
        x, y = self.x[self.refs], self.y[self.refs]
        same = self.way_of[1:] == self.way_of[:-1]
        spans = same & (np.minimum(x[1:], x[:-1]) <= east) & (np.maximum(x[1:], x[:-1]) >= west)
        spans &= (np.minimum(y[1:], y[:-1]) <= north) & (np.maximum(y[1:], y[:-1]) >= south)
        for ix in np.flatnonzero(spans & ~way[self.way_of[1:]]):
            way[self.way_of[ix]] |= _crosses(x[ix], y[ix], x[ix + 1], y[ix + 1], (west, south, east, north))
        nodes, ways = set(self.node_id[node].tolist()), set(self.way_id[way].tolist())
        here = {"n": nodes, "w": ways, "r": set()}
        return (
            nodes,
            ways,
            {n for n, (members, _) in self.relations.items() if any(ref in here[k] for k, ref, _ in members)},
        )

    def answer(self, query):
        """JSON of the answer; None where the query is none of ours."""
        said = WHOLE.fullmatch(query)
        if said is None:
            return None
        found = {"node": set(), "way": set(), "rel": set()}
        boxes = {}
        end = 0
        for statement in STATEMENT.finditer(said[2]):
            if statement.start() != end:
                return None
            end = statement.end()
            kind = statement[1]
            table = {"node": self.at, "way": self.ways, "rel": self.relations}[kind]
            ids = None
            tests = []
            for part in FILTER.finditer(statement[2]):
                if part[6] is not None:
                    if part[5]:
                        ids = {int(n) for n in part[6].split(",")} & table.keys()
                    else:
                        box = tuple(map(float, part[6].split(",")))
                        if box not in boxes:
                            boxes[box] = self.inside(*box)
                        ids = boxes[box][("node", "way", "rel").index(kind)]
                else:
                    tests.append(
                        (part[1], *(re.sub(r"\\(.)", r"\1", t) if t else t for t in (part[2], part[3], part[4])))
                    )
            if tests:
                ids = {
                    n
                    for n in (table if ids is None else ids)
                    if all(_holds(self._tags(kind, n), *test) for test in tests)
                }
            found[kind] |= ids
        return None if end != len(said[2]) else self._json(found)

    def _tags(self, kind, number):
        return (
            self.tags.get(number, {}) if kind == "node" else (self.ways if kind == "way" else self.relations)[number][1]
        )

    def _json(self, found):
        nodes, ways, relations = set(found["node"]), set(found["way"]), found["rel"]
        for number in relations:
            for kind, ref, _ in self.relations[number][0]:
                (nodes if kind == "n" else ways if kind == "w" else set()).add(ref)
        for number in ways:
            nodes.update(self.ways[number][0])
        elements = []
        for number in sorted(nodes):
            tags = self.tags.get(number)
            elements.append(
                {"type": "node", "id": number, "lat": self.at[number][1], "lon": self.at[number][0]}
                | ({"tags": tags} if tags else {})
            )
        for number in sorted(ways):
            refs, tags = self.ways[number]
            elements.append({"type": "way", "id": number, "nodes": refs} | ({"tags": tags} if tags else {}))
        kinds = {"n": "node", "w": "way", "r": "relation"}
        for number in sorted(relations):
            members, tags = self.relations[number]
            rows = [{"type": kinds[k], "ref": ref, "role": role} for k, ref, role in members]
            elements.append({"type": "relation", "id": number, "members": rows} | ({"tags": tags} if tags else {}))
        return wrapped(elements, self.base)


def wrapped(elements, base="2023-06-12T20:21:44Z", **more):
    """JSON of elements as Overpass sends it."""
    head = {"version": 0.6, "generator": "Overpass API stand-in", "osm3s": {"timestamp_osm_base": base}}
    return json.dumps(head | {"elements": elements} | more).encode()


def _holds(tags, any_key, key, sign, value):
    if any_key:
        return any(re.search(key, name) and re.search(value, said) for name, said in tags.items())
    if sign is None:
        return key in tags
    hit = (
        tags.get(key) == value
        if sign in {"=", "!="}
        else re.search(value, tags[key]) is not None
        if key in tags
        else False
    )
    return hit != sign.startswith("!")


def _crosses(x0, y0, x1, y1, box):
    """Whether a straight piece passes through a box (Liang and Barsky)."""
    west, south, east, north = box
    enter, leave = 0.0, 1.0
    for step, low, high in ((x1 - x0, west - x0, east - x0), (y1 - y0, south - y0, north - y0)):
        if step == 0:
            if low > 0 or high < 0:
                return False
            continue
        one, other = sorted((low / step, high / step))
        enter, leave = max(enter, one), min(leave, other)
    return enter <= leave


class Server:
    """An HTTP server on this machine, and the log of what it was asked.

    Attributes
    ----------
    moods : list
        What to do instead of answering, one for each request: functions of the request's handler and the true answer.
    queries : list of str
    """

    def __init__(self, answer, moods=(), *, port=0):
        self.answer, self.moods, self.queries = answer, list(moods), []
        self.lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                self.reply(urllib.parse.urlsplit(self.path).query)

            def do_POST(self):
                self.reply(self.rfile.read(int(self.headers["Content-Length"])).decode())

            def reply(self, form):
                said = {key: values[0] for key, values in urllib.parse.parse_qs(form).items()}
                with server.lock:
                    server.queries.append(said.get("data") or said.get("q"))
                    mood = server.moods.pop(0) if server.moods else None
                    body = server.answer(said)
                if mood is not None:
                    mood(self, body)
                elif body is None:
                    send(
                        self,
                        b"<html><body><p>Error: line 1: parse error</p></body></html>",
                        status=400,
                        kind="text/html",
                    )
                else:
                    send(self, body)

        self.http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/api"


@contextmanager
def serving(answer, moods=(), **kw):
    """Serve while the block runs; ``answer`` is a world, bytes, or a function of the request's form."""
    if isinstance(answer, World):
        world = answer
        answer = lambda form: world.answer(form.get("data", ""))  # noqa: E731
    elif isinstance(answer, bytes):
        body = answer
        answer = lambda _: body  # noqa: E731
    server = Server(answer, moods, **kw)
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
        thread.join()


def send(handler, body, *, status=200, kind="application/json", pack=True, **headers):
    packed = gzip.compress(body, 1, mtime=0) if pack and len(body) > 1000 else body
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    if packed is not body:
        handler.send_header("Content-Encoding", "gzip")
    said = {"Content-Length": str(len(packed))} | {key.replace("_", "-"): value for key, value in headers.items()}
    for key, value in said.items():
        handler.send_header(key, value)
    handler.end_headers()
    handler.wfile.write(packed)


def status(code, **headers):
    """Answer with a status and a page."""
    return lambda handler, _: send(
        handler, b"<html><p>Dispatcher_Client::request_read_and_idx</p>", status=code, kind="text/html", **headers
    )


def instead(body, **how):
    """Send something else, status 200."""
    return lambda handler, _: send(handler, body, pack=False, **how)


def changed(change):
    """Send the true answer, changed as JSON."""

    def mood(handler, body):
        said = json.loads(body)
        send(handler, json.dumps(change(said) or said).encode())

    return mood


def truncated(handler, body):
    send(handler, body[: len(body) * 2 // 3], pack=False)


def short(handler, body):
    """Promise more bytes than are sent."""
    send(handler, body, pack=False, Content_Length=str(len(body) + 1000))
    handler.close_connection = True


def reset(handler, body):
    """Break off in the middle."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2])
    handler.wfile.flush()
    handler.close_connection = True
    handler.connection.shutdown(2)


def silent(handler, body, seconds=3.0):
    """Say nothing for longer than anybody waits."""
    time.sleep(seconds)
    handler.close_connection = True


def drip(handler, body, seconds=3.0):
    """Send byte by byte."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    end = time.monotonic() + seconds
    try:
        for ix in range(len(body)):
            if time.monotonic() > end:
                break
            handler.wfile.write(body[ix : ix + 1])
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        pass
    handler.close_connection = True


def bad_gzip(handler, body):
    send(handler, b"\x1f\x8b" + b"garbage" * 200, pack=False, Content_Encoding="gzip")


def endless(handler, body):
    """Send a bomb: little on the wire, much when unpacked."""
    send(handler, gzip.compress(b" " * (8 << 20), 9), pack=False, Content_Encoding="gzip")


def nothing(handler, body):
    handler.close_connection = True
    handler.connection.shutdown(2)


if __name__ == "__main__":
    world = World(sys.argv[1])
    with serving(world, port=int(sys.argv[2]) if len(sys.argv) > 2 else 0) as running:
        sys.stdout.write(f"{len(world.at):,} nodes; lifecircle fetch ... --overpass-url {running.url}\n")
        sys.stdout.flush()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            sys.stdout.write(f"{len(running.queries)} queries answered\n")
