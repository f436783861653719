"""The probe on real files: who learns and tests, what comes out, and that it looks at nothing else."""

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch

from tests.engine.making import the_encoder
from tests.engine.probing.making import a_snapshot, subjects_in
from usfm_studio.document.errors import Interrupted, NotFound, WrongUsage
from usfm_studio.document.snapshot import Sample
from usfm_studio.document.splits import fold_of
from usfm_studio.engine.device import choose_device
from usfm_studio.engine.models.encoder import build_encoder
from usfm_studio.engine.probing.encoders import probed_encoder, untrained
from usfm_studio.engine.probing.fewshot import subsets
from usfm_studio.engine.probing.frames import load_folder, some_of
from usfm_studio.engine.probing.hand_made import hand_made
from usfm_studio.engine.probing.prober import Prober


@pytest.fixture(scope="module")
def device():
    return choose_device("cpu", 1)


@pytest.fixture(scope="module")
def shot(tmp_path_factory):
    return a_snapshot(tmp_path_factory.mktemp("shot") / "discs")


@pytest.fixture(scope="module")
def prober(shot, device):
    return Prober({"discs": shot.folder}, "decide", device=device)


@pytest.fixture(scope="module")
def result(prober):
    return prober.score(the_encoder(), "usfm_lite0", "digest")


def test_what_is_easy_is_learned_from_five_subjects(result):
    folder = result.folders["discs"]
    assert set(folder.fewshot) == {5}  # folds 1 to 4 hold nine subjects
    assert folder.fewshot[5].dice > 0.6
    assert set(folder.fewshot[5].per_subject) == set(subjects_in(0, 3))
    assert len(folder.fewshot[5].per_seed) == 5
    assert result.linear == folder.linear
    assert folder.linear > 0.6
    assert np.mean(list(folder.fewshot[5].per_subject.values())) == pytest.approx(folder.fewshot[5].dice)


def test_the_result_has_the_fields_of_the_contract(result):
    body = result.body()
    assert body["fewshot"] == {"5": result.fewshot[5]}
    assert body["knn"] == result.knn
    assert body["linear"] == result.linear
    assert set(body["folders"]["discs"]["per_subject"]) == set(subjects_in(0, 3))
    assert body["interval"] == {}  # three subjects
    assert body["folders"]["discs"]["interval"].keys() == {"fewshot5"}  # their range
    assert 0 < result.score <= 1


def test_the_same_encoder_gets_the_same_scores_and_stays_as_it_is(prober, result):
    encoder = copy.deepcopy(the_encoder()).train()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    again = prober.score(encoder)
    assert again.fewshot == result.fewshot
    assert again.knn == result.knn
    assert encoder.training
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


def test_while_steering_the_deciding_fold_is_not_looked_at(tmp_path, device):
    shot = a_snapshot(tmp_path / "discs")
    for sample in shot.samples:
        if fold_of(sample.subject, 5) == 0:
            (shot.folder / "frames" / f"{sample.stem}.npy").unlink()
            (shot.folder / "masks" / f"{sample.stem}.npy").unlink()
    steering = Prober({"discs": shot.folder}, "steer", device=device).folders["discs"]
    assert {f.sample.subject for f in steering.test} == set(subjects_in(1, 3))
    assert {fold_of(f.sample.subject, 5) for f in steering.train} == {2, 3, 4}
    with pytest.raises(FileNotFoundError):
        Prober({"discs": shot.folder}, "decide", device=device)


def test_deciding_trains_on_the_other_four_folds(prober):
    folder = prober.folders["discs"]
    assert {fold_of(f.sample.subject, 5) for f in folder.train} == {1, 2, 3, 4}
    assert {fold_of(f.sample.subject, 5) for f in folder.test} == {0}


def test_an_untrained_encoder_is_the_same_for_its_seed_and_alive():
    x = torch.rand(2, 1, 64, 96)
    with torch.inference_mode():
        one, same, other = (untrained("usfm_lite0", seed)(x) for seed in (1, 1, 2))
    for stride, made in one.maps.items():
        assert torch.equal(made, same.maps[stride])
        assert not torch.allclose(made, other.maps[stride])
        assert 0.01 < made.std() < 100
    with torch.inference_mode():
        usual = build_encoder("usfm_lite0")(x)
    assert usual.maps[32].std() < 0.01  # why it has to be helped


def test_encoders_by_name_and_by_folder():
    assert probed_encoder("usfm_lite0")[0].name == "usfm_lite0"
    assert probed_encoder("random:usfm_lite0", 3)[1] == "random:usfm_lite0:3"
    with pytest.raises(NotFound):
        probed_encoder("usfm_small")


def test_subsets_are_nested_and_as_large_as_they_say(shot, device):
    folder = load_folder("discs", shot.folder, "decide")
    runs = subsets(folder.train, (2, 5, 9, 10))
    assert {size for size, _ in runs} == {2, 5, 9}
    for (size, seed), subjects in runs.items():
        assert len(subjects) == len(set(subjects)) == size
        larger = [runs[n, seed] for n in (2, 5, 9)]
        assert all(set(a) <= set(b) for a, b in pairwise(larger))


def test_a_quick_probe_takes_a_frame_of_every_subject_first():
    samples = [
        Sample(stem=f"{n}", name=f"{n}", subject=f"s{n // 5}", rows=4, columns=4) for n in range(40)
    ]  # fmt: skip
    assert {s.subject for s in some_of(samples, 8)} == {f"s{n}" for n in range(8)}
    assert len(some_of(samples, 11)) == 11
    assert some_of(samples, 3) == [s for s in some_of(samples, 4) if s in some_of(samples, 3)]
    assert some_of(samples, 40) == samples


def test_filters_alone_learn_bright_discs_too(tmp_path, device):
    shot = a_snapshot(tmp_path / "discs", (2, 2, 2, 1, 1))
    folder = load_folder("discs", shot.folder, "decide")
    plain = hand_made(folder, device, fourier=0, sizes=(5,))[5]
    lifted = hand_made(folder, device, fourier=64, sizes=(5,))[5]
    assert set(plain.per_subject) == set(lifted.per_subject) == set(subjects_in(0, 2))
    assert 0.05 < plain.dice <= lifted.dice + 0.2


def test_a_folder_without_labels_and_one_without_masks(tmp_path, device):
    masks = a_snapshot(tmp_path / "masks", (1, 1, 2, 2, 1), labels=False)
    labels = a_snapshot(tmp_path / "labels", (2, 1, 2, 2, 1), masks=False)
    result = Prober({"m": masks.folder, "l": labels.folder}, device=device).score(the_encoder())
    assert result.folders["m"].linear is None
    assert result.folders["l"].fewshot == {}
    assert result.linear == result.folders["l"].linear
    assert result.fewshot[5] == result.folders["m"].fewshot[5].dice


def test_nothing_to_probe_with_is_said(tmp_path, device):
    alone = a_snapshot(tmp_path / "alone", (1, 0, 0, 0, 0))
    with pytest.raises(NotFound):
        Prober({"alone": alone.folder}, device=device)
    with pytest.raises(WrongUsage):
        Prober({"alone": alone.folder}, "judge", device=device)


def test_a_probe_can_be_broken_off(prober):
    def check(done, total, what):
        assert (total, what) == (12, "discs")
        if done == 3:
            raise Interrupted("Stopped")

    with pytest.raises(Interrupted):
        prober.score(the_encoder(), check=check)
