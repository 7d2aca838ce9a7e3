"""Run the checks of the items in focus on sessions, and join what they saw into an assessment."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from mmverify.checks import Breach, Check, Item, Looked, Off, Section, function, items, sections, source_function
from mmverify.checks.tape import tape
from mmverify.conformance import faults
from mmverify.errors import EvidenceError, UsageError
from mmverify.numeric import decimal_text
from mmverify.review.assess import conditions, covers, verdict
from mmverify.review.config import ReviewConfig, Waiver
from mmverify.review.diagnose import diagnose
from mmverify.review.moments import moments
from mmverify.review.notes import assumed, idle
from mmverify.review.results import Arming, Assessment, CheckResult, CheckRun, Finding, Impact, ItemResult
from mmverify.session.load import Session
from mmverify.source.evidence import Source

_GIVEN = {"session": "session", "target": "target", "source": "source tree"}
_DIGITS = 12  # of an amount of money in a report
_LAST_OF_SIGNALS = "4.1"  # the last section that holds every signal against the trades: they are let go of after it


def checks(item: Item) -> tuple[Check, ...]:
    """Return the checks of an item: those of a session and a source tree, then those of a target."""
    return (*item.checks, *faults.checks(item.id))


def in_focus(focus: Sequence[str], files: Sequence[str] = ()) -> dict[str, Item]:
    """Return the items that `focus` names; where it is empty all 96, or where files are named those that look at code.

    Parameters
    ----------
    focus : sequence of str
        Items (1.3.1), sections (1.3), phases (1), or names that a target may expose (vwap).
    files : sequence of str
        Files, folders or modules of the source tree.

    Raises
    ------
    UsageError
        For a name that is none of them.
    """
    chosen: dict[str, Item] = {}
    for name in focus:
        served = faults.items_of(name) if name in faults.names() else ()
        found = {id: item for id, item in items().items() if name in (id, item.section, item.phase) or id in served}
        if not found:
            raise UsageError(f"--focus {name}: no such item, section or phase; should be such as 1.3.1, 1.3 or 1")
        chosen |= found
    if not focus:
        return {id: item for id, item in items().items() if not files or any("code" in c.needs for c in item.checks)}
    return {id: item for id, item in items().items() if id in chosen}


def split_focus(focus: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what `focus` names of the protocol, and what is left: files, folders and modules of a source tree."""
    known = {name for item in items().values() for name in (item.id, item.section, item.phase)} | set(faults.names())
    return tuple(name for name in focus if name in known), tuple(name for name in focus if name not in known)


def run_check(session: Session, section: Section, item: Item, check: Check) -> CheckRun:
    """Run one check on one session; a check that raises is an error of the review, never a pass."""
    missing = tuple(table for table in check.needs if not session.has(table))
    if missing:
        return CheckRun(session.name, item.id, check.name, Looked(0), missing)
    told = len(session.notes)
    try:
        looked = function(section.stem, check)(session)
        return CheckRun(session.name, item.id, check.name, looked, read_notes=tuple(session.notes[told:]))
    except EvidenceError:
        raise
    except Exception as error:  # whatever it is, it is ours, and the report says so
        return CheckRun(session.name, item.id, check.name, Looked(0), error=_words(error))


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def run_section(
    session: Session, section: Section, chosen: Iterable[str], step: Callable[[str], None] = lambda item: None
) -> list[CheckRun]:
    """Run the checks of a section's items that are in focus; `step` is told of each item once it is done."""
    runs = []
    wanted = set(chosen)
    for item in section.items:
        if item.id in wanted:
            runs += [run_check(session, section, item, check) for check in item.checks if check.evidence == "session"]
            step(item.id)
    if section.id == _LAST_OF_SIGNALS:
        tape.cache_clear()
    return runs


def run_source(
    source: Source, chosen: Iterable[str], *, step: Callable[[str], None] = lambda item: None
) -> list[CheckRun]:
    """Run the checks of the items in focus on a source tree; one that raises is an error of the review."""
    runs, wanted = list[CheckRun](), set(chosen)
    for section in sections():
        for item in section.items:
            for check in item.checks if item.id in wanted else ():
                if check.evidence == "source":
                    runs.append(_run_on_source(source, section, item, check, () if runs else source.code.notes))
                    step(item.id)
    return runs


def _run_on_source(source: Source, section: Section, item: Item, check: Check, notes: Sequence[str]) -> CheckRun:
    looked, error = Looked(0), ""
    try:
        looked = source_function(section.stem, check)(source)
    except Exception as raised:  # whatever it is, it is ours, and the report says so
        error = _words(raised)
    return CheckRun(source.name, item.id, check.name, looked, (), error, tuple(notes), "source")


def run_target(
    target: str,
    chosen: Iterable[str],
    *,
    names: Sequence[str] = (),
    budget: float = 60.0,
    seed: int = 0,
    step: Callable[[str], None] = lambda name: None,
) -> list[CheckRun]:
    """Call a bot's own functions and objects for the items in focus; see `mmverify.conformance.run.conform`.

    Raises
    ------
    UsageError
        If it cannot be imported, or exposes none of the names that serve an item in focus.
    """
    from mmverify.conformance.run import conform

    wanted = set(chosen)
    asked = [name for name in names or faults.names() if wanted & set(faults.items_of(name))]
    conformed = conform(_absolute(target), names=asked, budget=budget, seed=seed, step=step) if asked else []
    if not conformed:
        raise UsageError(f"{target}: exposes none of {', '.join(asked or faults.names())}; should expose one at least")
    runs = [
        CheckRun(target, each.item, each.check.name, each.looked, error=each.error, evidence="target", test=each.test)
        for each in conformed
    ]
    seen = {(run.item, run.check) for run in runs}
    runs += [
        CheckRun(target, item, check.name, Looked(0), missing=(name,), evidence="target")
        for name in asked
        for item in faults.items_of(name)
        if (item, (check := faults.check(item, name)).name) not in seen
    ]
    return [run for run in runs if run.item in wanted]


def called(target: str, asked: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the contract to call: those that are asked for, else all that the target exposes.

    Raises
    ------
    UsageError
        If the target cannot be imported, or a name is none of the contract's.
    """
    from mmverify.conformance.target import load

    wrong = next((name for name in asked if name not in faults.names()), None)
    if wrong is not None:
        raise UsageError(f"--focus {wrong}: no name of the contract; should be one of {', '.join(faults.names())}")
    return tuple(asked) or tuple(load(target, faults.names()).exposed)


def _absolute(target: str) -> str:
    """Give a file its whole path: a regression test runs from anywhere."""
    path, colon, attribute = target.partition(":")
    return f"{Path(path).resolve()}{colon}{attribute}" if path.endswith(".py") else target


def review(
    sessions: Sequence[Session],
    *,
    target: str = "",
    source: Source | None = None,
    focus: Sequence[str] = (),
    config: ReviewConfig | None = None,
    today: date | None = None,
    step: Callable[[str], None] = lambda item: None,
) -> Assessment:
    """Review sessions, a target and a source tree in this process.

    Parameters
    ----------
    sessions : sequence of Session
        One review of all of them: an item is failed if one fails it, verified if one exercised it.
    target : str
        The bot's own functions, ``pkg.module``, ``pkg.module:OBJECT`` or ``path/to/file.py``; none where empty.
    source : Source, optional
        The bot's source tree.
    focus : sequence of str
        Items, sections or phases; all 96 items where empty.
    config : ReviewConfig, optional
        Waivers, attestations, what does not apply.
    today : date, optional
        The day that waivers are held to.
    step : callable
        Told of each item of each session once it is done.

    Returns
    -------
    Assessment

    Raises
    ------
    UsageError, EvidenceError
        For a focus or evidence that cannot be used.
    """
    chosen = in_focus(focus)
    runs = [
        run for session in sessions for section in sections() for run in run_section(session, section, chosen, step)
    ]
    runs += run_target(target, chosen, step=step) if target else []
    runs += run_source(source, chosen, step=step) if source else []
    tree = source.name if source else ""
    return assemble(sessions, runs, target=target, source=tree, focus=focus, config=config, today=today)


def assemble(
    sessions: Sequence[Session],
    runs: Sequence[CheckRun],
    *,
    target: str = "",
    source: str = "",
    focus: Sequence[str] = (),
    files: Sequence[str] = (),
    config: ReviewConfig | None = None,
    today: date | None = None,
    errors: Sequence[str] = (),
    armings: Sequence[Arming] = (),
) -> Assessment:
    """Join runs of checks into an assessment; see `review`."""
    config, today = config or ReviewConfig(), today or date.today()
    chosen = in_focus(focus, files)
    several = len(sessions) > 1
    _tell_apart(sessions)
    waivers = [waiver for waiver in config.waivers if waiver.expires >= today]
    found, offs = _findings(chosen, runs, waivers, several)
    findings = diagnose(found, offs, dict(at for session in sessions for at in moments(session, found)))
    given = [kind for kind, there in (("session", sessions), ("target", target), ("source", source)) if there]
    results = tuple(_result(item, [run for run in runs if run.item == item.id], findings, config, given, armings)
                    for item in chosen.values())  # fmt: skip
    broken = [f"{run.item} {run.check} on {run.session}: {run.error}" for run in runs if run.error]
    read = [(session.name, note) for session in sessions for note in session.notes]
    read += [(run.session, note) for run in runs for note in run.read_notes]
    notes = [f"{name}: {note}" if several else note for name, note in read]
    notes += [f"{run.item} {run.check}: {note}" for run in runs for note in run.looked.notes]
    notes += [note for session in sessions for note in assumed(session)]
    notes += [note for waiver in config.waivers if (note := idle(waiver, chosen, findings, today))]
    return Assessment(
        status=verdict(results, findings, [*errors, *broken]),
        session=" + ".join([*(session.name for session in sessions), *filter(None, [target, source])]),
        focus=(*focus, *files),
        items=results,
        findings=findings,
        conditions=conditions(results, findings, waivers),
        notes=tuple(dict.fromkeys(notes)),
        errors=(*errors, *broken),
        times={},
    )


def _tell_apart(sessions: Sequence[Session]) -> None:
    names = [session.name for session in sessions]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"two sessions are named {twice!r}; should differ in name, so that findings can say which")


def _findings(
    chosen: dict[str, Item], runs: Sequence[CheckRun], waivers: Sequence[Waiver], several: bool
) -> tuple[list[Finding], dict[str, tuple[Off, ...]]]:
    """Return the findings of some runs, and by how much what each is about is off."""
    out, offs = list[Finding](), dict[str, tuple[Off, ...]]()
    for run in runs:
        item = chosen[run.item]
        check = next(check for check in checks(item) if check.name == run.check)
        for breach in run.looked.breaches:
            finding = _finding(item, check, breach, run, several and run.evidence == "session")
            out.append(replace(finding, waived=any(covers(waiver, finding) for waiver in waivers)))
            offs[finding.id] = breach.offs
    return out, offs


def _finding(item: Item, check: Check, breach: Breach, run: CheckRun, several: bool) -> Finding:
    id = ":".join([item.id, check.name, breach.key.replace(" ", "-"), *([run.session] if several else [])])
    times = "once" if breach.count == 1 else f"{breach.count} times"
    untold = "" if run.evidence == "source" else "No convention or known mistake that the review tries reproduces it."
    cause = f"This reproduces it to the last digit: {breach.cause}." if breach.cause else untold
    amount = None if breach.amount is None else float(round(breach.amount, _DIGITS))
    text = "" if breach.amount is None else f"{decimal_text(breach.amount)} {breach.currency}: "
    name = re.sub(r"\W+", "_", id).strip("_")
    title = check.title if run.evidence == "target" else f"{check.title} ({breach.key})"
    return Finding(
        id=id, item=item.id, severity=breach.severity or item.severity, title=title,
        location=f"{run.session}/{breach.where[0]}" if several else breach.where[0], category=item.category,
        description=f"{check.why} Seen {times}, first at {', '.join(breach.where)}. {cause}".rstrip(),
        current=breach.was, correct="\n".join([f"should be {breach.should}", *breach.work]),
        impact=Impact(f"{text}{breach.loss}", amount, breach.currency), fix=check.fix, test=f"tests/test_{name}.py",
        waived=False, check=check.name, key=breach.key, session=run.session,
        count=breach.count, occurrences=breach.where, work=breach.work, cause=breach.cause, code=run.test,
    )  # fmt: skip


def _result(
    item: Item, runs: Sequence[CheckRun], findings: Sequence[Finding], config: ReviewConfig, given: Sequence[str],
    armings: Sequence[Arming],
) -> ItemResult:  # fmt: skip
    own = tuple(finding for finding in findings if finding.item == item.id)
    exercised = sum(run.looked.exercised for run in runs)
    results: list[CheckResult] = []
    for check in checks(item):
        of_check = [run for run in runs if run.check == check.name]
        if not of_check:
            continue
        statuses = [run.status for run in of_check]
        status = next((s for s in ("error", "failed", "verified") if s in statuses), "not_assessed")
        tried = [arming for arming in armings if (arming.item, arming.check) == (item.id, check.name)]
        fired = [arming for arming in tried if arming.armed]
        results.append(
            CheckResult(
                check.name, of_check[0].evidence, status, sum(run.looked.exercised for run in of_check),
                armed=bool(fired) if tried else None, arming="; ".join(dict.fromkeys(a.words for a in fired or tried)),
            )
        )  # fmt: skip
    statuses = [result.status for result in results]
    status = "failed" if own else "verified" if exercised and "error" not in statuses else "not_assessed"
    reason = _reason(item, runs, status, given)
    attested = next((a for a in config.attestations if a.item == item.id), None)
    beside = next((n for n in config.not_applicable if n.item == item.id), None)
    if beside and exercised:
        reason += f"; declared not applicable by {beside.person}, refused: {exercised} records exercise it"
    elif beside and status == "not_assessed" and "error" not in statuses:
        status, reason = "not_applicable", f"{beside.reason} ({beside.person}, {beside.date})"
    elif attested and status == "not_assessed" and "error" not in statuses:
        status, reason = "attested", f"by {attested.person} on {attested.date}, {attested.file}"
    return ItemResult(
        item.id, item.text, item.severity, status, exercised, tuple(results), reason, tuple(f.id for f in own)
    )


def _reason(item: Item, runs: Sequence[CheckRun], status: str, given: Sequence[str]) -> str:
    if not runs:
        kinds = dict.fromkeys(check.evidence for check in checks(item))
        absent = [_GIVEN[kind] for kind in kinds if kind not in given]
        return f"no {' and no '.join(absent)} was given" if absent else "no check yet"
    broken = [f"{run.check} crashed: {run.error}" for run in runs if run.error]
    if broken:
        return "; ".join(broken)
    if status == "failed":
        return f"violated; {_exercised(runs)} exercised it"
    if status == "verified":
        idle = [
            name for name in dict.fromkeys(run.check for run in runs if run.evidence != "target" or not run.missing)
            if not any(run.looked.exercised for run in runs if run.check == name)
        ]  # fmt: skip
        return f"{_exercised(runs)} exercised it" + (f"; nothing exercised {', '.join(idle)}" if idle else "")
    seen = {run.evidence for run in runs}
    missing = sorted({table for run in runs for table in run.missing})
    if missing and all(run.missing for run in runs):
        kind = "evidence has no" if "session" in seen else "target exposes no"
        return f"the {kind} {', '.join(missing)}"
    notes = list(dict.fromkeys(note for run in runs for note in run.looked.notes))
    return "; ".join(["no record exercised it", *notes[:3]])


def _exercised(runs: Sequence[CheckRun]) -> str:
    """Say how many records, calls and places of each kind of evidence could have shown a violation."""
    counts = {
        "records": sum(run.looked.exercised for run in runs if run.evidence == "session"),
        "calls of the target": sum(run.looked.exercised for run in runs if run.evidence == "target"),
        "places of the source tree": sum(run.looked.exercised for run in runs if run.evidence == "source"),
    }
    return " and ".join(f"{count} {what}" for what, count in counts.items() if count) or "no record"
