"""Tools turn events into edits; they need no window for that."""

import numpy as np
import pytest

from usfm_studio.document.edit import PaintTiles
from usfm_studio.document.frame import FrameId
from usfm_studio.document.mask import Mask
from usfm_studio.document.rasterise import disc, paint_spans, polygon, stroke
from usfm_studio.ui.tools.brush import Brush
from usfm_studio.ui.tools.eraser import ERASER
from usfm_studio.ui.tools.lasso import Lasso
from usfm_studio.ui.tools.polygon import Polygon
from usfm_studio.ui.tools.select import Select
from usfm_studio.ui.tools.tool import (
    Cancel,
    Commit,
    Finish,
    Grab,
    Key,
    Modifiers,
    Move,
    Nothing,
    Pick,
    Press,
    Preview,
    Release,
    Scene,
)

SHAPE = (300, 420)
FRAME = FrameId("0" * 64, 3)
CTRL, SHIFT = Modifiers(ctrl=True), Modifiers(shift=True)


def a_mask(*shapes):
    """A mask of (value, spans) painted in turn."""
    mask = Mask.empty(SHAPE)
    for value, spans in shapes:
        mask = paint_spans(mask, spans, value).mask
    return mask


def a_scene(mask=None, **changes):
    values = {"mask": mask or Mask.empty(SHAPE), "segment": 1, "segment_name": "Fetal head", "brush_px": 20.0}
    return Scene(frame=FRAME, **(values | changes))


def play(tool, events, scene, gesture=None):
    """All answers to a list of events, and the gesture that is left."""
    answers = []
    for event in events:
        gesture, answer = tool.on(event, gesture, scene)
        answers.append(answer)
    return answers, gesture


def drag(*points, modifiers=Modifiers(), **press):
    first, *rest = points
    moves = [Move(xy=xy) for xy in rest]
    return [Press(xy=first, modifiers=modifiers, **press), *moves, Release(xy=points[-1])]


def commit_of(tool, events, scene):
    answers, _ = play(tool, events, scene)
    assert isinstance(answers[-1], Commit), answers[-1]
    return answers[-1]


def after(commit, scene):
    """The accepted mask when the edit has been applied to the scene's."""
    assert isinstance(commit.edit, PaintTiles)
    for index, tile in commit.edit.before.items():
        assert np.array_equal(tile, scene.mask.tile(index))
    applied = scene.mask.with_tiles(commit.edit.after)
    assert applied.same_as(commit.mask)
    return applied.to_array()


class TestBrush:
    def test_a_stroke_paints_every_pixel_between_its_points_and_is_one_edit(self):
        scene, points = a_scene(), [(50.2, 60.7), (180.0, 90.5), (60.9, 200.1)]
        commit = commit_of(Brush(), drag(*points), scene)
        wanted = stroke(points[0], points[1], 10).to_array(SHAPE) | stroke(points[1], points[2], 10).to_array(SHAPE)
        assert np.array_equal(after(commit, scene), wanted.astype(np.uint8))
        assert commit.edit.name == "Brush, Fetal head"
        assert commit.edit.frame == FRAME

    def test_what_is_previewed_is_what_is_committed(self):
        answers, _ = play(Brush(), drag((50, 50), (90, 70), (90, 120)), a_scene())
        *previews, commit = answers
        assert all(isinstance(p, Preview) for p in previews)
        assert previews[-1].mask.same_as(commit.mask)

    def test_a_preview_tells_the_box_it_changed(self):
        answers, _ = play(Brush(), drag((50, 50), (90, 70)), a_scene())
        assert answers[0].box == (40, 40, 61, 61)
        before, later = answers[0].mask.to_array(), answers[1].mask.to_array()
        x0, y0, x1, y1 = answers[1].box
        before[y0:y1, x0:x1] = later[y0:y1, x0:x1]
        assert np.array_equal(before, later)

    def test_ctrl_at_press_erases_and_ctrl_later_changes_nothing(self):
        scene = a_scene(a_mask((1, disc((100, 100), 60))))
        events = [Press(xy=(100, 100), modifiers=CTRL), Move(xy=(120, 100)), Release(xy=(120, 100))]
        commit = commit_of(Brush(), events, scene)
        assert after(commit, scene)[100, 110] == 0
        assert commit.edit.name == "Eraser, Fetal head"
        late = [Press(xy=(300, 200)), Move(xy=(320, 200), modifiers=CTRL), Release(xy=(320, 200), modifiers=CTRL)]
        assert after(commit_of(Brush(), late, scene), scene)[200, 320] == 1

    def test_the_eraser_paints_with_ctrl(self):
        commit = commit_of(ERASER, drag((100, 100), (120, 100), modifiers=CTRL), a_scene())
        assert commit.edit.name == "Brush, Fetal head"

    def test_the_turned_pen_erases_whichever_tool_is_chosen(self):
        scene = a_scene(a_mask((1, disc((100, 100), 60))))
        for tool in (Brush(), ERASER):
            commit = commit_of(tool, drag((100, 100), (110, 100), eraser_end=True), scene)
            assert commit.edit.name == "Eraser, Fetal head"

    def test_shift_click_draws_a_straight_stroke_from_the_last_one(self):
        scene = a_scene()
        _, rest = play(Brush(), drag((50, 50), (60, 50)), scene)
        assert not rest.active
        answers, _ = play(Brush(), drag((200, 140), modifiers=SHIFT), scene, rest)
        got = after(answers[-1], scene) == 1
        assert np.array_equal(got, stroke((60, 50), (200, 140), 10).to_array(SHAPE))

    def test_shift_click_without_a_stroke_before_is_a_dab(self):
        scene = a_scene()
        commit = commit_of(Brush(), drag((200, 140), modifiers=SHIFT), scene)
        assert np.array_equal(after(commit, scene) == 1, disc((200, 140), 10).to_array(SHAPE))

    def test_other_segments_are_protected_unless_overwriting_is_on(self):
        mask = a_mask((2, disc((120, 100), 30)))
        events = drag((80, 100), (160, 100))
        protected, overwritten = a_scene(mask), a_scene(mask, overwrite=True)
        assert (after(commit_of(Brush(), events, protected), protected) == 2).sum() == mask.area_px(2)
        assert (after(commit_of(Brush(), events, overwritten), overwritten) == 2).sum() < mask.area_px(2)

    def test_the_eraser_leaves_other_segments_alone(self):
        mask = a_mask((1, disc((80, 100), 30)), (2, disc((160, 100), 30)))
        scene = a_scene(mask)
        got = after(commit_of(ERASER, drag((60, 100), (200, 100)), scene), scene)
        assert (got == 2).sum() == mask.area_px(2)
        assert got[100, 80] == 0

    def test_the_eraser_without_a_chosen_segment_erases_any(self):
        scene = a_scene(a_mask((1, disc((80, 100), 30)), (2, disc((160, 100), 30))), segment=0, segment_name="")
        commit = commit_of(ERASER, drag((60, 100), (200, 100)), scene)
        assert after(commit, scene)[100, 60:200].max() == 0
        assert commit.edit.name == "Eraser"

    @pytest.mark.parametrize(
        "scene", [a_scene(a_mask((1, disc((80, 100), 30)))), a_scene(a_mask((2, disc((80, 100), 30))))]
    )
    def test_a_stroke_that_changes_nothing_gives_no_edit(self, scene):
        answers, _ = play(Brush(), drag((80, 100), (84, 100)), scene)
        assert isinstance(answers[-1], Nothing)
        assert answers[-1].why == ""

    def test_painting_without_a_segment_says_what_to_do(self):
        answers, gesture = play(Brush(), drag((80, 100), (84, 100)), a_scene(segment=0))
        assert "segment" in answers[0].why
        assert gesture is None

    @pytest.mark.parametrize("tool", [Brush(), ERASER, Polygon(), Lasso()], ids=lambda t: t.name)
    def test_nothing_is_painted_into_what_is_locked(self, tool):
        answers, gesture = play(tool, drag((80, 100), (99, 100)), a_scene(locked="The project is read-only."))
        assert answers[0] == Nothing(why="The project is read-only.")
        assert gesture is None

    def test_escape_forgets_the_stroke(self):
        answers, gesture = play(Brush(), [*drag((80, 100), (99, 100))[:-1], Cancel()], a_scene())
        assert answers[-1] == Nothing()
        assert gesture is None

    def test_a_change_of_frame_ends_the_stroke_and_keeps_it(self):
        answers, gesture = play(Brush(), [*drag((80, 100), (99, 100))[:-1], Finish()], a_scene())
        assert isinstance(answers[-1], Commit)
        assert gesture is None

    def test_a_mask_that_changes_under_the_stroke_ends_it_without_an_edit(self):
        tool = Brush()
        gesture, _ = tool.on(Press(xy=(80, 100)), None, a_scene())
        other = a_scene(a_mask((2, disc((10, 10), 5))))
        gesture, answer = tool.on(Move(xy=(90, 100)), gesture, other)
        assert gesture is None
        assert answer.why

    def test_a_straight_stroke_forgets_its_start_on_another_frame(self):
        _, rest = play(Brush(), drag((50, 50), (60, 50)), a_scene())
        _, gesture = play(Brush(), [Finish()], a_scene(), rest)
        assert gesture is None

    def test_pressure_sizes_the_brush_only_when_asked(self):
        plain, sized = a_scene(), a_scene(pressure_sizes=True)
        events = [Press(xy=(80, 100), pressure=0.1), Release(xy=(80, 100))]
        wide, thin = commit_of(Brush(), events, plain), commit_of(Brush(), events, sized)
        assert wide.mask.area_px(1) > 4 * thin.mask.area_px(1) > 0

    def test_the_cursor_is_as_large_as_the_brush_and_tells_the_sign(self):
        scene = a_scene(brush_px=44)
        assert Brush().cursor(None, Modifiers(), scene).diameter_px == 44
        assert Brush().cursor(None, Modifiers(), scene).sign == "+"
        assert Brush().cursor(None, CTRL, scene).sign == "−"
        assert ERASER.cursor(None, Modifiers(), scene).sign == "−"
        gesture, _ = Brush().on(Press(xy=(80, 100)), None, scene)
        assert Brush().cursor(gesture, CTRL, scene).sign == "+"


class TestEditingAProposal:
    PROPOSED = a_mask((1, disc((150, 150), 80)), (2, disc((300, 60), 30)))

    def test_the_first_stroke_takes_the_proposed_segment_over_and_edits_it(self):
        scene = a_scene(proposed=self.PROPOSED)
        commit = commit_of(Brush(), drag((230, 150), (260, 150)), scene)
        got = after(commit, scene)
        wanted = disc((150, 150), 80).to_array(SHAPE) | stroke((230, 150), (260, 150), 10).to_array(SHAPE)
        assert np.array_equal(got == 1, wanted)
        assert (got == 2).sum() == 0
        assert commit.edit.name == "Edit proposal, Fetal head"
        assert commit.adopted == 1

    @pytest.mark.parametrize(
        ("tool", "events"),
        [
            (ERASER, drag((150, 150), (180, 150))),
            (Lasso(), drag((200, 150), (260, 140), (260, 170))),
            (Polygon(), [*drag((200, 150)), *drag((260, 140)), *drag((260, 170)), Key(name="Enter")]),
        ],
        ids=["eraser", "lasso", "polygon"],
    )
    def test_every_painting_tool_does_so(self, tool, events):
        commit = commit_of(tool, events, a_scene(proposed=self.PROPOSED))
        assert commit.edit.name == "Edit proposal, Fetal head"
        assert commit.mask.area_px(1) > 10_000

    def test_the_proposal_shows_as_adopted_from_the_first_dab(self):
        answers, _ = play(Brush(), drag((230, 150), (260, 150)), a_scene(proposed=self.PROPOSED))
        assert answers[0].adopted == 1
        assert answers[0].mask.area_px(1) > 20_000
        assert answers[0].box == (0, 0, SHAPE[1], SHAPE[0])

    def test_a_segment_that_a_person_drew_is_not_replaced_by_the_proposal(self):
        scene = a_scene(a_mask((1, disc((50, 50), 10))), proposed=self.PROPOSED)
        commit = commit_of(Brush(), drag((230, 150), (260, 150)), scene)
        assert commit.edit.name == "Brush, Fetal head"
        assert commit.mask.area_px(1) < 2000

    def test_other_accepted_segments_stay(self):
        mask = a_mask((5, disc((150, 150), 20)))
        commit = commit_of(Brush(), drag((230, 150), (260, 150)), a_scene(mask, proposed=self.PROPOSED))
        assert commit.mask.area_px(5) == mask.area_px(5)

    def test_a_stroke_inside_the_proposal_changes_nothing(self):
        answers, _ = play(Brush(), drag((150, 150), (155, 150)), a_scene(proposed=self.PROPOSED))
        assert answers[-1] == Nothing()


class TestPolygon:
    CORNERS = ((40.3, 30.1), (200.7, 60.9), (180.2, 220.5), (60.0, 190.0))

    def clicks(self, *corners):
        return [event for corner in corners or self.CORNERS for event in drag(corner)]

    def test_enter_closes_the_outline(self):
        scene = a_scene(segment=3, segment_name="Lesion")
        commit = commit_of(Polygon(), [*self.clicks(), Key(name="Enter")], scene)
        assert np.array_equal(after(commit, scene) == 3, polygon(self.CORNERS).to_array(SHAPE))
        assert commit.edit.name == "Polygon, Lesion"

    def test_a_double_click_closes_the_outline_with_its_point(self):
        scene = a_scene()
        commit = commit_of(Polygon(), [*self.clicks(), Press(xy=self.CORNERS[-1], double=True)], scene)
        assert np.array_equal(after(commit, scene) == 1, polygon(self.CORNERS).to_array(SHAPE))

    def test_a_click_on_the_first_point_closes_the_outline(self):
        commit = commit_of(Polygon(), [*self.clicks(), *self.clicks((41.0, 31.0))], a_scene())
        assert commit.mask.area_px(1) == polygon(self.CORNERS).area_px

    def test_points_can_be_dragged_before_closing(self):
        moved = [Press(xy=self.CORNERS[0]), Move(xy=(20, 15)), Release(xy=(20, 15))]
        commit = commit_of(Polygon(), [*self.clicks(), *moved, Key(name="Enter")], a_scene())
        assert commit.mask.area_px(1) == polygon([(20, 15), *self.CORNERS[1:]]).area_px

    def test_backspace_takes_back_the_last_point_and_with_the_first_one_the_outline(self):
        events = [*self.clicks(), *self.clicks((300, 250)), Key(name="Backspace"), Key(name="Enter")]
        assert commit_of(Polygon(), events, a_scene()).mask.area_px(1) == polygon(self.CORNERS).area_px
        answers, gesture = play(Polygon(), [*self.clicks((9, 9)), Key(name="Backspace")], a_scene())
        assert gesture is None
        assert answers[-1] == Nothing()

    def test_the_next_edge_follows_the_pointer(self):
        answers, _ = play(Polygon(), [*self.clicks(*self.CORNERS[:2]), Move(xy=(9, 8))], a_scene())
        assert answers[-1].points == (*self.CORNERS[:2], (9, 8))
        assert answers[-1].vertices == 2

    def test_two_points_do_not_close(self):
        answers, gesture = play(Polygon(), [*self.clicks(*self.CORNERS[:2]), Key(name="Enter")], a_scene())
        assert isinstance(answers[-1], Preview)
        assert gesture.active

    @pytest.mark.parametrize("event", [Cancel(), Finish()])
    def test_escape_or_another_frame_forgets_the_outline(self, event):
        answers, gesture = play(Polygon(), [*self.clicks(), event], a_scene())
        assert answers[-1] == Nothing()
        assert gesture is None

    def test_ctrl_at_the_first_click_takes_the_area_away(self):
        scene = a_scene(a_mask((1, disc((120, 120), 100))))
        first, *rest = self.CORNERS
        events = [*drag(first, modifiers=CTRL), *self.clicks(*rest), Key(name="Enter")]
        assert after(commit_of(Polygon(), events, scene), scene)[120, 120] == 0


class TestLasso:
    def test_the_line_closes_on_release(self):
        points, scene = [(40, 30), (200, 60), (180, 220), (60, 190)], a_scene()
        commit = commit_of(Lasso(), drag(*points), scene)
        assert np.array_equal(after(commit, scene) == 1, polygon(points).to_array(SHAPE))
        assert commit.edit.name == "Lasso, Fetal head"

    def test_a_click_draws_nothing(self):
        answers, gesture = play(Lasso(), drag((40, 30)), a_scene())
        assert answers[-1] == Nothing()
        assert gesture is None


class TestSelect:
    SCENE = a_scene(a_mask((4, disc((100, 100), 30))), proposed=a_mask((1, disc((110, 100), 60))))

    @pytest.mark.parametrize(
        ("xy", "wanted"),
        [
            ((100, 100), Pick(value=4)),
            ((165, 100), Pick(value=1, proposed=True)),
            ((300, 20), Pick(value=0)),
            ((-40, 900), Pick(value=0)),
        ],
    )
    def test_a_click_picks_what_was_accepted_before_what_is_proposed(self, xy, wanted):
        answers, _ = play(Select(), drag(xy), self.SCENE)
        assert answers[-1] == wanted

    def test_dragging_moves_the_image_and_picks_nothing(self):
        answers, gesture = play(Select(), drag((100, 100), (140, 120)), self.SCENE)
        assert answers[1] == Grab(xy=(100, 100))
        assert answers[-1] == Nothing()
        assert gesture is None


@pytest.mark.parametrize("tool", [Brush(), ERASER, Polygon(), Lasso(), Select()], ids=lambda t: t.name)
def test_every_tool_tells_what_the_buttons_do(tool):
    hints = tool.hints(None, a_scene(brush_px=44))
    assert 2 <= len(hints) <= 5
    assert all(key and text for key, text in hints)
