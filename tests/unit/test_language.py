"""The command line speaks English and Chinese; what it writes does not depend on which."""

import re

import pytest
import town
import typer

from lifecircle import cli
from lifecircle.cli.chinese import HELP, KINDS
from lifecircle.errors import LifecircleError
from lifecircle.language import of_locale, spoken

CHINESE = re.compile(r"[\u4e00-\u9fff]")


def helps(verb):
    for one in (verb, *verb.params):
        if text := " ".join((getattr(one, "help", None) or "").split()):
            yield one, text
    for below in getattr(verb, "commands", {}).values():
        yield from helps(below)


def test_every_help_is_there_in_chinese_and_none_is_left_over():
    texts = {text for one, text in helps(typer.main.get_command(cli.app)) if not getattr(one, "hidden", False)}
    assert texts == HELP.keys()
    assert all(CHINESE.search(text) for text in HELP.values())
    for english, chinese in HELP.items():  # a default or a unit said in one is said in the other
        assert re.findall(r"\[[0-9,]+|--[a-z-]+|\.toml|maps/", english) == re.findall(
            r"\[[0-9,]+|--[a-z-]+|\.toml|maps/", chinese
        )


def test_every_kind_of_failure_is_named():
    assert {kind.__name__ for kind in LifecircleError.__subclasses__()} <= KINDS.keys()


@pytest.mark.parametrize(
    "where", [("--lang", "zh", "run", "--help"), ("run", "--help", "--lang", "zh"), ("run", "--lang=zh", "--help")]
)
def test_help_in_chinese_wherever_the_option_stands(call, where):
    code, out, _ = call(*where)
    assert code == 0
    assert "计算区域的覆盖率与缺口" in out
    assert "选项" in out
    assert spoken() == "en"


@pytest.mark.parametrize(
    ("said", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "en_GB.UTF-8"}, "en"),
        ({"LANG": "en_US", "LC_ALL": "zh_TW"}, "zh"),
        ({"LANG": "zh_CN", "LC_MESSAGES": "C"}, "en"),
        ({}, "en"),
    ],
)
def test_the_system_says_which(said, language, monkeypatch):
    for key in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(key, raising=False)
    for key, value in said.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr("locale.getlocale", lambda: (None, None))
    assert of_locale() == language


@pytest.mark.parametrize("words", [("--lang", "fr", "regions"), ("regions", "--lang"), ("--lang=", "regions")])
def test_another_language_is_refused(call, words):
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert "expected --lang en or --lang zh" in err


def test_a_run_is_told_in_chinese_and_written_the_same(call, tmp_path):
    study = town.draw(tmp_path)
    assert call("run", study, "--out", tmp_path / "en")[0] == 0
    code, out, _ = call("run", study, "--out", tmp_path / "zh", "--lang", "zh")
    assert code == 0
    for words in ("检查：道路", "全区", "覆盖率", "自我核验"):
        assert words in out
    for english in ("check:", "Proof", "not judged", "covered", "clause by clause"):
        assert english not in out
    for path in sorted((tmp_path / "en").iterdir()):
        if path.name != "manifest.json":
            assert (tmp_path / "zh" / path.name).read_bytes() == path.read_bytes(), path.name
    code, out, _ = call("check", study, "--out", tmp_path / "zh", "--lang", "zh")
    assert code == 0
    assert "格网到最近道路的距离" in out
    assert not re.search(r"^warning", out, re.MULTILINE)
    assert "核验通过" in call("verify", tmp_path / "zh", "--lang", "zh")[1]
    assert "均无差异" in call("diff", tmp_path / "en", tmp_path / "zh", "--lang", "zh")[1]


def test_a_failure_says_its_kind_in_chinese(call, tmp_path):
    code, _, err = call("--lang", "zh", "run", tmp_path / "absent.toml")
    assert code == 3
    assert err.startswith("lifecircle（数据问题）: cannot read the study file")


def test_every_warning_of_a_check_is_said_twice(tmp_path):
    from lifecircle.study import Study

    found = Study.from_toml(town.draw(tmp_path)).prepare(allow_empty=True).check.findings["warnings"]
    assert found
    assert all(CHINESE.search(one["text_zh"]) and not CHINESE.search(one["text"]) for one in found)
