"""The language a terminal is spoken to in: English or Chinese."""

import locale
import os
from typing import Literal

Language = Literal["en", "zh"]

_spoken: list[Language] = ["en"]


def use(language: Language) -> None:
    """Speak a language from here on."""
    _spoken[0] = language


def spoken() -> Language:
    """Language that is spoken."""
    return _spoken[0]


def say(english: str, chinese: str) -> str:
    """Choose the text of the language that is spoken.

    Examples
    --------
    >>> say("done", "完成")
    'done'
    """
    return chinese if spoken() == "zh" else english


def of_locale() -> Language:
    """Language of the environment: Chinese where its locale is, else English."""
    named = next((value for key in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := os.environ.get(key))), None)
    if named is None:
        named = locale.getlocale()[0] or ""
    return "zh" if named.casefold().startswith(("zh", "chinese")) else "en"
