"""The review command: sessions and options in, a published report and an exit code out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from mmverify.checks import Section, sections
from mmverify.errors import EvidenceError, UsageError
from mmverify.notebook import has_notebook
from mmverify.report import check_folder, default_folder, point_latest, write
from mmverify.review.assess import exit_code
from mmverify.review.config import ReviewConfig, read_config
from mmverify.review.engine import assemble, in_focus, run_section
from mmverify.review.results import Assessment, CheckRun
from mmverify.session.load import Session, open_session

_REPORTS = Path("reports")
_CELL_TIMEOUT = 3600  # seconds; a notebook that takes longer is an error of the review


@dataclass(frozen=True)
class Request:
    """What a review was asked for; see ``mmverify review --help``."""

    sessions: tuple[Path, ...]
    focus: tuple[str, ...] = ()
    out: Path | None = None
    notebooks: bool = True
    workers: int = 2
    config: Path | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    strict: bool = False


def carry_out(
    request: Request, total: Callable[[int], None], step: Callable[[str], None]
) -> tuple[Assessment, Path, int]:
    """Carry out a review and publish its report.

    Parameters
    ----------
    request : Request
    total : callable
        Told how many steps there will be.
    step : callable
        Told of each step once it is done.

    Returns
    -------
    assessment : Assessment
    out : Path
        Folder of the report.
    code : int
        Exit code.

    Raises
    ------
    UsageError, EvidenceError
        For what cannot be used; nothing was written then.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    chosen = in_focus(request.focus)
    config = read_config(request.config) if request.config else ReviewConfig()
    if request.parameters and not request.notebooks:
        raise UsageError("--param is for notebooks; should not stand beside --no-notebooks")
    sessions = [_open(path) for path in request.sessions]
    names = [session.name for session in sessions]
    if len(set(names)) < len(names):
        raise UsageError(f"two sessions are named {max(names, key=names.count)}; their folders should differ in name")
    name = "+".join(names)
    out = request.out or default_folder(_REPORTS, name, started)
    check_folder(out)
    seen = [section for section in sections() if any(item.id in chosen for item in section.items)]
    paged = [section for section in seen if request.notebooks and has_notebook(section)]
    total(len(sessions) * len(seen) + request.notebooks)
    with TemporaryDirectory(prefix="mmverify-") as scratch:
        runs = _in_process(sessions, [section for section in seen if section not in paged], list(chosen), step)
        pages: Path | None = None
        errors: list[str] = []
        if request.notebooks:
            pages = Path(scratch) / "notebooks"
            more, errors, shown = _in_notebooks(request, paged, pages, Path(scratch) / "results", step)
            runs += [run for run in more if run.item in chosen]
        ordered = _in_order(runs, sessions)
        assessment = assemble(sessions, ordered, focus=request.focus, config=config, errors=errors)
        if request.notebooks and not errors and shown != _comparable(assessment):
            errors = ["s0_readiness.ipynb shows another assessment than the review came to"]
            assessment = assemble(sessions, ordered, focus=request.focus, config=config, errors=errors)
        seconds = round(time.monotonic() - clock, 3)
        assessment = replace(assessment, times={"started": started.isoformat(timespec="seconds"), "seconds": seconds})
        write(assessment, out, sources=request.sessions, notebooks=pages)
    if request.out is None:
        point_latest(_REPORTS, out)
    return assessment, out, exit_code(assessment.status, assessment.errors, strict=request.strict)


def _open(path: Path) -> Session:
    try:
        return open_session(path)
    except EvidenceError as error:
        if error.file == str(path):
            raise
        raise UsageError(f"{path}: {error}") from None


def _in_process(
    sessions: Sequence[Session], seen: Sequence[Section], chosen: Sequence[str], step: Callable[[str], None]
) -> list[CheckRun]:
    runs = []
    for session in sessions:
        for section in seen:
            runs += run_section(session, section, chosen)
            step(f"{session.name}: {section.id} {section.title}")
    return runs


def _in_notebooks(
    request: Request, paged: Sequence[Section], pages: Path, results: Path, step: Callable[[str], None]
) -> tuple[list[CheckRun], list[str], object]:
    from mmverify import runner

    given = dict(request.parameters) | {"focus": ",".join(request.focus)}
    if request.config:
        given["config"] = str(request.config)
    runs, errors = runner.run(
        [*(section.stem for section in paged), runner.READINESS],
        request.sessions, pages, results_dir=results, workers=request.workers,
        parameters=given, timeout=_CELL_TIMEOUT, step=step,
    )  # fmt: skip
    master = results / f"{runner.READINESS}.json"
    shown = json.loads(master.read_text(encoding="utf-8")) if master.is_file() and not errors else None
    return runs, errors, shown


def _comparable(assessment: Assessment) -> object:
    """Return what s0_readiness writes of an assessment: everything but the times, marked complete."""
    data = json.loads(json.dumps(assessment.to_json()))
    del data["times"]
    return data | {"complete": True}


def _in_order(runs: Sequence[CheckRun], sessions: Sequence[Session]) -> list[CheckRun]:
    """Bring runs into one order, however they were made: sessions as given, items and checks as in the protocol."""
    names = [session.name for session in sessions]
    checks = [(item.id, check.name) for section in sections() for item in section.items for check in item.checks]
    return sorted(runs, key=lambda run: (names.index(run.session), checks.index((run.item, run.check))))
