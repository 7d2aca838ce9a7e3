"""The report of a review: a folder that is there whole or not at all.

assessment.json is the master; the other files render the same assessment and compute nothing.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from mmverify.errors import UsageError
from mmverify.report import data, junit, markdown, page, regression, sarif
from mmverify.report.plots import plots
from mmverify.review.results import Assessment

_MASTER = "assessment.json"


def write(
    assessment: Assessment, out: Path, *, sources: Sequence[Path], tree: Path | None = None, notebooks: Path | None
) -> None:
    """Write the report of a review, all of it or nothing.

    Parameters
    ----------
    assessment : Assessment
        What the review came to.
    out : Path
        Folder of the report; a report that is there already is replaced.
    sources : sequence of Path
        Folders of the sessions that were reviewed; the regression tests open them. None of a target alone.
    tree : Path or None
        Folder of the source tree that was reviewed; the regression tests read it.
    notebooks : Path or None
        Folder with the executed notebooks (.ipynb and .html), which moves into the report.

    Raises
    ------
    UsageError
        For a folder that holds something else, or cannot be written; for two sessions of one name.
    """
    folders = {source.resolve().name: source for source in sources}
    if len(folders) < len(sources):
        raise UsageError("two sessions have the same folder name; should be different, since findings name them by it")
    out = out.resolve()
    check_folder(out)
    partial, old = (out.with_name(f".{out.name}.{word}-{os.getpid()}") for word in ("partial", "old"))
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise UsageError(f"{out}: cannot be written ({error.strerror}); should be a folder of yours") from None
    try:
        _fill(partial, assessment, folders, {tree.resolve().name: tree} if tree else {}, notebooks)
        if out.exists() and any(out.iterdir()):
            out.replace(old)
        partial.replace(out)
    except BaseException:
        if old.exists() and not out.exists():
            old.replace(out)
        shutil.rmtree(partial, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)


def check_folder(out: Path) -> None:
    """Raise for a folder that `write` would refuse, before the work of a review is done for it.

    Raises
    ------
    UsageError
        Where something else than a report is there.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: a file; should be a folder")
    if out.exists() and any(out.iterdir()) and not (out / _MASTER).is_file():
        raise UsageError(f"{out}: holds something else than a report; should be a new or empty folder, or a report")


def default_folder(reports: Path, name: str, started: datetime) -> Path:
    """Return ``reports/NAME-TIME``, TIME in UTC; numbered where that is there already."""
    plain = re.sub(r"[^\w.-]+", "-", name)[:100]
    stem = f"{plain}-{started.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    names = (stem if number == 1 else f"{stem}-{number}" for number in count(1))
    return next(reports / name for name in names if not (reports / name).exists())


def point_latest(reports: Path, out: Path) -> None:
    """Turn the link ``reports/latest`` to a report in one step.

    Raises
    ------
    UsageError
        Where ``latest`` is something else than a link.
    """
    latest = reports / "latest"
    if latest.exists() and not latest.is_symlink():
        raise UsageError(f"{latest}: no link; should be free for the link to the newest report")
    link = reports / f".latest.partial-{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(os.path.relpath(out.resolve(), reports.resolve()), target_is_directory=True)
    link.replace(latest)


def _fill(
    folder: Path, assessment: Assessment, sources: dict[str, Path], trees: dict[str, Path], notebooks: Path | None
) -> None:
    pages = sorted(path.name for path in notebooks.glob("*.html")) if notebooks else []
    _put(folder / "assessment.md", markdown.render(assessment))
    _put(folder / "index.html", page.render(assessment, pages, plots(notebooks) if notebooks else ()))
    _put(folder / "junit.xml", junit.render(assessment))
    _put(folder / "findings.sarif", sarif.render(assessment))
    if page.has_target(assessment):
        _put(folder / "matrix.html", page.render_matrix())
    for name, text in regression.render(assessment, sources, trees).items():
        _put(folder / name, text)
    if notebooks:
        shutil.move(notebooks, folder / "notebooks")
    _put(folder / _MASTER, data.render(assessment))  # the last, so that where it is, all is


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    # A name that is no UTF-8 comes from the file system as lone surrogates; JSON takes the escape for them.
    path.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
