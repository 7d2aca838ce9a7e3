"""The report's folder: there whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from mmverify.errors import UsageError
from mmverify.report import check_folder, default_folder, junit, point_latest, write
from mmverify.review.results import Assessment

FILES = {"assessment.json", "assessment.md", "index.html", "junit.xml", "findings.sarif"}


@pytest.fixture
def put(assessed, finding, tmp_path) -> Callable[..., Assessment]:
    """Give a writer of reports on the session ``day``."""
    (tmp_path / "day").mkdir()

    def write_it(out: Path, notebooks: Path | None = None, **fields: object) -> Assessment:
        assessment = assessed(finding, **fields)
        write(assessment, out, sources=[tmp_path / "day"], notebooks=notebooks)
        return assessment

    return write_it


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_report_is_whole_and_leaves_nothing_beside_it(put, finding, tmp_path):
    notebooks = tmp_path / "executed"
    notebooks.mkdir()
    (notebooks / "s1_3_pnl.ipynb").write_text("{}")
    put(tmp_path / "reports/new/one", notebooks)
    out = tmp_path / "reports/new/one"
    assert names(out) == FILES | {"tests", "notebooks"} and names(out.parent) == {"one"}
    assert (out / finding.test).is_file() and (out / "notebooks/s1_3_pnl.ipynb").read_text() == "{}"
    assert not notebooks.exists()


def test_same_assessment_same_bytes(put, tmp_path):
    put(tmp_path / "one")
    put(tmp_path / "two")
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_name_that_is_no_utf8_can_be_written(put, tmp_path):
    put(tmp_path / "out", session="day\udc80", notes=("\udcff",))
    assert "day\\udc80" in (tmp_path / "out/assessment.json").read_text(encoding="utf-8")


def test_older_report_is_replaced_whole(put, tmp_path):
    put(tmp_path / "out")
    (tmp_path / "out/tests/test_old.py").write_text("")
    put(tmp_path / "out", status="READY")
    assert not (tmp_path / "out/tests/test_old.py").exists()
    assert "## Status: READY\n" in (tmp_path / "out/assessment.md").read_text()
    assert names(tmp_path) == {"day", "out"}


def test_empty_folder_is_taken(put, tmp_path):
    (tmp_path / "out").mkdir()
    put(tmp_path / "out")
    assert (tmp_path / "out/assessment.json").is_file()


def test_folder_that_is_no_report_is_refused_and_kept(put, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home/thesis.txt").write_text("years")
    with pytest.raises(UsageError, match="home: holds something else than a report"):
        put(tmp_path / "home")
    with pytest.raises(UsageError, match=r"thesis.txt: a file; should be a folder"):
        check_folder(tmp_path / "home/thesis.txt")
    with pytest.raises(UsageError, match="cannot be written"):
        put(tmp_path / "home/thesis.txt/below")
    assert tree(tmp_path / "home") == {"thesis.txt": b"years"} and names(tmp_path) == {"day", "home"}


def test_two_sessions_of_one_name_are_refused(assessed, tmp_path):
    with pytest.raises(UsageError, match="same folder name"):
        write(assessed(), tmp_path / "out", sources=[tmp_path / "a/day", tmp_path / "b/day"], notebooks=None)
    assert names(tmp_path) == set()


def test_failure_in_the_middle_leaves_what_was_there(put, tmp_path, monkeypatch):
    reports = tmp_path / "reports"
    put(reports / "old")
    point_latest(reports, reports / "old")
    before = tree(reports / "old")

    def fail(assessment: Assessment) -> str:
        raise MemoryError

    monkeypatch.setattr(junit, "render", fail)
    for out in (reports / "new", reports / "old"):
        with pytest.raises(MemoryError):
            put(out)
    assert names(reports) == {"old", "latest"} and tree(reports / "latest") == before


def test_failure_of_the_last_step_puts_the_older_report_back(put, tmp_path, monkeypatch):
    out, rename = tmp_path / "out", Path.replace
    put(out)
    before = tree(out)

    def fail(path: Path, target: Path) -> Path:
        if ".partial-" in path.name:
            raise OSError("no space left")
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        put(out, status="READY")
    assert tree(out) == before and names(tmp_path) == {"day", "out"}


def test_killed_run_leaves_no_report(put, root, tmp_path):
    reports = tmp_path / "reports"
    put(reports / "old")
    point_latest(reports, reports / "old")
    code = """
import os, sys
from pathlib import Path
from mmverify.report import data, write
from mmverify.review.results import Assessment
data.render = lambda assessment: os.kill(os.getpid(), 9)
write(Assessment("READY", "s", (), (), (), (), (), (), {}), Path(sys.argv[1]), sources=[], notebooks=None)
"""
    done = subprocess.run([sys.executable, "-c", code, str(reports / "new")], cwd=root, capture_output=True, timeout=60)
    assert done.returncode == -9
    assert not (reports / "new").exists() and (reports / "latest").resolve() == reports / "old"
    (partial,) = [path for path in reports.iterdir() if path.name.startswith(".new.partial-")]
    assert (partial / "index.html").exists() and not (partial / "assessment.json").exists()


def test_latest_points_at_the_newest_and_moves_along(put, tmp_path):
    reports = tmp_path / "reports"
    for name in ("one", "two"):
        put(reports / name)
        point_latest(reports, reports / name)
        assert (reports / "latest").readlink() == Path(name)
    reports.rename(tmp_path / "elsewhere")
    assert (tmp_path / "elsewhere/latest/assessment.md").is_file()
    assert names(tmp_path / "elsewhere") == {"one", "two", "latest"}


def test_writing_to_latest_replaces_the_report_behind_it(put, tmp_path):
    put(tmp_path / "one")
    point_latest(tmp_path, tmp_path / "one")
    put(tmp_path / "latest", status="READY")
    assert (tmp_path / "latest").is_symlink()
    assert "## Status: READY\n" in (tmp_path / "one/assessment.md").read_text()


def test_folder_in_the_way_of_latest_is_kept(tmp_path):
    (tmp_path / "latest").mkdir()
    with pytest.raises(UsageError, match="latest: no link"):
        point_latest(tmp_path, tmp_path / "one")
    assert names(tmp_path) == {"latest"}


def test_default_folder_carries_name_and_time_in_utc(tmp_path):
    noon = datetime(2026, 1, 5, 12, 30, 59, tzinfo=UTC)
    assert default_folder(tmp_path, "day", noon) == tmp_path / "day-20260105T123059Z"
    assert default_folder(tmp_path, "day", noon.astimezone(timezone(timedelta(hours=9)))).name == "day-20260105T123059Z"
    assert default_folder(tmp_path, "day + drill/x", noon).name == "day-drill-x-20260105T123059Z"
    (tmp_path / "day-20260105T123059Z").mkdir()
    assert default_folder(tmp_path, "day", noon).name == "day-20260105T123059Z-2"
