"""Diagnosis over alarm: which findings follow from which, so that one cause is one finding at its root.

A finding follows from another where ``diagnose.toml`` names its check among the consequences of that one's, both are of
one session and symbol, it does not begin earlier, and the evidence links the two. What links them, the strongest first:

1. its cause, which reproduces it to the last digit, is the other check's mistake, or the very same as its;
2. it is off by just what the other one adds up to then;
3. both come to the same amount of money;
4. they name a record in common;
5. its first claim is the first that the bot made since the other one began.

What both state by how much it is off is held to that: where it differs neither 3, 4 nor 5 links them. A finding that
nothing links stays one of its own. Of two that may follow from each other the one with a cause of its own is the root,
else the one that comes first in ``diagnose.toml``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import count
from pathlib import Path

from mmverify.checks import Off
from mmverify.review.results import Finding

Offs = Mapping[str, Sequence[Off]]
_ALL = {"*", "realized", "unrealized", "fees", "funding", "total"}  # keys of what is of all symbols
_SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW")


@dataclass(frozen=True)
class Root:
    """What a check's mistake leads to.

    Parameters
    ----------
    consequences : tuple of str
        Items (``1.2.1``) and checks (``1.2.5:exchange_difference``) that fail where its mistake is their cause.
    causes : tuple of str
        Words of the causes of such findings that are its mistake.
    only : tuple of str
        Words of its own cause without which nothing follows from it; empty where any cause will do.
    as_often : bool
        Whether nothing follows from it that was seen more often.
    """

    consequences: tuple[str, ...]
    causes: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    as_often: bool = False


@cache
def known_roots() -> dict[str, Root]:
    """Return what each check's mistake leads to, by item and check: ``2.2.6:repeated_in_books``."""
    data = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return {
        check: Root(
            tuple(each["consequences"]), tuple(each.get("causes", ())), tuple(each.get("only", ())),
            each.get("as_often", False),
        )
        for each in data["root"]
        for check in each["checks"]
    }  # fmt: skip


@dataclass(frozen=True)
class Moment:
    """When a record was written, ns, whether it is a claim, and when the one before of the same thing was made."""

    ts: int
    is_claim: bool = False
    before: int | None = None


Moments = Mapping[tuple[str, str], Moment]


def diagnose(findings: Sequence[Finding], offs: Offs, moments: Moments) -> tuple[Finding, ...]:
    """Relate findings: each gets the root that it follows from, and stands behind it.

    Parameters
    ----------
    findings : sequence of Finding
    offs : mapping of str to sequence of Off
        By how much what a finding is about is off, by its id.
    moments : mapping of (str, str) to Moment
        By session and place, of the places that findings name.

    Returns
    -------
    tuple of Finding
        Roots by the highest severity of what follows from them, each with what follows from it by severity.
    """
    parents: dict[str, tuple[str, str]] = {}

    def root_of(id: str) -> str:
        return root_of(parents[id][0]) if id in parents else id

    for *_, child, parent, link in sorted(_links(findings, offs, moments)):
        if child not in parents and root_of(parent) != child:
            parents[child] = parent, link
    related = []
    for finding in findings:
        parent, link = parents.get(finding.id, ("", ""))
        root = root_of(finding.id) if parent else ""
        related.append(replace(finding, follows=root, link=link if root == parent else f"by way of {parent}: {link}"))
    worst: dict[str, int] = {}
    for each in related:
        root, rank = each.follows or each.id, _SEVERITIES.index(each.severity)
        worst[root] = min(worst.get(root, rank), rank)
    order = dict(zip(sorted(worst, key=lambda root: worst[root]), count(), strict=False))
    return tuple(sorted(related, key=lambda each: (
        order[each.follows or each.id], bool(each.follows), _SEVERITIES.index(each.severity),
    )))  # fmt: skip


def _links(
    findings: Sequence[Finding], offs: Offs, moments: Moments
) -> Iterator[tuple[int, bool, int, int, int, str, str, str]]:
    """Yield what may follow from what, and what links them; the best sorts first."""
    roots = known_roots()
    order = {check: place for place, check in enumerate(roots)}
    for place, other in enumerate(findings):
        root, began = roots.get(_check(other)), _start(other, moments)
        if root is None or began is None or (root.only and not any(words in other.cause for words in root.only)):
            continue
        for later, finding in enumerate(findings):
            first = moments.get((finding.session, finding.occurrences[0]))
            is_other = place < later if other.item == finding.item else True
            if is_other and first and began <= first.ts and _may_follow(root, other, finding):
                rank, link = _link(root, other, finding, offs, moments)
                if rank:
                    yield rank, not other.cause, order[_check(other)], -began, place, finding.id, other.id, link


def _check(finding: Finding) -> str:
    return f"{finding.item}:{finding.check}"


def _may_follow(root: Root, other: Finding, finding: Finding) -> bool:
    """Say whether a finding is declared a consequence of another, in the same session and of its symbol or record.

    What is of all symbols may follow from what is of one, not the reverse.
    """
    symbol, own = (each.key.partition(" ")[0] for each in (other, finding))
    is_one = symbol == own or own in _ALL or finding.occurrences[0] in other.occurrences
    is_declared = bool({finding.item, _check(finding)} & set(root.consequences))
    is_one &= not root.as_often or finding.count <= other.count
    return is_declared and is_one and finding.session == other.session


def _start(finding: Finding, moments: Moments) -> int | None:
    """Return when the earliest record that a finding names was written, None where that is not known."""
    known = [moments[finding.session, each].ts for each in finding.occurrences if (finding.session, each) in moments]
    return min(known, default=None)


def _link(known: Root, root: Finding, finding: Finding, offs: Offs, moments: Moments) -> tuple[int, str]:
    """Return the rank and the words of what links a finding to its root; rank 0 where nothing does."""
    if finding.cause and (finding.cause == root.cause or any(words in finding.cause for words in known.causes)):
        return 1, "its cause reproduces it to the last digit"
    is_alike = _is_off_alike(offs.get(root.id, ()), offs.get(finding.id, ()))
    if is_alike is not None:
        return (2, "it is off by just as much") if is_alike else (0, "")
    money = root.impact.amount
    if money and (money, root.impact.currency) == (finding.impact.amount, finding.impact.currency):
        return 3, "it comes to the same amount"
    shared = [place for place in finding.occurrences if place in root.occurrences]
    if shared:
        return 4, f"both are of {shared[0]}"
    first, began = moments.get((finding.session, finding.occurrences[0])), _start(root, moments)
    if first and first.is_claim and began is not None and (first.before is None or first.before <= began <= first.ts):
        return 5, f"{finding.occurrences[0]} is the first claim since"
    return 0, ""


def _is_off_alike(root: Sequence[Off], own: Sequence[Off]) -> bool | None:
    """Say whether a finding is off by what its root adds up to then; None where they are about different things."""
    comparable = [(off, [each for each in root if each.what == off.what]) for off in own]
    comparable = [(off, steps) for off, steps in comparable if steps]
    if not comparable:
        return None
    return all(
        any(off.low <= step.high and step.low <= off.high for step in _standing(steps, off.ts))
        for off, steps in comparable
    )


def _standing(steps: Sequence[Off], ts: int) -> list[Off]:
    """Return what may stand at a moment: the newest step before it, and those of that very moment."""
    before = [step for step in steps if step.ts < ts]
    return [*before[-1:], *(step for step in steps if step.ts == ts)]
