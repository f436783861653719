"""The log keeps what helps and nothing that could name a person."""

import ast
import json
import logging
from pathlib import Path

import pytest

import usfm_studio
from usfm_studio.children import log
from usfm_studio.children.log import FIELDS, JsonLines

OURS = logging.getLogger("usfm_studio.children.test")
FOREIGN = logging.getLogger("pydicom")


@pytest.fixture
def lines(tmp_path):
    root = logging.getLogger()
    handlers, level, raising = list(root.handlers), root.level, logging.raiseExceptions
    for handler in handlers:
        root.removeHandler(handler)
    log.configure("reader", tmp_path / "logs")
    yield lambda: [json.loads(line) for line in (tmp_path / "logs" / "reader.jsonl").read_text("utf-8").splitlines()]
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)
    logging.raiseExceptions = raising


def test_allowed_fields_are_kept(lines):
    OURS.warning("child ended", extra={"child": "usfm_studio.engine.host", "count": 3, "digest": "0123456789abcdef"})
    (line,) = lines()
    assert line["event"] == "child ended"
    assert line["process"] == "reader"
    assert line["level"] == "warning"
    assert (line["child"], line["count"], line["digest"]) == ("usfm_studio.engine.host", 3, "01234567")


def test_no_name_gets_in(lines):
    name, path = "ZZTEST^NOBODY", "/home/zztest/scan.dcm"
    OURS.info(f"opened {path}")
    OURS.info("opened %s", path)
    OURS.info("opened", extra={"patient": name, "kind": name, "tag": path, "error": f"bad {path}", "count": [name]})
    OURS.info("opened", extra={"digest": "1.2.840.10008.5.1.4.1.1.6.1", "transfer_syntax": "1.2.840.10008.1.2.1"})
    FOREIGN.warning(f"Invalid value for VR PN: {name}")
    FOREIGN.warning("invalid value %s", name)
    try:
        raise ValueError(name)
    except ValueError:
        OURS.exception("could not read")
    text = json.dumps(lines()).upper()
    assert "ZZTEST" not in text
    assert "SCAN.DCM" not in text
    assert "1.2.840.10008.5" not in text
    assert lines()[3]["transfer_syntax"] == "1.2.840.10008.1.2.1"
    assert lines()[-1]["error"] == "ValueError"
    assert "children/test_log.py:" in lines()[-1]["trace"]


def test_a_log_that_cannot_be_written_is_switched_off(lines, tmp_path):
    (tmp_path / "file").write_text("in the way")
    log.configure("reader", tmp_path / "file")
    OURS.error("still alive")
    log.configure("reader", None)
    OURS.error("still alive")


def test_a_log_does_not_grow_without_end(lines, tmp_path, monkeypatch):
    monkeypatch.setattr(log, "LARGEST_FILE", 2000)
    log.configure("reader", tmp_path / "logs")
    for _ in range(200):
        OURS.info("one more line")
    files = list((tmp_path / "logs").iterdir())
    assert len(files) == 1 + log.KEPT_FILES
    assert sum(f.stat().st_size for f in files) < 10_000


def _log_calls():
    for path in sorted(Path(usfm_studio.__file__).parent.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Attribute)
                and isinstance(call.func.value, ast.Name)
                and call.func.value.id in ("LOG", "log")
                and call.func.attr in ("debug", "info", "warning", "error", "exception", "critical")
            ):
                yield f"{path.name}:{call.lineno}", call


def test_whatever_the_program_logs_arrives_in_the_log():
    """A text that the log leaves out, or a field that it does not know, says nothing to whoever looks for a cause."""
    found = list(_log_calls())
    assert len(found) > 10
    for place, call in found:
        (text,) = call.args
        record = logging.LogRecord("usfm_studio.x", logging.INFO, "", 1, ast.literal_eval(text), (), None)
        assert json.loads(JsonLines("test").format(record))["event"] != "(left out)", place
        extra = next((k.value for k in call.keywords if k.arg == "extra"), None)
        if isinstance(extra, ast.Dict):
            assert {key.value for key in extra.keys} <= FIELDS, place
