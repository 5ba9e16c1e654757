"""What the model's facilities offer by town and year, counted for the tables in README.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely
from supply import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from lots import Content

    Point = tuple[np.ndarray, dict[str, str]]

YEARS = (2021, 2024, 2025, 2035)
HEALTH = ("chc", "station", "village clinic")
ELDERLY = ("integrated", "daycare", "day station", "care visit")
PLACES = ("kindergarten", "nursery", "childcare", "primary", "junior", "nine", "senior", "daycare", "day station")
BEDS = ("elderly", "nursing", "care visit", "hospital", "chc")


@dataclass(frozen=True)
class Counted:
    """A facility: its kind, tags, town, and floor in m² where a building of it is drawn."""

    kind: str
    tags: dict[str, str]
    town: str
    floor_m2: float

    def is_open(self, year: int) -> bool:
        """Say whether it is open in a year."""
        opens = int(self.tags.get("opening_date", self.tags.get("start_date", "0")))
        return opens <= year < int(self.tags.get("end_date", "9999"))

    @property
    def offers(self) -> float:
        """Places or beds, NaN where it states none."""
        return float(next((self.tags[key] for key in ("capacity", "capacity:beds", "beds") if key in self.tags), "nan"))


def facilities(
    content: Content,
    boxes: np.ndarray,
    box_tags: list[dict[str, str]],
    points: list[Point],
    late: list[Point],
    town_of: Callable[[np.ndarray], np.ndarray],
) -> list[Counted]:
    """Return every facility that is of a kind, doubles left out."""
    outlines = [(shapely.Polygon(ring), tags) for ring, tags in late]
    built = [(box, tags) for box, tags in zip(shapely.polygons(boxes), box_tags, strict=True)]
    built += [(shape, tags) for shape, tags in outlines if "building" in tags]
    tree = shapely.STRtree(shapely.point_on_surface([shape for shape, _ in built]))
    found: list[tuple[np.ndarray, dict[str, str], float]] = []
    for shape, tags in [*content.areas, *built, *outlines]:
        if not kind_of(tags):
            continue
        inside = [built[index] for index in np.sort(tree.query(shape, predicate="contains")).tolist()]
        own = [(shape, tags)] if "proposed:building" in tags else inside
        floor_m2 = sum(part.area * float(said["building:levels"]) for part, said in own)
        found.append((shapely.get_coordinates(shape.representative_point())[0], tags, floor_m2))
    found += [(xy, tags, 0.0) for xy, tags in points if kind_of(tags)]
    towns = town_of(np.array([xy for xy, _, _ in found]))
    return [
        Counted(kind_of(tags), tags, town, floor_m2)
        for (_, tags, floor_m2), town in zip(found, towns.tolist(), strict=True)
    ]


def print_tally(counted: list[Counted], people: dict[str, float]) -> None:
    """Print doctors and elderly floor by town and year, and places and beds of the zone at the model's date."""
    zone = {key: value for key, value in people.items() if key != "beyond"}
    for year in YEARS:
        for key, number in [*zone.items(), ("zone", sum(zone.values()))]:
            mine = [site for site in counted if site.is_open(year) and site.town in ((key,) if key != "zone" else zone)]
            doctors = [site.tags.get("staff_count:doctors") for site in mine if site.kind in HEALTH]
            floors = [site.floor_m2 for site in mine if site.kind in ELDERLY]
            stated = [int(text) for text in doctors if text is not None]
            print(
                f"{year} {key}: doctors {sum(stated)}, {1000 * sum(stated) / number:.2f} per 1000, stated by "
                f"{len(stated)} of {len(doctors)}; elderly floor {sum(floors):.0f} m2, "
                f"{1000 * sum(floors) / number:.1f} per 1000, known of {np.count_nonzero(floors)} of {len(floors)}; "
                f"doorstep stations {sum(site.kind == 'doorstep' for site in mine)}"
            )
    for what, kinds in (("places", PLACES), ("beds", BEDS)):
        for kind in kinds:
            offers = np.array([s.offers for s in counted if s.kind == kind and s.town in zone and s.is_open(2024)])
            print(f"{what} {kind}: {np.nansum(offers):.0f} at {np.isfinite(offers).sum()} of {len(offers)}")
