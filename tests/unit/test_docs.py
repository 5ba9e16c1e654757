"""Examples in docstrings run, and public names say what they are."""

import doctest
import importlib
import pkgutil

import pytest
import town

import lifecircle

MODULES = [
    found.name for found in pkgutil.walk_packages(lifecircle.__path__, "lifecircle.") if "presets" not in found.name
]


@pytest.mark.parametrize("name", ["lifecircle", *MODULES])
def test_examples_run(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


def test_there_are_examples():
    tried = sum(doctest.testmod(importlib.import_module(name))[1] for name in MODULES)
    assert tried >= 8


def test_every_public_name_resolves_and_is_documented():
    for name in lifecircle.__all__:
        assert getattr(lifecircle, name).__doc__
    assert lifecircle.__version__
    with pytest.raises(AttributeError):
        lifecircle.nothing  # noqa: B018


def test_every_noun_shows_itself_in_a_notebook(tmp_path):
    result = lifecircle.Study.from_toml(town.draw(tmp_path)).run()
    prepared = result.prepared
    nouns = [
        result, result.study, result.coverage, result.gaps, result.map("gaps"), prepared.region, prepared.standard,
        prepared.network, prepared.facilities, prepared.cells, *prepared.profiles.values(),
    ]  # fmt: skip
    for noun in nouns:
        assert "<" in noun._repr_html_()
        assert len(repr(noun)) < 10_000
    shown = result._repr_html_()  # a share means nothing without these
    for needed in ("Clinic", "4 min", "Adult, 1.33 m/s", "100", "218", "Golden"):
        assert needed in shown, needed
    for noun in (result.coverage, result.gaps, prepared.region, prepared.network, prepared.facilities, prepared.cells):
        assert len(noun.to_geodataframe().columns) > 3
