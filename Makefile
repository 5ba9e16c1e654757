# Every target builds .venv when it is missing. `make help` lists them.
PYTHON ?= python3
PY = .venv/bin/python
.DEFAULT_GOAL := help

.venv/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv && $(PY) -m pip install --quiet --upgrade "pip>=25.1"
	$(PY) -m pip install --quiet -c constraints.txt --group test --group check -e .
	touch $@

run: .venv/.ready  ## environment, then the main job on the embedded Lingang model -> maps/lingang-model/
	.venv/bin/lifecircle run lingang-model

test: .venv/.ready  ## the tests (under 10 minutes on 2 cores)
	$(PY) -m pytest -m "not prove" -n 2

# Where atheris cannot be installed the proofs go on without it, and say so.
.venv/.fuzz: .venv/.ready
	$(PY) -m pip install --quiet -c constraints.txt --group fuzz || echo "no atheris here: files are spoilt by the seeded mutator alone"
	touch $@

prove: .venv/.ready .venv/.fuzz  ## the long proofs: every region, every repeat
	$(PY) -m pytest -m prove

check: .venv/.ready  ## formatter, linter, types, layering
	.venv/bin/ruff format --check . && .venv/bin/ruff check .
	.venv/bin/mypy && .venv/bin/lint-imports

lint:  ## the scripts of the pages, by ESLint where node is present
	@if command -v npx >/dev/null; then npx --yes eslint@9.39.1 -c tests/browser/eslint.config.mjs lifecircle/publish/assets; \
		else echo "no node here: the scripts of the pages were not linted"; fi

# A peer that cannot be installed here is left out, and the benchmarks say so.
.venv/.bench: .venv/.ready
	$(PY) -m pip install --quiet -c constraints.txt --group bench \
		|| for peer in cityseer igraph pandana pyrosm; do $(PY) -m pip install --quiet -c constraints.txt $$peer; done; true
	touch $@

bench: .venv/.bench  ## timings beside other libraries, printed and written to benchmarks/results/ (20 minutes)
	$(PY) benchmarks/run.py
	$(PY) benchmarks/engine.py
	$(PY) benchmarks/scale.py
	$(PY) benchmarks/endtoend.py
	$(PY) benchmarks/network.py
	$(PY) benchmarks/extract.py
	$(PY) benchmarks/stages.py
	$(PY) benchmarks/indicators.py
	$(PY) benchmarks/pages.py

notebooks: .venv/.ready  ## execute every notebook
	$(PY) -m pytest tests/notebooks -m ""

model: .venv/.ready  ## build the embedded region anew from its script
	$(PY) data/lingang-model/build.py

clean:  ## remove the environment, caches and results
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find maps -mindepth 1 ! -name README.md -delete

help:  ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: run test prove check lint bench notebooks model clean help
