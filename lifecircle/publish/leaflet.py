"""Write a scene as one HTML file that opens offline, years later, without a server.

Folium is the container; Leaflet comes from the installed ``XStatic-Leaflet`` package and is inlined, and
``assets/map.js`` paints every layer on canvas tiles from typed arrays. Nothing on the page may leave it: a content
security policy names the digest of each script and forbids every request. Text that came from data (names in
OpenStreetMap are written by anyone) travels as escaped JSON only and is shown as text, never as markup.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import folium
from branca.element import Element, Figure, MacroElement
from jinja2 import Template

from lifecircle.publish.maps import Scene, bounds, payload

if TYPE_CHECKING:
    from collections.abc import Iterator


def render(scene: Scene) -> str:
    """Return the scene as one HTML file that makes no request, or those for the tiles of its basemap alone.

    The same scene gives the same text.
    """
    page = _Page(scene.lang, scene.kind)
    page.add_child(_OfflineMap(bounds(scene)).add_child(_Canvas()))
    # Folium's ids are random; counted in tree order they are unique too, and the same in every run.
    for number, element in enumerate(_walk(page)):
        element._id = f"{number:04d}"  # noqa: SLF001  branca offers no other way to name an element
    assets = resources.files(__package__) / "assets"
    leaflet = resources.files("xstatic.pkg.leaflet") / "data"
    script = (leaflet / "leaflet.js").read_text(encoding="utf-8")
    text = page.fill(
        {
            "leaflet": re.sub(r"//# sourceMappingURL=.*", "", script),
            "style": _inline_images((leaflet / "leaflet.css").read_text(encoding="utf-8"), leaflet / "images")
            + (assets / "map.css").read_text(encoding="utf-8"),
            "program": (assets / "map.js").read_text(encoding="utf-8").strip(),
            **{name: (assets / f"{name}.js").read_text(encoding="utf-8").strip() for name in _PARTS},
            "data": to_json(payload(scene)),
        }
    )
    # Scripts that run carry no attribute; the data block has a type and does not run.
    codes = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(code.encode()).digest()).decode() for code in codes]
    sources = " ".join(f"'sha256-{digest}'" for digest in digests)
    images = " ".join(["data:", *filter(None, [_origin(scene.basemap)])])
    rest = f"style-src 'unsafe-inline'; img-src {images}; worker-src blob:; base-uri 'none'; form-action 'none'"
    policy = f"default-src 'none'; script-src {sources}; {rest}"
    return text.replace("slot:policy", policy, 1)


def _origin(address: str) -> str:
    """Server that an address asks, as a policy names it; of ``{s}`` any below."""
    parts = urlsplit(address.replace("{s}", "*", 1))
    return f"{parts.scheme}://{parts.netloc}" if address else ""


def to_json(value: object) -> str:
    """Return JSON that is safe inside a script element; NaN is refused.

    It is ASCII only, so that direction marks, line separators and lone surrogates cannot act in the source, and
    without the three characters that could open or close markup.
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


#: What the page's program is made of, each a function in a file of its own under ``assets``.
_PARTS = ("text", "arrays", "paint", "walk", "circle", "whatif", "legend", "gaps", "find")


class _Page(Figure):  # type: ignore[misc, unused-ignore]
    """A document with a language and the policy first in its head."""

    _template = Template(
        '<!DOCTYPE html>\n<html lang="{{ this.lang }}">\n<head>\n'
        '<meta http-equiv="Content-Security-Policy" content="slot:policy">\n'
        '{{ this.header.render(**kwargs) }}\n</head>\n<body class="lc-{{ this.kind }}">\n'
        "{{ this.html.render(**kwargs) }}\n<script>\n{{ this.script.render(**kwargs) }}\n</script>\n</body>\n</html>\n"
    )

    def __init__(self, lang: str, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.lang = {"zh": "zh-CN"}.get(lang, "en")

    def fill(self, slots: dict[str, str]) -> str:
        """Render, then put text in: branca compiles what a macro returns once more, which would run its braces."""
        return re.sub(
            rf"slot:(leaflet|style|program|data|{'|'.join(_PARTS)})\b",
            lambda m: slots[m[1]].replace("\r", ""),
            self.render(),
        )


class _OfflineMap(folium.Map):  # type: ignore[misc, unused-ignore]
    """A folium map without links, tiles or a locked viewport, between the page's heading and panels."""

    default_js: list[tuple[str, str]] = []  # noqa: RUF012  declared this way by folium
    default_css: list[tuple[str, str]] = []  # noqa: RUF012
    _template = Template(
        """
        {% macro header(this, kwargs) %}
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>lifecircle</title>
        <style>slot:style</style>
        <script>slot:leaflet</script>
        {% endmacro %}
        {% macro html(this, kwargs) %}
        <noscript>This map is drawn by a script inside this file; please allow scripts for it.</noscript>
        <header id="lc-head">
          <h1 id="lc-title"></h1>
          <button id="lc-lang" type="button"></button>
          <p id="lc-notice" role="note" hidden></p>
        </header>
        <aside id="lc-panel">
          <section id="lc-headline"></section>
          <section id="lc-find" role="search"></section>
          <fieldset id="lc-layers"><legend data-t="layers"></legend><div></div></fieldset>
          <fieldset id="lc-overlays"><legend data-t="overlays"></legend><div></div></fieldset>
          <fieldset id="lc-whatif" hidden><legend data-t="what_if"></legend><div></div></fieldset>
          <section id="lc-gaps" hidden></section>
          <details id="lc-facts" open><summary data-t="facts"></summary><dl></dl></details>
        </aside>
        <main class="folium-map" id="{{ this.get_name() }}" aria-busy="true"></main>
        <section id="lc-legend" data-label="legend"></section>
        <section id="lc-readout" data-label="readout" hidden></section>
        <svg id="lc-north" viewBox="0 0 24 34" role="img" aria-label="N"><path d="M12 1 20 22 12 17 4 22Z"/>
          <text x="12" y="33" text-anchor="middle">N</text></svg>
        <footer id="lc-foot"></footer>
        {% endmacro %}
        {% macro script(this, kwargs) %}
        const {{ this.get_name() }} = L.map({{ this.get_name()|tojson }}, {
          ...{{ this.options|tojson }},
          // Four zoom steps to a doubling, so that an area fits its window well and tiles stay unscaled.
          crs: L.extend({}, L.CRS.EPSG3857, {scale: (z) => 256 * 2 ** (z / 4), zoom: (s) => 4 * Math.log2(s / 256)}),
        }).fitBounds({{ this.bounds|tojson }}, {animate: false});
        {% endmacro %}
        """
    )

    def __init__(self, bounds: list[list[float]]) -> None:
        super().__init__(tiles=None)
        self.bounds = bounds
        off = dict.fromkeys(("attributionControl", "fadeAnimation", "zoomControl"), False)
        self.options = {**off, "minZoom": 20, "maxZoom": 72, "wheelPxPerZoomLevel": 15, "zoomDelta": 4}


class _Canvas(MacroElement):  # type: ignore[misc, unused-ignore]
    """The scene and the program that draws it."""

    _template = Template(
        """
        {% macro html(this, kwargs) %}
        <script type="application/json" id="lc-scene">slot:data</script>
        {% endmacro %}
        {% macro script(this, kwargs) %}
        {% for part in this.parts %}window.lifecircle{{ part.capitalize() }} = slot:{{ part }};
        {% endfor %}
        (slot:program)({{ this._parent.get_name() }});
        {% endmacro %}
        """
    )

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore]
        self._name = "Canvas"
        self.parts = _PARTS


def _walk(element: Element) -> Iterator[Element]:
    """Yield the element and all below it in tree order."""
    yield element
    for child in element._children.values():  # noqa: SLF001  nor to list its children
        yield from _walk(child)


def _inline_images(css: str, images: Any) -> str:
    """Replace the images a style sheet asks for by their bytes."""

    def data(match: re.Match[str]) -> str:
        return f"url(data:image/png;base64,{base64.b64encode((images / match[1]).read_bytes()).decode()})"

    return re.sub(r"url\(images/([\w.-]+\.png)\)", data, css)
