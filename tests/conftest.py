"""Results made once a session."""

import os

import pytest
import town
from commandline import command
from regions import study_of

from lifecircle.study import Study

os.environ["LC_ALL"] = "C.UTF-8"  # the command line speaks English, whatever the developer does


class Runs:
    """Results by region, each computed and written once."""

    def __init__(self, folder):
        self.folder = folder
        self.made = {}

    def __call__(self, name):
        if name not in self.made:
            result = study_of(name).run()
            self.made[name] = (result, result.write(self.folder / name))
        return self.made[name]


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    return Runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def town_by_plan(tmp_path_factory):
    """Results folder of the golden town, by a standard that has everything a report can show."""
    here = tmp_path_factory.mktemp("town")
    return Study.from_toml(town.draw(here)).changed(standard="lingang-2021").run().write(here / "out")


@pytest.fixture
def call(capfd):
    """Run the command line and return its exit code and what it said on standard output and error."""

    def called(*arguments):
        code = command(*arguments)
        return code, *capfd.readouterr()

    return called
