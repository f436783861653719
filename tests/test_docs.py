"""Pages that tell the truth: every verb and action is explained, links lead somewhere, nothing private is named."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from scripts.write_shortcuts import page as shortcuts_page
from usfm_studio.cli.main import studio
from usfm_studio.ui.shell.actions import ACTIONS

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "usfm_studio"
DECISIONS = ROOT / "docs" / "adr"
HEADS = ("**Context.**", "**Choice.**", "**Measured", "**What would change our mind.**")
NETWORK = frozenset({"aiohttp", "ftplib", "http", "httpx", "requests", "smtplib", "socketserver", "ssl", "xmlrpc"})
HOSTS = ("pypi" + ".org", "pythonhosted" + ".org", "download.pytorch" + ".org", "anaconda" + ".org", "npmjs" + ".org")
PRIVATE = ("/" + "work/", "/" + "root/", "shared" + "/design", *HOSTS)
BINARY = frozenset({".dcm", ".jpg", ".png", ".safetensors", ".ttf"})
LARGEST_PICTURE, LARGEST_DOCS = 250_000, 2_000_000


def tracked(*patterns: str) -> list[Path]:
    """Files that git knows; of an unpacked archive, all that are there."""
    try:
        found = subprocess.run(
            ["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
        ).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no checkout of git")
    return [ROOT / name for name in found if name and (ROOT / name).is_file()]


def pages() -> list[Path]:
    return tracked("*.md")


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def slug(heading: str) -> str:
    """The anchor that code hosts make of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    named = re.findall(r'<a id="([^"]+)"></a>', text)
    return {*named, *(slug(found) for found in re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE))}


@pytest.mark.parametrize("name", sorted(studio.commands))
def test_every_verb_is_explained_with_an_example_and_on_a_page(name):
    command = studio.commands[name]
    words = command.help or ""
    assert words
    if "Not there yet" not in words:
        assert re.search(r"Example: usfm-studio ", words), name
    if not command.hidden:
        contract = (ROOT / "docs" / "cli.md").read_text("utf-8")
        assert re.search(rf"^\| `{name}\b", contract, flags=re.MULTILINE), name


def test_every_option_of_a_verb_says_what_it_is_for():
    for name, command in studio.commands.items():
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.help or isinstance(option.type, click.Choice), (name, option.name)


def test_the_readme_shows_every_verb_that_is_there():
    shown = (ROOT / "README.md").read_text("utf-8")
    for name, command in studio.commands.items():
        if not command.hidden and "Not there yet" not in (command.help or ""):
            assert f"usfm-studio {name} " in shown, name


def test_the_guide_has_the_place_that_each_action_names():
    there = set(re.findall(r'<a id="([^"]+)"></a>', (ROOT / "docs" / "guide.md").read_text("utf-8")))
    assert {action.help for action in ACTIONS} <= there


@pytest.mark.skipif(sys.platform == "darwin", reason="keys are written as on Linux and Windows")
def test_the_page_of_keys_is_that_of_the_table_of_actions():
    assert (ROOT / "docs" / "shortcuts.md").read_text("utf-8") == shortcuts_page(), "run `make docs`"


def test_every_link_between_pages_leads_somewhere():
    broken = []
    for page in pages():
        for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text("utf-8"))):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            found = (page.parent / name) if name else page
            if not found.exists() or (anchor and found.suffix == ".md" and anchor not in anchors(found)):
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert not broken


def test_files_that_pages_name_are_there():
    missing = []
    for name in ("ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"):
        text = (ROOT / name).read_text("utf-8")
        for path in re.findall(r"`((?:usfm_studio|resources|scripts|tests|docs|benchmarks)/[\w./-]*)[:`]", text):
            if not (ROOT / path).exists():
                missing.append(f"{name}: {path}")
    rooms = re.findall(
        r"`((?:document|children|imaging|project|engine|measuring|verbs|ui|cli)/[\w/]+\.py)",
        (ROOT / "ARCHITECTURE.md").read_text("utf-8"),
    )
    missing += [f"ARCHITECTURE.md: {path}" for path in rooms if not (PACKAGE / path).exists()]
    assert not missing


def test_every_decision_has_a_number_four_heads_and_a_line_in_the_list():
    files = sorted(path for path in DECISIONS.glob("*.md") if path.name != "README.md")
    listed = (DECISIONS / "README.md").read_text("utf-8")
    for number, path in enumerate(files, start=1):
        text = path.read_text("utf-8")
        assert re.fullmatch(rf"{number:04}-[a-z0-9-]+\.md", path.name), f"{path.name} is not number {number:04}"
        assert all(head in text for head in HEADS), path.name
        assert f"- [{number:04}]({path.name}) {text.splitlines()[0].removeprefix('# ')}\n" in listed, path.name
        assert len(text.split()) < 700, f"{path.name} is longer than a page"


def test_no_file_names_a_machine_or_a_package_index():
    found = []
    for path in tracked():
        if path.suffix in BINARY or b"\0" in path.read_bytes()[:4096]:
            continue
        text = path.read_text("utf-8", "replace")
        found += [f"{path.relative_to(ROOT)}: {word}" for word in PRIVATE if word in text]
    assert not found


def test_no_module_of_the_program_speaks_to_a_network():
    """README and `--offline` promise it. A pair of sockets within the process is no network."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            elif isinstance(node, ast.Call) and ast.unparse(node.func).startswith("socket."):
                names = [name for name in [ast.unparse(node.func)] if name != "socket.socketpair"]
            found += [
                f"{path.relative_to(ROOT)}: {name}"
                for name in names
                if name.split(".")[0] in NETWORK or name == "urllib.request" or name.startswith("socket.")
            ]
    assert not found


def test_pictures_are_small():
    pictures = tracked("docs/screenshots/*")
    assert pictures
    assert all(path.stat().st_size < LARGEST_PICTURE for path in pictures)
    assert sum(path.stat().st_size for path in tracked("docs/*")) < LARGEST_DOCS


def test_what_is_bundled_is_named_in_the_notice():
    notice = (ROOT / "NOTICE").read_text("utf-8")
    for path in (ROOT / "resources" / "weights").glob("*/card.json"):
        card = json.loads(path.read_text("utf-8"))
        assert card["licence"], path.parent.name
        assert card["attribution"], path.parent.name
    for name in ("Inter", "Tabler", "HC18", "BUSI", "Carotid", "pydicom"):
        assert name in notice, name
    assert "Apache License" in (ROOT / "LICENSE").read_text("utf-8")
