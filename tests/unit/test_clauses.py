"""A standard clause by clause: verdicts as strong as the clause, alternatives in the open, and nothing unknown a number."""

import json

import pandas as pd
import pytest
from drawn import boundary
from world import World

from lifecircle.errors import StandardError
from lifecircle.publish.about import headline
from lifecircle.publish.results import Results
from lifecircle.standards import Standard

HEAD = """\
schema = 1
name = "rules"
title = "Rules"
title_zh = "规则"
source = "made up for the tests"
legal = "draft"
"""
SERVICE = """
[services.{key}]
title = "{key}"
title_zh = "{key}"
profile = "metres"
may_lack = true
tier = "5"
threshold = {{ value = {value}, source = "text A", clause = "A.{number}", status = "verified", strength = "{strength}" }}
mark = {{ value = "{mark}", source = "text A", status = "unverified" }}
tags = [{{ match = {{ amenity = ["{key}"] }} }}]
"""
STREET = """
    h    i                                  j
    A----B----------------------------------C
    s         c                        p
"""


def rules(*services, more=""):
    """Standard of ``(key, value, strength, mark)`` rows."""
    made = [
        SERVICE.format(key=key, value=value, strength=strength, mark=mark, number=number)
        for number, (key, value, strength, mark) in enumerate(services)
    ]
    return HEAD + "".join(made) + more


def street():
    """Draw homes at 0, 50 and 400 m along a street, a school at 0, a clinic at 100 and a pharmacy at 350 m."""
    world = World(STREET)
    world.street("ABC")
    world.live("hij")
    for sign, kind in (("s", "school"), ("c", "clinic"), ("p", "pharmacy")):
        world.stand(sign, amenity=kind)
    return world


SCHOOL, CLINIC, LIBRARY = (
    ("school", 100, "不宜", "required"),
    ("clinic", 200, "应", "required"),
    ("library", 500, "不宜", "required"),
)


def run(tmp_path, text, **keys):
    names = " ".join(Standard.load(write(tmp_path, text)).services)
    return street().run(tmp_path, names, rules=text, **keys).result


def write(tmp_path, text):
    path = tmp_path / "drawn.toml"
    path.write_text(text, encoding="utf-8")
    return path


def verdicts(result):
    return {row.key: row.verdict for row in result.clauses.rows}


def test_a_verdict_is_as_strong_as_its_clause(tmp_path):
    text = rules(
        ("school", 100, "不宜", "required"), ("clinic", 200, "应", "required"), ("pharmacy", 500, "应", "required"),
        ("library", 500, "不宜", "required"), ("theatre", 500, "不宜", "as_needed"),
    )  # fmt: skip
    result = run(tmp_path, text)
    assert verdicts(result) == {
        "school": "advisory", "clinic": "not_met", "pharmacy": "met", "library": "missing", "theatre": "none",
    }  # fmt: skip
    rows = {row.key: row for row in result.clauses.rows}
    assert rows["school"].people == (2.0, 3.0)
    assert rows["clinic"].people == (2.0, 3.0)
    assert rows["library"].people == (None, None)
    assert [row.key for row in result.clauses.rows] == ["school", "clinic", "pharmacy", "library", "theatre"]
    assert result.clauses.count() == {"met": 1, "advisory": 1, "not_met": 1, "missing": 1, "none": 1, "unknown": 0}


def test_what_is_absent_is_not_judged_and_said(tmp_path):
    result = run(tmp_path, rules(SCHOOL, LIBRARY))
    assert result.coverage.keys == ("school",)
    assert list(result.coverage.absent) == ["library"]
    page = result.page("index")
    assert "none in the data: required of this tier" in page
    assert "数据中没有：本级应配建" in page


def test_the_headline_says_of_how_many_services_it_speaks(tmp_path):
    result = run(tmp_path, rules(SCHOOL, CLINIC, LIBRARY))
    (sentence, *_) = headline(result.coverage)
    assert "reach all 2 services in the data (the standard has 3) on foot" in sentence.english
    assert "数据所含的全部 2 类服务（标准共 3 类）" in sentence.chinese
    assert result.summary["absent"] == {"library": {"title": "library", "title_zh": "library"}}
    assert "Not judged, for the data holds none: library." in result._repr_html_()
    folder = result.write(tmp_path / "out")
    assert Results.of_folder(folder).terms().absent == 1
    (whole, *_) = headline(run(tmp_path, rules(SCHOOL, CLINIC)).coverage)
    assert "reach all 2 services on foot" in whole.english


def test_a_service_that_may_not_lack_still_stops_the_run(tmp_path):
    with pytest.raises(ValueError, match=r"no facility for: library.*--services.*may_lack = true"):
        run(tmp_path, rules(SCHOOL, LIBRARY).replace("may_lack = true", "may_lack = false"))


ALTERNATIVE = 'alternatives = [{ value = 500, source = "text B", status = "secondary" }]\n'


def test_an_alternative_shows_what_it_would_give(tmp_path):
    text = rules(SCHOOL) + ALTERNATIVE
    (row,) = run(tmp_path, text).clauses.rows
    (other,) = row.alternatives
    assert row.people == (2.0, 3.0)
    assert (other.value, other.met, other.total, other.status) == (500, 3.0, 3.0, "secondary")
    (chosen,) = run(tmp_path, text, choose={"school": 500}).clauses.rows
    assert chosen.people == (3.0, 3.0)
    assert chosen.source == "text B"
    assert [a.value for a in chosen.alternatives] == [100]
    assert chosen.alternatives[0].met == 2.0


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"school": 300}, r"no text says 300 of school.*100 \(text A\), 500 \(text B\)"),
        ({"scool": 500}, "unknown service 'scool'"),
    ],
)
def test_a_choice_must_be_one_a_text_says(tmp_path, choice, message):
    with pytest.raises(StandardError, match=message):
        Standard.load(write(tmp_path, rules(SCHOOL) + ALTERNATIVE)).choosing(choice)


COMPOSITE = """
[composites.station]
title = "Station"
title_zh = "站"
at_least = {k}
of = {of}
{among}
source = "text A"
clause = "A.9"
status = "verified"
strength = "应"
"""


@pytest.mark.parametrize(
    ("k", "of", "among", "met"),
    [
        (1, ["school", "clinic"], "", (2.0, 0.0, 1.0)),  # j has neither within reach
        (2, ["school", "clinic"], "", (2.0, 0.0, 1.0)),
        (2, ["school", "clinic", "library"], "", (2.0, 0.0, 1.0)),  # a library would not save j
        (1, ["school", "library"], "", (2.0, 1.0, 0.0)),  # but here it would
        (3, ["school", "clinic", "library"], "", (0.0, 2.0, 1.0)),
        (1, ["school", "clinic"], 'and_at_least = 1\namong = ["clinic"]', (2.0, 0.0, 1.0)),
    ],
)  # fmt: skip
def test_a_composite_counts_functions_within_reach_and_does_not_guess_absent_ones(tmp_path, k, of, among, met):
    text = rules(SCHOOL, CLINIC, LIBRARY, more=COMPOSITE.format(k=k, of=json.dumps(of), among=among))
    result = run(tmp_path, text)
    card = pd.read_parquet(result.write(tmp_path / "out") / "scorecard.parquet").set_index(["rule", "zone"])
    row = card.loc["station", "region"]
    assert (row.numerator, row.unknown, row.denominator - row.numerator - row.unknown) == met


TOGETHER = """
[together.near]
title = "Near"
title_zh = "邻近"
service = "school"
near = "clinic"
within_m = {within}
source = "text A"
status = "unverified"
strength = "宜"
"""


@pytest.mark.parametrize(("within", "verdict"), [(90, "advisory"), (110, "met")])
def test_what_should_stand_together_is_measured(tmp_path, within, verdict):
    result = run(tmp_path, rules(SCHOOL, CLINIC, more=TOGETHER.format(within=within)))
    assert verdicts(result)["near"] == verdict


def test_a_norm_without_supply_is_unknown_and_no_number(tmp_path):
    norm = """
[norms.doctors]
title = "Doctors"
title_zh = "医生"
least = 0.45
unit = "doctors"
service = "clinic"
source = "plan"
status = "verified"
"""
    result = run(tmp_path, rules(SCHOOL, CLINIC, more=norm))
    assert verdicts(result)["doctors"] == "unknown"
    card = pd.read_parquet(result.write(tmp_path / "out") / "scorecard.parquet").set_index(["rule", "zone"])
    assert card.loc[("doctors", "region"), ["value", "numerator", "denominator"]].isna().all()
    assert card.loc[("doctors", "region"), "verdict"] == "unknown"


def test_every_figure_can_be_traced_to_its_clause(tmp_path):
    """Value -> numerator and denominator -> rule -> clause -> source -> status, by summary.json alone."""
    folder = run(tmp_path, rules(SCHOOL, CLINIC, LIBRARY) + ALTERNATIVE).write(tmp_path / "out")
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    clauses = {row["rule"]: row for row in summary["clauses"]}
    figures = {(f["service"], f["measure"]): f for f in summary["figures"] if f["zone"] == "region"}
    for key in summary["services"]:
        row, figure = clauses[key], figures[key, "people"]
        assert (row["people"]["met"], row["people"]["total"]) == (figure["met"], figure["total"])
        assert figure["share"] == row["people"]["share"] == figure["met"] / figure["total"]
        land = figures[key, "residential_m2"]
        assert (row["residential_m2"]["met"], row["residential_m2"]["total"]) == (land["met"], land["total"])
        assert row["clause"].startswith("A.")
        assert row["source"] == "text A"
        assert row["status"] == "verified"
    assert clauses["library"]["verdict"] == "missing"
    assert clauses["library"]["people"] == {"met": None, "total": None, "share": None}
    page = (folder / "index.html").read_text(encoding="utf-8")
    for row in summary["clauses"]:
        assert row["wording"] in page
        assert row["wording_zh"] in page


def test_zone_figures_of_every_rule_add_up(tmp_path):
    text = rules(SCHOOL, CLINIC, more=COMPOSITE.format(k=1, of='["school", "clinic"]', among=""))
    card = pd.read_parquet(run(tmp_path, text).write(tmp_path / "out") / "scorecard.parquet")
    for rule in ("school", "clinic", "station"):
        mine = card[card["rule"] == rule].set_index("zone_kind")
        assert mine.loc[["zone"], "numerator"].sum() == mine.loc["region", "numerator"]
        assert mine.loc[["zone"], "denominator"].sum() == mine.loc["region", "denominator"]


def test_hostile_text_in_a_standard_is_text(tmp_path):
    text = rules(SCHOOL).replace('title = "school"', 'title = "<script>alert(1)</script>"')
    text = text.replace('source = "text A", clause', 'source = "<img src=x>", clause')
    page = run(tmp_path, text).page("index")
    assert "<script>alert" not in page
    assert "<img src=x>" not in page


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (COMPOSITE.format(k=1, of='["scool"]', among=""), "composites.station names 'scool'.*did you mean 'school'"),
        (COMPOSITE.format(k=3, of='["school"]', among=""), "asks for more functions than it names"),
        (TOGETHER.format(within=10), "together.near names 'clinic'"),
    ],
)
def test_rules_that_cannot_hold_are_refused(tmp_path, more, message):
    with pytest.raises(StandardError, match=message):
        Standard.load(write(tmp_path, rules(SCHOOL, more=more)))


EITHER = """
[composites.either]
title = "Either"
title_zh = "任一"
at_least = 1
of = ["library"]
source = "text A"
status = "verified"
strength = "应"
"""


def test_a_composite_of_absent_functions_is_unknown_and_no_number(tmp_path):
    result = run(tmp_path, rules(SCHOOL, LIBRARY, more=EITHER))
    row = next(row for row in result.clauses.rows if row.key == "either")
    assert (row.verdict, row.people, row.straight) == ("unknown", (None, None), None)


def test_who_was_not_judged_is_not_said_to_lack_anything(tmp_path):
    """Everybody who was judged has the clinic; of those far from any path nobody knows."""
    world = street()
    world.place["z"] = (0, -400)
    world.live("z", 5.0)
    text = rules(("clinic", 500, "应", "required"))
    result = world.run(tmp_path, "clinic", rules=text, snap_limit_m=100).result
    assert verdicts(result)["clinic"] == "unknown"


def test_an_alternative_beyond_the_search_is_no_number(tmp_path):
    text = rules(SCHOOL).replace(
        "mark =", 'alternatives = [{ value = 3000, source = "text B", status = "verified" }]\nmark ='
    )
    (row,) = run(tmp_path, text).clauses.rows
    assert [(a.value, a.met, a.total) for a in row.alternatives] == [(3000, None, None)]
    (row,) = run(tmp_path, text, cutoff_m=3000).clauses.rows
    assert [(a.value, a.met, a.total) for a in row.alternatives] == [(3000, 3.0, 3.0)]


def test_a_neighbour_may_stand_beyond_the_boundary(tmp_path):
    more = """
[together.pair]
title = "Pair"
title_zh = "邻近"
service = "school"
near = ["clinic"]
within_m = 50
source = "text A"
status = "verified"
"""
    path = boundary(tmp_path / "zones.geojson", ("all", "zone", -500, -700, 350, 700))
    world = World(STREET)
    world.street("ABC")
    world.live("hi")
    world.poi(345, 10, amenity="school")
    world.poi(355, 10, amenity="clinic")
    world.poi(390, 10, amenity="school")  # not asked about: it is outside
    text = rules(SCHOOL, CLINIC, more=more)
    result = world.run(tmp_path, "school clinic", rules=text, boundary=str(path)).result
    assert next(row for row in result.clauses.rows if row.key == "pair").counted == (1.0, 1.0)


def test_two_rules_of_one_key_are_refused(tmp_path):
    """A scorecard names its rules by key: it would show the clause of one beside the figures of the other."""
    with pytest.raises(StandardError, match=r"composites.library has the key of services.library"):
        Standard.load(write(tmp_path, rules(LIBRARY, more=EITHER.replace("composites.either", "composites.library"))))
