"""What a review finds, as data: runs of checks, results of items, findings, and the assessment that they add up to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from typing import Any

from mmverify.checks import Breach, Looked, Off


@dataclass(frozen=True)
class CheckRun:
    """One check on one piece of evidence: what it saw, or the error that it ended in.

    Attributes
    ----------
    session : str
        Name of the evidence: a session, a target, or a source tree.
    missing : tuple of str
        Tables that it needs and the session has not.
    read_notes : tuple of str
        What was noticed when it read its tables first.
    evidence : {"session", "target", "source"}
    test : str
        Code of the regression test of its finding; empty for a session, which is reviewed again.
    """

    session: str
    item: str
    check: str
    looked: Looked
    missing: tuple[str, ...] = ()
    error: str = ""
    read_notes: tuple[str, ...] = ()
    evidence: str = "session"
    test: str = ""

    @property
    def status(self) -> str:
        """``failed``, ``verified``, ``not_assessed`` or ``error``."""
        if self.error:
            return "error"
        if self.looked.breaches:
            return "failed"
        return "verified" if self.looked.exercised else "not_assessed"

    def to_json(self) -> dict[str, Any]:
        """Return plain data; the money as an exact fraction in text."""
        data = asdict(self)
        for breach in data["looked"]["breaches"]:
            breach["amount"] = None if breach["amount"] is None else str(breach["amount"])
            breach["offs"] = [[off.what, off.ts, str(off.low), str(off.high)] for off in breach["offs"]]
        return data

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> CheckRun:
        """Read what `to_json` wrote."""
        looked = data["looked"]
        breaches = []
        for entry in looked["breaches"]:
            amount = None if entry["amount"] is None else Fraction(entry["amount"])
            lists = {key: tuple(value) for key, value in entry.items() if isinstance(value, list)}
            offs = tuple(Off(what, ts, Fraction(low), Fraction(high)) for what, ts, low, high in entry["offs"])
            breaches.append(Breach(**(dict(entry) | lists | {"amount": amount, "offs": offs})))
        return CheckRun(
            data["session"], data["item"], data["check"],
            Looked(looked["exercised"], tuple(breaches), tuple(looked["notes"])), tuple(data["missing"]), data["error"],
            tuple(data["read_notes"]), data["evidence"], data["test"],
        )  # fmt: skip


@dataclass(frozen=True)
class Impact:
    """The money of a finding: a sentence, and the amount where it can be computed."""

    text: str
    amount: float | None
    currency: str


@dataclass(frozen=True)
class Finding:
    """One defect, in the protocol's reporting format.

    `follows` is the id of the root that it follows from, empty for a root itself; `link` says what shows it.
    """

    id: str
    item: str
    severity: str
    title: str
    location: str
    category: str
    description: str
    current: str
    correct: str
    impact: Impact
    fix: str
    test: str
    waived: bool
    check: str
    key: str
    session: str
    count: int
    occurrences: tuple[str, ...]
    work: tuple[str, ...]
    cause: str
    code: str = ""
    follows: str = ""
    link: str = ""


@dataclass(frozen=True)
class Arming:
    """Whether a check was seen to fire on a planted mistake.

    Attributes
    ----------
    item, check : str
    armed : bool
    words : str
        The mistake that it fired on, or why there is none.
    """

    item: str
    check: str
    armed: bool
    words: str


@dataclass(frozen=True)
class CheckResult:
    """A check's part in an item's result; `armed` is None where arming was not tried."""

    name: str
    evidence: str
    status: str
    exercised: int
    armed: bool | None = None
    arming: str = ""


@dataclass(frozen=True)
class ItemResult:
    """An item's outcome, how many records exercised it, and why it stands as it does."""

    id: str
    text: str
    severity: str
    status: str
    exercised: int
    checks: tuple[CheckResult, ...]
    reason: str
    findings: tuple[str, ...]

    @property
    def armed(self) -> str:
        """``armed`` if a check was seen to fire on a planted mistake, ``not armed`` if none was, else empty."""
        tried = [check.armed for check in self.checks if check.armed is not None]
        return "" if not tried else "armed" if any(tried) else "not armed"


@dataclass(frozen=True)
class Assessment:
    """The final deliverable: the status and everything that it rests on."""

    status: str
    session: str
    focus: tuple[str, ...]
    items: tuple[ItemResult, ...]
    findings: tuple[Finding, ...]
    conditions: tuple[str, ...]
    notes: tuple[str, ...]
    errors: tuple[str, ...]
    times: dict[str, Any]

    @property
    def counts(self) -> dict[str, int]:
        """Findings by severity, waived ones too."""
        severities = [finding.severity for finding in self.findings]
        return {name.lower(): severities.count(name) for name in ("CRITICAL", "HIGH", "MEDIUM", "LOW")}

    @property
    def roots(self) -> int:
        """How many findings follow from no other."""
        return sum(not finding.follows for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Return assessment.json as plain data."""
        head = {
            "version": 1,
            "status": self.status,
            "session": self.session,
            "counts": self.counts,
            "roots": self.roots,
        }
        return head | {f.name: _plain(getattr(self, f.name)) for f in fields(self) if f.name not in head}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if hasattr(value, "__dataclass_fields__"):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    return value
