"""The rule by which an encoder is taken: better masks with 10 subjects, labels no worse, filters beaten first."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.probing.making import a_result
from usfm_studio.document.errors import WrongUsage
from usfm_studio.engine.probing.approval import approval
from usfm_studio.engine.scoring import subject_draws

SUBJECTS = [f"s{n}" for n in range(12)]


def dices(base, spread=0.0, seed=0, subjects=SUBJECTS):
    rng = np.random.default_rng(seed)
    return {s: float(v) for s, v in zip(subjects, base + spread * rng.standard_normal(len(subjects)), strict=True)}


def test_clearly_better_masks_are_approved():
    verdict = approval(a_result(heads={10: dices(0.6)}), a_result(heads={10: dices(0.5)}))
    assert verdict.approved
    assert verdict.reason.startswith("Approved: ")
    assert verdict.differences["fewshot10"].mean == pytest.approx(0.1)
    assert verdict.differences["fewshot10"].share_above == 1


def test_the_same_encoder_is_not_better_than_itself():
    same = a_result(heads={10: dices(0.5, 0.1)}, labels={"knn": 0.5, "linear": 0.5})
    verdict = approval(same, same)
    assert not verdict.approved
    assert "not clearly better" in verdict.reason


@given(st.lists(st.floats(-0.2, 0.2), min_size=6, max_size=30))
@settings(max_examples=60, deadline=None)
def test_one_folder_is_decided_by_four_fifths_of_the_redraws(differences):
    subjects = [f"s{n}" for n in range(len(differences))]
    old = dict.fromkeys(subjects, 0.5)
    new = {s: 0.5 + d for s, d in zip(subjects, differences, strict=True)}
    verdict = approval(a_result(heads={10: new}), a_result(heads={10: old}))
    gained = np.array([new[s] - old[s] for s in subjects])
    drawn = subject_draws(len(subjects), seed=len(subjects)) @ gained
    assert verdict.approved == ((drawn > 0).mean() >= 0.8)


def test_every_folder_has_the_same_say_however_many_subjects_it_has():
    many = [f"m{n}" for n in range(60)]
    new = a_result(large={10: dices(0.50, subjects=many)}, small={10: dices(0.66)})
    old = a_result(large={10: dices(0.52, subjects=many)}, small={10: dices(0.60)})
    assert approval(new, old).differences["fewshot10"].mean == pytest.approx((-0.02 + 0.06) / 2)
    assert approval(new, old).folders["large"]["fewshot10"].mean == pytest.approx(-0.02)


@pytest.mark.parametrize("way", ["knn", "linear"])
def test_worse_labels_are_refused_whatever_the_masks(way):
    held = {"knn": 0.8, "linear": 0.8}
    old = a_result(heads={10: dices(0.5)}, labels=held)
    assert approval(a_result(heads={10: dices(0.6)}, labels=held), old).approved
    verdict = approval(a_result(heads={10: dices(0.6)}, labels={**held, way: 0.7}), old)
    assert not verdict.approved
    assert "labels have become worse" in verdict.reason
    assert verdict.differences[way].mean == pytest.approx(-0.1, abs=0.02)


def test_the_gate_comes_before():
    new, old = (a_result(heads={10: dices(b), 20: dices(b + 0.1)}) for b in (0.6, 0.5))
    assert approval(new, old, {"heads": 0.65}).approved
    verdict = approval(new, old, {"heads": 0.75})
    assert not verdict.approved
    assert "hand-made filters do as well (Dice 0.750 against 0.700)" in verdict.reason
    assert not approval(new, old, {}).approved


def test_what_cannot_be_told_is_not_approved():
    few = dices(0.6, subjects=SUBJECTS[:5]), dices(0.5, subjects=SUBJECTS[:5])
    assert "too few" in approval(a_result(heads={10: few[0]}), a_result(heads={10: few[1]})).reason
    assert "no folder has 10" in approval(a_result(heads={5: few[0]}), a_result(heads={5: few[1]})).reason


def test_probes_of_other_folds_or_frames_are_not_compared():
    shots = {10: dices(0.5)}
    with pytest.raises(WrongUsage):
        approval(a_result(heads=shots), a_result(heads=shots, role="steer"))
    with pytest.raises(WrongUsage):
        approval(a_result(heads=shots), a_result(heads=shots, quick=True))


def test_the_verdict_is_plain_values():
    body = approval(a_result(heads={10: dices(0.6)}), a_result(heads={10: dices(0.5)})).body()
    assert body["approved"] is True
    assert set(body["differences"]["fewshot10"]) == {"mean", "low", "high", "share_above", "subjects"}
