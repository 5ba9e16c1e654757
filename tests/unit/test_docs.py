"""Examples in docstrings run, and public names say what they are."""

import doctest
import importlib
import pkgutil

import pytest

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
