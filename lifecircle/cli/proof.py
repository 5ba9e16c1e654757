"""Verbs that hold results against their inputs, and against other results: verify, diff."""

from pathlib import Path
from typing import Annotated, Optional

import typer

from lifecircle.cli.options import Json, app, bar
from lifecircle.language import say
from lifecircle.publish.terminal import show_diff, tell, tell_json


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A results folder.")],
    inputs: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="DIR", help="Where its inputs are; default: where they were, or beside it."),
    ] = None,
    threads: Annotated[Optional[int], typer.Option(min=1, help="Default: one per processor.")] = None,  # noqa: UP045
    as_json: Json = False,
    debug: Annotated[bool, typer.Option("--debug", hidden=True)] = False,
) -> None:
    """Compute results again from their inputs and compare every figure and file; exit 1 where they differ."""
    from lifecircle.errors import CheckError
    from lifecircle.study import verify as verified

    with bar(quiet=as_json) as progress:
        found = verified(folder, inputs=inputs, threads=threads, progress=progress)
    if as_json:
        tell_json(found.to_dict())
        if not found.held:
            raise typer.Exit(CheckError.exit_code)
        return
    for name, (then, now) in found.other_versions.items():
        tell(
            say(
                f"made with {name} {then}, verified with {now}: compared by what files say, not by their bytes",
                f"由 {name} {then} 计算，现以 {now} 核验：比对内容而非字节",
            )
        )
    for difference in found.differences:
        tell(str(difference))
    if found.more:
        tell(say(f"and {found.more:,} more", f"另有 {found.more:,} 项"))
    if not found.held:
        raise CheckError(found.line)
    tell(found.line)


@app.command()
def diff(
    before: Annotated[Path, typer.Argument(metavar="A", help="A results folder.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="Another.")],
    inputs: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="DIR", help="Where their inputs are; default: where they were, or beside them."),
    ] = None,
    tables: Annotated[
        bool, typer.Option("--tables", help="Go by the tables alone; nothing is computed again.")
    ] = False,
    threads: Annotated[Optional[int], typer.Option(min=1, help="Default: one per processor.")] = None,  # noqa: UP045
    as_json: Json = False,
    debug: Annotated[bool, typer.Option("--debug", hidden=True)] = False,
) -> None:
    """Say what changed from A to B, and owed to what: network, facilities, population or parameters."""
    from lifecircle.study import diff as compared

    with bar(quiet=as_json) as progress:
        found = compared(before, after, inputs=inputs, tables_only=tables, threads=threads, progress=progress)
    if as_json:
        tell_json(found.to_dict())
        return
    show_diff(found)
