"""What the report says of the run's check of itself, and how to check it again."""

from html import escape
from typing import Any

from lifecircle.publish.markup import both

_TOLD = {
    "walks": (
        "walks (nearest facility, ticks, number within reach) walked again by another search, equal",
        "条步行由另一算法重算，结果一致",
    ),
    "closed": ("walks with facilities closed: none shorter, others as before", "条步行在关闭部分设施后均未变短"),
    "thresholds": ("walks with wider thresholds: none loses a facility", "条步行放宽标准后设施数均未减少"),
    "verdicts": ("verdicts follow from walk, limit and number within reach", "项判定与步行、标准及可达数相符"),
    "people": ("cells whose people are those of access points and zones", "个格网人口按接入点、分区合计一致"),
    "figures": ("figures whose parts add up, zones to the region", "项指标分项合计相符，分区合计等于全区"),
    "facilities": ("facilities counted as they serve", "处设施计数相符"),
    "gaps": ("gaps whose people are those who lack the service", "处缺口人口合计相符"),
}  # fmt: skip


def self_check_part(rows: dict[str, Any]) -> str:
    """HTML of what was checked before anything was written.

    Parameters
    ----------
    rows : dict
        ``self_check`` of ``summary.json``.
    """
    items = "".join(
        f"<tr><td class=n>{number:,}</td><td>{both(english, chinese)}</td></tr>"
        for key, (english, chinese) in _TOLD.items()
        if (number := rows["compared"].get(key))
    )
    points, of = f"{rows['points']:,}", f"{rows['of']:,}"
    lead = both(
        f"{points} of {of} access points were drawn by a digest of the inputs; had anything not held, nothing would have "
        "been written. lifecircle verify computes these results again from their inputs and compares every file.",
        f"依输入文件摘要从 {of} 个出发点中抽取 {points} 个核对；若有任何一项不符，则不写出结果。"
        "lifecircle verify 可由原始输入重新计算并逐文件比对。",
    )
    return f"<p>{lead} <code>{escape(rows['seed'][:16])}</code></p><table>{items}</table>"
