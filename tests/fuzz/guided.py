"""Looks for files that fall through, guided by which lines of our readers they reach (atheris, where it is installed).

``python tests/fuzz/guided.py FORMAT RUNS FOLDER``; a file that fell is left in the folder as ``crash-…``.
"""

import contextlib
import resource
import sys
import warnings
from pathlib import Path

import atheris

SECONDS, MEGABYTES, LONGEST = 10, 3000, 4096
"""What one run may take, and bytes of a file."""


def main():
    name, runs, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    with atheris.instrument_imports(include=["lifecircle", "tomllib"], enable_loader_override=False):
        import formats
    warnings.simplefilter("error")
    home, corpus = folder / "home", folder / "corpus"
    home.mkdir()
    corpus.mkdir()
    formats.draw(home)
    form = formats.READERS[name]
    seeds = form.seeds(home)
    for file, data in seeds:
        (corpus / file).write_bytes(data)
    path = folder / seeds[0][0]

    def once(data):
        path.write_bytes(data)
        with contextlib.suppress(*form.foreseen):
            form.read(path, home)

    # libFuzzer counts what the parent of the process once had for the process's own: the limit is set here.
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + (MEGABYTES << 20)
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    options = {"runs": runs, "seed": 1, "timeout": SECONDS, "rss_limit_mb": 0, "max_len": LONGEST}
    said = [f"-{key}={value}" for key, value in options.items()]
    atheris.Setup([sys.argv[0], *said, f"-artifact_prefix={folder}/", str(corpus)], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
