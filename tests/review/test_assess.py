"""The verdict and the exit code: every row of the table that a user relies on."""

from __future__ import annotations

from datetime import date
from itertools import product

import pytest

from mmverify.review.assess import conditions, exit_code, verdict
from mmverify.review.config import Waiver
from mmverify.review.results import Finding, Impact, ItemResult

READY, CONDITIONS, NOT_READY = "READY", "READY WITH CONDITIONS", "NOT READY"


def item(status: str, severity: str = "HIGH", *findings: str, id: str = "1.3.2") -> ItemResult:
    return ItemResult(id, "text", severity, status, 1, (), "why", findings)


def finding(severity: str, *, waived: bool = False, item: str = "1.3.2", id: str = "") -> Finding:
    return Finding(
        id=id or f"{item}:check:{severity}", item=item, severity=severity, title=f"a {severity} one", location="",
        category="", description="", current="", correct="", impact=Impact("", None, ""), fix="", test="",
        waived=waived, check="check", key="", session="s", count=1, occurrences=(), work=(), cause="",
    )  # fmt: skip


def failed(severity: str, *, waived: bool = False) -> tuple[list[ItemResult], list[Finding]]:
    found = finding(severity, waived=waived)
    return [item("failed", severity, found.id)], [found]


TABLE = [
    ("nothing to see", [], [], READY),
    ("verified", [item("verified", "CRITICAL")], [], READY),
    ("attested", [item("attested", "CRITICAL")], [], READY),
    ("not applicable", [item("not_applicable", "CRITICAL")], [], READY),
    ("not assessed, CRITICAL", [item("not_assessed", "CRITICAL")], [], NOT_READY),
    ("not assessed, HIGH", [item("not_assessed", "HIGH")], [], CONDITIONS),
    ("not assessed, MEDIUM", [item("not_assessed", "MEDIUM")], [], CONDITIONS),
    ("not assessed, LOW", [item("not_assessed", "LOW")], [], CONDITIONS),
    ("failed, CRITICAL", *failed("CRITICAL"), NOT_READY),
    ("failed, HIGH", *failed("HIGH"), NOT_READY),
    ("failed, MEDIUM", *failed("MEDIUM"), CONDITIONS),
    ("failed, LOW", *failed("LOW"), READY),
    ("waived, HIGH", *failed("HIGH", waived=True), CONDITIONS),
    ("waived, MEDIUM", *failed("MEDIUM", waived=True), CONDITIONS),
    ("waived, LOW", *failed("LOW", waived=True), READY),
    ("a MEDIUM finding of no item", [], [finding("MEDIUM")], CONDITIONS),
]  # fmt: skip


@pytest.mark.parametrize(("name", "items", "findings", "status"), TABLE, ids=[row[0] for row in TABLE])
def test_one_item_decides(name: str, items: list[ItemResult], findings: list[Finding], status: str) -> None:
    assert verdict(items, findings, []) == status
    # beside any item that is verified it comes to the same
    assert verdict([item("verified", "CRITICAL", id="1.1.3"), *items], findings, []) == status
    # and an error of the review itself is never ready, whatever was seen
    assert verdict(items, findings, ["1.3.1 realized_pnl: crashed"]) == NOT_READY


@pytest.mark.parametrize(("one", "other"), list(product(TABLE, TABLE)), ids=lambda row: row[0].replace(" ", "-"))
def test_the_worse_of_two_items_decides(one: tuple, other: tuple) -> None:
    order = [READY, CONDITIONS, NOT_READY]
    worse = order[max(order.index(one[3]), order.index(other[3]))]
    assert verdict([*one[1], *other[1]], [*one[2], *other[2]], []) == worse


def test_an_item_with_a_low_and_a_medium_finding_is_a_condition() -> None:
    low, medium = finding("LOW"), finding("MEDIUM")
    assert verdict([item("failed", "MEDIUM", low.id, medium.id)], [low, medium], []) == CONDITIONS


def test_a_high_finding_beside_its_waived_twin_still_blocks() -> None:
    waived, is_open = finding("HIGH", waived=True, id="1.3.2:check:A"), finding("HIGH", id="1.3.2:check:B")
    assert verdict([item("failed", "HIGH", waived.id, is_open.id)], [waived, is_open], []) == NOT_READY


@pytest.mark.parametrize(
    ("status", "errors", "strict", "code"),
    [
        (READY, [], False, 0), (READY, [], True, 0),
        (NOT_READY, [], False, 1), (NOT_READY, [], True, 1),
        (CONDITIONS, [], False, 3), (CONDITIONS, [], True, 1),
        (NOT_READY, ["a check crashed"], False, 4), (NOT_READY, ["a check crashed"], True, 4),
    ],
)  # fmt: skip
def test_exit_codes(status: str, errors: list[str], strict: bool, code: int) -> None:
    assert exit_code(status, errors, strict=strict) == code


def test_conditions_name_what_the_signer_accepts() -> None:
    waiver = Waiver("1.3.2", "mark feed is replaced in May", "A. Person", date(2026, 5, 31))
    results = [
        item("failed", "HIGH", "1.3.2:check:HIGH"), item("attested", "LOW", id="7.1"), item("verified", id="1.1.1"),
        item("not_assessed", "HIGH", id="1.1.2"), item("not_applicable", "HIGH", id="1.1.6"),
    ]  # fmt: skip
    findings = [finding("HIGH", waived=True), finding("MEDIUM", item="3.3.2"), finding("LOW", item="4.1.5")]
    assert conditions(results, findings, [waiver]) == (
        "1.3.2:check:HIGH: waived HIGH finding, a HIGH one (mark feed is replaced in May; A. Person, until 2026-05-31)",
        "3.3.2:check:MEDIUM: MEDIUM finding, a MEDIUM one",
        "7.1 is attested, not seen: why",
        "1.1.2 is not assessed: why",
    )
