"""Wrong usage, help texts and errors: one message each, the right exit status, no traceback."""

import shlex
import subprocess
import sys

import click
import pytest

from tests.cli.calling import ROOT, call, call_apart, environment
from tests.verbs.making import a_data_folder, a_project
from usfm_studio.cli import common, main
from usfm_studio.cli.commands import NOT_YET
from usfm_studio.document.errors import DiskFull, Interrupted, StudioError, WrongUsage

VERBS = sorted(main.studio.commands)
THERE = [name for name in VERBS if name not in NOT_YET]

WRONG = [
    ["info"],
    ["info", "x", "--frob"],
    ["info", "x", "--device", "tpu"],
    ["info", "x", "--threads", "0"],
    ["info", "x", "--seed", "one"],
    ["info", "x", "--seed", "-5"],
    ["info", "x", "--seed", "99999999999999999999"],
    ["import", "p"],
    ["finetune"],
    ["finetune", "p", "--data", "d"],
    ["finetune", "--data", "d", "--folds", "5"],
    ["finetune", "--data", "d", "--folds", "5", "--fold", "5"],
    ["finetune", "--data", "d", "--fraction", "0"],
    ["finetune", "--data", "d", "--fraction", "1.5"],
    ["finetune", "--data", "d", "--fraction", "nan"],
    ["finetune", "--data", "d", "--minutes", "0"],
    ["finetune", "--data", "d", "--minutes", "nan"],
    ["finetune", "--data", "d", "--minutes", "inf"],
    ["finetune", "--data", "d", "--task", "magic"],
    ["predict", "x"],
    ["predict", "x", "--model", "m", "--out", "o", "--kind", "magic"],
    ["evaluate", "--model", "m"],
    ["evaluate", "--model", "m", "--data", "d", "--fold", "1"],
    ["models"],
    ["models", "frob"],
    ["models", "promote", "x"],
    ["models", "show"],
    ["models", "import"],
    ["export", "p", "--out", "o"],
    ["export", "p", "--format", "png"],
    ["project", "check"],
    ["project", "burn", "p"],
    ["frobnicate"],
    ["--frob"],
]


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_wrong_usage_is_one_message_and_exit_status_2(words):
    called = call(*words)
    assert called.status == 2
    assert called.out == ""
    assert called.err.startswith("error: ")
    assert called.err.count("\n") == 1
    assert "--help" in called.err


@pytest.mark.parametrize("words", [words for words in WRONG if words[0] in VERBS], ids=" ".join)
def test_with_json_the_same_is_the_one_object(words):
    called = call(*words, "--json")
    assert called.status == 2
    body = called.result
    assert (body["event"], body["status"]) == ("error", 2)
    assert called.err.startswith(f"error: {body['what']}: {body['why']}")


@pytest.mark.parametrize("verb", sorted(NOT_YET))
def test_verbs_that_are_not_there_yet_say_so(verb):
    called = call(verb, "--data", "x", "whatever")
    assert (called.status, called.out) == (2, "")
    assert called.err == f"error: `{verb}` is not there yet: this version does not have it. See CHANGELOG.md.\n"
    assert call(verb, "--json").result["status"] == 2
    assert "Not there yet" in call(verb, "--help").out


@pytest.mark.parametrize("verb", THERE)
def test_every_verb_explains_itself_with_a_real_example(verb):
    called = call(verb, "--help")
    assert called.status == 0
    words = verb if verb != "open" else "heads.usfm"
    assert f"Example: usfm-studio {words}" in called.out
    for parameter in main.studio.commands[verb].params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help or isinstance(parameter.type, click.Choice), parameter.name


@pytest.mark.parametrize("verb", THERE)
def test_every_example_can_be_parsed(verb):
    command = main.studio.commands[verb]
    lines = [line.strip() for line in (command.help or "").splitlines()]
    example = next(line for line in lines if line.startswith("Example:"))
    words = shlex.split(example)[2:]
    if verb != "open":
        assert words.pop(0) == verb
    command.make_context(verb, words)


def test_help_imports_nothing_heavy():
    heavy = ("numpy", "torch", "PySide6", "pydicom", "rich", "msgspec", "sqlite3", "usfm_studio.verbs.house", "psutil")
    code = f"""
import sys
from usfm_studio.cli.main import run, studio
from usfm_studio.cli.signals import Signals
for verb in ["", *studio.commands]:
    assert run([*([verb] if verb else []), "--help"], Signals()) == 0
import resource
print("loaded", [name for name in {heavy!r} if name in sys.modules])
print("seconds", resource.getrusage(resource.RUSAGE_SELF).ru_utime)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment(), check=True
    )
    *_, loaded, seconds = done.stdout.splitlines()
    assert loaded == "loaded []"
    assert float(seconds.split()[1]) < 0.5, "the help of all verbs together, of processor time"


def test_the_version_is_told():
    assert call("--version").out.startswith("usfm-studio, version ")


def test_a_misspelled_verb_gets_a_hint():
    assert "Did you mean `finetune`?" in call("finetun").err


def test_without_a_display_the_window_says_so_and_does_not_abort(tmp_path, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    for words in ([], ["demo"], [str(tmp_path)]):
        called = call(*words)
        assert called.status == 1
        assert called.err.startswith("error: The window cannot open: there is none here")
        assert "demo --tour" in called.err


@pytest.mark.parametrize(("platform", "other"), [("xcb", "WAYLAND_DISPLAY"), ("wayland", "DISPLAY")])
def test_nor_does_it_where_qt_is_told_to_use_a_display_that_is_not_there(monkeypatch, platform, other):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(other, "display-0")
    monkeypatch.setenv("QT_QPA_PLATFORM", platform)
    called = call()
    assert called.status == 1
    assert called.err.startswith("error: The window cannot open: there is none here")


def test_the_errors_class_decides_the_exit_status():
    for error, status in (
        (StudioError("What", "why", "Hint."), 1),
        (WrongUsage("What", "why", "Hint."), 2),
        (Interrupted("What", "why", "Hint."), 130),
        (DiskFull("What", "why", "Hint."), 1),
    ):

        def failing(error=error):
            raise error

        assert common.guarded(failing, common.Shared()) == status


@pytest.mark.parametrize("error", [ValueError("patient ZZTEST^NOBODY"), KeyError("ZZTEST"), RuntimeError()])
def test_an_unexpected_error_is_an_apology_without_its_text(capsys, error):
    def failing():
        raise error

    assert common.guarded(failing, common.Shared(as_json=True)) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith(f"error: Something went wrong inside the program: {type(error).__name__}.")
    assert "ZZTEST" not in captured.err + captured.out
    assert "Traceback" not in captured.err


def test_debug_shows_the_traceback_and_the_log(tmp_path):
    called = call_apart("project", "check", tmp_path / "none", "--debug")
    assert called.status == 1
    assert "Traceback" in called.err
    assert called.err.rstrip().splitlines()[-1].startswith("error: ")


def test_an_error_that_json_cannot_hold_is_told_all_the_same():
    called = call("export", "/tmp/\udce9-none", "--format", "png", "--out", "o", "--json")
    assert called.status == 1
    assert called.result["event"] == "error"


def test_equal_names_in_a_label_schema_are_one_clear_message(tmp_path):
    data = a_data_folder(tmp_path / "data", subjects=2)
    (data / "schema.toml").write_text(
        '[[segments]]\nvalue = 1\nname = "Head"\n[[segments]]\nvalue = 2\nname = "head"\n'
    )
    called = call("finetune", "--data", data, "--out", tmp_path / "m")
    assert called.status == 2
    assert 'two entries have the segment name "head"' in called.err
    assert called.err.count("error:") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data"]


def test_a_project_of_a_newer_version_is_one_clear_message(tmp_path):
    import sqlite3

    a_project(tmp_path / "p").close()
    connection = sqlite3.connect(tmp_path / "p" / "project.db")
    connection.execute("PRAGMA user_version=99")
    connection.commit()
    connection.close()
    before = (tmp_path / "p" / "project.db").read_bytes()
    for words in (["propose", "p"], ["export", "p", "--format", "png", "--out", "o"], ["project", "migrate", "p"],
                  ["project", "repair", "p"], ["import", "p", "x"], ["models", "list", "--project", "p"]):  # fmt: skip
        called = call(*[tmp_path / "p" if word == "p" else word for word in words], "--json")
        assert called.status == 1, words
        assert "newer" in called.result["what"] + called.result["why"], words
        assert "pdate" in called.result["hint"], words
    checked = call("project", "check", tmp_path / "p", "--json")
    assert checked.status == 3, "problems were found: a script can tell"
    assert not checked.result["ok"]
    assert checked.result["problems"]
    assert (tmp_path / "p" / "project.db").read_bytes() == before


def test_a_project_that_is_none_says_so(tmp_path):
    for words in (["propose"], ["export", "--format", "png", "--out", "o"], ["finetune"], ["project", "check"]):
        called = call(words[0], *words[1:], tmp_path / "none")
        assert called.status == 1
        assert '"none" is not a project' in called.err


def test_a_reader_that_goes_away_is_no_traceback(tmp_path):
    """`usfm-studio info … | head -0`."""
    code = "from usfm_studio.cli.main import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "info", str(ROOT / "tests/data/dicom"), "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(60) == 1
    assert "Traceback" not in err
    assert "Exception ignored" not in err


def test_shell_completion_offers_the_verbs():
    env = {"_USFM_STUDIO_COMPLETE": "bash_complete", "COMP_WORDS": "usfm-studio fine", "COMP_CWORD": "1"}
    called = call_apart(env=env)
    assert called.status == 0
    assert "plain,finetune" in called.out


def test_signals_that_come_before_anything_began_end_it_with_130():
    def failing(**_ignored):
        raise KeyboardInterrupt

    original = main.studio.commands["doctor"].callback
    main.studio.commands["doctor"].callback = failing
    try:
        called = call("doctor", "--json")
    finally:
        main.studio.commands["doctor"].callback = original
    assert called.status == 130
    assert called.result["what"] == "Stopped"
