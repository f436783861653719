"""The operating system's errors in our words, and one class a reaction."""

import pytest

from usfm_studio.document.disk_trouble import is_full, told
from usfm_studio.document.errors import DiskFull, NotFound, ReadOnly, StudioError

KINDS = [(28, DiskFull), (27, DiskFull), (13, ReadOnly), (30, ReadOnly), (2, NotFound), (5, StudioError)]


@pytest.mark.parametrize(("number", "kind"), KINDS)
def test_the_operating_systems_errors_are_told_in_our_words(number, kind):
    failure = OSError(number, "text", "/home/someone/scan.dcm")
    error = told(failure)
    assert type(error) is kind
    assert "scan.dcm" in error.what
    assert "/home" not in str(error)
    assert is_full(failure) == (kind is DiskFull)


@pytest.mark.parametrize(("number", "kind"), KINDS)
def test_what_did_not_work_is_said_where_it_is_known(number, kind):
    error = told(OSError(number, "text"), "The stroke is not saved", when_full="Free some.", otherwise="Look.")
    assert type(error) is kind
    assert error.what == "The stroke is not saved"
    assert (error.hint == "Free some.") == (kind is DiskFull)
    assert (error.hint == "Look.") == (kind is StudioError)
