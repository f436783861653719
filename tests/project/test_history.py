"""Any sequence of edits, undone, is the original bit for bit; redo restores it; closing in between changes nothing."""

import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from usfm_studio.document.annotation import State
from usfm_studio.document.edit import ReplaceInstances, ReplaceSchema, SetAnnotation, SetChampion, Several
from usfm_studio.project import history
from usfm_studio.project.check import problems
from usfm_studio.project.project import Project

from .making import a_project, an_instance, contents, propose, set_state, stroke

ACTS = (
    "stroke",
    "stroke",
    "layer",
    "state",
    "several",
    "champion",
    "schema",
    "instance",
    "propose",
    "undo",
    "redo",
    "reopen",
)


class Walk:
    """A project beside the plainest model of a history: the contents before each step."""

    def __init__(self, folder):
        self.project = a_project(folder, instances=2)
        self.undone, self.done = [], []  # contents to be found after redo, after undo

    def go(self, act, number):
        project = self.project
        frame = project.frames()[number % 2].id
        if act == "undo" and self.done:
            self.undone.append(bare(project))
            project.undo()
            assert bare(project) == self.done.pop()
        elif act == "redo" and self.undone:
            self.done.append(bare(project))
            project.redo()
            assert bare(project) == self.undone.pop()
        elif act == "reopen":
            folder = project.folder
            project.close()
            self.project = Project.open(folder)
        elif act == "propose":
            propose(project, frame, number)
        elif act not in ("undo", "redo"):
            before = bare(project)
            step(project, act, frame, number)
            self.done.append(before)
            self.undone.clear()
        assert (self.project.undo_name is not None) == bool(self.done)
        assert (self.project.redo_name is not None) == bool(self.undone)


def bare(project):
    """What undo takes back: everything but proposals."""
    found = contents(project)
    del found["proposals"]
    return found


def step(project, act, frame, number):
    if act == "stroke":
        project.apply(stroke(project, frame, number))
    elif act == "layer":
        project.apply(stroke(project, frame, number, layer=1))
    elif act == "state":
        set_state(project, frame, State.DOING, [f"label {number}"])
    elif act == "champion":
        project.apply(SetChampion(name="Promote", exam="", before=None, after=f"{number:064x}"))
    elif act == "schema":
        after = project.schema.with_label(f"label {number} {len(project.schema.labels)}")
        project.apply(ReplaceSchema(name="Add", before=project.schema, after=after))
    elif act == "instance":
        extra = next((i for i in project.instances if i.subject == "extra"), None)
        new = () if extra else (an_instance(99, subject="extra", name="zzz.png"),)
        project.apply(ReplaceInstances(name="Images", before=(extra,) if extra else (), after=new))
    else:
        painted = stroke(project, frame, number)
        before = project.annotation(frame)
        after = type(before)(state=State.DONE, note=f"{number}")
        decided = SetAnnotation(name="x", frame=frame, before=before, after=after)
        project.apply(Several(name="Several", edits=(decided, painted)))


@given(acts=st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 999)), max_size=25))
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_sequence_undone_is_the_original_and_redone_the_last(acts):
    with tempfile.TemporaryDirectory() as scratch:
        walk = Walk(Path(scratch) / "p")
        for act, number in acts:
            walk.go(act, number)
        while walk.done:
            walk.go("undo", 0)
        while walk.undone:
            walk.go("redo", 0)
        walk.project.close()
        assert [p for p in problems(Path(scratch) / "p") if p.kind != "champion"] == []  # no model is on the shelf


def test_steps_beyond_the_memorys_limit_come_back_from_the_journal(tmp_path, monkeypatch):
    monkeypatch.setattr(history, "RECENT_BYTES", 400_000)
    with a_project(tmp_path / "p") as project:
        frames = [frame.id for frame in project.frames()]
        before = contents(project)
        for number in range(60):
            project.apply(stroke(project, frames[number % 3], number))
        project.flush()
        project.apply(stroke(project, frames[0], 1000))
        assert project._history._recent.held_bytes <= 400_000 + 6 * 2 * 65536
        after = contents(project)
        names = []
        while project.undo_name:
            names.append(project.undo_name)
            project.undo()
        assert names == ["Brush 1000", *(f"Brush {n}" for n in reversed(range(60)))]
        assert contents(project) == before
        while project.redo():
            pass
        assert contents(project) == after


def many_steps(folder, count):
    with a_project(folder, rows=20, columns=30) as project:
        frame = project.frames()[0].id
        before = contents(project)
        for number in range(count):
            set_state(project, frame, State.DOING if number % 2 else State.FLAGGED, [str(number)])
        project.flush(120)
    with Project.open(folder) as project:
        assert len(project.history(count + 1)) == count
        for number in reversed(range(count)):
            assert project.annotation(frame).labels == (str(number),)
            project.undo()
        assert project.undo() is None
        assert contents(project) == before


def test_hundreds_of_steps_are_kept(tmp_path):
    many_steps(tmp_path / "p", 300)


@pytest.mark.slow
def test_ten_thousand_steps_are_kept(tmp_path):
    many_steps(tmp_path / "p", 10_000)
