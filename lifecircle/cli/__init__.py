"""The command line: parse, call one public function, print."""

import atexit
import gc
import logging
import signal
import sys
from importlib import metadata
from itertools import pairwise
from typing import Annotated, Any, Optional

import typer

from lifecircle.cli import data, lists, pictures, places, proof, running  # noqa: F401  each adds its verbs to the app
from lifecircle.cli.chinese import HELP, KINDS, TITLES
from lifecircle.cli.options import app
from lifecircle.errors import LifecircleError, plain_text
from lifecircle.language import Language, of_locale, say, spoken, use

#: The verbs as ``--help`` lists them: what a planner needs first stands first.
_ORDER = (
    *("run", "check", "fetch", "new", "map", "report", "isochrone", "units", "regions", "profiles", "info", "verify"),
    *("diff", "cache"),
)
app.registered_commands.sort(key=lambda verb: _ORDER.index(verb.name or verb.callback.__name__))  # type: ignore[union-attr]


_USAGE = 2
_STOPPED = 130  # as shells count it: 128 and the signal's number


def main() -> None:
    """Run the command line; every foreseen failure is one message and an exit code."""
    debug = "--debug" in sys.argv
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, handlers=[_log_to_terminal()])
    for noisy in ("numba", "matplotlib", "fiona", "rasterio", "pyogrio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # Looking for cycles among the tags of a city costs more than a command leaves behind before it ends.
    gc.disable()
    use(_asked(sys.argv))
    # What is left to do then is to give memory back: a Ctrl-C would end a run that is done as if it were not.
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    try:
        command()(args=_without_language(sys.argv[1:]), standalone_mode=True)
    except LifecircleError as error:
        if debug:
            raise
        kind = say("", f"（{KINDS.get(type(error).__name__, '问题')}）")
        typer.echo(f"lifecircle{kind}: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _say_stopped()
        sys.exit(_STOPPED)
    except SystemExit as stop:  # Typer makes this of Ctrl-C
        if stop.code == _STOPPED:
            _say_stopped()
        raise
    finally:
        gc.enable()
        use("en")


class _Plain(logging.Formatter):
    """Log lines name files and what stands in them: a terminal gets nothing to obey."""

    def format(self, record: logging.LogRecord) -> str:
        return plain_text(super().format(record))


def _log_to_terminal() -> logging.Handler:
    handler = logging.StreamHandler()
    handler.setFormatter(_Plain("%(name)s: %(message)s"))
    return handler


def command() -> Any:
    """Build the command of all verbs, its help in the language that is spoken."""
    from rich.text import Text
    from typer import rich_utils

    class Folded(Text):
        """Text of a help page: what is too long for its column, as any Chinese sentence is, is folded and not cut."""

        @classmethod
        def from_markup(cls, text: str, **how: Any) -> Text:
            return Text.from_markup(text, overflow="fold", **how)

    vars(rich_utils)["Text"] = Folded
    built = typer.main.get_command(app)
    if spoken() == "zh":
        for name, title in TITLES.items():
            setattr(rich_utils, name, title)
        _in_chinese(built)
    return built


def _in_chinese(verb: Any) -> None:
    for one in (verb, *verb.params):
        text = " ".join((getattr(one, "help", None) or "").split())
        if text in HELP:
            one.help = HELP[text]
    verb.short_help = None
    for below in getattr(verb, "commands", {}).values():
        _in_chinese(below)


def _asked(argv: list[str]) -> Language:
    """Language the command line names, wherever in it, else that of the system."""
    for before, word in pairwise([*argv, ""]):
        value = before.removeprefix("--lang=") if before.startswith("--lang=") else word if before == "--lang" else None
        if value is not None:
            if value not in {"en", "zh"}:
                typer.echo(f"lifecircle: there is no language {value!r}; expected --lang en or --lang zh", err=True)
                sys.exit(_USAGE)
            return "zh" if value == "zh" else "en"
    return of_locale()


def _without_language(words: list[str]) -> list[str]:
    """Take ``--lang`` out, so that it may stand before or behind a verb."""
    kept = [word for before, word in pairwise(["", *words]) if "--lang" not in {before, word}]
    return [word for word in kept if not word.startswith("--lang=")]


def _say_stopped() -> None:
    typer.echo(
        say("lifecircle: stopped; nothing half-written is left", "lifecircle：已停止；没有留下未写完的文件"), err=True
    )


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lifecircle {metadata.version('lifecircle')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and details.")] = False,
    lang: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="LANG", help="Language: en or zh [that of the system]."),
    ] = None,
) -> None:
    pass
