"""What is likely wrong with the data: hints with their evidence, in English and Chinese, none of them a verdict."""

from itertools import chain
from typing import Any

from lifecircle.assess.wording import left_out_texts, people_text, share_text

FEW = 0.1
"""A category with fewer facilities per head than this share of what is usual is likely not mapped."""

LOOSE = 0.5
"""Share of people who live where neither a building nor residential land is mapped, above which it is said."""

MISLAID = 0.75
"""Moved data that lies at less than this share of the distance given: likely the datum is another.

As given, four regions were 5 to 149 % nearer to their streets than under any shift; shifted by 515 m on purpose, their
people and buildings came to 9 to 71 % of that distance under the shift back.
"""


_WHERE = "in the [[facilities]] of a study file (lifecircle new study.toml)"
_WHERE_ZH = "（在研究文件的 [[facilities]] 中；新建：lifecircle new study.toml）"

_Said = tuple[str, str, str]  # code, English, Chinese


def plain(text: str) -> str:
    """Make text of the data fit for a terminal: without characters that could act on it, and not endless."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)[:80]


def warnings(found: dict[str, Any]) -> list[dict[str, str]]:
    """Say what is likely wrong.

    Parameters
    ----------
    found : dict
        As ``check.json`` has it, without warnings.

    Returns
    -------
    list of dict
        ``code``, ``text`` and ``text_zh``.
    """
    said = [*_facilities(found), *chain.from_iterable(map(_table, found["tables"])), *_cells(found), *_datum(found)]
    return [{"code": code, "text": text, "text_zh": text_zh} for code, text, text_zh in said]


def _facilities(found: dict[str, Any]) -> list[_Said]:
    said: list[_Said] = []
    for key, row in found["facilities"].items():
        per_head, usual = row["per_10000"], row["usual_per_10000"]
        if not row["facilities"]:
            said.append(
                (
                    "category_empty",
                    f"the data holds no facility for {key}: a run needs one, or leave it out",
                    f"数据中没有 {key} 的设施：计算至少需要一处，否则请不计该服务",
                )
            )
        elif not row["inside"]:
            said.append(
                ("category_empty_inside", f"no facility for {key} lies inside the boundary", f"边界内没有 {key} 的设施")
            )
        elif per_head is not None and usual and per_head < FEW * usual:
            text = f"{per_head:g} facilities for {key} per 10,000 people, usual are {usual:g} ({row['usual_source']})"
            text_zh = f"每万人 {per_head:g} 处 {key} 设施，通常为 {usual:g}（{row['usual_source']}）"
            said.append(("category_few", f"{text}: likely not all are mapped", f"{text_zh}：很可能未全部收录"))
    return said


def _table(told: dict[str, Any]) -> list[_Said]:
    """Say what is doubtful about a table of facilities."""
    name = plain(told["table"])
    said = [
        ("table_rows", f"{name}: rows are left out: {why}", f"{name}：剔除 {why_zh}")
        for why, why_zh in left_out_texts(told)
    ]
    if "name" not in told["columns"]:
        text = (
            f"{name}: no column is known to hold names: its places are matched with OpenStreetMap by place only, not by "
            'name, and what both have may count twice; call the column name, or say which it is (columns = { name = "..." })'
        )
        text_zh = (
            f"{name}：没有可识别的名称列，只能按位置而不能按名称与 OpenStreetMap 匹配，同一设施可能重复计数；"
            '请将该列表头改为“名称”，或写明 columns = { name = "..." }'
        )
        said.append(("table_names", f"{text} {_WHERE}", f"{text_zh}{_WHERE_ZH}"))
    if told["datum_of_headings"] not in {None, told["datum"]}:
        headings, datum = told["datum_of_headings"], told["datum"]
        text = f"{name}: the headings of its coordinates say {headings}, but {datum} was declared"
        said.append(("table_headings", text, f"{name}：坐标列表头写明 {headings}，却声明为 {datum}"))
    if told["services_unknown"]:
        words = ", ".join(f"{plain(word)!r} ({n:,})" for word, n in told["services_unknown"].items())
        text = f'{name}: words that name no service of the standard: {words}; say which do (services = {{ "word" = "key" }})'
        text_zh = f'{name}：不对应标准中任何服务的词：{words}；请写明 services = {{ "词" = "服务键" }}'
        said.append(("table_services", f"{text} {_WHERE}", f"{text_zh}{_WHERE_ZH}"))
    verdict, datum = told.get("evidence", {}).get("verdict"), told["datum"]
    if verdict == "overruled":
        said.append(
            (
                "table_datum",
                f"{name}: its places fit another datum than {datum}, which was insisted on",
                f"{name}：位置与另一坐标系相符，仍按声明的 {datum} 采用",
            )
        )
    if verdict == "cannot be told":
        said.append(
            (
                "table_datum",
                f"{name}: its places do not tell whether {datum} is their datum: ask who made it",
                f"{name}：无法由位置判断坐标系是否为 {datum}：请询问提供者",
            )
        )
    return said


def _cells(found: dict[str, Any]) -> list[_Said]:
    said: list[_Said] = []
    snap = found["snapping"]
    for name, text, text_zh in (
        (
            "unsnapped",
            f"lie farther than {snap['limit_m']:g} m from every path",
            f"距任何道路超过 {snap['limit_m']:g} 米",
        ),
        ("outside_data", "lie outside the data", "位于数据范围之外"),
    ):
        n, people = snap[name]["cells"], snap[name]["people"]
        if n:
            who = "" if people is None else f" with {people_text(people)} people"
            who_zh = "" if people is None else f"（{people_text(people)} 人）"
            said.append(
                (name, f"{n:,} cells{who} {text}: they cannot be judged", f"{n:,} 个格网{who_zh}{text_zh}：无法判定")
            )
    loose = found["fabric"]["people_without_fabric"]
    if loose and found["people"] and loose["people"] > LOOSE * found["people"]:
        share = share_text(loose["people"], found["people"])
        said.append(
            (
                "fabric",
                f"{share} of people live where neither a building nor residential land is mapped",
                f"{share} 的人口所在处既无建筑也无居住用地",
            )
        )
    return said


def _datum(found: dict[str, Any]) -> list[_Said]:
    said: list[_Said] = []
    for what, row in found["datum"].items():
        if row and row["best_shift"]["mean_m"] < MISLAID * row["mean_m"]:
            best = row["best_shift"]
            text = (
                f"moved {best['east_m']} m east and {best['north_m']} m north the {what} would lie "
                f"{best['mean_m']:g} m from a way on average, not {row['mean_m']:g} m: "
                "is their datum GCJ-02, or another than the streets'?"
            )
            text_zh = (
                f"向东平移 {best['east_m']} 米、向北 {best['north_m']} 米后，{_WHAT_ZH[what]}距道路平均 {best['mean_m']:g} 米"
                f"而非 {row['mean_m']:g} 米：其坐标系是否为 GCJ-02 或与道路不同？"
            )
            said.append(("datum", text, text_zh))
    return said


_WHAT_ZH = {"people": "人口", "buildings": "建筑"}
