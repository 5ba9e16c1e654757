"""The command line: parse, call one public function, print."""

import gc
import logging
import sys
from importlib import metadata
from typing import Annotated

import typer

from lifecircle.cli import data, lists, pictures, places, proof, running  # noqa: F401  each adds its verbs to the app
from lifecircle.cli.options import app
from lifecircle.errors import LifecircleError

#: The verbs as ``--help`` lists them: what a planner needs first stands first.
_ORDER = (
    *("run", "check", "fetch", "new", "map", "report", "isochrone", "units", "regions", "profiles", "info", "verify"),
    *("diff",),
)
app.registered_commands.sort(key=lambda verb: _ORDER.index(verb.name or verb.callback.__name__))  # type: ignore[union-attr]


_STOPPED = 130  # as shells count it: 128 and the signal's number


def main() -> None:
    """Run the command line; every foreseen failure is one message and an exit code."""
    debug = "--debug" in sys.argv
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, format="%(name)s: %(message)s")
    for noisy in ("numba", "matplotlib", "fiona", "rasterio", "pyogrio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # Looking for cycles among the tags of a city costs more than a command leaves behind before it ends.
    gc.disable()
    try:
        app(standalone_mode=True)
    except LifecircleError as error:
        if debug:
            raise
        typer.echo(f"lifecircle: {error}", err=True)
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


def _say_stopped() -> None:
    typer.echo("lifecircle: stopped; nothing half-written is left", err=True)


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
) -> None:
    pass
