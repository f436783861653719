"""A recipe refuses what it does not know, by name."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usfm_studio.document.errors import NotFound, WrongUsage
from usfm_studio.document.resources import resource
from usfm_studio.engine.pretraining.masking import MASK_PRESETS
from usfm_studio.engine.pretraining.recipe import (
    PretrainRecipe,
    differences,
    find_recipe,
    keys_of,
    read_recipe,
    recipe_of,
)

SHIPPED = ("usfm_base_3m", "usfm_small", "usfm_lite0_cpu")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"batchsize": 4}, 'the key "batchsize" is unknown; did you mean batch?'),
        ({"lr": 4}, 'the key "lr" is unknown'),
        ({"optimiser": {"warm_up": 0.1}}, 'the key "optimiser.warm_up" is unknown; did you mean optimiser.warmup?'),
        ({"weight_decay": 0.1}, 'the key "weight_decay" is unknown; did you mean optimiser.weight_decay?'),
        ({"batch": "four"}, "batch: expected `int`, got `str`"),
        ({"batch": 0}, "batch: expected `int` >= 1"),
        ({"optimiser": {"betas": [0.9]}}, "optimiser.betas: expected `array` of length 2, got 1"),
        ({"optimiser": {"betas": [0.9, 1.5]}}, "optimiser.betas: expected `float` <= 1.0"),
        ({"px": 100}, "px: expected `int` that's a multiple of 32"),
        ({"optimiser": 3}, "optimiser is a part with keys of its own: [optimiser]"),
        ({"encoder": "usfm_lite"}, 'encoder: "usfm_lite" is none of'),
        ({"mask": {"preset": "uors"}}, "mask.preset is 'uors', not one of usfm, ours; did you mean ours?"),
        ({"mask": {"cell_share": 1.5}}, "mask: ring_share rises within 0..1"),
        ({"mask": {"ratio": 0.5}}, 'the key "mask.ratio" is unknown'),
        ({"crop": {"scale": [0.9, 0.3]}}, "crop.scale: the first number"),
    ],
)
def test_what_is_wrong_is_named(body, words):
    with pytest.raises(WrongUsage) as caught:
        recipe_of(body)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("stepps=4", "did you mean steps?"),
        ("steps", "not of the form key=value"),
        ("=4", "not of the form key=value"),
        ("steps.more=4", 'the key "steps.more" is unknown; did you mean'),
        ("steps=many", "steps: expected `int`, got `str`"),
        ("steps=1.5", "steps: expected `int`, got `float`"),
    ],
)
def test_a_wrong_word_is_named(change, words):
    with pytest.raises(WrongUsage) as caught:
        recipe_of({"steps": 4}, [change])
    assert words in str(caught.value)


def test_words_change_values_in_order_and_reach_parts():
    recipe = recipe_of(
        {"steps": 4, "mask": {"fill": "noise"}},
        ["steps=5", "steps=6", "mask.cell_px=16", "out=2024", 'init="random"', "probe.data=[\"a\", \"b\"]",
         "data=/a b/c=d", "compile=true", "optimiser.betas=[0.8, 0.9]"],
    )  # fmt: skip
    assert (recipe.steps, recipe.out, recipe.init, recipe.data) == (6, "2024", "random", "/a b/c=d")
    assert (recipe.mask.cell_px, recipe.mask.fill) == (16, "noise")
    assert recipe.probe.data == ("a", "b")
    assert recipe.compile
    assert recipe.optimiser.betas == (0.8, 0.9)


def test_one_probing_folder_needs_no_brackets():
    assert recipe_of({}, ["probe.data=heads"]).probe.data == ("heads",)


def test_a_preset_is_a_ground_on_which_values_stand():
    recipe = recipe_of({"mask": {"preset": "usfm", "cell_share": 0.5}}, ["loss.preset=usfm"])
    assert recipe.mask == msgspec.structs.replace(MASK_PRESETS["usfm"], cell_share=0.5)
    assert recipe.loss.balance_steps == 0


@pytest.mark.parametrize("name", SHIPPED)
def test_recipes_that_ship_are_whole_and_fit_one_screen(name):
    path = find_recipe(name)
    assert path.parent == resource("recipes")
    recipe = read_recipe(path)
    assert recipe.steps > 100
    assert len(path.read_text().splitlines()) <= 48


def test_a_recipe_that_is_not_there(tmp_path):
    with pytest.raises(NotFound, match="usfm_lite0_cpu"):
        find_recipe("usfm_lite9")
    with pytest.raises(NotFound):
        read_recipe(tmp_path)


@pytest.mark.parametrize("content", [b"steps = = 3", b"\xff\xfe", b"a = " + b"[" * 3000])
def test_a_file_that_is_not_toml(tmp_path, content):
    (tmp_path / "a.toml").write_bytes(content)
    with pytest.raises(WrongUsage, match="not TOML"):
        read_recipe(tmp_path / "a.toml")


def test_a_recipe_survives_its_plain_form():
    recipe = recipe_of({"steps": 7, "mask": {"preset": "usfm"}, "probe": {"data": ["x"]}})
    assert recipe_of(recipe.to_json()) == recipe


def test_differences_name_what_a_resumed_run_must_not_change():
    old = recipe_of({"steps": 7, "workers": 1})
    assert differences(old, recipe_of({"steps": 7, "workers": 2, "out": "x", "log": {"every": 3}})) == []
    assert differences(old, recipe_of({"steps": 8, "mask": {"cell_px": 16}})) == ["mask.cell_px", "steps"]


@given(st.sampled_from(sorted(keys_of())), st.integers(0, 20), st.sampled_from("abcxyz"))
def test_any_misspelt_key_is_refused_and_named(key, place, letter):
    last = key.rpartition(".")[2]
    wrong = key[: len(key) - len(last)] + last[:place] + letter + last[place:]
    with pytest.raises(WrongUsage, match=wrong.replace(".", r"\.")):
        recipe_of({}, [f"{wrong}=1"])


def test_every_key_is_documented():
    page = (resource("recipes").parents[1] / "docs" / "pretraining.md").read_text()
    missing = [key for key in keys_of(PretrainRecipe) if f"`{key}`" not in page]
    assert not missing
