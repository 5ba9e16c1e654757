"""The data part of the report: what was walked on and judged, and which answers rest on poor or missing data."""

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from lifecircle.assess.coverage import ALL, Coverage
from lifecircle.assess.edge import Island, islands
from lifecircle.assess.wording import people_text, share_text
from lifecircle.model.cells import JUDGED, PEOPLE, STATUS
from lifecircle.model.snapping import SCRAP_M

if TYPE_CHECKING:
    from lifecircle.publish.report import About

_LONGEST = 10


def data_part(coverage: Coverage, about: "About") -> str:
    """Return the tables of the section on data, as HTML."""
    return _data_table(coverage, about) + _outside_table(coverage) + _policy_table(coverage) + _island_table(coverage)


def _data_table(coverage: Coverage, about: "About") -> str:
    cells, facilities, network = coverage.cells, coverage.facilities, coverage.network
    streets = network.streets
    unjoined = len(facilities) - len(np.unique(facilities.joins.place))
    size = f"{streets.n_places:,} nodes, {streets.n_edges:,} edges, {streets.length_m.sum() / 1000:,.0f} km"
    squares = (
        "" if cells.people is not None else " squares of 100 m over residential land and homes (no population raster)"
    )

    def amount(chosen: Any) -> str:
        who = "" if cells.people is None else f" with {people_text(int(cells.people[chosen].sum()) / PEOPLE)} people"
        return f"{int(chosen.sum()):,}{who}"

    rows = [
        ("Network", f"{size}, {int(network.component.max()) + 1:,} separate parts"),
        ("Residential cells", f"{len(cells):,}{squares}"),
        ("People", "unknown" if cells.people is None else f"{cells.people.sum() / PEOPLE:,.0f}"),
    ]
    for ix, name in enumerate(STATUS):
        n, people = int((cells.status == ix).sum()), cells.people_of(name)
        if ix not in JUDGED and (n or people):
            who = "" if people is None else f" with {people_text(people / PEOPLE)} people"
            rows.append((f"Cells {name}", f"{n:,}{who}: no verdict"))
    if not about.population_whole:
        rows.append(("People", "the population raster does not span the region: who lives beyond it is not counted"))
    scraps = f"Cells on scraps of the network (under {SCRAP_M / 1000:g} km of street, cut off from the rest)"
    rows.append((scraps, amount(coverage.on_scraps)))
    edge = "Cells at the edge of the data (judged, but what lies beyond it could change an answer)"
    rows.append((edge, amount(cells.status == STATUS.index("edge"))))
    if cells.region.hard_barriers:
        rows.append(("Hard barriers", f"{len(cells.region.hard_barriers):,}: what they cut off is no edge"))
    rows += [
        (f"Facilities: {coverage.standard.services[key].title}", f"{count:,}")
        for key, count in facilities.count().items()
    ]
    rows.append(("Facilities merged", f"{int(facilities.merged_n.sum()):,} further objects were the same place"))
    rows.append(("Facilities without a path near", f"{unjoined:,}"))
    rows += [(f"File: {key}", name) for key, name in about.sources]
    return (
        "<table>"
        + "".join(f"<tr><th scope=row>{escape(a)}</th><td>{escape(b)}</td></tr>" for a, b in rows)
        + "</table>"
    )


def _outside_table(coverage: Coverage) -> str:
    """Show coverage with all facilities, and with only those inside the boundary."""
    heading = "<h3>With and without facilities outside the boundary · 是否计入边界外设施</h3>"
    if coverage.point_met_inside is None:
        return f"{heading}<p>No facility of the data lies outside the boundary: there is no difference.</p>"
    measure = "cells" if coverage.cells.people is None else "people"
    outside = coverage.facilities.only(coverage.facilities.outside)
    number = outside.count() | {ALL: len(outside)}
    titles = {key: service.title for key, service in coverage.standard.services.items()} | {ALL: "All services"}
    rows = "".join(
        f"<tr><th scope=row>{escape(titles[every.service])}</th>"
        f"<td class=n>{number[every.service]:,}</td>"
        + "".join(
            f"<td class=n>{escape(share_text(f.met, f.total))}<br><small>{people_text(f.met)}</small></td>"
            for f in (every, inside)
        )
        + "</tr>"
        for every, inside in coverage.figures_inside()
        if every.measure == measure
    )
    head = (
        "<tr><th>Service</th><th class=n>Facilities outside</th><th class=n>Covered, all facilities</th>"
        "<th class=n>Covered, only those inside</th></tr>"
    )
    return f"{heading}<div class=scroll><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>"


def _policy_table(coverage: Coverage) -> str:
    """Show coverage under every policy for private ways."""
    heading = "<h3>What gates decide · 门禁政策的影响</h3>"
    if not coverage.point_met_under:
        return f"{heading}<p>The data holds no private way and no private gate: there is no difference.</p>"
    measure = "cells" if coverage.cells.people is None else "people"
    streets, found = coverage.network.streets, coverage.figures_under()
    titles = {key: service.title for key, service in coverage.standard.services.items()} | {ALL: "All services"}
    rows = "".join(
        f"<tr><th scope=row>{escape(titles[same[0].service])}</th>"
        + "".join(
            f"<td class=n>{escape(share_text(f.met, f.total))}<br><small>{people_text(f.met)}</small></td>"
            for f in same
        )
        + "</tr>"
        for same in zip(*found.values(), strict=True)
        if same[0].measure == measure
    )
    km = streets.length_m[streets.private].sum() / 1000
    used = ", ".join(f"{name}: {profile.gates}" for name, profile in coverage.profiles.items())
    return (
        f"{heading}<p>{km:,.1f} km of ways are private, or lie behind private gates (this run: {escape(used)}). "
        "<em>open</em>: all may pass. <em>residents</em>: people walk out of their own compound and into the one they "
        "are going to, and cut through none. <em>closed</em>: nobody is let in.</p>"
        "<div class=scroll><table><thead><tr><th>Service</th>"
        + "".join(f"<th class=n>Covered, {escape(policy)}</th>" for policy in found)
        + f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _island_table(coverage: Coverage) -> str:
    """Show the parts of the network cut off from the largest on which somebody lives or something stands."""
    found = islands(coverage.network, coverage.cells, coverage.facilities)
    used = [island for island in found if island.used]
    if not found:
        return ""
    bare = [island for island in found if not island.used]
    bare_km = sum(island.street_km for island in bare)
    said = (
        f"<h3>Islands of the network · 孤立路网</h3><p>{len(used):,} parts cut off from the largest have people who "
        f"can join nothing else, or facilities (all in the manifest); {len(bare):,} further parts ({bare_km:,.1f} km) "
        "have neither.</p>"
    )
    if not used:
        return said
    head = (
        "<tr><th>Where</th><th class=n>Street, km</th><th class=n>Cells</th><th class=n>People</th>"
        "<th class=n>Facilities</th></tr>"
    )
    rows = "".join(_island_row(island) for island in used[:_LONGEST])
    more = f"<p>The {_LONGEST} with most people are shown.</p>" if len(used) > _LONGEST else ""
    return f"{said}<div class=scroll><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>{more}"


def _island_row(island: Island) -> str:
    return (
        f"<tr><td>{island.lon:.4f}, {island.lat:.4f}</td><td class=n>{island.street_km:,.2f}</td>"
        f"<td class=n>{island.cells:,}</td><td class=n>{people_text(island.people)}</td>"
        f"<td class=n>{island.facilities:,}</td></tr>"
    )
