"""A verb never prints, asks, sleeps or starts a thread; its arguments and its result are values."""

import ast
import dataclasses
import importlib
import inspect
from pathlib import Path

import pytest

import usfm_studio.verbs

FOLDER = Path(usfm_studio.verbs.__file__).parent
MODULES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")
FORBIDDEN = {"threading", "multiprocessing", "subprocess", "rich", "click", "PySide6", "torch", "asyncio", "logging"}
VERBS = (
    "care",
    "doctor",
    "evaluate",
    "export",
    "finetune",
    "import_files",
    "info",
    "models",
    "predict",
    "propose",
    "sample",
)


def tree(name):
    return ast.parse((FOLDER / f"{name}.py").read_text("utf-8"))


@pytest.mark.parametrize("name", MODULES)
def test_no_verb_imports_what_draws_waits_or_branches_off(name):
    found = set()
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    assert found & FORBIDDEN == set()


@pytest.mark.parametrize("name", MODULES)
def test_no_verb_prints_asks_or_sleeps(name):
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Call):
            called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            assert called not in {"print", "input", "sleep", "exit"}, f"{name}.py:{node.lineno}"


@pytest.mark.parametrize("name", VERBS)
def test_arguments_and_results_are_frozen_values(name):
    module = importlib.import_module(f"usfm_studio.verbs.{name}")
    own = [kind for _, kind in inspect.getmembers(module, inspect.isclass) if kind.__module__ == module.__name__]
    values = [kind for kind in own if kind.__name__.endswith(("Arguments", "Result"))]
    assert values
    for kind in values:
        assert dataclasses.is_dataclass(kind)
        assert kind.__dataclass_params__.frozen
    assert inspect.isgeneratorfunction(module.run)
