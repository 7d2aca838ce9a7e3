"""What a review says on the terminal: its findings with their numbers, the status, where the report is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mmverify.report.outline import focus_names, headline, visible
from mmverify.review.results import Assessment

_SHOWN = 10


def summary(assessment: Assessment, out: Path) -> str:
    """Return the text of a finished review; `out` is the folder of its report."""
    return "".join(f"{visible(line)}\n" for line in _lines(assessment, out))


def _lines(assessment: Assessment, out: Path) -> Iterator[str]:
    for finding in assessment.findings[:_SHOWN]:
        should = finding.correct.splitlines()[0]
        yield f"{finding.item} {finding.severity}  {finding.location}: {finding.current}, {should}"
        if finding.follows:
            yield f"  follows from {finding.follows}: {finding.link}"
            continue
        yield from (f"  {line}" for line in finding.work)
        if finding.cause:
            yield f"  cause: {finding.cause}, which reproduces every wrong value to the last digit"
        yield f"  impact: {finding.impact.text}"
    if len(assessment.findings) > _SHOWN:
        yield f"{len(assessment.findings) - _SHOWN} more findings in the report"
    yield from (f"the review itself failed: {error}" for error in assessment.errors)
    counts = ", ".join(f"{count} {name}" for name, count in assessment.counts.items())
    counts += f" ({said})" if (said := headline(assessment)) else ""
    verified = sum(item.status == "verified" for item in assessment.items)
    within = f" (focus: {focus_names(assessment)})" if assessment.focus else ""
    yield f"{assessment.status}{within}: {verified} of {len(assessment.items)} items verified; findings: {counts}"
    yield f"report: {out / 'index.html'}"
