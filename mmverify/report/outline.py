"""What every report says in the same words: which findings block, what was not seen, and text that hides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mmverify.checks import items as all_items
from mmverify.review.results import Assessment, Finding, ItemResult

_NAMES = 12
#: The statuses of an item, in the order that a reader wants them, as words.
STATUSES = {
    "failed": "failed", "not_assessed": "not assessed", "verified": "verified", "attested": "attested",
    "not_applicable": "not applicable",
}  # fmt: skip


def visible(text: str) -> str:
    """Return `text` with everything that does not print written as an escape; newlines and spaces stay.

    A name from the evidence may hold control characters, or marks that turn the reading direction.

    >>> visible("BTC\\x00\\u202eUSDT")
    'BTC\\\\x00\\\\u202eUSDT'
    """
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


def one_line(text: str) -> str:
    """Return `text` as `visible` shows it, on one line."""
    return " ".join(visible(text).split())


def focus_names(assessment: Assessment) -> str:
    """Return what the review was limited to, many names cut short."""
    names = [one_line(name) for name in assessment.focus]
    return ", ".join(names if len(names) <= _NAMES else [*names[:3], "…", f"{names[-1]} ({len(names)} names)"])


def focus_line(assessment: Assessment) -> str:
    """Return the sentence that says what the review was limited to, empty where it was not."""
    if not assessment.focus:
        return ""
    return (
        f"Focus: {focus_names(assessment)}. Only {len(assessment.items)} of the {len(all_items())} items were "
        "reviewed; the status is theirs alone."
    )


def blocking(assessment: Assessment) -> tuple[Finding, ...]:
    """Return the findings that must be fixed: CRITICAL and HIGH, not waived."""
    return tuple(f for f in assessment.findings if f.severity in ("CRITICAL", "HIGH") and not f.waived)


def recommended(assessment: Assessment) -> tuple[Finding, ...]:
    """Return the findings that do not block."""
    must = {id(finding) for finding in blocking(assessment)}
    return tuple(finding for finding in assessment.findings if id(finding) not in must)


def headline(assessment: Assessment) -> str:
    """Return ``5 findings, 2 root causes``, empty where each finding is a root of its own."""
    count, roots = len(assessment.findings), assessment.roots
    if count == roots:
        return ""
    return f"{count} findings, {roots} root cause{'' if roots == 1 else 's'}"


def consequences(assessment: Assessment, finding: Finding) -> tuple[Finding, ...]:
    """Return the findings that follow from one."""
    return tuple(each for each in assessment.findings if each.follows == finding.id)


def nested(findings: Sequence[Finding]) -> list[tuple[Finding, list[Finding]]]:
    """Return findings, each with those of them that follow from it."""
    ids = {finding.id for finding in findings}
    roots = [finding for finding in findings if finding.follows not in ids]
    return [(root, [each for each in findings if each.follows == root.id]) for root in roots]


def tally(assessment: Assessment) -> dict[str, int]:
    """Return how many items came to each status, in the order of `STATUSES`, those with none left out."""
    statuses = [item.status for item in assessment.items]
    return {status: statuses.count(status) for status in STATUSES if status in statuses}


def by_reason(items: Iterable[ItemResult], status: str, severity: str | None = None) -> dict[str, list[str]]:
    """Return the ids of the items of a status (and severity) by their reason."""
    groups: dict[str, list[str]] = {}
    for item in items:
        if item.status == status and severity in (None, item.severity):
            groups.setdefault(item.reason, []).append(item.id)
    return groups


def other_conditions(assessment: Assessment) -> list[str]:
    """Return the sign-off conditions without those of items not assessed, which `by_reason` groups."""
    unseen = {item.id for item in assessment.items if item.status == "not_assessed"}
    return [condition for condition in assessment.conditions if condition.partition(" ")[0] not in unseen]


def counted(ids: Sequence[str]) -> str:
    """Return ``3 items: 1.1.1, 1.1.2, 1.1.3``."""
    return f"{len(ids)} item{'' if len(ids) == 1 else 's'}: {', '.join(ids)}"


def summary(finding: Finding) -> str:
    """Return how often a finding was seen and where first, as plain text."""
    return finding.location if finding.count == 1 else f"{finding.location}, {finding.count:,} times"
