"""What the notebooks use: a section's header, worked steps, tables of text, a picture, the verdict, the assessment.

Titles, severities and wording come from the TOML of the checks, formulas from `mmverify.formulas`; nothing of them is
typed in a notebook. Whatever is shown is text that is the same on every run: no time, no path, no address.
"""

from __future__ import annotations

import io
import json
import os
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmverify.bundled import bundled
from mmverify.checks import SEVERITIES, Item, Section, sections
from mmverify.errors import MmverifyError, NotebookError, UsageError
from mmverify.formulas import formulas
from mmverify.numeric import Decimals, Mask, decimal_text
from mmverify.review.config import read_config
from mmverify.review.engine import assemble, in_focus, run_section
from mmverify.review.results import Arming, Assessment, CheckRun, Finding
from mmverify.session.columns import Whole, Words
from mmverify.session.load import Session, Table, open_session

if TYPE_CHECKING:
    from IPython.display import Image, Markdown
    from matplotlib.figure import Figure
    from pandas import DataFrame

    from mmverify.source.evidence import Source

SAMPLE = "data/sessions/sample"
BOT = "data/bot"
DPI = 110
WIDTH = 110
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


# --- what is asked and defined ----------------------------------------------------------------------------------------


def find_section(section: str) -> Section:
    """Return a section of the protocol by its number.

    Raises
    ------
    UsageError
        For a number that none has.
    """
    for found in sections():
        if found.id == section:
            return found
    raise UsageError(f"section {section} is not known; should be such as 1.3")


def header(section: str) -> Markdown:
    """Render a section's items: number, severity, wording, and when each is violated."""
    from IPython.display import Markdown

    found = find_section(section)
    lines = [
        f"**Section {found.id}, {found.title}**",
        "",
        "| item | severity | wording | violated when |",
        "|---|---|---|---|",
    ]
    for item in found.items:
        cells = (item.id, item.severity, item.text, item.violated)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return Markdown("\n".join(lines))  # type: ignore[no-untyped-call]


def definition(*names: str) -> Markdown:
    """Render formulas: the definition, the units, and how far the kernel may be from the oracle.

    Parameters
    ----------
    *names : str
        Names of formulas.

    Returns
    -------
    IPython.display.Markdown
    """
    from IPython.display import Markdown

    lines = []
    for name in names:
        formula = formulas()[name]
        units = [f"{key} [{unit}]" for key, unit in formula.units.items() if key != "return"]
        lines += [f"$${formula.tex}$$", ""]
        lines += [f"`{name}` takes {', '.join(units)}; gives [{formula.units['return']}]. "
                  f"The kernel's error: {formula.error_bound}.", ""]  # fmt: skip
    return Markdown("\n".join(lines))  # type: ignore[no-untyped-call]


def by_hand(steps: Iterable[str]) -> str:
    """Lay out worked steps, one under the other, the signs of equality of each in one column.

    Parameters
    ----------
    steps : iterable of str
        Such as ``VWAP = 507 / 5 = 101.4``.

    Returns
    -------
    str
    """
    lines = []
    for step in steps:
        first, *rest = step.split(" = ")
        indent = " " * len(first)
        lines += [f"{first if n == 0 else indent} = {part}" for n, part in enumerate(rest)] or [first]
    return "\n".join(lines)


# --- the session ------------------------------------------------------------------------------------------------------


def open_for(session: str) -> Session:
    """Open the session that a parameter names, the bundled sample where it is empty."""
    return open_session(session or bundled(SAMPLE))


def open_tree(source: str) -> Source:
    """Open the source tree that a parameter names, the bundled example bot where it is empty, and print which it is."""
    from mmverify.source.evidence import open_source

    tree = open_source(Path(source) if source else bundled(BOT))
    if source:
        print(f"The source tree {tree.name}: {len(tree.tree.files)} files, {len(tree.tree.code)} of them code.")
    else:
        print("No source tree was given: what this page shows of one is of the bundled example bot,")
        print("not of the bot under review.")
    return tree


def chosen(value: str, known: Sequence[str]) -> str:
    """Return what a parameter names, the first that is known where it is empty.

    Raises
    ------
    UsageError
        If it is not known, or nothing is.
    """
    if not known:
        raise UsageError("the session has nothing to choose from")
    if value and value not in known:
        raise UsageError(f"{value} is not in the session; should be one of {', '.join(known)}")
    return value or known[0]


def moment(value: str) -> int | None:
    """Read a parameter that is a time, None where it is empty.

    Parameters
    ----------
    value : str
        ISO-8601 with an offset.

    Returns
    -------
    int or None
        Since the epoch. [ns]

    Raises
    ------
    UsageError
        If it cannot be read or has no offset.
    """
    if not value:
        return None
    try:
        return (datetime.fromisoformat(value) - _EPOCH) // timedelta(microseconds=1) * 1000
    except (ValueError, TypeError):
        raise UsageError(f"{value} is no time; should be such as 2025-03-03T12:05:00+00:00") from None


def between(times: NDArray[np.int64], start: str, end: str) -> Mask:
    """Return which times lie in ``[start, end)``; an empty bound is open."""
    first, last = moment(start), moment(end)
    inside = np.ones(len(times), dtype=bool)
    if first is not None:
        inside &= times >= first
    if last is not None:
        inside &= times < last
    return inside


def clock(ns: int) -> str:
    """Write a time of day, UTC, to the millisecond."""
    return (_EPOCH + timedelta(microseconds=ns // 1000)).strftime("%H:%M:%S.%f")[:-3]


def frame(table: Table, columns: Sequence[str], rows: Iterable[int]) -> DataFrame:
    """Take rows of a session's table as a DataFrame, every digit kept.

    Parameters
    ----------
    table : Table
    columns : sequence of str
    rows : iterable of int
        From 0.

    Returns
    -------
    pandas.DataFrame
        Indexed by place (``fills:41``); times as UTC timestamps, decimals as text (``.astype(float)`` where that will
        do), what is missing as None.
    """
    import pandas as pd

    taken = [int(row) for row in rows]
    data = {name: _cells(name, table.columns[name], taken) for name in columns}
    return pd.DataFrame(data, index=[table.where(row) for row in taken], columns=list(columns))


def _cells(name: str, column: Any, rows: list[int]) -> Any:
    import pandas as pd

    if isinstance(column, Words):
        return [column.text(row) or None for row in rows]
    if isinstance(column, Decimals):
        return [_digits(column, row) for row in rows]
    assert isinstance(column, Whole)
    if name.startswith(("ts_", "window_")):
        times = pd.to_datetime(column.values[rows], unit="ns", utc=True)
        return times.where(~column.missing[rows])
    return [None if column.missing[row] else int(column.values[row]) for row in rows]


def _digits(column: Decimals, row: int) -> str | None:
    if not column.known[row]:
        return "NaN" if column.nan[row] else None
    whole, sign = abs(int(column.ints[row])), "-" if column.ints[row] < 0 else ""
    text = f"{whole:0{column.scale + 1}d}"
    return sign + (f"{text[: -column.scale]}.{text[-column.scale :]}" if column.scale else text)


# --- showing ----------------------------------------------------------------------------------------------------------


def text_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Lay out rows in columns of fixed width: numbers to the right, words to the left."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    right = [bool(cells) and all(_numeric(row[n]) for row in cells) for n in range(len(headings))]

    def line(row: Sequence[str]) -> str:
        return "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()

    return "\n".join([line(headings), "  ".join("-" * width for width in widths), *map(line, cells)])


def side_by_side(cases: Mapping[tuple[str, str, str], tuple[Fraction | int, Fraction | int]]) -> str:
    """Lay out mistakes: by what it is, its unit and its source, the wrong number, the right one, and their difference.

    Raises
    ------
    NotebookError
        For a mistake that makes no difference: it would show nothing.
    """
    rows = []
    for (mistake, unit, source), (wrong, right) in cases.items():
        if wrong == right:
            raise NotebookError(f"{mistake}: wrong and right are both {wrong}")
        rows.append((mistake, *(decimal_text(each, 5) for each in (wrong, right, wrong - right)), unit, source))
    return text_table(("mistake", "wrong", "right", "off by", "in", "source"), rows)


def _numeric(cell: str) -> bool:
    return not cell or cell.lstrip("~+-<").replace(".", "", 1).replace("e-", "", 1).isdigit()


def picture(figure: Figure, alt: str) -> Image:
    """Return a figure as a PNG whose bytes do not depend on when it was drawn.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    alt : str
        What it shows, for those who do not see it.

    Returns
    -------
    IPython.display.Image
    """
    from IPython.display import Image

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight", metadata={"Software": None})
    return Image(buffer.getvalue(), format="png", alt=alt, metadata={"alt": alt})  # type: ignore[no-untyped-call]


def show_finding(finding: Finding) -> str:
    """Return a finding as the protocol reports it, its arithmetic aligned."""
    lines = [
        f"{finding.id} {finding.severity}{' (waived)' if finding.waived else ''}  {finding.title}",
        f"{finding.location}: {finding.current}, but {finding.correct.splitlines()[0]}; seen {finding.count}x",
        *(f"  {line}" for line in by_hand(finding.work).splitlines()),
        f"cause: {finding.cause or 'none of the known mistakes reproduces it'}",
        f"impact: {finding.impact.text}",
        f"fix: {finding.fix}",
    ]
    return "\n".join(lines)


# --- the verdict of a section -----------------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def examine(section: str, session: Session) -> Assessment:
    """Run a section's checks of a session, once, and join what they saw; always by the session's own conventions."""
    found = assemble([session], _runs(section, session), focus=[section])
    apart = {item.id for item in find_section(section).items if item.checks and not _of_session(item)}
    return replace(
        found, items=tuple(replace(i, reason="no check of a session") if i.id in apart else i for i in found.items)
    )


def _of_session(item: Item) -> list[str]:
    return [check.name for check in item.checks if check.evidence == "session"]


@lru_cache(maxsize=8)
def _runs(section: str, session: Session) -> tuple[CheckRun, ...]:
    found = find_section(section)
    return tuple(run_section(session, found, [item.id for item in found.items]))


def worst(section: str, session: Session) -> Finding | None:
    """Return the finding to look at first: of the highest severity, then of the most money; None without findings."""
    found = examine(section, session).findings
    return min(found, key=lambda each: (SEVERITIES.index(each.severity), -(each.impact.amount or 0)), default=None)


def item_table(assessment: Assessment) -> str:
    """Lay out an assessment's items: severity, status, how many records exercised each, and why."""
    rows = [(item.id, item.severity, item.status, item.exercised, item.reason) for item in assessment.items]
    return text_table(("item", "severity", "status", "exercised", "reason"), rows)


def verdict(section: str, session: Session, result: str) -> None:
    """Print what a section's checks of a session say, and leave it for the review: the last cell of its notebook.

    The checks of a source tree are no part of it: a review runs them apart, and `assess` joins what they saw.

    Parameters
    ----------
    section : str
        Such as ``1.3``.
    session : Session
    result : str
        File to write the runs of the checks to, whole or not at all; none where empty.
    """
    assessment = examine(section, session)
    print(item_table(assessment))
    for finding in assessment.findings:
        print(f"\n{show_finding(finding)}")
    for error in assessment.errors:
        print(f"\ncrashed: {error}")
    apart = [check for item in find_section(section).items for check in item.checks if check.evidence == "source"]
    if apart:
        alone = (
            "of the session alone" if _runs(section, session) else "empty, for no check of the section is of a session"
        )
        print(textwrap.fill(
            f"\nThe verdict is {alone}. {len(apart)} checks are of a source tree ({', '.join(c.name for c in apart)}): "
            "a review with --source runs them, and s0_readiness shows what they saw.", WIDTH, replace_whitespace=False,
        ))  # fmt: skip
    if result:
        runs = [run.to_json() for run in _runs(section, session)]
        write_result(result, {"section": section, "session": session.name, "runs": runs})


def write_result(result: str, data: dict[str, Any]) -> None:
    """Write a result file at once, marked complete."""
    path = Path(result)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(data | {"complete": True}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(path)


def read_result(path: Path, section: str, session: str) -> tuple[CheckRun, ...]:
    """Read the runs that a section's notebook left.

    Raises
    ------
    NotebookError
        If the file is not there, not complete, of another section or session, or lacks a check.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["complete"] is not True:
            raise NotebookError("its result is not complete")
        if (data["section"], data["session"]) != (section, session):
            raise NotebookError(f"its result is of {data['section']} on {data['session']}, not {section} on {session}")
        runs = tuple(CheckRun.from_json(run) for run in data["runs"])
    except OSError:
        raise NotebookError("it left no result") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotebookError(f"its result is not complete ({type(error).__name__}: {error})") from None
    due = [(item.id, name) for item in find_section(section).items for name in _of_session(item)]
    if [(run.item, run.check) for run in runs] != due or any(run.session != session for run in runs):
        raise NotebookError(f"its result does not hold the {len(due)} checks of section {section} on {session}")
    return runs


# --- the assessment ---------------------------------------------------------------------------------------------------


def result_name(stem: str, session: str, sessions: Sequence[str]) -> str:
    """Name what a notebook run leaves: its stem, and the session where there are several."""
    return f"{stem}-{session}" if len(sessions) > 1 else stem


#: File of a results folder with what no notebook came to: the runs of a target's checks, what was armed.
BESIDE = "beside.json"


def write_beside(
    results: Path, target: str, source: str, files: Sequence[str], runs: Sequence[CheckRun], armings: Sequence[Arming]
) -> None:
    """Leave the runs of a target's and a source tree's checks, and what was armed, for `assess`."""
    results.mkdir(parents=True, exist_ok=True)
    data = {
        "target": target, "source": source, "files": list(files), "runs": [run.to_json() for run in runs],
        "armings": [asdict(each) for each in armings],
    }  # fmt: skip
    write_result(str(results / BESIDE), data)


def assess(sessions: Sequence[Session], *, results: str, focus: Sequence[str], config: str) -> Assessment:
    """Join what the notebooks of the sections left into the assessment; where there is none, run the checks here.

    Parameters
    ----------
    sessions : sequence of Session
    results : str
        Folder of the result files, a target's among them; empty to run every check of the sessions in this process.
    focus : sequence of str
        Items, sections or phases; all items where empty.
    config : str
        Path of review.toml, empty for none.

    Returns
    -------
    Assessment
        Without times. A section whose notebook left no complete result is an error of the review.
    """
    beside = _beside(results)
    items = in_focus(focus, beside["files"])
    names = [session.name for session in sessions]
    runs: list[CheckRun] = []
    errors = []
    for session, section in product(sessions, sections()):
        wanted = [item.id for item in section.items if item.id in items]
        if wanted and results and has_notebook(section):
            path = Path(results, f"{result_name(section.stem, session.name, names)}.json")
            try:
                runs += [run for run in read_result(path, section.id, session.name) if run.item in items]
            except NotebookError as error:
                errors.append(f"{section.stem} on {session.name}: {error}")
        else:
            runs += run_section(session, section, wanted)
    runs += [CheckRun.from_json(run) for run in beside["runs"]]
    stated = read_config(Path(config)) if config else None
    assessment = assemble(
        sessions, runs, target=beside["target"], source=beside["source"], focus=focus, files=beside["files"],
        config=stated, errors=errors, armings=[Arming(**each) for each in beside["armings"]],
    )  # fmt: skip
    return replace(assessment, times={})


def _beside(results: str) -> dict[str, Any]:
    path = Path(results, BESIDE)
    if results and path.is_file():
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found
    return {"target": "", "source": "", "files": [], "runs": [], "armings": []}


def has_notebook(section: Section) -> bool:
    """Say whether a review runs a section by its notebook: where it has checks, and a page that shows them."""
    if not any(item.checks for item in section.items):
        return False
    try:
        return bundled(f"notebooks/{section.stem}.ipynb").is_file()
    except MmverifyError:
        return False


def readiness(assessment: Assessment, result: str) -> None:
    """Print the status and what it rests on, and leave the assessment for the review: the last cell of s0."""
    counts = ", ".join(f"{count} {name}" for name, count in assessment.counts.items())
    print(f"{assessment.status}  findings: {counts}")
    unseen: dict[str, list[str]] = {}
    for item in assessment.items:
        if item.status == "not_assessed":
            unseen.setdefault(item.reason, []).append(item.id)
    for reason, ids in unseen.items():
        print(textwrap.fill(f"{len(ids)} not assessed, {reason}: {', '.join(ids)}", WIDTH, subsequent_indent="  "))
    for condition in assessment.conditions:
        if "is not assessed" not in condition:
            print(textwrap.fill(condition, WIDTH, subsequent_indent="  "))
    for note in assessment.notes:
        print(textwrap.fill(f"note: {note}", WIDTH, subsequent_indent="  "))
    for error in assessment.errors:
        print(f"crashed: {error}")
    if result:
        data = assessment.to_json()
        data.pop("times")
        write_result(result, data)
