"""The command line is a contract: names of verbs, arguments and options stay. Add here what is added there."""

import click

from usfm_studio.cli.main import studio

SHARED = {"--json", "--device", "--seed", "--threads", "--offline", "--debug"}
FROZEN = {
    "demo": {"--tour", "--keep"},
    "doctor": set(),
    "info": {"PATHS"},
    "import": {"PROJECT", "PATHS", "--annotations"},
    "propose": {"PROJECT", "--model", "--all"},
    "finetune": {
        "PROJECT",
        "--data",
        "--fraction",
        "--folds",
        "--fold",
        "--task",
        "--minutes",
        "--out",
        "--exam",
        "--encoder",
    },
    "next": {"PROJECT", "-n", "--target", "--exam"},
    "predict": {"INPUTS", "--model", "--out", "--kind"},
    "propagate": {"INPUT", "MORE", "--keyframe", "--out", "--model"},
    "evaluate": {"--model", "--data", "--folds", "--fold"},
    "models": {"ACT", "MODEL", "--project", "--out", "--exam", "--licence", "--heads", "--pixels"},
    "export": {"PROJECT", "--format", "--out", "--exam"},
    "project": {"ACT", "PROJECT"},
    "open": {"PROJECT"},
    "pack": {"OUT", "PATHS", "--size", "--organ", "--leave-fold", "--folds", "--add"},
    "pretrain": {"CONFIG", "CHANGES", "--resume", "--out"},
    "probe": {"MORE", "--encoder", "--data", "--against", "--fold-role", "--quick"},
    "clicks": {"--data", "--model", "--prompt", "--cap", "--from-proposal", "--folds", "--fold", "--jitter"},
    "encode": {"PATHS", "--model", "--out", "--maps"},
}
NOT_YET = {
    "measure", "report", "agreement", "deidentify",
}  # fmt: skip
CHOICES = {
    ("finetune", "task"): ["segmentation", "labels", "enhancement", "auto"],
    ("predict", "kind"): ["masks", "labels", "probabilities", "enhanced"],
    ("clicks", "prompt"): ["click", "box", "scribble"],
    ("models", "act"): ["list", "show", "import", "export", "promote", "rollback", "remove"],
    ("project", "act"): ["check", "repair", "compact", "migrate"],
}
DEFAULTS = {
    "device": "auto",
    "seed": 0,
    "threads": None,
    "minutes": 5.0,
    "task": "auto",
    "fraction": None,
    "kind": None,
    "cap": 20,
}


def names_of(command: click.Command) -> set[str]:
    found = set()
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            found.add(parameter.name.upper())
        else:
            found.update(parameter.opts)
    return found


def test_there_are_exactly_these_verbs():
    assert set(studio.commands) == set(FROZEN) | NOT_YET
    assert [name for name, command in studio.commands.items() if command.hidden] == ["open"]


def test_every_verb_has_exactly_these_arguments_and_options():
    for name, frozen in FROZEN.items():
        assert names_of(studio.commands[name]) == frozen | SHARED, name


def test_choices_and_defaults_stay():
    for (verb, name), choices in CHOICES.items():
        parameter = next(p for p in studio.commands[verb].params if p.name == name)
        assert list(parameter.type.choices) == choices
    for command in studio.commands.values():
        for parameter in command.params:
            if isinstance(parameter, click.Option) and parameter.name in DEFAULTS:
                default = parameter.get_default(click.Context(command))
                assert default == DEFAULTS[parameter.name], (command.name, parameter.name)
