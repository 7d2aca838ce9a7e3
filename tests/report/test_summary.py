"""What the terminal says of a finished review."""

from __future__ import annotations

from pathlib import Path

from mmverify.report.summary import summary


def test_a_consequence_is_named_under_its_root_without_its_arithmetic(assessed, finding, following):
    lines = summary(assessed(finding, following), Path("out")).splitlines()
    assert lines[0].startswith("1.3.1 CRITICAL  pnl:3: realized P&L of BTC-USDT was 12.40 USDT, should be 12.35")
    at = next(n for n, line in enumerate(lines) if line.startswith("1.3.2 HIGH"))
    assert lines[at + 1] == "  follows from 1.3.1:realized_pnl:BTC-USDT: both are of pnl:3"
    assert lines[at + 2].startswith("NOT READY: ")
    assert lines[at + 2].endswith("findings: 1 critical, 1 high, 0 medium, 0 low (2 findings, 1 root cause)")


def test_without_consequences_roots_are_not_counted(assessed, finding, medium):
    assert (
        summary(assessed(finding, medium), Path("out")).splitlines()[-2].endswith("1 critical, 0 high, 1 medium, 0 low")
    )
