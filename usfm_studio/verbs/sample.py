"""The sample project: the bundled studies as a project of the person's own, to play with and to keep."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from usfm_studio.document.resources import resource
from usfm_studio.document.schema import Code, Label, Schema, Segment
from usfm_studio.project.project import Project
from usfm_studio.verbs.house import House
from usfm_studio.verbs.import_files import ImportArguments, ImportResult
from usfm_studio.verbs.import_files import run as import_files
from usfm_studio.verbs.steps import Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleArguments:
    """Where the sample's project goes; one that is there already is opened as it is."""

    folder: Path


def sample_facts() -> dict[str, Any]:
    """What `sample.toml` says: schema, files, subjects."""
    return tomllib.loads(resource("sample", "sample.toml").read_text("utf-8"))


def sample_schema() -> Schema:
    """Segments and labels of the sample, each with its body part."""
    facts = sample_facts()
    return Schema(
        segments=tuple(
            Segment(**{**segment, "code": Code(**segment["code"]) if "code" in segment else None})
            for segment in facts["segments"]
        ),
        labels=tuple(Label(**label) for label in facts["labels"]),
    )


def open_sample(arguments: SampleArguments, house: House) -> bool:
    """Make or open the sample's project in the house; True when it is new and still empty."""
    folder = arguments.folder
    if (folder / "project.db").exists():
        house.opened = Project.open(folder)
    else:
        folder.parent.mkdir(parents=True, exist_ok=True)
        house.opened = Project.create(folder, sample_schema())
    return not house.opened.instances


def run(arguments: SampleArguments, house: House) -> Steps[ImportResult]:
    """Fill the sample's project with the bundled studies."""
    if house.opened is None:
        open_sample(arguments, house)
    return (yield from import_files(ImportArguments(paths=(str(resource("sample", "dicom")),)), house))
