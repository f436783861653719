"""Where the person looks: frames come at once or are waited for, and nothing stays under a wrong name."""

import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.ui.session.desk import FRAMES, HEAD, LESION, LOOP, NECK
from usfm_studio.document.annotation import State
from usfm_studio.document.edit import ReplaceInstances, ReplaceSchema
from usfm_studio.document.frame import Frame
from usfm_studio.ui import pictures as pictures_module


def test_every_frame_in_reach_is_there_before_it_is_wanted(desk):
    navigation = desk.session.navigation
    desk.go(LOOP)
    desk.wait(lambda: all(navigation.pictures.get(desk.frame(LOOP, n)) for n in range(5)))
    desk.heard.clear()
    desk.session.navigation.step(1)
    assert desk.session.pixels is not None
    assert desk.count("pixels_changed") == 1
    assert int(desk.session.pixels[0, 0]) == 51


def test_steps_keep_inside(desk):
    navigation = desk.session.navigation
    navigation.step(-1)
    assert desk.row == 0
    navigation.last()
    assert desk.row == 5
    desk.go(LOOP)
    navigation.step(100)
    assert navigation.current.index == FRAMES - 1
    navigation.first()
    assert navigation.current.index == 0
    desk.heard.clear()
    navigation.step(-5)
    navigation.go_item(-1)
    navigation.go_item(99)
    navigation.go(desk.frame(LOOP).__class__("0" * 64, 0))
    assert desk.heard == []


def test_where_things_are_in_words(desk):
    navigation = desk.session.navigation
    assert navigation.place_of(desk.frame(2)) == "item 3"
    assert navigation.place_of(desk.frame(LOOP, 3)) == "item 5, frame 4"
    assert navigation.place_of(desk.frame(0).__class__("0" * 64, 0)) == ""


def test_what_was_asked_for_and_passed_by_is_taken_back(desk):
    pictures = desk.session.navigation.pictures
    desk.go(LOOP)
    for index in range(FRAMES):
        desk.session.navigation.go(desk.frame(LOOP, index))
    assert len(pictures._asked) <= pictures_module.AHEAD + 1
    desk.go(0)
    near = {desk.frame(0), desk.frame(1), desk.frame(2)}
    assert set(pictures._asked) <= near
    desk.wait(lambda: desk.session.pixels is not None)


def test_a_frame_that_was_taken_back_is_asked_again(desk):
    navigation = desk.session.navigation
    navigation.pictures.clear()
    navigation.go(desk.frame(LOOP, 0))
    navigation.go(desk.frame(LESION))
    navigation.go(desk.frame(LOOP, 0))
    desk.wait(lambda: desk.session.pixels is not None)
    assert int(desk.session.pixels[0, 0]) == 50


def test_memory_is_bounded_and_given_back(desk, monkeypatch):
    monkeypatch.setattr(pictures_module, "KEEP_BYTES", 3 * 6000)  # three frames of 60 x 100
    pool, pictures = desk.session.house.reader._pool, desk.session.navigation.pictures
    for _ in range(3):
        for row in range(6):
            desk.go(row)
            desk.wait(lambda: desk.session.pixels is not None)
    desk.wait(lambda: not pictures._asked and len(pool._used) == len(pictures._kept))
    assert pictures.held_bytes <= 3 * 6000
    desk.close()
    desk.wait(lambda: not pool._used)


def test_neither_the_wanted_nor_the_shown_frame_is_let_go(desk, monkeypatch):
    monkeypatch.setattr(pictures_module, "KEEP_BYTES", 1)
    pictures = desk.session.navigation.pictures
    desk.go(3)
    desk.wait(lambda: desk.session.pixels is not None and not pictures._asked)
    shown = desk.session.pixels
    before = shown.copy()
    desk.session.navigation.current = Frame(instance=desk.session.navigation.items[0].instance, index=0)
    pictures._wanted = desk.frame(0)  # on its way, the canvas still shows row 3
    for row in (1, 2, LESION):
        pictures.want(Frame(instance=desk.session.navigation.items[row].instance, index=0))
    desk.wait(lambda: not pictures._asked)
    assert (shown == before).all()
    assert desk.frame(3) in pictures._kept


def test_a_file_that_is_gone_is_told_and_nothing_is_shown_for_it(desk):
    instance = desk.session.navigation.items[3].instance
    moved = Path(instance.path).with_suffix(".away")
    desk.session.navigation.pictures.clear()
    Path(instance.path).rename(moved)
    try:
        desk.go(3)
        desk.wait(lambda: desk.session.navigation.trouble is not None)
        assert desk.session.pixels is None
        assert [notice.kind for notice in desk.notices] == ["error"]
    finally:
        moved.rename(instance.path)
    desk.go(0)
    desk.go(3)  # looking again tries again
    desk.wait(lambda: desk.session.pixels is not None)
    assert len(desk.notices) == 1


# --- rows -------------------------------------------------------------------------------------------------------------


def test_rows_follow_what_is_done_and_the_others_stay_the_same(desk):
    items = desk.session.navigation.items
    assert [item.state for item in items] == [State.TODO] * 6
    desk.session.reviewing.draw(desk.stroke())
    desk.propose(2)
    desk.quiet()
    after = desk.session.navigation.items
    assert after[0].state is State.DOING
    assert (after[2].proposed_frames, after[2].subtitle) == (1, "Still · 100 × 60")
    assert all(after[row] is items[row] for row in (1, 3, 4, 5))
    assert desk.count("current_changed") <= 2  # a burst is told once


def test_a_loop_is_done_when_no_frame_is_in_work(desk):
    desk.go(LOOP, index=2)
    desk.session.reviewing.draw(desk.stroke())
    desk.quiet()
    assert desk.session.navigation.items[LOOP].state is State.DOING
    desk.session.reviewing.set_state(State.DONE)
    desk.propose(LOOP, index=3)
    desk.quiet()
    item = desk.session.navigation.items[LOOP]
    assert (item.state, item.marked_frames, item.proposed_frames, item.subtitle) == (
        State.DONE, 1, 1, "8 frames · 1 marked",
    )  # fmt: skip


def test_counts_and_the_suggested_item(desk):
    session = desk.session
    assert session.counts[State.TODO] == 6
    assert session.navigation.suggested_row == 1
    session.reviewing.set_state(State.NOTHING)
    desk.quiet()
    assert session.counts[State.NOTHING] == 1
    desk.go(3)
    assert session.navigation.suggested_row == 4
    desk.go(LOOP)
    assert session.navigation.suggested_row == 1  # a head rather than the neck that comes next
    session.navigation.next_open()
    assert desk.row == 1
    desk.go(LESION)
    assert session.navigation.suggested_row == 1  # no other neck waits


def test_files_that_come_and_go_leave_the_person_where_she_is(desk):
    project, session = desk.project, desk.session
    desk.go(2)
    here, items = session.current.id, session.navigation.items
    gone = project.instances[0]
    session.commit(ReplaceInstances(name="Remove", before=(gone,), after=()), undoable=False)
    assert (desk.row, session.current.id) == (1, here)
    assert session.navigation.items[1] is items[2]
    session.commit(ReplaceInstances(name="Remove", before=(session.instance,), after=()), undoable=False)
    assert desk.row == 0
    assert session.current is not None


# --- segments ---------------------------------------------------------------------------------------------------------


def test_the_chosen_segment_fits_the_kind_of_image(desk):
    session = desk.session
    session.select_segment(2)
    desk.go(1)
    assert (session.exam, session.segment) == (HEAD, 2)
    desk.go(LESION)
    assert (session.exam, session.segment) == (NECK, 4)
    assert [s.name for s in session.schema.segments] == ["Lesion"]
    desk.go(0)
    assert session.segment == 1


def test_the_chosen_segment_follows_the_schema(desk):
    session = desk.session
    session.reviewing.add_segment("Skull")
    added = session.segment
    assert session.schema.segment(added).name == "Skull"
    assert desk.count("changed") == 1
    session.undo()
    assert session.segment == 1
    session.redo()
    session.select_segment(added)
    project = desk.project
    without = project.schema.__class__(
        segments=tuple(s for s in project.schema.segments if s.value != added), labels=project.schema.labels
    )
    session.commit(ReplaceSchema(name="Schema", before=project.schema, after=without))
    assert session.segment == 1


def test_two_kinds_of_images_may_have_a_segment_of_one_name(desk):
    desk.session.reviewing.add_segment("Cyst")
    desk.go(LESION)
    desk.session.reviewing.add_segment("Cyst")
    values = [s.value for s in desk.session.schema.segments]
    assert desk.session.segment == values[-1]
    assert desk.session.schema.segment(desk.session.segment).exam == NECK


def test_another_schema_may_sort_the_images_otherwise(desk):
    schema = desk.project.schema
    heads = schema.__class__(segments=schema.segments[:3], labels=schema.labels)
    items = desk.session.navigation.items
    desk.session.commit(ReplaceSchema(name="Schema", before=schema, after=heads))
    assert [item.exam for item in desk.session.navigation.items] == [HEAD] * 5 + [""]
    assert desk.session.navigation.items[0] is items[0]


# --- playing ----------------------------------------------------------------------------------------------------------


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def playing(desk):
    play = desk.session.navigation.play
    play._clock = Clock()
    desk.go(LOOP)
    desk.wait(lambda: all(desk.session.navigation.pictures.want(f) for f in _loop(desk)))
    desk.heard.clear()
    desk.session.navigation.set_fps(10.0)
    desk.session.navigation.toggle_play()
    play._timer.stop()  # the test is the clock
    return desk


def _loop(desk):
    instance = desk.session.navigation.items[LOOP].instance
    return [Frame(instance=instance, index=index) for index in range(FRAMES)]


def test_the_clock_decides_which_frame_is_shown(playing):
    play, navigation = playing.session.navigation.play, playing.session.navigation
    for gone, index, dropped in ((0.05, 0, 0), (0.06, 1, 0), (0.1, 2, 0), (0.35, 5, 2), (0.3, 0, 4)):
        play._clock.now += gone
        play.tick()
        assert (navigation.current.index, navigation.dropped) == (index, dropped)
    playing.session.navigation.set_fps(1.0)
    play._clock.now += 0.9
    play.tick()
    assert navigation.current.index == 0


def test_a_frame_that_is_still_decoded_is_waited_for(playing):
    play, navigation = playing.session.navigation.play, playing.session.navigation
    pictures = navigation.pictures
    kept = pictures._kept.pop(playing.frame(LOOP, 1))
    pictures._bytes -= kept.decoded.array.nbytes
    kept.release()
    play._clock.now += 0.11
    play.tick()
    assert navigation.current.index == 0
    playing.wait(lambda: pictures.get(playing.frame(LOOP, 1)) is not None)
    play._clock.now += 0.11
    play.tick()
    assert (navigation.current.index, navigation.dropped) == (1, 0)


def test_a_frame_that_cannot_be_decoded_is_left_out(playing):
    from usfm_studio.document.errors import Unreadable

    play, navigation = playing.session.navigation.play, playing.session.navigation
    pictures = navigation.pictures
    for index in (1, 2):
        pictures._kept.pop(playing.frame(LOOP, index)).release()
        pictures._errors[playing.frame(LOOP, index)] = Unreadable("Could not read it")
    for index in (0, 0, 3):
        play._clock.now += 0.1001
        play.tick()
        assert navigation.current.index == index
    assert not pictures._asked
    assert playing.notices == []


def test_any_other_move_stops_the_loop(playing):
    navigation = playing.session.navigation
    navigation.step(1)
    assert not navigation.playing
    assert playing.count("play_changed") == 3  # rate, start, stop
    navigation.toggle_play()
    navigation.go(playing.frame(LOOP, 4))
    assert not navigation.playing
    navigation.toggle_play()
    playing.go(0)
    assert not navigation.playing
    navigation.toggle_play()  # a still does not play
    assert not navigation.playing


def test_rates_are_a_ladder(desk):
    navigation = desk.session.navigation
    desk.go(LOOP)
    navigation.set_fps(10.0)
    navigation.faster(1)
    assert navigation.fps == 15.0
    for _ in range(20):
        navigation.faster(-1)
    assert navigation.fps == 1.0


def test_a_loop_plays_at_its_rate(desk):
    navigation = desk.session.navigation
    desk.go(LOOP)
    desk.wait(lambda: all(navigation.pictures.want(f) for f in _loop(desk)))
    navigation.set_fps(20.0)
    seen = []
    desk.session.pixels_changed.connect(lambda: seen.append((time.perf_counter(), navigation.current.index)))
    navigation.toggle_play()
    desk.wait(lambda: len(seen) >= 12)
    navigation.stop()
    assert all((b - a) % FRAMES for (_, a), (_, b) in pairwise(seen))
    desk.qtbot.wait(120)
    assert not navigation.playing
