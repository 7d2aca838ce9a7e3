"""The verdict: one pure function from what the items came to, and what is open, to the status and its conditions."""

from __future__ import annotations

from collections.abc import Sequence

from mmverify.review.config import Waiver
from mmverify.review.results import Finding, ItemResult

READY, CONDITIONS, NOT_READY = "READY", "READY WITH CONDITIONS", "NOT READY"
_SETTLED = ("verified", "attested", "not_applicable")


def verdict(items: Sequence[ItemResult], findings: Sequence[Finding], errors: Sequence[str]) -> str:
    """Return the status of a review.

    NOT READY while a CRITICAL or HIGH finding is open, a CRITICAL item is not assessed, or the review itself failed;
    READY once every item is settled and nothing above LOW was found; READY WITH CONDITIONS between the two.
    """
    blocked = any(finding.severity in ("CRITICAL", "HIGH") and not finding.waived for finding in findings)
    unseen = any(item.severity == "CRITICAL" and item.status == "not_assessed" for item in items)
    if blocked or unseen or errors:
        return NOT_READY
    low = {finding.id for finding in findings if finding.severity == "LOW"}
    settled = all(item.status in _SETTLED or (item.findings and low.issuperset(item.findings)) for item in items)
    return READY if settled and low.issuperset(finding.id for finding in findings) else CONDITIONS


def covers(waiver: Waiver, finding: Finding) -> bool:
    """Say whether a waiver is of a finding or of its item; there is none for a CRITICAL one."""
    return waiver.target in (finding.id, finding.item) and finding.severity != "CRITICAL"


def conditions(items: Sequence[ItemResult], findings: Sequence[Finding], waivers: Sequence[Waiver]) -> tuple[str, ...]:
    """List what whoever signs has to accept: MEDIUM findings, `waivers` in force, attestations, items not assessed.

    So is a CRITICAL item that was seen to hold in the bot's own functions only.
    """
    out = [
        f"{f.id}: waived {f.severity} finding, {f.title} ({w.reason}; {w.owner}, until {w.expires})"
        for f in findings
        if (w := next((w for w in waivers if covers(w, f)), None))
    ]
    out += [f"{f.id}: MEDIUM finding, {f.title}" for f in findings if f.severity == "MEDIUM" and not f.waived]
    out += [f"{item.id} is attested, not seen: {item.reason}" for item in items if item.status == "attested"]
    out += [
        f"{item.id} is verified on the target alone: the function is right, its wiring unseen"
        for item in items
        if item.status == "verified" and item.severity == "CRITICAL"
        if not any(check.exercised for check in item.checks if check.evidence == "session")
    ]
    out += [f"{item.id} is not assessed: {item.reason}" for item in items if item.status == "not_assessed"]
    return tuple(out)


def exit_code(status: str, errors: Sequence[str], *, strict: bool) -> int:
    """Return the exit code of a review: 0 READY, 1 NOT READY, 3 WITH CONDITIONS (1 if strict), 4 a failed review."""
    if errors:
        return 4
    return {READY: 0, NOT_READY: 1, CONDITIONS: 1 if strict else 3}[status]
