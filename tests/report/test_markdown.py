"""assessment.md: the protocol's headings, its reporting format, and nothing that evidence can break."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from mmverify.report import markdown


def deliverable(root: Path) -> list[str]:
    protocol = (root / "mmverify/checks/production-readiness-review.md").read_text(encoding="utf-8")
    block = protocol.split("## Final Deliverable", 1)[1].split("```markdown\n", 1)[1].split("```", 1)[0]
    return [line.strip() for line in block.splitlines() if line.startswith("#")]


def fields(root: Path) -> list[str]:
    protocol = (root / "mmverify/checks/production-readiness-review.md").read_text(encoding="utf-8")
    block = protocol.split("## Issue Reporting Format", 1)[1].split("```markdown\n", 1)[1].split("```", 1)[0]
    return re.findall(r"^\*\*[\w ]+:\*\*", block, re.M)


def headings(text: str) -> list[tuple[str, str]]:
    tokens = MarkdownIt("commonmark").parse(text)
    return [(t.tag, tokens[n + 1].content) for n, t in enumerate(tokens) if t.type == "heading_open"]


def section(text: str, heading: str) -> str:
    return re.split(r"^## ", text.split(f"## {heading}\n", 1)[1], maxsplit=1, flags=re.M)[0]


def test_headings_are_exactly_those_of_the_protocol(root, assessed, finding, medium, waived):
    wanted = deliverable(root)
    assert len(wanted) == 7 and wanted[1] == "## Status: [READY | NOT READY | READY WITH CONDITIONS]"
    wanted[1] = "## Status: NOT READY"
    text = markdown.render(assessed(finding, medium, waived))
    assert [f"{'#' * int(tag[1])} {title}" for tag, title in headings(text) if tag != "h3"] == wanted
    assert [line for line in text.splitlines() if re.match("##? ", line)] == wanted


def test_each_finding_has_the_fields_of_the_reporting_format_in_order(root, assessed, finding, medium):
    text = markdown.render(assessed(finding, medium))
    for block in re.split(r"^### ", text, flags=re.M)[1:]:
        assert re.findall(r"^\*\*[\w ]+:\*\*", block, re.M)[:8] == fields(root)
    assert "### [CRITICAL] Realized P&L is not what the fills give (BTC-USDT)\n" in text
    assert "**Location:** `pnl:3`\n**Category:** Financial Logic\n" in text
    assert "**Correct Behavior:** should be 12.35 USDT\n" in text
    codes = [token.content for token in MarkdownIt("commonmark").parse(text) if token.type == "fence"]
    assert codes[:2] == [
        "realized P&L of BTC-USDT was 12.40 USDT\n",
        "(102.57 - 100.10) x 5 = 12.35\npnl:3 claims 12.40: it is off by 0.05\n",
    ]


def test_findings_stand_where_they_belong(assessed, finding, medium, waived):
    text = markdown.render(assessed(finding, waived, medium))
    must, should = section(text, "Blocking Items (must fix):"), section(text, "Recommended Items (should fix):")
    first = "1. [CRITICAL] 1.3.1 Realized P&L is not what the fills give (BTC-USDT), at pnl:3, 2 times\n"
    assert must.lstrip().startswith(first) and "VWAP" not in must and "grouping" not in must
    assert should.lstrip().startswith(
        "1. [HIGH] 1.3.4 P&L depends on grouping (BTC-USDT), at pnl:3, 2 times, waived\n2. "
    )
    assert "2. [MEDIUM] 3.3.1 VWAP is off (ETH-USDT), at signals:9\n" in should
    counts = ["- Critical: 1", "- High: 1", "- Medium: 1", "- Low: 0"]
    assert section(text, "Issues Found").strip().splitlines() == counts


def test_critical_items_that_nothing_proved_block(assessed):
    must = section(markdown.render(assessed(chosen=("1.1.1", "1.1.3", "1.2.1"))), "Blocking Items (must fix):")
    assert must.strip() == "1. Not assessed though CRITICAL, no check yet (2 items: 1.1.3, 1.2.1)"


def test_verified_items_say_what_exercised_them(assessed):
    verified = section(markdown.render(assessed()), "Verified Correct:")
    assert verified.strip() == (
        "- 1.3.3 Fee calculation includes all fees, rebates, funding: 1,000 records exercised it "
        "(fee_rate 728, fees_claim 272)"
    )


def test_items_not_assessed_are_one_line_a_reason(assessed):
    lines = markdown.render(assessed(notes=())).split("## Sign-off Conditions:\n", 1)[1].strip().splitlines()
    assert len(lines) == 4
    assert lines[0] == "- 7.4 is attested, not seen: by Ada Lovelace on 2026-01-05, runbook.pdf"
    assert lines[1].startswith("- Not assessed, no check yet (92 items: 1.1.1, 1.1.2, ") and "7.4" not in lines[1]
    assert lines[2] == "- Not assessed, balance_value crashed: KeyError: 'BTC' (1 item: 1.3.5)"
    assert lines[3].startswith("- Declared not applicable, the bot has no hot path") and "4.2.1" in lines[3]


def test_nothing_found_reads_as_none(assessed):
    text = markdown.render(assessed(chosen=("1.3.3",), status="READY", conditions=(), notes=()))
    assert section(text, "Blocking Items (must fix):").strip() == "None."
    assert text.endswith("## Sign-off Conditions:\n\n- None\n")


def test_focus_is_the_first_line(assessed):
    text = markdown.render(assessed(focus=("1.3.1", "3.3"), chosen=("1.3.1", "3.3.1")))
    assert (
        text.splitlines()[0] == "Focus: 1.3.1, 3.3. Only 2 of the 96 items were reviewed; the status is theirs alone."
    )
    assert markdown.render(assessed()).startswith("# Production Readiness Assessment\n")


def test_errors_of_the_review_stand_above_everything_that_was_found(assessed):
    text = markdown.render(assessed(errors=("1.3.5 balance_value on day: KeyError: 'BTC'",)))
    top = text.split("## Issues Found")[0]
    assert "**The review itself failed.**" in top and "- 1.3.5 balance_value on day: KeyError: 'BTC'" in top
    assert "The review itself failed" in section(text, "Blocking Items (must fix):")


@pytest.mark.parametrize("field", ["session", "notes", "errors", "conditions", "focus"])
def test_hostile_text_adds_no_heading_link_or_html(root, assessed, evil, field):
    value = evil.key if field == "session" else (evil.key,)
    text = markdown.render(assessed(evil, **{field: value}))
    wanted = [line.lstrip("# ") for line in deliverable(root)]
    wanted[1] = "Status: NOT READY"
    assert [title for tag, title in headings(text) if tag != "h3"] == wanted
    tokens = MarkdownIt("commonmark").parse(text)
    kinds = {t.type for token in tokens for t in [token, *(token.children or [])]}
    assert not kinds & {"html_block", "html_inline", "link_open", "image"}
    assert "fence" in kinds
    assert all(char.isprintable() or char == "\n" for char in text)


def test_backticks_cannot_open_html(assessed, finding):
    for title in ("```<img>`", "`a``b`<img>`c", "\\<img>", "`<img>"):
        tokens = MarkdownIt("commonmark").parse(markdown.render(assessed(finding, notes=(title,))))
        assert "html_inline" not in {child.type for token in tokens for child in token.children or []}, title


def test_what_follows_stands_under_its_root(assessed, finding, following, medium, root):
    text = markdown.render(assessed(finding, following, medium))
    assert "\n\n3 findings, 2 root causes.\n\n" in section(text, "Issues Found")
    must = section(text, "Blocking Items (must fix):")
    assert "\n1. [CRITICAL] 1.3.1 Realized P&L is not what the fills give (BTC-USDT), at pnl:3, 2 times\n" in must
    assert "\n   - follows from it: [HIGH] 1.3.2 Unrealized P&L is off (BTC-USDT), at pnl:3, 2 times\n2. Not" in must
    assert "\n\n**Consequences:** `1.3.2:unrealized_pnl:BTC-USDT`\n" in must
    assert "\n\n**Follows from:** `1.3.1:realized_pnl:BTC-USDT`, both are of pnl:3\n" in must
    for block in re.split(r"^### ", must, flags=re.M)[1:]:
        assert re.findall(r"^\*\*[\w ]+:\*\*", block, re.M)[:8] == fields(root)


def test_where_nothing_follows_nothing_is_said_of_it(assessed, finding, medium):
    text = markdown.render(assessed(finding, medium))
    assert not re.search("root cause|Follows from|Consequences", text)


def test_what_follows_from_a_finding_of_the_other_list_stands_by_itself(assessed, following, medium):
    text = markdown.render(assessed(medium, replace(following, follows=medium.id)))
    assert "\n1. [HIGH] 1.3.2 Unrealized" in section(text, "Blocking Items (must fix):")
    assert "2 findings, 1 root cause." in text
