"""Results made once a session."""

import os

import pytest
from regions import study_of

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
