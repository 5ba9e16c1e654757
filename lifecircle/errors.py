"""What can go wrong, each with the exit code the command line gives it."""

import difflib
from collections.abc import Iterable

_LONGEST = 1500  # characters of a message


def plain_text(text: str) -> str:
    """Take the control characters out of text that comes from a file: a terminal would obey them."""
    return "".join(c if c == "\n" or c.isprintable() else repr(c)[1:-1] for c in text)


class LifecircleError(Exception):
    """Any failure this package foresees: one message saying what arrived, what was expected and what to do."""

    exit_code = 3

    def __str__(self) -> str:
        """Return the message, fit for a terminal and a log whatever names and values of files stand in it."""
        text = plain_text(super().__str__())
        if len(text) <= _LONGEST:
            return text
        # What is too long is a value that arrived; what it is about stands before, what to do behind.
        return f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 2 :]}"


class DataError(LifecircleError, ValueError):
    """An input is missing, damaged, empty or does not fit the others."""


class CrsError(LifecircleError, ValueError):
    """Coordinates came in no, or in another, reference system than the one needed."""


class SourceError(LifecircleError, OSError):
    """A place data comes from, or results go to, cannot be reached."""

    exit_code = 4


class StandardError(LifecircleError, ValueError):
    """A study, standard, profile or region preset does not say what it must."""

    exit_code = 2


class CheckError(LifecircleError, AssertionError):
    """A check did not hold: results are not what their inputs give."""

    exit_code = 1


def did_you_mean(arrived: str, valid: Iterable[str]) -> str:
    """Say which valid name is nearest to the one that arrived, and list them all.

    Examples
    --------
    >>> did_you_mean("helthcare", ["eating", "healthcare"])
    "did you mean 'healthcare'? Valid: eating, healthcare"
    """
    names = sorted(valid)
    near = difflib.get_close_matches(arrived, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}Valid: {', '.join(names)}"
