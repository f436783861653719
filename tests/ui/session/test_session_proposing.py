"""The model's words: nearest first, in the background, and whatever happens to the engine they come after all."""

import os
import signal
from pathlib import Path

import pytest

from tests.ui.session.desk import FRAMES, HEAD, LOOP, NECK, crown
from usfm_studio.document.annotation import State
from usfm_studio.document.edit import SetProposal
from usfm_studio.document.errors import DiskFull
from usfm_studio.imaging.client import Reader
from usfm_studio.project.project import Project

HEADS = 4 + FRAMES
"""Frames of heads in the project."""


def proposed(desk, exam=HEAD):
    project = desk.project
    return [f for f in project.frames() if project.proposer(f.id) and project.schema.exam_of(f.instance) == exam]


def let(desk, tmp_path, name="Head v1", exam=HEAD):
    """A model is promoted while the window is open."""
    card = crown(desk.project, tmp_path / name, name, exam)
    desk.session.learning.refresh()
    desk.session.proposing._full.clear()
    desk.session.proposing.fill()
    return card


def test_every_frame_that_nobody_touched_gets_a_proposal(awake, tmp_path):
    desk = awake
    desk.go(2)
    desk.session.reviewing.draw(desk.stroke())
    let(desk, tmp_path)
    desk.wait(lambda: len(proposed(desk)) == HEADS - 1)
    desk.wait(lambda: not desk.session.proposing.busy)
    assert desk.project.proposal(desk.frame(2)) is None
    mask = desk.project.proposal(desk.frame(0)).mask.to_array()
    assert mask[30, 35] == 1
    assert mask[0, 0] == 0
    assert proposed(desk, "NECK") == []
    desk.quiet()
    assert desk.session.navigation.items[LOOP].subtitle == f"8 frames · {FRAMES} proposed"
    assert {notice.kind for notice in desk.notices} <= {"info"}


def test_what_is_in_view_comes_first_and_then_what_is_next_to_it(awake, tmp_path):
    desk, order = awake, []
    desk.go(LOOP, index=5)
    desk.session.changed.connect(lambda change: order.extend(change.frames) if "proposal" in change.kinds else None)
    let(desk, tmp_path)
    desk.wait(lambda: len(order) == HEADS)
    assert [frame.index for frame in order[:FRAMES]] == [5, 6, 7, 0, 1, 2, 3, 4]
    assert order[0].source == desk.session.instance.digest


def test_each_proposal_is_told_once_and_is_no_step_to_take_back(awake, tmp_path):
    desk = awake
    let(desk, tmp_path)
    desk.wait(lambda: len(proposed(desk)) == HEADS and not desk.session.proposing.busy)
    assert desk.count("changed") == HEADS
    assert desk.session.undo_text == "Promote"


def test_a_new_champion_speaks_where_nobody_has_decided(awake, tmp_path):
    desk = awake
    let(desk, tmp_path)
    desk.wait(lambda: len(proposed(desk)) == HEADS and not desk.session.proposing.busy)
    desk.session.reviewing.accept()
    second = crown(desk.project, tmp_path / "second", "Head v2")
    desk.session.learning.promote(second.digest)
    desk.session.proposing._full.clear()
    desk.session.proposing.fill()
    desk.wait(lambda: sum(desk.project.proposer(f.id) == second.digest for f in desk.project.frames()) == HEADS - 1)
    assert desk.project.proposer(desk.frame(0)) != second.digest
    assert desk.project.annotation(desk.frame(0)).state is State.DONE


def test_going_back_to_the_earlier_model_brings_its_words_back(awake, tmp_path):
    desk = awake
    first = let(desk, tmp_path)
    second = let(desk, tmp_path, "Head v2")
    desk.wait(lambda: desk.project.proposer(desk.frame(0)) == second.digest)
    desk.session.undo()
    assert desk.project.models.champion(HEAD) == first.digest
    assert desk.session.learning.proposer.digest == first.digest
    desk.wait(lambda: all(desk.project.proposer(f.id) == first.digest for f in proposed(desk)))


def test_a_frame_may_be_proposed_again_over_work(awake, tmp_path):
    desk = awake
    desk.session.proposing.here()
    assert desk.titles == ["No model for this kind of image yet"]
    desk.session.reviewing.draw(desk.stroke(at=50))
    desk.session.engine_watch.state = desk.session.engine.__class__(kind="restarting")  # nothing in the background
    let(desk, tmp_path)
    desk.session.proposing.here()
    desk.wait(lambda: desk.session.proposed is not None)
    assert desk.session.mask().values() == (1,)


def test_files_that_are_gone_are_told_once_at_the_end(awake, tmp_path):
    desk = awake
    away = [Path(desk.session.navigation.items[row].instance.path) for row in (1, 3)]
    for path in away:
        path.rename(path.with_suffix(".away"))
    try:
        let(desk, tmp_path)
        desk.wait(lambda: len(proposed(desk)) == HEADS - 2 and not desk.session.proposing.busy)
        desk.wait(lambda: bool(desk.notices))
        desk.go(2)
        desk.qtbot.wait(100)
    finally:
        for path in away:
            path.with_suffix(".away").rename(path)
    told = [notice for notice in desk.notices if "no proposal" in notice.title]
    assert [notice.title for notice in told] == ["2 frames have no proposal"]
    assert len(told[0].details.splitlines()) == 2
    desk.session.proposing.everywhere()
    desk.wait(lambda: len(proposed(desk)) == HEADS)


def test_a_model_that_is_broken_is_told_once(awake, tmp_path):
    desk = awake
    card = crown(desk.project, tmp_path / "m")
    (desk.project.models.path(card.digest) / "card.json").write_text("{")
    desk.session.proposing._full.clear()
    for _ in range(3):
        desk.session.proposing._full.clear()
        desk.session.proposing.fill()
    assert len(desk.notices) == 1
    assert desk.notices[0].kind == "error"


def test_nothing_is_proposed_in_a_project_that_is_only_looked_at(awake, tmp_path, folder):
    desk = awake
    crown(desk.project, tmp_path / "m")
    desk.close()
    with Project.open(folder):
        desk.open(folder)
        desk.session.proposing.fill()
        desk.qtbot.wait(100)
        assert not desk.session.proposing.busy
        assert proposed(desk) == []


# --- the engine's life and death --------------------------------------------------------------------------------------


def test_the_engine_says_where_it_stands(desk, tiny_engine):
    session = desk.session
    session.start_engine()
    desk.wait(lambda: session.engine.text == "Engine · CPU · 2 threads")
    assert session.engine.device == "CPU · 2 threads"
    kinds = {said[0] for said in desk.heard}
    assert "engine_changed" in kinds
    session.start_engine()  # twice is once
    assert session.engine.kind in ("ready", "busy")


def test_a_request_whose_engine_is_killed_is_answered_after_all(desk, tiny_engine, monkeypatch, tmp_path):
    monkeypatch.setenv("TINY_ENGINE", f"dies-once:{tmp_path / 'died'}")
    desk.session.start_engine()
    desk.wait(lambda: desk.session.engine.kind == "ready")
    let(desk, tmp_path)
    desk.wait(lambda: len(proposed(desk)) == HEADS)
    assert (tmp_path / "died").exists()
    notice = next(notice for notice in desk.notices if notice.key == "engine")
    assert (notice.kind, notice.title) == ("warning", "The engine stopped")
    assert "starts again by itself" in notice.text
    desk.wait(lambda: desk.session.engine.kind == "ready")
    assert ("settled", "engine") in desk.heard


def test_an_engine_killed_between_requests_comes_back(awake, tmp_path):
    desk = awake
    desk.wait(lambda: desk.session.engine.kind == "ready")
    os.kill(desk.session.house.engine.pid, signal.SIGKILL)
    desk.wait(lambda: desk.session.engine.kind == "restarting")
    let(desk, tmp_path)  # it asks nothing of an engine that is away
    assert not desk.session.proposing.busy
    desk.wait(lambda: len(proposed(desk)) == HEADS)


def test_an_engine_that_does_not_stay_up_is_given_up_and_can_be_started_again(desk, tiny_engine, monkeypatch, tmp_path):
    import usfm_studio.children.keeper as keeper

    monkeypatch.setattr(keeper, "back_off_s", lambda _deaths: 0.0)
    monkeypatch.setenv("TINY_ENGINE", "dies")
    session = desk.session
    session.start_engine()
    let(desk, tmp_path)
    assert session.engine.kind == "starting"
    desk.wait(lambda: session.engine.kind == "stopped")
    notice = [notice for notice in desk.notices if notice.key == "engine"][-1]
    assert notice.kind == "error"
    assert notice.title == "The engine does not stay up"
    assert "Y (propose here) starts it again" in notice.text
    session.reviewing.draw(desk.stroke())  # work goes on
    assert session.mask().values() == (1,)
    monkeypatch.delenv("TINY_ENGINE")
    session.proposing.here()
    desk.wait(lambda: session.engine.kind in ("ready", "busy"))
    desk.wait(lambda: desk.project.proposal(session.current.id) is not None)
    session.proposing.everywhere()
    desk.wait(lambda: len(proposed(desk)) == HEADS)


def test_of_frames_that_kill_the_engine_only_those_are_left_out(desk, tiny_engine, monkeypatch, tmp_path):
    """The other frames of their round are tried one by one."""
    import usfm_studio.children.keeper as keeper
    from tests.ui.session import tiny_engine as module

    script = tmp_path / "picky.py"
    kill = "        if pixels[0, 0] == 20: os.kill(os.getpid(), signal.SIGKILL)\n        grey = pixels"
    script.write_text(Path(module.__file__).read_text().replace("        grey = pixels", kill, 1))
    monkeypatch.setenv("PYTHONPATH", f"{os.environ['PYTHONPATH']}:{tmp_path}")
    monkeypatch.setattr("usfm_studio.engine.client.HOST", "picky")
    monkeypatch.setattr(keeper, "back_off_s", lambda _deaths: 0.0)
    desk.session.start_engine()
    desk.wait(lambda: desk.session.engine.kind == "ready")
    let(desk, tmp_path)
    desk.wait(lambda: len(proposed(desk)) == HEADS - 1, 60_000)
    desk.wait(lambda: not desk.session.proposing.busy and any("no proposal" in t for t in desk.titles))
    assert desk.project.proposer(desk.frame(1)) is None  # the second head's corner is 20


# --- what is to blame ------------------------------------------------------------------------------------------------


@pytest.fixture
def rounds(monkeypatch):
    """How many frames each round of proposals was asked for."""
    from usfm_studio.ui import proposing

    asked = []
    verb = proposing.propose

    def propose(arguments, house):
        asked.append(len(arguments.frames))
        return verb(arguments, house)

    monkeypatch.setattr(proposing, "propose", propose)
    return asked


def test_a_frame_is_not_to_blame_for_a_model_that_was_taken_back_meanwhile(awake, tmp_path, rounds):
    desk = awake
    let(desk, tmp_path, exam=NECK)  # one image
    desk.session.undo()  # before the round has begun
    desk.wait(lambda: rounds == [1] and not desk.session.proposing.busy)
    desk.qtbot.wait(50)
    assert not any("no proposal" in title for title in desk.titles)
    desk.session.redo()
    desk.wait(lambda: len(proposed(desk, NECK)) == 1)
    assert rounds == [1, 1]


def test_work_that_was_taken_back_is_tried_again_after_a_while_and_blames_no_frame(
    awake, tmp_path, rounds, monkeypatch
):
    desk = awake
    house, kitchen_reader = desk.session.house, desk.session.house._reader
    desk.quiet()
    house._reader = Reader(1, house.cache_folder)
    house.reader.start()
    house.reader.close()  # whatever it is asked now is taken back at once
    try:
        let(desk, tmp_path)
        desk.wait(lambda: bool(rounds))
        desk.qtbot.wait(300)
        assert len(rounds) == 1
    finally:
        house._reader = kitchen_reader
    desk.wait(lambda: len(proposed(desk)) == HEADS)
    assert not any("no proposal" in title for title in desk.titles)


def test_proposals_go_on_when_the_full_disk_has_room_again(awake, tmp_path, rounds, monkeypatch):

    desk = awake
    apply, full = Project.apply, [True]

    def fails(self, edit, **more):
        if full[0] and isinstance(edit, SetProposal):
            raise DiskFull("The disk is full", "no space", "Free some.")
        return apply(self, edit, **more)

    monkeypatch.setattr(Project, "apply", fails)
    let(desk, tmp_path)
    desk.wait(lambda: len(rounds) == 1 and not desk.session.proposing.busy)
    desk.qtbot.wait(200)
    assert len(rounds) == 1
    full.clear()
    full.append(False)
    desk.wait(lambda: len(proposed(desk)) == HEADS)
    assert not any("no proposal" in title for title in desk.titles)


def test_a_model_that_the_engine_refuses_is_told_once_and_asked_no_more(
    desk, tiny_engine, monkeypatch, tmp_path, rounds
):
    from tests.ui.session import tiny_engine as module

    words = "raise BadModel('Head v1 cannot be used', 'a tensor is missing', 'Promote another.')"
    script = Path(module.__file__).read_text().replace("        misbehave(context)\n", f"        {words}\n", 1)
    (tmp_path / "refusing.py").write_text(script.replace("import Unreadable", "import BadModel, Unreadable"))
    monkeypatch.setenv("PYTHONPATH", f"{os.environ['PYTHONPATH']}:{tmp_path}")
    monkeypatch.setattr("usfm_studio.engine.client.HOST", "refusing")
    desk.session.start_engine()
    desk.wait(lambda: desk.session.engine.kind == "ready")
    let(desk, tmp_path)
    desk.wait(lambda: rounds[1:] == [1] and not desk.session.proposing.busy)
    desk.go(2)
    desk.qtbot.wait(100)
    assert rounds[1:] == [1]
    assert desk.titles.count("Head v1 cannot be used") == 1
    assert not any("no proposal" in title for title in desk.titles)


@pytest.mark.slow
def test_an_engine_that_hangs_is_ended_and_the_request_is_answered(desk, tiny_engine, monkeypatch, tmp_path):
    monkeypatch.setenv("TINY_ENGINE", "slow")
    desk.session.start_engine()
    desk.wait(lambda: desk.session.engine.kind == "ready")
    let(desk, tmp_path)
    desk.wait(lambda: desk.session.engine.kind == "busy")
    desk.qtbot.wait(300)
    os.kill(desk.session.house.engine.pid, signal.SIGSTOP)
    desk.wait(lambda: len(proposed(desk)) == HEADS, 90_000)
    assert any(notice.key == "engine" for notice in desk.notices)
