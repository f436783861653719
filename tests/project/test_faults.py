"""The n-th write, fsync, rename or commit fails, or the process dies there; for n = 1, 2, ... until all goes well."""

import pytest

from usfm_studio.document.errors import StudioError
from usfm_studio.project import faults
from usfm_studio.project.project import Project

from .making import A_SCHEMA
from .processes import run


@pytest.mark.parametrize(
    ("action", "least"), [("exit", 25), ("ENOSPC", 25), pytest.param("EIO", 25, marks=pytest.mark.slow)]
)
def test_nothing_is_lost_and_nothing_half_written_stays_wherever_it_strikes(tmp_path, action, least):
    status, out, errors = run("-m", "tests.project.faulty", tmp_path, action, "any")
    assert status == 0, errors
    assert int(out) > least


@pytest.mark.parametrize("action", ["ENOSPC", "EIO"])
def test_a_project_is_made_whole_or_not_at_all(tmp_path, action):
    hints = []
    for number in range(1, 50):
        folder = tmp_path / f"p{number}"
        faults.arm(f"{action}:any:{number}")
        try:
            Project.create(folder, A_SCHEMA).close()
        except StudioError as error:
            hints.append(error.hint)
        if not faults.disarm():
            break
        if (folder / "project.db").exists():
            with Project.open(folder) as project:
                assert project.schema == A_SCHEMA
        else:
            assert not folder.exists() or not any(folder.rglob("*.*"))
    else:
        pytest.fail("never passed unhurt")
    assert number > 5
    assert all(hints)
    assert len(hints) >= 5


def test_orders_are_read_from_words():
    with pytest.raises(ValueError, match="no errno"):
        faults.arm("EVIL:any:1")
    faults.arm("EIO:write:2+")
    faults.step("write")
    faults.step("fsync")
    for _ in range(3):
        with pytest.raises(OSError, match="ordered"):
            faults.step("write")
    assert faults.disarm()
    faults.step("write")
