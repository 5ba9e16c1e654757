"""The command line, called in the process of the test."""

import sys

from lifecircle import cli


def command(*arguments):
    """Run it and return its exit code."""
    before, sys.argv = sys.argv, ["lifecircle", *map(str, arguments)]
    try:
        cli.main()
    except SystemExit as stop:
        return stop.code or 0
    finally:
        sys.argv = before
    return 0
