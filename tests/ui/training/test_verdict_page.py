"""The verdict: one sentence, every subject, the worst frames with the outlines of both models, and the way back."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ui.bench import click, pixels, show, too_long
from usfm_studio.document.frame import FrameId
from usfm_studio.document.model_card import ModelCard
from usfm_studio.ui.state import Verdict, WorstFrame
from usfm_studio.ui.training.subject_pairs import in_words, scale_from, short_names, signed
from usfm_studio.ui.training.verdict_page import VerdictPage

PAIRS = (("AB-1", 0.55, 0.76), ("AB-2", 0.68, 0.84), ("AB-3", 0.85, 0.83))


def a_card(name, digest="c"):
    return ModelCard(
        digest=digest * 64, name=name, task="segmentation", encoder="x", encoder_digest="e" * 64, exam="HEAD"
    )


def a_verdict(**more):
    values = {
        "title": "Heads v5 is better: 0.71 to 0.82",
        "sentence": "It won on 2 of 3 subjects. Three subjects are too few to be sure.",
        "rule": "Promoted by the rule for few subjects.",
        "promoted": True,
        "champion": a_card("Heads v4", "b"),
        "challenger": a_card("Heads v5"),
        "metric": "dice_all",
        "per_subject": PAIRS,
        "interval": (0.76, 0.84),
        "champion_score": 0.71,
        "challenger_score": 0.82,
    }
    return Verdict(**{**values, **more})


def worst(bench, rows, old=True):
    found = []
    for row in rows:
        ids = np.zeros((120, 160), np.uint8)
        ids[20:60, 30:90] = 1
        frame = bench.frame(row)
        found.append(
            WorstFrame(
                frame=frame,
                subject=bench.session.navigation.items[row].subject,
                title=bench.session.navigation.place_of(frame),
                old_dice=0.31 if old else None,
                new_dice=0.64,
                old_ids=np.roll(ids, 30, 1) if old else None,
                new_ids=np.roll(ids, 8, 1),
                reference_ids=ids,
            )
        )
    return tuple(found)


@pytest.fixture
def page(bench, qtbot):
    made = show(qtbot, VerdictPage(bench.session), 1280, 736)
    made.wanted.connect(bench.wanted.append)
    return made


def tell(bench, verdict):
    bench.session.learning.verdict = verdict
    bench.session.training_changed.emit()


def lines(page):
    return [[p for p in pictures if p.isVisible()] for _, _, _, pictures in page.worst._lines]


def test_without_a_run_it_says_so(page):
    assert page.title.text() == "No run has ended yet"
    assert not page.worst.isVisible()
    assert not page.pairs.isVisible()


def test_better_with_its_worst_frames(page, bench, qtbot):
    tell(bench, a_verdict(worst=worst(bench, (2, 4))))
    assert page.title.text() == "Heads v5 is better: 0.71 to 0.82"
    assert [len(line) for line in lines(page)] == [3, 3, 0]
    assert lines(page)[0][1].accessibleName() == "AB-2, item 3, now Dice 0.64"
    qtbot.waitUntil(lambda: all(p._image is not None for line in lines(page) for p in line), timeout=10000)
    old, new, own = (pixels(p)[:150, :200].astype(int) for p in lines(page)[0])
    assert (old != new).any()
    assert (new != own).any()
    assert "What you accepted is untouched." in page._rule.text()
    assert too_long(page) == []


def test_a_click_on_a_picture_opens_its_frame(page, bench, qtbot):
    tell(bench, a_verdict(worst=worst(bench, (4,))))
    click(qtbot, lines(page)[0][2])
    assert bench.row == 4
    assert bench.wanted == ["page.work"]
    assert bench.changes == []


def test_kept_the_old_one(page, bench):
    tell(bench, a_verdict(title="Kept Heads v4: 0.71 to 0.69", promoted=False))
    assert page._sign.accessibleName() == "The old model stays"
    assert page.worst._nothing.text() == "No pictures were kept of this comparison."


def test_the_first_model_has_no_before(page, bench):
    first = a_verdict(
        champion=None,
        champion_score=None,
        per_subject=tuple((s, None, new) for s, _, new in PAIRS),
        worst=worst(bench, (1,), old=False),
    )
    tell(bench, first)
    assert [len(line) for line in lines(page)] == [2, 0, 0]
    assert not page.worst._heads[0].isVisible()
    assert too_long(page) == []


@pytest.mark.parametrize("size", [(1280, 656), (1280, 736), (2560, 1376)])
def test_many_subjects_scroll_under_an_axis_that_stays(page, bench, qtbot, size):
    rng = np.random.default_rng(1)
    pairs = tuple((f"SUBJECT-{n:03}", float(rng.uniform(0.6, 0.9)), float(rng.uniform(0.6, 0.98))) for n in range(20))
    tell(bench, a_verdict(per_subject=pairs, sentence="A longer sentence about twenty subjects. " * 5))
    page.resize(*size)
    qtbot.wait(20)
    rows = page.pairs.rows
    shown = page.pairs._scroll.height()
    assert 5 <= shown / rows._row <= 20
    assert page.pairs._shaded.text().startswith("Won ")
    assert too_long(page) == []
    parts = page._parts.height()
    cards = [w for w in page._parts.children() if hasattr(w, "geometry")]
    assert max(w.geometry().bottom() for w in cards) <= parts
    assert not any(
        a.geometry().intersects(b.geometry())
        for i, a in enumerate(page.choice.buttons)
        for b in page.choice.buttons[:i]
    )


def test_one_subject_is_enough_to_show(page, bench):
    tell(bench, a_verdict(per_subject=PAIRS[:1], interval=None))
    assert page.pairs.rows.accessibleName() == "Score of each subject: AB-1 0.76"
    assert not page.pairs._shaded.isVisible()
    pixels(page)


def test_the_way_on_leads_to_the_next_that_waits(page, bench, qtbot):
    tell(bench, a_verdict())
    click(qtbot, page.next)
    assert bench.row == 1
    click(qtbot, page.run)
    click(qtbot, page.back)
    assert bench.wanted == ["page.work", "learn.show", "page.work"]


def test_a_frame_whose_file_left_is_left_out_and_its_score_stands(page, bench, qtbot):
    gone = replace(worst(bench, (3,))[0], frame=FrameId("f" * 64, 0))
    tell(bench, a_verdict(worst=(gone,)))
    qtbot.wait(30)
    assert lines(page)[0][1].accessibleName().endswith("Dice 0.64")


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30))
def test_the_scale_holds_every_score_on_round_numbers(pairs):
    verdict = a_verdict(per_subject=tuple((str(i), old, new) for i, (old, new) in enumerate(pairs)))
    low, step = scale_from(verdict)
    assert 0 <= low <= min(min(pair) for pair in pairs) + 1e-9
    assert abs((1 - low) / step - round((1 - low) / step)) < 1e-6 or low == 0


def test_words():
    assert signed(0.214) == "+0.21"
    assert signed(-0.02) == "−0.02"
    assert signed(-0.001) == "0.00"
    assert short_names("Fetal head v4", "Fetal head v5") == ("v4", "v5")
    assert short_names("Breast starter", "Breast v1") == ("starter", "v1")
    assert short_names("Old", "New one") == ("Old", "New one")
    assert in_words(a_verdict()) == "Shaded: range of the 3 under Heads v5, 0.76 to 0.84."
