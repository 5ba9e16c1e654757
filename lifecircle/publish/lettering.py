"""How pictures and printed pages are lettered: fonts that write Chinese, text from data made harmless, and widths."""

import logging
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from lifecircle.errors import StandardError

Language = Literal["en", "zh"]

log = logging.getLogger(__name__)

CHINESE = (
    *("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN", "Source Han Sans HW SC"),
    *("WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Microsoft YaHei", "PingFang SC", "Hiragino Sans GB", "SimHei"),
    *("Noto Sans CJK TC", "Noto Sans CJK HK", "Noto Sans CJK JP", "Noto Sans CJK KR", "Source Han Sans", "Heiti SC"),
    *("Noto Serif CJK SC", "Noto Serif SC", "Source Han Serif SC", "STHeiti", "SimSun", "Songti SC"),
    *("Droid Sans Fallback", "AR PL UMing CN", "AR PL UKai CN"),
)  # fmt: skip
"""Fonts that can write Chinese, the best for a label first."""

_LATIN = "DejaVu Sans"  # comes with matplotlib
_UNKNOWN = "□"  # stands for a letter no font here has
_SURE = 0.985  # hinted letters may be a little wider than the font says
_MARKS = 2  # on one letter; more are a prank


@dataclass(eq=False)
class Lettering:
    """Writes a picture's text in one language, with the fonts of this machine.

    Attributes
    ----------
    lang : {"en", "zh"}
        English where Chinese was asked for and no font can write it.
    families : list of str
        Fonts, the first that has a letter writes it.
    lost : set of str
        Letters that no font could write.
    warned : bool
        Whether it was said already that a font is missing.
    """

    lang: Language
    families: list[str]
    lost: set[str] = field(default_factory=set)
    warned: bool = False
    _widths: dict[tuple[str, bool], float] = field(default_factory=dict, repr=False)
    _fonts: dict[tuple[float, bool], Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, lang: str) -> "Lettering":
        """Find fonts for a language; without one for Chinese that is said once, and the text is English.

        Raises
        ------
        StandardError
            It is neither ``en`` nor ``zh``.
        """
        if lang not in {"en", "zh"}:
            raise StandardError(f"there is no language {lang!r}; expected en or zh")
        chinese = chinese_font()
        if chinese is None:
            if lang == "zh":
                log.warning(
                    "no font that can write Chinese was found (looked for %s and others); the text is English: install "
                    "one, for example the package fonts-noto-cjk",
                    ", ".join(CHINESE[:4]),
                )
            return cls("en", [_LATIN], warned=lang == "zh")
        return cls("zh", [chinese, _LATIN]) if lang == "zh" else cls("en", [_LATIN, chinese])

    def say(self, english: str, chinese: str = "") -> str:
        """Choose the text of the language; where there is none in Chinese, English."""
        return chinese if self.lang == "zh" and chinese else english

    def name(self, english: str, chinese: str = "", most: int = 48) -> str:
        """Make a text from data harmless and short: one line, no control or direction marks, no unknown letters."""
        plain = "".join(_harmless(self.say(english, chinese)))
        plain = " ".join(plain.split())
        text = plain if len(plain) <= most else plain[: most - 1].rstrip() + "…"
        return "".join(self._drawn(letter) for letter in text)

    def _drawn(self, letter: str) -> str:
        if any(ord(letter) in _letters(family) for family in self.families):
            return letter
        self.lost.add(letter)
        return _UNKNOWN

    def width(self, text: str, size: float, *, bold: bool = False) -> float:
        """Width of a text in points."""
        return size * sum(self._advance(letter, bold=bold) for letter in text)

    def _advance(self, letter: str, *, bold: bool) -> float:
        found = self._widths.get((letter, bold))
        if found is None:
            family = next((one for one in self.families if ord(letter) in _letters(one)), self.families[0])
            found = self._widths[letter, bold] = _advance(family, letter, bold=bold)
        return found

    def wrap(self, text: str, size: float, width: float, *, bold: bool = False, most: int = 0) -> list[str]:
        """Break a text into lines no wider than ``width`` points, at most ``most`` of them (0: as many as it takes)."""
        room = width * _SURE / size
        lines, line, used = [], "", 0.0  # what is used of the line, its last space included
        for whole in _words(text):
            word = whole
            if line and used + self.width(word.rstrip(), 1.0, bold=bold) > room:
                lines.append(line.rstrip())
                line, used, word = "", 0.0, word.lstrip()
            while not line and len(word) > 1 and self.width(word.rstrip(), 1.0, bold=bold) > room:  # wider than a line
                cut = self._fitting(word, room, bold=bold)
                lines.append(word[:cut].rstrip())
                word = word[cut:]
            line, used = line + word, used + self.width(word, 1.0, bold=bold)
        lines += [line.rstrip()] if line.strip() or not lines else []
        if most and len(lines) > most:
            lines = [*lines[: most - 1], lines[most - 1].rstrip("….") + "…"]
        return lines

    def _fitting(self, word: str, room: float, *, bold: bool) -> int:
        """How many letters of a word fit; one at least."""
        used = 0.0
        for number, letter in enumerate(word):
            used += self._advance(letter, bold=bold)
            if used > room:
                return max(number, 1)
        return len(word)

    def font(self, size: float, *, bold: bool = False) -> Any:
        """Font of a size in points, as matplotlib takes it."""
        from matplotlib.font_manager import FontProperties

        if (size, bold) not in self._fonts:
            weight = "bold" if bold else "normal"
            self._fonts[size, bold] = FontProperties(family=self.families, size=size, weight=weight)
        return self._fonts[size, bold]

    def finish(self) -> None:
        """Say once which letters could not be drawn, if any, unless the reason was said already."""
        if self.lost and not self.warned:
            shown = " ".join(f"U+{ord(letter):04X}" for letter in sorted(self.lost)[:5])
            log.warning(
                "no font here has %d letter(s) of the names (%s); they are drawn as boxes", len(self.lost), shown
            )


@contextmanager
def plain_drawing() -> Iterator[None]:
    """Draw by matplotlib's own defaults, whatever this machine's settings say: no styles, no LaTeX, no formulas."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(
            {"text.parse_math": False, "text.usetex": False, "svg.hashsalt": "lifecircle", "path.simplify": True}
        )
        yield


@cache
def chinese_font() -> str | None:
    """Name of the best font of this machine that can write Chinese; None where there is none."""
    from matplotlib import font_manager

    there = {entry.name for entry in font_manager.fontManager.ttflist}
    return next((name for name in CHINESE if name in there and ord("路") in _letters(name)), None)


def _harmless(text: str) -> Iterator[str]:
    """Yield the letters of a text, without what acts instead of showing; white space of any kind is a space."""
    marks = 0
    for letter in unicodedata.normalize("NFC", text):
        kind = unicodedata.category(letter)
        marks = marks + 1 if kind.startswith("M") else 0
        if kind in {"Zs", "Zl", "Zp"} or letter in "\t\r\n":
            yield " "
        elif not kind.startswith("C") and marks <= _MARKS:
            yield letter


def _words(text: str) -> Iterator[str]:
    """Yield pieces a line may end after: words with their space, Chinese letters with what may not start a line."""
    word = ""
    for letter in text:
        wide = unicodedata.east_asian_width(letter) in {"W", "F"}
        if word and (word[-1] == " " or (wide and letter not in "，。；：、）》”’！？") or _ends(word[-1], letter)):
            yield word
            word = ""
        word += letter
    if word:
        yield word


def _ends(last: str, letter: str) -> bool:
    """Whether a line may end between two letters without a space: after a wide one."""
    return (
        unicodedata.east_asian_width(last) in {"W", "F"}
        and last not in "（《“‘"
        and letter not in "，。；：、）》”’！？ "
    )


@cache
def _file(family: str, weight: str) -> Any:
    from matplotlib import font_manager
    from matplotlib.font_manager import FontProperties

    return font_manager.get_font(
        font_manager.findfont(FontProperties(family=[family], weight=weight), fallback_to_default=False)
    )


@cache
def _letters(family: str) -> frozenset[int]:
    """Code points a font has."""
    return frozenset(_file(family, "normal").get_charmap())


@cache
def _advance(family: str, letter: str, *, bold: bool) -> float:
    """Width of a letter, as a share of the size."""
    font = _file(family, "bold" if bold else "normal")
    font.set_size(100, 72)
    return float(font.load_char(ord(letter)).linearHoriAdvance) / 65536 / 100
