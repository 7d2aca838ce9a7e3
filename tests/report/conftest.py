"""Findings, items and assessments built by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from mmverify.checks import items
from mmverify.review.results import Assessment, CheckResult, Finding, Impact, ItemResult

#: A symbol that tries to end the table, the page, the verdict and the file that it is written into.
HOSTILE = (
    'X"\'</td><script>alert(1)</script>\n\n## Status: READY\n```\n\x00\x1b[31m\u202e [x](http://evil.example) """ \\'
)

FINDING = Finding(
    id="1.3.1:realized_pnl:BTC-USDT", item="1.3.1", severity="CRITICAL",
    title="Realized P&L is not what the fills give (BTC-USDT)", location="pnl:3", category="Financial Logic",
    description="Replaying the fills gives another realized P&L. Seen 2 times, first at pnl:3, pnl:4.",
    current="realized P&L of BTC-USDT was 12.40 USDT",
    correct="should be 12.35 USDT\n(102.57 - 100.10) x 5 = 12.35\npnl:3 claims 12.40: it is off by 0.05",
    impact=Impact("0.05 USDT: profit that is not there", 0.05, "USDT"), fix="Use last_px of the execution.",
    test="tests/test_1_3_1_realized_pnl_BTC_USDT.py", waived=False, check="realized_pnl", key="BTC-USDT",
    session="day", count=2, occurrences=("pnl:3", "pnl:4"),
    work=("(102.57 - 100.10) x 5 = 12.35", "pnl:3 claims 12.40: it is off by 0.05"), cause="",
)  # fmt: skip
MEDIUM = replace(
    FINDING, id="3.3.1:vwap:ETH-USDT", item="3.3.1", severity="MEDIUM", title="VWAP is off (ETH-USDT)", check="vwap",
    key="ETH-USDT", test="tests/test_3_3_1_vwap_ETH_USDT.py", location="signals:9", count=1, occurrences=("signals:9",),
)  # fmt: skip
WAIVED = replace(
    FINDING, id="1.3.4:grouping:BTC-USDT", item="1.3.4", severity="HIGH", title="P&L depends on grouping (BTC-USDT)",
    check="grouping", test="tests/test_1_3_4_grouping_BTC_USDT.py", waived=True,
)  # fmt: skip
FOLLOWING = replace(
    FINDING, id="1.3.2:unrealized_pnl:BTC-USDT", item="1.3.2", severity="HIGH",
    title="Unrealized P&L is off (BTC-USDT)", check="unrealized_pnl",
    test="tests/test_1_3_2_unrealized_pnl_BTC_USDT.py", follows=FINDING.id, link="both are of pnl:3",
)  # fmt: skip
EVIL = replace(
    FINDING, id=f"1.3.2:unrealized_pnl:{HOSTILE}", item="1.3.2", severity="HIGH", title=f"Wrong price ({HOSTILE})",
    location=f"{HOSTILE}:1", description=HOSTILE, current=HOSTILE, correct=f"should be {HOSTILE}\n{HOSTILE}",
    fix=HOSTILE, impact=Impact(HOSTILE, None, ""), key=HOSTILE, check="unrealized_pnl",
    test="tests/test_1_3_2_unrealized_pnl_X.py",
)  # fmt: skip


def _result(id: str, findings: tuple[Finding, ...]) -> ItemResult:
    item = items()[id]
    own = tuple(finding.id for finding in findings if finding.item == id)
    checks, exercised, status, reason = (), 0, "not_assessed", "no check yet"
    if own:
        checks, exercised, status, reason = (("look", "failed", 40),), 40, "failed", "violated; 40 records exercised it"
    elif id == "1.3.3":
        parts = (("fee_rate", "verified", 728), ("fees_claim", "verified", 272))
        checks, exercised, status, reason = parts, 1000, "verified", "1000 records exercised it"
    elif id == "1.3.5":
        checks, reason = (("balance_value", "error", 0),), "balance_value crashed: KeyError: 'BTC'"
    elif id == "7.4":
        status, reason = "attested", "by Ada Lovelace on 2026-01-05, runbook.pdf"
    elif id == "4.2.1":
        status, reason = "not_applicable", "the bot has no hot path (Ada Lovelace, 2026-01-05)"
    results = tuple(CheckResult(name, "session", state, count) for name, state, count in checks)
    return ItemResult(id, item.text, item.severity, status, exercised, results, reason, own)


@pytest.fixture
def assessed() -> Callable[..., Assessment]:
    """Give a maker of assessments from findings, other fields by name."""

    def make(*findings: Finding, chosen: tuple[str, ...] = tuple(items()), **fields: object) -> Assessment:
        results = tuple(_result(id, findings) for id in chosen)
        unseen = tuple(f"{each.id} is not assessed: {each.reason}" for each in results if each.status == "not_assessed")
        whole = Assessment(
            status="NOT READY", session="day", focus=(), items=results, findings=findings,
            conditions=("7.4 is attested, not seen: by Ada Lovelace on 2026-01-05, runbook.pdf", *unseen),
            notes=("day: conventions.realized was assumed",), errors=(),
            times={"started": "2026-01-05", "seconds": 1.5},
        )  # fmt: skip
        return replace(whole, **fields)

    return make


@pytest.fixture
def finding() -> Finding:
    """Give an open CRITICAL finding."""
    return FINDING


@pytest.fixture
def medium() -> Finding:
    """Give a MEDIUM finding."""
    return MEDIUM


@pytest.fixture
def waived() -> Finding:
    """Give a HIGH finding that is waived."""
    return WAIVED


@pytest.fixture
def evil() -> Finding:
    """Give a HIGH finding every text of which is hostile."""
    return EVIL


@pytest.fixture
def following() -> Finding:
    """Give a HIGH finding that follows from the CRITICAL one."""
    return FOLLOWING
