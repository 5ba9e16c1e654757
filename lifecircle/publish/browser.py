"""The report on paper by a browser: a copy of its page, printed by headless Chromium without scripts and network."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lifecircle.errors import DataError, SourceError, StandardError
from lifecircle.publish.lettering import Lettering
from lifecircle.publish.sheets import PAPER

if TYPE_CHECKING:
    from lifecircle.publish.results import Results

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""Programs that print; the first that is there is taken."""

DEADLINE_S = 180.0
_PDF = b"%PDF-"

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "script-src 'none'; frame-src 'none'"
)
_FLAGS = (
    *("--headless", "--disable-gpu", "--no-first-run", "--no-default-browser-check", "--disable-extensions"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"),
    # No name can be looked up, and nothing but a closed port can be asked.
    *("--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9", "--proxy-bypass-list=<-loopback>"),
    *("--disable-dev-shm-usage", "--no-pdf-header-footer", "--print-to-pdf-no-header"),
)


def find(named: str | None = None) -> str | None:
    """Return the path of a Chromium; None where there is none.

    Parameters
    ----------
    named : str, optional
        A program to take and no other, by name or path.

    Raises
    ------
    SourceError
        The one that is named is not there.
    """
    if named:
        path = shutil.which(named)
        if path is None:
            raise SourceError(f"there is no program {named} (LIFECIRCLE_CHROMIUM); name another, or say --plain")
        return path
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def printed(
    results: "Results", program: str, *, lang: str = "en", size: str = "A4", deadline_s: float = DEADLINE_S
) -> bytes:
    """Print ``index.html`` of a results folder.

    Parameters
    ----------
    program : str
        Path of a Chromium.
    lang : {"en", "zh"}
        Chinese needs a font that can write it; without one a warning is logged, and the text is English.
    size : {"A4", "A3"}
    deadline_s : float
        Seconds after which the program is ended.

    Returns
    -------
    bytes
        A PDF, dated as the data is.

    Raises
    ------
    DataError
        The page is not there, or is none of lifecircle.
    SourceError
        The program cannot be run, fails, or takes too long.
    """
    if size not in PAPER:
        raise StandardError(f"there is no paper {size!r}; expected A4 or A3")
    text = page(Path(results.name) / "index.html", Lettering.of(lang).lang, size)
    with tempfile.TemporaryDirectory(prefix="lifecircle-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "report.html").write_text(text, encoding="utf-8", newline="\n")
        target = folder / "report.pdf"
        command = [
            program, *_FLAGS, *(["--no-sandbox"] if _is_root() else []), f"--user-data-dir={folder / 'profile'}",
            f"--print-to-pdf={target}", (folder / "report.html").as_uri(),
        ]  # fmt: skip
        reason = _run(command, folder, deadline_s)
        made = target.read_bytes() if target.is_file() else b""
    if reason or not made.startswith(_PDF):
        raise SourceError(
            f"{program} did not print the page ({reason or 'it wrote no PDF'}); name another by "
            "LIFECIRCLE_CHROMIUM, or say --plain to do without it"
        )
    return _dated(made, results.summary.data_date)


def page(path: Path, lang: str, size: str) -> str:
    """Copy a report for printing: one language, one paper, everything unfolded, no scripts, no links that lead out.

    Raises
    ------
    DataError
        It is not there, or is none of lifecircle.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise DataError(
            f"{path} is not there: {path.parent} is no whole results folder; run again to make it anew"
        ) from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}); run again to make it anew") from error
    heads = re.findall(r"<meta[^>]*http-equiv[^>]*>", text, re.IGNORECASE)
    switch = '<input type="radio" name="language" id="lang-en" checked>'
    title = re.search(r'<body data-en="([^"]*)" data-zh="([^"]*)">', text)
    if len(heads) != 1 or "Content-Security-Policy" not in heads[0] or text.count(switch) != 1 or title is None:
        raise DataError(f"{path} is not the report as this version of lifecircle writes it; run again to make it anew")
    if not text.rstrip().endswith("</html>"):
        raise DataError(f"{path} is cut off; run again to make it anew")
    text = text.replace(heads[0], f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">')
    if lang == "zh":
        text = text.replace(switch, switch.replace(" checked", ""))
        text = text.replace('id="lang-zh">', 'id="lang-zh" checked>', 1).replace(
            '<html lang="en">', '<html lang="zh-CN">', 1
        )
    text = re.sub(r"<title>[^<]*</title>", lambda _: f"<title>{title[2 if lang == 'zh' else 1]}</title>", text, count=1)
    text = text.replace("<details>", "<details open>")
    text = re.sub(r'<a href="[^"#]*(?:#[^"]*)?"', "<a", text)  # they lead to files that are not on paper
    number = '@bottom-right { content: counter(page) " / " counter(pages); font: 7pt sans-serif; color: #4d585c; }'
    return text.replace("</head>", f"<style>@page {{ size: {size}; margin: 12mm; {number} }}</style>\n</head>", 1)


def _run(command: list[str], folder: Path, deadline_s: float) -> str:
    """Run a program until it ends or time is up, with all it starts; return why it failed, if it did."""
    quiet = os.environ | {"TMPDIR": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_CACHE_HOME": str(folder)}
    quiet.pop("DBUS_SESSION_BUS_ADDRESS", None)
    try:
        child = subprocess.Popen(  # noqa: S603  the program is found by name or named by whoever asks
            command, cwd=folder, env=quiet, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        return error.strerror or str(error)
    with child:
        try:
            _, said = child.communicate(timeout=deadline_s)
        except subprocess.TimeoutExpired:
            return f"it was not done after {deadline_s:g} s"
        finally:
            _end(child)
    if child.returncode:
        last = said.decode("utf-8", "replace").strip().splitlines()[-1:]
        return f"exit code {child.returncode}" + "".join(f": {line[:160]}" for line in last)
    return ""


def _end(child: "subprocess.Popen[bytes]") -> None:
    """End a program and all it started, if any of them is still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        elif child.poll() is None:
            child.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(timeout=10)


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _dated(made: bytes, data_date: str | None) -> bytes:
    """Write the data's date where the clock stands; as long as before, so that nothing in the file moves."""
    date = re.sub("[^0-9]", "", data_date or "")[:8]
    date = date if re.fullmatch("[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])", date) else "19700101"
    return re.sub(rb"(/(?:CreationDate|ModDate) \(D:)\d{14}", rb"\g<1>" + date.encode() + b"000000", made)
