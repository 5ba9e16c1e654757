"""Runs cases where they can do no harm: in a process with little memory, watched by a clock.

Asked on standard input for ``[format, first, last, seconds]``, it answers a line for every case. By hand, for one case:
``python tests/fuzz/child.py FORMAT NUMBER`` (with tests, tests/golden and tests/fuzz on PYTHONPATH) shows the traceback and keeps the file.
"""

import contextlib
import faulthandler
import json
import os
import resource
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

CPU_S = 5.0
"""Seconds of a processor a case may take; how long by the clock, whoever asks says."""
ROOM = 3 << 30
"""Address space a case may have besides what the libraries take, bytes."""
GROWTH = 600 << 10
"""How much more memory than before may have been held at once, kB."""
LONGEST = 3000
"""Characters of a message."""


def main():
    import formats

    if len(sys.argv) == 2:
        home = Path(sys.argv[1])
        formats.draw(home)
        serve(formats, home)
    with tempfile.TemporaryDirectory() as home:
        formats.draw(Path(home))
        by_hand(formats, sys.argv[1], int(sys.argv[2]), Path(home))


def serve(formats, home):
    faulthandler.enable()
    says = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever libraries print is no answer
    prepared = False
    for line in sys.stdin:
        name, first, last, wall_s = json.loads(line)
        form(formats, name).seeds(home)
        if not prepared:
            limit()
            prepared = True
        for number in range(first, last):
            says.write(json.dumps(outcome(formats, name, number, home, wall_s)) + "\n")
    sys.exit()


def limit():
    warnings.resetwarnings()
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", "Use `@` matmul", PendingDeprecationWarning)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (size + ROOM, size + ROOM))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def memory_kb(what="VmRSS"):
    """Memory of this process, and with ``VmHWM`` the most since it was last asked how much it is.

    What getrusage says is of no use: a process begins with the most its parent ever had.
    """
    said = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("Vm"))
    if what == "VmRSS":
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # the most begins anew
    return int(said[what].split()[0])


def form(formats, name):
    return (formats.READERS | formats.PLANTED)[name]


def outcome(formats, name, number, home, wall_s):
    """What came of a case: ``read``, the name of a foreseen error, or what went wrong."""
    reader = form(formats, name)
    file, data = formats.case(name, number, home)
    with tempfile.TemporaryDirectory(dir=home) as folder:
        path = Path(folder) / file
        path.write_bytes(data)
        before, began = memory_kb(), time.process_time()
        faulthandler.dump_traceback_later(wall_s, exit=True)
        try:
            reader.read(path, home)
            said, wrong = "read", ""
        except reader.foreseen as error:
            said, wrong = type(error).__name__, fault(str(error))
        except BaseException:  # noqa: BLE001  whatever it is, it is not foreseen
            said, wrong = "crash", traceback.format_exc()[-4000:]
        finally:
            faulthandler.cancel_dump_traceback_later()
        took = time.process_time() - began
        grew = memory_kb("VmHWM") - before
        if not wrong and took > CPU_S:
            wrong = f"it took {took:.1f} s"
        if not wrong and grew > GROWTH:
            wrong = f"it took {grew >> 10} MB more than before"
        return {"number": number, "said": said, "wrong": wrong}


def fault(text):
    """What is wrong with a message, or nothing."""
    if not text.strip():
        return "the message is empty"
    if len(text) > LONGEST:
        return f"the message has {len(text)} characters: {text[:300]}"
    if not all(c.isprintable() or c == "\n" for c in text):
        return f"the message holds what terminals obey: {text!r}"
    return ""


def by_hand(formats, name, number, home):
    faulthandler.enable()
    file, data = formats.case(name, number, home)
    kept = Path(tempfile.mkdtemp()) / file
    kept.write_bytes(data)
    print(f"the case is kept in {kept}", flush=True)  # noqa: T201
    limit()
    form(formats, name).read(kept, home)


if __name__ == "__main__":
    main()
