"""Jobs: town totals of the economic census, shared among the workplaces that the model draws."""

from __future__ import annotations

import numpy as np
import shapely
from rasters import shared_out

# The four towns: economic census of 2023. The others are ASSUMPTIONS of the model: no count was found.
JOBS = {
    "town-nanhui-xincheng": 138_000.0,
    "town-nicheng": 38_000.0,
    "town-shuyuan": 14_000.0,
    "town-wanxiang": 17_000.0,
    "part-situan": 12_000.0,
    "airport-south": 16_000.0,
    "xiaoyangshan": 3500.0,  # port and logistics
    "beyond": 4000.0,  # within 2.5 km outside the zone
}
STREETS_SHARE = 0.05  # of a town's jobs are in the shops and eating places of its streets, alike in each
# ASSUMPTION: square metres of floor for one job, by `building`. Homes, huts and roofs have none.
FLOOR_PER_JOB_M2 = {
    "office": 25.0,
    "hospital": 40.0,
    "retail": 40.0,
    "government": 40.0,
    "industrial": 60.0,
    "school": 60.0,
    "kindergarten": 60.0,
    "civic": 60.0,
    "public": 60.0,
    "museum": 60.0,
    "sports_hall": 60.0,
    "fire_station": 60.0,
    "transportation": 60.0,
    "yes": 60.0,
    "university": 90.0,
    "warehouse": 180.0,
}
STREET_KEYS = ("shop", "craft")
STREET_AMENITIES = ("restaurant", "fast_food", "cafe", "bank", "pharmacy", "clinic", "dentist", "post_office")


def workplaces(
    boxes: np.ndarray, box_tags: list[dict[str, str]], points: list[tuple[np.ndarray, dict[str, str]]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where work is done: (n, 2) points, what each weighs, and whether it is one of a town's streets."""
    floor_m2 = shapely.area(shapely.polygons(boxes))
    levels = np.array([float(tags["building:levels"]) for tags in box_tags])
    per_job = np.array([FLOOR_PER_JOB_M2.get(tags["building"], np.inf) for tags in box_tags])
    built = np.flatnonzero(np.isfinite(per_job))
    street = [
        xy
        for xy, tags in points
        if any(key in tags for key in STREET_KEYS) or (tags.get("amenity") in STREET_AMENITIES and "name:en" in tags)
    ]
    places = np.concatenate([boxes.mean(axis=1)[built], np.array(street)])
    weight = np.concatenate([(floor_m2 * levels / per_job)[built], np.ones(len(street))])
    return places, weight, np.arange(len(places)) >= len(built)


def jobs_of(weight: np.ndarray, on_street: np.ndarray, town: np.ndarray) -> np.ndarray:
    """Share every town's jobs among its workplaces, in whole 1/1024: a part to its streets, the rest to buildings."""
    weight = weight.copy()
    for key in JOBS:
        shops, buildings = (town == key) & on_street, (town == key) & ~on_street
        if buildings.any() and shops.any():
            weight[shops] *= STREETS_SHARE / weight[shops].sum()
            weight[buildings] *= (1 - STREETS_SHARE) / weight[buildings].sum()
    return shared_out(weight, town, JOBS)
