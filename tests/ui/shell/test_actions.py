from __future__ import annotations

import re
from dataclasses import fields
from itertools import combinations

from tests.ui.shell.fakes import FakeLink, FakeSession
from usfm_studio.ui.shell import icons, keys
from usfm_studio.ui.shell.action import Context, Situation
from usfm_studio.ui.shell.actions import ACTIONS, BY_ID, GROUPS, in_group
from usfm_studio.ui.shell.guide import topics
from usfm_studio.ui.shell.keymap import Keymap, together
from usfm_studio.ui.shell.toolstrip import BOTTOM, TOP

FULL = Situation(
    page="work", has_project=True, has_items=True, has_frame=True, has_proposal=True, proposals=1, is_loop=True,
    undo_name="Brush, Fetal head", redo_name="Brush, Fetal head", training=False, has_verdict=True,
    has_model=True, interrupted_runs=1,
    can_roll_back=True, can_train=True, import_seen=True, importing=True,
    segments=tuple(f"S{n}" for n in range(10)), labels=tuple(f"L{n}" for n in range(10)),
)  # fmt: skip


def test_every_action_says_what_it_is_and_where_it_is_explained():
    for action in ACTIONS:
        assert all((action.text, action.hint, action.help, action.icon)), action.id
        assert action.hint.endswith((".", "!", "?")), action.id
        assert action.group in GROUPS, action.id


def test_action_ids_are_their_own():
    assert len(BY_ID) == len(ACTIONS)


def test_every_action_is_in_exactly_one_menu():
    assert [a.id for group in GROUPS for a in in_group(group)] == [a.id for a in ACTIONS]


def test_no_two_actions_share_a_key_where_both_would_be_meant():
    keymap = Keymap()
    for first, second in combinations(ACTIONS, 2):
        if together(first.context, second.context):
            shared = set(keymap.keys(first)) & set(keymap.keys(second))
            assert not shared, (first.id, second.id, shared)


def test_no_default_needs_altgr_or_a_menu_letter():
    for action in ACTIONS:
        for key in Keymap().keys(action):
            parts = key.split("+")
            assert not {"Ctrl", "Alt"} <= set(parts), key
            assert not ("Alt" in parts and len(parts[-1]) == 1), key


def test_every_icon_is_in_the_package():
    there = set(icons.names())
    for action in ACTIONS:
        assert action.icon in there, action.id


def test_the_tool_strip_shows_actions_of_the_table():
    assert all(id in BY_ID for id in (*TOP, *BOTTOM) if id)


SITUATION_OF_FAKE = Situation(
    **{f.name: getattr(FULL, f.name) for f in fields(FULL)} | {"segments": ("a", "b"), "labels": ("a", "b")}
)


class Front:
    def __init__(self, asked: list[str]) -> None:
        self._asked = asked

    def __getattr__(self, name: str):
        return lambda *args: self._asked.append(f"{name}{args}")


class Desk:
    def __init__(self) -> None:
        self.session = FakeSession().fill()
        self.canvas = FakeLink(self.session.asked).stage
        self.front = Front(self.session.asked)


def test_every_action_does_something(themed):
    desk = Desk()
    for action in ACTIONS:
        if action.enabled(SITUATION_OF_FAKE) is not None:
            continue  # segments and labels that the fake's schema lacks
        desk.session.asked.clear()
        action.does(desk)
        assert desk.session.asked, action.id


def test_an_action_that_is_off_says_why():
    empty = Situation()
    for action in ACTIONS:
        reason = action.enabled(empty)
        assert reason is None or len(reason) > 5, action.id
    assert BY_ID["proposal.accept"].enabled(Situation(has_project=True, has_frame=True)) == "nothing is proposed here"
    assert BY_ID["loop.play"].enabled(Situation(has_project=True, has_frame=True)) == "needs a loop"
    assert BY_ID["project.open_study"].enabled(empty) is None


def test_everything_is_on_in_some_situation():
    training = Situation(**{f.name: getattr(FULL, f.name) for f in fields(FULL)} | {"training": True, "page": "learn"})
    for action in ACTIONS:
        assert action.enabled(FULL) is None or action.enabled(training) is None, action.id


def test_a_read_only_project_can_be_looked_at_but_not_changed():
    reading = Situation(**{f.name: getattr(FULL, f.name) for f in fields(FULL)} | {"read_only": True})
    for id in ("tool.brush", "proposal.accept", "state.flagged", "edit.undo", "model.fine_tune", "label.1"):
        assert "reading only" in (BY_ID[id].enabled(reading) or ""), id
    for id in ("frame.next", "view.fit", "project.export", "loop.play", "tool.select", "segment.1"):
        assert BY_ID[id].enabled(reading) is None, id


def test_undo_is_named():
    assert BY_ID["edit.undo"].words(FULL) == "Undo: Brush, Fetal head"
    assert BY_ID["segment.2"].words(FULL) == "Segment 2: S1"


def test_pages_and_work_may_use_one_key_differently():
    keymap = Keymap()
    assert keymap.find("Esc", Context.WORK).id == "edit.cancel"
    assert keymap.find("Esc", Context.PAGE).id == "page.work"


def test_the_next_study_begins_at_its_first_item(themed):
    desk = Desk()
    BY_ID["study.next"].does(desk)
    assert desk.session.asked == ["go_item(15)"]
    desk.session.asked.clear()
    BY_ID["study.previous"].does(desk)
    assert desk.session.asked == ["go_item(5)"]


def test_keys_are_shown_as_they_are_printed():
    assert keys.shown("Ctrl+Shift+P") == "Ctrl+Shift+P"
    assert keys.short("Shift+Y") == "⇧Y"
    assert keys.caps("Ctrl+Comma") == ("Ctrl", ",")
    assert keys.shown("Shift+Digit1") == "Shift+1"


def test_the_guide_explains_every_action():
    anchors = [topic.anchor for topic in topics()]
    assert len(anchors) == len(set(anchors))
    assert {action.help for action in ACTIONS} <= set(anchors)
    assert all(len(topic.text) > 40 and topic.part for topic in topics())


def test_keys_named_in_the_guide_are_those_of_the_table():
    bound = {key for action in ACTIONS for key in Keymap().keys(action)}
    named = set(re.findall(r"\b(?:Ctrl\+(?:Shift\+)?[A-Z0-9]\b|F\d+\b|Shift\+F\d+)", "".join(t.text for t in topics())))
    for key in named:
        ours = re.sub(r"(\d)$", r"Digit\1", key) if key.startswith("Ctrl") else key
        assert ours in bound or key in bound, key
