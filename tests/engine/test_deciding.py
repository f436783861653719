"""Rules by which probabilities become masks: chosen on unseen subjects, scored as a stranger would be."""

import numpy as np
import pytest

from tests.engine.blobs import snapshot
from usfm_studio.engine.learning.deciding import Rules, decided
from usfm_studio.engine.learning.evaluation import Answers, Margin, pairs_of
from usfm_studio.engine.models.components import biased

TABLE = np.array([0, 3], np.uint8)


def answers_of(shot, change, sure=None):
    """Answers whose masks are `change` of the reference; `sure` gives each pixel's probability of the segment."""
    answers = Answers()
    for sample in shot.samples:
        reference = np.array(shot.mask(sample))
        ids = change(reference.copy())
        if sure is not None:
            p = sure(reference)
            answers.margins[sample.stem] = Margin.of(np.stack([1 - p, p]), TABLE)
            ids = np.where(p > 0.5, np.uint8(3), np.uint8(0))
        answers.ids[sample.stem] = ids
        answers.by_stem[sample.stem] = pairs_of(ids, reference, sample, (3,))
        answers.confidences[sample.stem] = {3: 0.9}
    return answers


def specked(ids):
    ids[:3, :3] = 3
    return ids


def timid(reference):
    """Sure of a third of the blob, in doubt (0.3) about the rest of it, and sure that nothing is elsewhere."""
    rows = np.flatnonzero((reference == 3).any(1))
    sure = np.where(reference == 3, 0.3, 0.02)
    sure[rows[0] : rows[0] + len(rows) // 3] = np.where(reference[rows[0] : rows[0] + len(rows) // 3] == 3, 0.9, 0.02)
    return sure


def test_specks_go_where_left_out_answers_gain(tmp_path):
    shot = snapshot(tmp_path, 5)
    answers = answers_of(shot, specked)
    rules, better = decided(shot, shot.samples, answers, (3,))
    assert rules.keep_largest or rules.min_area_px
    assert all(p.dice == 1 for p in better.pairs)
    assert all(p.dice < 1 for p in answers.pairs), "the answers that were given are left as they are"


def test_right_answers_need_no_rule(tmp_path):
    shot = snapshot(tmp_path, 5)
    answers = answers_of(shot, lambda ids: ids)
    rules, same = decided(shot, shot.samples, answers, (3,))
    assert rules == Rules()
    assert same.by_stem == answers.by_stem


def test_a_timid_network_is_made_bolder(tmp_path):
    shot = snapshot(tmp_path, 6)
    answers = answers_of(shot, lambda ids: ids, timid)
    rules, better = decided(shot, shot.samples, answers, (3,))
    assert rules.mask_bias >= 1
    assert min(p.dice for p in better.pairs) > 0.99
    assert decided(shot, shot.samples, answers, (3,), biased=False)[0].mask_bias == 0


def test_two_subjects_choose_nothing_and_four_choose_no_bias(tmp_path):
    few = snapshot(tmp_path / "few", 2)
    assert decided(few, few.samples, answers_of(few, specked), (3,))[0] == Rules()
    four = snapshot(tmp_path / "four", 4)
    assert decided(four, four.samples, answers_of(four, lambda ids: ids, timid), (3,))[0].mask_bias == 0


def test_no_subject_has_a_say_in_its_own_score(tmp_path):
    """Only one of the subjects would gain by a rule: with it the rule looks good, without it nothing does."""
    shot = snapshot(tmp_path, 5)
    answers = answers_of(shot, lambda ids: ids)
    one = shot.samples[0]
    reference = np.array(shot.mask(one))
    answers.ids[one.stem] = specked(reference.copy())
    answers.by_stem[one.stem] = pairs_of(answers.ids[one.stem], reference, one, (3,))
    _, scored = decided(shot, shot.samples, answers, (3,))
    assert scored.by_stem[one.stem] == answers.by_stem[one.stem]


def test_margins_give_the_mask_at_every_bias():
    rng = np.random.default_rng(0)
    p = rng.dirichlet((1, 1, 1), (20, 30)).transpose(2, 0, 1).astype(np.float32)
    table = np.array([0, 4, 9], np.uint8)
    margin = Margin.of(p, table)
    for bias in (-1.0, -0.25, 0.0, 0.5, 2.0):
        wanted = table[biased(p, bias).argmax(0)]
        assert np.mean(margin.ids_at(bias) != wanted) < 0.002


def test_bias_keeps_sums_and_turns_back():
    p = np.random.default_rng(1).dirichlet((1, 1, 1), (5, 6)).transpose(2, 0, 1).astype(np.float32)
    raised = biased(p, 1.5)
    assert raised.sum(0) == pytest.approx(1, abs=1e-6)
    assert (raised[0] < p[0]).all()
    assert biased(raised, -1.5) == pytest.approx(p, abs=1e-6)
    assert biased(p, 0) is p
