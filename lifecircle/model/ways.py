"""Who may walk where, by the tags of ways and of the nodes on them."""

WALKABLE = frozenset(
    {
        "footway",
        "path",
        "pedestrian",
        "steps",
        "living_street",
        "residential",
        "service",
        "unclassified",
        "road",
        "track",
    }
    | {"tertiary", "tertiary_link", "secondary", "secondary_link", "primary", "primary_link", "trunk", "trunk_link"}
    | {"cycleway", "bridleway", "platform", "crossing", "elevator"}
)
"""``highway`` values a walker may use when no other tag speaks."""

_UNBUILT = frozenset({"construction", "proposed", "planned", "abandoned", "razed", "disused", "demolished", "no"})
CLOSED = _UNBUILT | {
    "motorway",
    "motorway_link",
    "busway",
    "bus_guideway",
    "raceway",
    "escape",
    "corridor",
    "via_ferrata",
}
"""``highway`` values closed to walkers unless ``foot`` says otherwise (the unbuilt stay closed whatever it says)."""

PRIVATE = frozenset({"private", "residents", "customers", "permit"})
"""``access`` or ``foot`` values of ways that are not for everybody."""

_FOOT_YES = PRIVATE | {"yes", "designated", "permissive", "official", "destination", "use_sidepath"}
_FOOT_NO = frozenset({"no", "never", "restricted", "discouraged"})
_ACCESS_NO = frozenset({"no", "military", "emergency"})
_WHEELS = frozenset({"yes", "designated"})
_SIGNALS = frozenset({"traffic_signals", "toucan", "pelican", "puffin", "pegasus"})
_FOOT_ONE_WAY = {"yes": 1, "true": 1, "1": 1, "-1": -1, "reverse": -1}


def walkable(tags: dict[str, str]) -> bool:
    """Decide whether a way may be walked.

    ``foot`` beats ``access``; private ways stay (people live on them); one-way streets bind no walker; streets whose
    sidewalk is mapped separately stay. Motorways, what is not built, indoor corridors, ferries and ``foot=no`` are
    closed.

    Examples
    --------
    >>> walkable({"highway": "service", "access": "private"})
    True
    >>> walkable({"highway": "cycleway", "foot": "designated"})
    True
    >>> walkable({"highway": "residential", "access": "no"})
    False
    """
    highway = tags.get("highway", "")
    if highway in _UNBUILT or tags.get("indoor") == "yes" or tags.get("route") == "ferry":
        return False
    foot = tags.get("foot")
    if foot in _FOOT_YES:
        return highway in WALKABLE or highway in CLOSED
    if foot in _FOOT_NO or highway not in WALKABLE:
        return False
    if tags.get("motorroad") == "yes":
        return False
    return tags.get("access") not in _ACCESS_NO


def has_steps(tags: dict[str, str]) -> bool:
    """Say whether a way is stairs without a ramp for wheels."""
    return tags.get("highway") == "steps" and tags.get("ramp:wheelchair") not in _WHEELS


def one_way(tags: dict[str, str]) -> int:
    """Say which way walkers must go: 1 as the way is drawn, -1 against it, 0 as they like.

    ``oneway`` speaks of vehicles and binds no walker; ``oneway:foot`` and ``foot:backward`` do
    (wiki.openstreetmap.org/wiki/Key:oneway:foot).
    """
    if tags.get("foot:backward") in _FOOT_NO:
        return 1
    if tags.get("foot:forward") in _FOOT_NO:
        return -1
    return _FOOT_ONE_WAY.get(tags.get("oneway:foot", "no"), 0)


def is_aloft(tags: dict[str, str]) -> bool:
    """Say whether a way runs above or below the ground it crosses."""
    return (
        tags.get("bridge", "no") != "no"
        or tags.get("tunnel", "no") not in {"no", "building_passage"}
        or tags.get("layer", "0") not in {"0", "+0"}
    )


def is_private(tags: dict[str, str]) -> bool:
    """Say whether a way, or a gate, is not for everybody: ``foot`` beats ``access``, and a locked gate has a key."""
    said = tags.get("foot", tags.get("access"))
    return said in PRIVATE or (said is None and tags.get("locked") == "yes" and "barrier" in tags)


def is_shut(tags: dict[str, str]) -> bool:
    """Say whether nobody passes a node: a barrier with ``foot=no``, or ``access=no`` and no word on ``foot``."""
    if "barrier" not in tags:
        return False
    foot = tags.get("foot")
    return foot in _FOOT_NO if foot is not None else tags.get("access") in _ACCESS_NO


def has_signals(tags: dict[str, str]) -> bool:
    """Say whether walkers wait for a light at a node."""
    return (
        tags.get("highway") == "traffic_signals"
        or tags.get("crossing") in _SIGNALS
        or tags.get("crossing:signals", "no") not in {"no", ""}
    )


def decides(tags: dict[str, str]) -> bool:
    """Say whether a node can bar walkers or hold them up: a barrier, a kerb, a crossing, signals, a lift."""
    return "barrier" in tags or "kerb" in tags or tags.get("highway") in {"crossing", "traffic_signals", "elevator"}


def decides_on_paths(tags: dict[str, str]) -> bool:
    """Say whether a node decides only for those on paths: a crossing or a light, and no gate, kerb or lift."""
    return tags.get("highway") in {"crossing", "traffic_signals"} and tags.get("barrier", "kerb") == "kerb"


PATHS = frozenset(
    {"footway", "path", "pedestrian", "steps", "cycleway", "bridleway", "crossing", "platform", "elevator"}
)
"""``highway`` values of ways that cross a road rather than being one."""

ROADS = (
    *("motorway", "trunk", "primary", "secondary", "tertiary", "unclassified", "residential", "living_street"),
    "service",
)
"""Classes of road, the greatest first; a link has the class of what it links."""


def road_class(tags: dict[str, str]) -> str | None:
    """Class of a road, one of `ROADS`; None for any other way."""
    name = tags.get("highway", "").removesuffix("_link")
    return name if name in ROADS else None
