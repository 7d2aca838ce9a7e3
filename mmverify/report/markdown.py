"""assessment.md: the protocol's final deliverable, with each finding in its reporting format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from mmverify.report import outline
from mmverify.review.results import Assessment, Finding, ItemResult


def render(assessment: Assessment) -> str:
    """Return assessment.md, its headings exactly those of the protocol."""
    blocks = [_text(outline.focus_line(assessment))] if assessment.focus else []
    blocks += ["# Production Readiness Assessment", f"## Status: {assessment.status}", _reviewed(assessment)]
    if assessment.errors:
        blocks += ["**The review itself failed.** What it did not finish counts as not assessed:"]
        blocks += [_bullets(_text(error) for error in assessment.errors)]
    blocks += ["## Issues Found", "\n".join(f"- {name.capitalize()}: {n}" for name, n in assessment.counts.items())]
    blocks += [f"{said}."] if (said := outline.headline(assessment)) else []
    must, should = outline.blocking(assessment), outline.recommended(assessment)
    blocks += ["## Blocking Items (must fix):", _numbered([*_titles(must), *_unseen(assessment)])]
    blocks += [_finding(finding, assessment) for finding in must]
    blocks += ["## Recommended Items (should fix):", _numbered(_titles(should))]
    blocks += [_finding(finding, assessment) for finding in should]
    verified = [item for item in assessment.items if item.status == "verified"]
    blocks += ["## Verified Correct:", _bullets(map(_verified, verified))]
    blocks += ["## Sign-off Conditions:", _bullets(_conditions(assessment))]
    if assessment.notes:
        blocks += ["**Notes of the review:**", _bullets(_text(note) for note in assessment.notes)]
    return "\n\n".join(blocks) + "\n"


def _reviewed(assessment: Assessment) -> str:
    parts = ", ".join(f"{count} {outline.STATUSES[status]}" for status, count in outline.tally(assessment).items())
    return f"Reviewed: {_code(assessment.session)}. Of {len(assessment.items)} items: {parts}."


def _unseen(assessment: Assessment) -> Iterable[str]:
    """List what blocks beside findings: a review that failed, CRITICAL items that nothing proved right."""
    if assessment.errors:
        yield "The review itself failed: see the errors above."
    for reason, ids in outline.by_reason(assessment.items, "not_assessed", "CRITICAL").items():
        yield f"Not assessed though CRITICAL, {_text(reason)} ({outline.counted(ids)})"


def _title(finding: Finding) -> str:
    waived = ", waived" if finding.waived else ""
    return f"[{finding.severity}] {finding.item} {_text(finding.title)}, at {_text(outline.summary(finding))}{waived}"


def _titles(findings: Sequence[Finding]) -> list[str]:
    """Title findings, under each root those that follow from it."""
    return [
        "\n".join([_title(root), *(f"   - follows from it: {_title(each)}" for each in following)])
        for root, following in outline.nested(findings)
    ]


def _related(finding: Finding, assessment: Assessment) -> list[str]:
    """Say what a finding follows from, or what follows from it."""
    if finding.follows:
        return [f"**Follows from:** {_code(finding.follows)}, {_text(finding.link)}"]
    following = outline.consequences(assessment, finding)
    return [f"**Consequences:** {', '.join(_code(each.id) for each in following)}"] if following else []


def _finding(finding: Finding, assessment: Assessment) -> str:
    should, *work = finding.correct.split("\n")
    blocks = [
        f"### [{finding.severity}] {_text(finding.title)}",
        f"**Location:** {_code(finding.location)}\n**Category:** {finding.category}",
        f"**Description:** {_text(finding.description)}",
        f"**Current Behavior:**\n\n{_fenced([finding.current])}",
        f"**Correct Behavior:** {_text(should)}" + (f"\n\n{_fenced(work)}" if work else ""),
        f"**Financial Impact:** {_text(finding.impact.text)}",
        f"**Fix:** {_text(finding.fix)}",
        f"**Test:** {_code(finding.test)} fails on the evidence as it is and passes once it is right.",
        *_related(finding, assessment),
    ]
    return "\n\n".join(blocks)


def _verified(item: ItemResult) -> str:
    ran = ", ".join(f"{check.name} {check.exercised:,}" for check in item.checks)
    return f"{item.id} {_text(item.text)}: {item.exercised:,} records exercised it ({ran}){_text(_armed(item))}"


def _armed(item: ItemResult) -> str:
    words = dict.fromkeys(f"{check.name} {check.arming}" for check in item.checks if check.armed is not None)
    return f"; {item.armed}: {'; '.join(words)}" if item.armed else ""


def _conditions(assessment: Assessment) -> Iterable[str]:
    yield from (_text(condition) for condition in outline.other_conditions(assessment))
    for reason, ids in outline.by_reason(assessment.items, "not_assessed").items():
        yield f"Not assessed, {_text(reason)} ({outline.counted(ids)})"
    for reason, ids in outline.by_reason(assessment.items, "not_applicable").items():
        yield f"Declared not applicable, {_text(reason)} ({outline.counted(ids)})"


# --- Markdown that evidence cannot break ------------------------------------------------------------------------------


def _text(text: str) -> str:
    """Put `text` on one line, without HTML, links or emphasis of its own; code spans stay."""
    escaped = re.sub(r"[\\<\[]", r"\\\g<0>", outline.one_line(text))
    return re.sub(r"(?<!`)\*|\*(?!`)", r"\\*", escaped)


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def _code(text: str) -> str:
    body = outline.one_line(text)
    ticks = "`" * (_longest_run(body) + 1)
    return f"{ticks} {body} {ticks}" if "`" in body else f"`{body}`"


def _fenced(lines: Sequence[str]) -> str:
    body = outline.visible("\n".join(lines))
    fence = "`" * max(3, _longest_run(body) + 1)
    return f"{fence}\n{body}\n{fence}"


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines) or "- None"


def _numbered(lines: Sequence[str]) -> str:
    return "\n".join(f"{number}. {line}" for number, line in enumerate(lines, 1)) or "None."
