"""Pieces of the report's HTML: texts in two languages, of which the page shows one, and tables that sort."""

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple


class Text(NamedTuple):
    """A text in English and Chinese; an empty Chinese text is said in English."""

    english: str
    chinese: str = ""

    @property
    def html(self) -> str:
        """Both as markup: the page's language hides one of them."""
        if not self.chinese or self.chinese == self.english:
            return escape(self.english)
        return (
            f"<span class=en lang=en>{escape(self.english)}</span><span class=zh lang=zh>{escape(self.chinese)}</span>"
        )

    @property
    def plain(self) -> str:
        """Both in one line, where no markup can stand (a picture's label)."""
        return self.english if not self.chinese or self.chinese == self.english else f"{self.english} · {self.chinese}"


def both(english: str, chinese: str = "") -> str:
    """Escape a text in two languages for the page."""
    return Text(english, chinese).html


def kept(english: str, chinese: str = "") -> str:
    """Escape running text as `both` does; no line breaks between a number and its per cent."""
    return both(english.replace(" %", "\u00a0%"), chinese.replace(" %", "\u00a0%"))


def breaking(english: str, chinese: str = "") -> str:
    """Escape tag rules as `both` does; lines may break behind ``|`` and ``=``."""
    return both(*(re.sub(r"[|=]", "\\g<0>\u200b", text) for text in (english, chinese))).replace("\u200b", "<wbr>")


def section(english: str, chinese: str, body: str) -> str:
    """Return a part of the page with its heading."""
    return f"<section><h2>{both(english, chinese)}</h2>{body}</section>"


_WORDS_ZH = {"no residents": "无居民", "unknown": "未知", "fewer than 1": "不足 1", "beyond the search": "搜索范围外"}


def said_zh(figure: str) -> str:
    """Write a figure's words and units in Chinese; most have none.

    Examples
    --------
    >>> said_zh("> 30 min"), said_zh("350 m"), said_zh("0.2 / 0.2 km"), said_zh("unknown"), said_zh("33.3 %")
    ('> 30 分钟', '350 米', '0.2 / 0.2 公里', '未知', '33.3 %')
    """
    return _WORDS_ZH.get(figure) or _UNIT.sub(lambda found: _UNITS_ZH[found[0]], figure)


_UNITS_ZH = {"min": "分钟", "m": "米", "km": "公里", "m²": "平方米", "km²": "平方公里"}
_UNIT = re.compile(r"(?<=\d )(?:min|k?m²?)(?![\w²/])")


def said(figure: str) -> str:
    """Escape a figure as `lifecircle.assess.wording` writes it: mostly digits, a few words."""
    return both(figure, said_zh(figure))


STATUS_ZH = {"verified": "已核实", "secondary": "据二手资料", "unverified": "未核实"}
"""How far a number was looked up, in Chinese."""


def cited(source: str, status: str) -> str:
    """Return where a number is from, as its file has it, and how far that was looked up."""
    return f"{escape(source)} ({both(status, STATUS_ZH[status])})"


def number(shown: str, value: float | None = None, small: str = "") -> str:
    """Return a cell with a figure; ``value`` is what it sorts by, ``small`` what stands below it; both are markup."""
    sorts = "" if value is None else f' data-sort="{value:.12g}"'
    below = f"<small class=below>{small}</small>" if small else ""
    return f"<td class=n{sorts}>{shown}{below}</td>"


def head(text: str, *, numeric: bool = False) -> str:
    """Return the head of a column; ``text`` is markup."""
    return f"<th scope=col{' class=n' if numeric else ''}>{text}</th>"


def row(name: str, cells: Iterable[str], *, value: float | None = None) -> str:
    """Return a row: its name (markup), and cells as they are."""
    sorts = "" if value is None else f' data-sort="{value:.12g}"'
    return f"<tr><th scope=row{sorts}>{name}</th>{''.join(cells)}</tr>"


def table(heads: Sequence[str], rows: Sequence[str], *, sorts: bool = True) -> str:
    """Return a table; its columns sort by a click on their heads, unless the order of the rows means something."""
    kind = " class=sorts" if sorts and len(rows) > 1 else ""
    return (
        f"<div class=scroll tabindex=0><table{kind}><thead><tr>{''.join(heads)}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
