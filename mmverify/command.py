"""The review command: sessions and options in, a published report and an exit code out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from mmverify.checks import Section, sections
from mmverify.errors import EvidenceError, UsageError
from mmverify.notebook import has_notebook, write_beside
from mmverify.report import check_folder, default_folder, point_latest, write
from mmverify.review.arm import SIZE, arm, arm_source, size
from mmverify.review.assess import exit_code
from mmverify.review.config import ReviewConfig, read_config
from mmverify.review.engine import assemble, called, checks, in_focus, run_section, run_source, run_target, split_focus
from mmverify.review.results import Arming, Assessment, CheckRun
from mmverify.session.load import Session, open_session
from mmverify.source.evidence import Source, open_source

_REPORTS = Path("reports")
_CELL_TIMEOUT = 3600  # seconds; a notebook that takes longer is an error of the review


@dataclass(frozen=True)
class Request:
    """What a review was asked for; see ``mmverify review --help``."""

    sessions: tuple[Path, ...]
    target: str = ""
    source: Path | None = None
    focus: tuple[str, ...] = ()
    out: Path | None = None
    notebooks: bool = True
    workers: int = 2
    config: Path | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    strict: bool = False
    arm: bool | None = None


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
    focus, files = split_focus(request.focus) if request.source else (request.focus, ())
    chosen = in_focus(focus, files)
    config = read_config(request.config) if request.config else ReviewConfig()
    source = open_source(request.source, files) if request.source else None
    if not request.sessions and not request.target and source is None:
        raise UsageError("nothing to review; should be given a session, --target or --source")
    if request.parameters and not request.notebooks:
        raise UsageError("--param is for notebooks; should not stand beside --no-notebooks")
    sessions = [_open(path) for path in request.sessions]
    names = [session.name for session in sessions]
    if len(set(names)) < len(names):
        raise UsageError(f"two sessions are named {max(names, key=names.count)}; their folders should differ in name")
    tree = source.name if source else ""
    if tree and tree in (*names, request.target):
        raise UsageError(f"the source tree and another piece of evidence are named {tree}; should differ in name")
    name = "+".join([*names, *filter(None, [_target_name(request.target), tree])])
    out = request.out or default_folder(_REPORTS, name, started)
    check_folder(out)
    seen = [section for section in sections() if sessions and any(item.id in chosen for item in section.items)]
    paged = [section for section in seen if request.notebooks and has_notebook(section)]
    apart = run_target(request.target, chosen, step=lambda name: step(f"target: {name}")) if request.target else []
    apart += run_source(source, chosen, step=lambda item: step(f"source: {item}")) if source else []
    arming = [session for session in sessions if request.arm or (request.arm is None and size(session) <= SIZE)]
    total(len(sessions) * len(seen) + len(arming) + request.notebooks)
    armings = [each for session in arming for each in _arm(session, list(chosen), step)]
    armings += _arm_source(source, list(chosen), step) if source and request.arm is not False else []
    with TemporaryDirectory(prefix="mmverify-") as scratch:
        runs = [*apart]
        runs += _in_process(sessions, [section for section in seen if section not in paged], list(chosen), step)
        pages: Path | None = None
        errors: list[str] = []
        if request.notebooks:
            pages = Path(scratch) / "notebooks"
            write_beside(Path(scratch) / "results", request.target, tree, files, apart, armings)
            more, errors, shown = _in_notebooks(request, focus, paged, pages, Path(scratch) / "results", step)
            runs += [run for run in more if run.item in chosen]
        ordered = _in_order(runs, [*names, request.target, tree])
        joined = partial(
            assemble, sessions, ordered, target=request.target, source=tree, focus=focus, files=files,
            config=config, armings=armings,
        )  # fmt: skip
        assessment = joined(errors=errors)
        if request.notebooks and not errors and shown != _comparable(assessment):
            errors = ["s0_readiness.ipynb shows another assessment than the review came to"]
            assessment = joined(errors=errors)
        return _publish(assessment, out, request, pages, started, clock)


@dataclass(frozen=True)
class Trial:
    """What a target is tried with; see ``mmverify conform --help``."""

    target: str
    names: tuple[str, ...] = ()
    out: Path | None = None
    budget: float = 60.0
    seed: int = 0


def try_out(trial: Trial, total: Callable[[int], None], step: Callable[[str], None]) -> tuple[Assessment, Path, int]:
    """Try a bot's own functions against the contract and publish the report; see `carry_out`.

    The items are those that the names serve which the target exposes; the report says so in its first line.

    Raises
    ------
    UsageError
        For a target or a name that cannot be used; nothing was written then.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    out = trial.out or default_folder(_REPORTS, _target_name(trial.target), started)
    check_folder(out)
    if not trial.budget > 0:
        raise UsageError(f"--budget {trial.budget:g}: should be above 0")
    names = called(trial.target, trial.names)
    total(len(names))
    runs = run_target(trial.target, in_focus(names), names=names, budget=trial.budget, seed=trial.seed, step=step)
    assessment = assemble([], _in_order(runs, [trial.target]), target=trial.target, focus=names)
    return _publish(assessment, out, trial, None, started, clock)


def _publish(
    assessment: Assessment, out: Path, request: Request | Trial, pages: Path | None, started: datetime, clock: float
) -> tuple[Assessment, Path, int]:
    seconds = round(time.monotonic() - clock, 3)
    assessment = replace(assessment, times={"started": started.isoformat(timespec="seconds"), "seconds": seconds})
    if isinstance(request, Request):
        write(assessment, out, sources=request.sessions, tree=request.source, notebooks=pages)
    else:
        write(assessment, out, sources=(), notebooks=None)
    if request.out is None:
        point_latest(_REPORTS, out)
    strict = isinstance(request, Request) and request.strict
    return assessment, out, exit_code(assessment.status, assessment.errors, strict=strict)


def _target_name(target: str) -> str:
    path, colon, attribute = target.partition(":")
    return Path(path).stem + colon + attribute if path.endswith(".py") else target


def _open(path: Path) -> Session:
    try:
        return open_session(path)
    except EvidenceError as error:
        if error.file == str(path):
            raise
        raise UsageError(f"{path}: {error}") from None


def _arm(session: Session, chosen: Sequence[str], step: Callable[[str], None]) -> list[Arming]:
    armings = arm(session, chosen)
    step(f"{session.name}: {sum(each.armed for each in armings)} of {len(armings)} checks armed")
    return armings


def _arm_source(source: Source, chosen: Sequence[str], step: Callable[[str], None]) -> list[Arming]:
    armings = arm_source(source, chosen)
    step(f"{source.name}: {sum(each.armed for each in armings)} of {len(armings)} checks armed")
    return armings


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
    request: Request,
    focus: Sequence[str],
    paged: Sequence[Section],
    pages: Path,
    results: Path,
    step: Callable[[str], None],
) -> tuple[list[CheckRun], list[str], object]:
    from mmverify import runner

    given = dict(request.parameters) | {"focus": ",".join(focus)}
    if request.config:
        given["config"] = str(request.config)
    runs, errors = runner.run(
        [*(section.stem for section in paged), runner.READINESS],
        request.sessions, pages, results_dir=results, workers=request.workers,
        parameters=given, timeout=_CELL_TIMEOUT, source=request.source, step=step,
    )  # fmt: skip
    master = results / f"{runner.READINESS}.json"
    shown = json.loads(master.read_text(encoding="utf-8")) if master.is_file() and not errors else None
    return runs, errors, shown


def _comparable(assessment: Assessment) -> object:
    """Return what s0_readiness writes of an assessment: everything but the times, marked complete."""
    data = json.loads(json.dumps(assessment.to_json()))
    del data["times"]
    return data | {"complete": True}


def _in_order(runs: Sequence[CheckRun], names: Sequence[str]) -> list[CheckRun]:
    """Bring runs into one order, however they were made: evidence as given, items and checks as in the protocol."""
    order = [(item.id, check.name) for section in sections() for item in section.items for check in checks(item)]
    return sorted(runs, key=lambda run: (names.index(run.session), order.index((run.item, run.check))))
