"""Results and events on a terminal: JSON for programs, a bar, lines and tables for people."""

import io
import json
import math
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from usfm_studio.cli.output import show_result, tell_error
from usfm_studio.cli.people import text_of
from usfm_studio.cli.progress import Progress
from usfm_studio.verbs.steps import Event, progress

RUN = [
    Event("stage", {"stage": "reading"}),
    Event("note", {"event": "note", "note": "4 frames [of] 2 subjects", "left_s": 100.0}),
    Event("step", {"event": "step", "stage": "learning", "step": 3, "steps": 10, "loss": 0.25, "left_s": 65.2}),
    Event("holdout", {"event": "holdout", "holdout": 0.913, "step": 3, "left_s": 60.0}),
    Event("applied", {"edit": object()}),
    progress(3, 10, "Collecting frames"),
]


class Terminal(io.StringIO):
    """A terminal's standard error."""

    def isatty(self):
        return True


def shown(events, *, as_json=False):
    bar = Progress(as_json=as_json)
    for event in events:
        bar.show(event)
    bar.close()


def test_with_json_the_events_of_the_contract_are_lines_and_nothing_else(capsys):
    shown(RUN, as_json=True)
    captured = capsys.readouterr()
    lines = [json.loads(line) for line in captured.out.splitlines()]
    assert [line["event"] for line in lines] == ["stage", "note", "step", "holdout"]
    assert lines[2] == {"event": "step", "stage": "learning", "step": 3, "steps": 10, "loss": 0.25, "left_s": 65.2}
    assert captured.err == ""


def test_without_a_terminal_stages_and_notes_are_lines(capsys):
    shown(RUN)
    captured = capsys.readouterr()
    assert captured.err == "reading …\n4 frames [of] 2 subjects\n"
    assert captured.out == ""


def test_on_a_terminal_there_is_a_bar_with_the_time_left(monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    shown(RUN[:-1])
    text = terminal.getvalue()
    for words in ("4 frames [of] 2 subjects", "Learning", "loss 0.25", "1:00 left", "holdout 0.913"):
        assert words in text, words


def test_on_a_terminal_files_are_counted(monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    shown([progress(0, 0, "Looking for files"), progress(5, 10, "Reading files")])
    assert "Reading files" in terminal.getvalue()
    assert "50%" in terminal.getvalue()


@dataclass
class Result:
    score: float = math.nan
    high: float = math.inf
    count: np.integer = field(default_factory=lambda: np.int64(3))
    place: Path = Path("a")
    text: str = "\udce9 ü"
    nothing: None = None
    rows: tuple = ((1, 2.5), {"k": np.float32(0.5)})


def test_json_holds_only_what_json_can(capsys):
    assert show_result(Result(), as_json=True) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    body = json.loads(out)
    assert body == {
        "event": "result", "score": None, "high": None, "count": 3, "place": "a", "text": "? ü", "nothing": None,
        "rows": [[1, 2.5], {"k": 0.5}],
    }  # fmt: skip


def test_a_result_in_part_has_the_exit_status_3(capsys):
    @dataclass
    class Part:
        frames: int = 2
        failed: list = field(default_factory=lambda: [{"path": "/x/[a].dcm", "error": "Could not read [a].dcm: why."}])
        partial: bool = True

    assert show_result(Part(), as_json=False) == 3
    out = capsys.readouterr().out
    assert "/x/[a].dcm" in out
    assert "Could not read [a].dcm: why." in out


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (True, "yes"),
        (0.123456, "0.1235"),
        ({"a": 1, "b": None}, "a 1, b –"),
        (list(range(9)), "0, 1, 2, 3, 4, 5 … 9 in all"),
        ([], "–"),
        ("plain", "plain"),
    ],
)
def test_values_are_words(value, text):
    assert text_of(value) == text


HOSTILE = "x\x1b[31m\r\nerror: all is well\u202e\udce9"


def test_a_strangers_words_neither_colour_the_terminal_nor_break_the_one_line(capsys):
    assert tell_error(f"Could not read {HOSTILE}", HOSTILE, HOSTILE, 1, as_json=False) == 1
    text = capsys.readouterr().err
    assert text.splitlines() == [text.rstrip("\n")]
    assert not {"\x1b", "\r", "\u202e"} & set(text)


def test_nor_do_they_in_results(capsys):
    @dataclass
    class Named:
        reason: str = HOSTILE
        models: list = field(default_factory=lambda: [{"name": HOSTILE, "digest": "0" * 64}])
        failed: list = field(default_factory=lambda: [{"path": HOSTILE, "error": HOSTILE}])

    assert show_result(Named(), as_json=False) == 0
    assert not {"\x1b", "\r", "\u202e"} & set(capsys.readouterr().out)
