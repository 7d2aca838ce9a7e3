"""junit.xml: a case an item, a failure a finding, valid whatever the names."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from mmverify.report import junit


def test_every_item_is_a_case_of_its_section(assessed, finding, waived):
    root = ET.fromstring(junit.render(assessed(finding, waived)).encode())
    assert [suite.get("name") for suite in root][:2] == [
        "1.1 Spread & Pricing Logic",
        "1.2 Position & Inventory Management",
    ]
    assert len(root) == 19 and len(list(root.iter("testcase"))) == 96
    pnl = next(suite for suite in root if suite.get("name") == "1.3 P&L Calculation")
    assert [pnl.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["5", "2", "1", "1"]
    assert [root.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["96", "2", "1", "91"]
    first, unrealized, fees, grouping, balance = pnl
    assert first.get("name") == "1.3.1 Realized P&L: (exit_price - entry_price) × quantity × direction"
    failure = first.find("failure")
    assert failure.get("message") == "Realized P&L is not what the fills give (BTC-USDT), at pnl:3"
    assert failure.get("type") == "CRITICAL" and "(102.57 - 100.10) x 5 = 12.35" in failure.text
    assert unrealized.find("skipped").get("message") == "no check yet"
    assert [child.tag for child in fees] == ["system-out"]
    assert grouping.find("failure").get("message").startswith("waived: P&L depends on grouping")
    assert balance.find("error").get("message") == "balance_value crashed: KeyError: 'BTC'"
    assert balance.find("skipped") is None


def test_a_review_that_failed_is_an_error_of_its_own(assessed):
    root = ET.fromstring(junit.render(assessed(chosen=("1.3.3",), errors=("a notebook crashed", "another"))).encode())
    assert [error.get("message") for error in root[0].iter("error")] == ["a notebook crashed", "another"]
    assert root.get("errors") == "1" and root.get("tests") == "2"


def test_hostile_text_is_valid_xml(assessed, evil):
    text = junit.render(assessed(evil, errors=(evil.key, "\ufffe\udc80")))
    root = ET.fromstring(text.encode())
    failure = next(root.iter("failure"))
    assert "<script>alert(1)</script>" in failure.text and "\\x00\\x1b" in failure.text
    assert [error.get("message") for error in root[0].iter("error")][1] == "\\ufffe\\udc80"


def test_a_consequence_is_a_failure_of_its_own_item_that_names_its_root(assessed, finding, following):
    root = ET.fromstring(junit.render(assessed(finding, following)).encode())
    assert root.get("failures") == "2"
    _, second = root.iter("failure")
    assert second.text.startswith("follows from 1.3.1:realized_pnl:BTC-USDT, both are of pnl:3\n")
