"""The 96 items are the protocol's, word for word, and every check in the TOML files is there to be run."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from inspect import isfunction
from pathlib import Path

import pytest

from mmverify.checks import CATEGORIES, SEVERITIES, Check, Item, Section, function, items, sections
from mmverify.formulas import formulas
from mmverify.session.schema import TABLES

#: How many boxes each section has, counted in the protocol.
COUNTS = {
    "s1_1_spread_pricing": 6, "s1_2_position": 6, "s1_3_pnl": 5, "s1_4_risk": 4, "s2_1_order_construction": 6,
    "s2_2_order_state": 6, "s2_3_fills": 5, "s2_4_cancel_replace": 4, "s3_1_order_book": 6, "s3_2_trades": 4,
    "s3_3_derived": 4, "s4_1_timestamps": 5, "s4_2_hot_path": 5, "s4_3_timing_windows": 4, "s5_1_numeric": 5,
    "s5_2_network": 5, "s5_3_exchange": 5, "s6_configuration": 5, "s7_documentation": 6,
}  # fmt: skip
CHECKS = [(section, item, check) for section in sections() for item in section.items for check in item.checks]


def protocol(root: Path) -> list[tuple[str, str, list[str]]]:
    """Read the protocol: number, heading and boxes of every section; a phase without sections is one."""
    found: list[tuple[str, str, list[str]]] = []
    text = (root / "mmverify" / "checks" / "production-readiness-review.md").read_text(encoding="utf-8")
    for line in text.split("## Issue Reporting Format")[0].splitlines():
        if heading := re.match(r"### Phase (\d): (.+)|\*\*(\d\.\d) (.+)\*\*", line):
            found.append((heading[1] or heading[3], heading[2] or heading[4], []))
        elif box := re.match(r"- \[ \] (.+)", line):
            found[-1][2].append(box[1])
    return [section for section in found if section[2]]


def test_the_items_are_the_boxes_of_the_protocol_verbatim_and_in_order(root: Path) -> None:
    wanted = [(f"{number}.{n}", box) for number, _, boxes in protocol(root) for n, box in enumerate(boxes, 1)]
    assert [(item.id, item.text) for item in items().values()] == wanted
    assert len(wanted) == 96


def test_the_sections_have_the_protocols_numbers_and_headings(root: Path) -> None:
    assert [(s.id, s.title) for s in sections()] == [(number, title) for number, title, _ in protocol(root)]


def test_there_are_19_sections_of_the_counts_that_the_protocol_has() -> None:
    assert {section.stem: len(section.items) for section in sections()} == COUNTS


@pytest.mark.parametrize("section", sections(), ids=lambda section: section.id)
def test_every_item_is_complete(section: Section) -> None:
    for item in section.items:
        assert item.section == section.id
        assert item.category == CATEGORIES[item.id[0]]
        assert item.severity in SEVERITIES
        assert re.match(r"[SFC] ", item.evidence), item.id
        assert item.violated.strip(), item.id


def test_what_is_critical_is_what_the_review_blocks_on() -> None:
    """Typed from the table of items, so that no severity changes unseen."""
    critical = {item.id for item in items().values() if item.severity == "CRITICAL"}
    assert {"1.3.1", "1.3.3", "1.3.5", "3.3.4"} <= critical
    assert not {"1.3.2", "1.3.4", "3.3.1", "3.3.2", "3.3.3"} & critical
    assert (items()["3.3.1"].severity, items()["3.3.2"].severity, items()["3.3.3"].severity) == (
        "HIGH",
        "MEDIUM",
        "HIGH",
    )


@pytest.mark.parametrize(("section", "item", "check"), CHECKS, ids=lambda each: getattr(each, "name", ""))
def test_every_check_is_a_function_that_says_what_must_hold(section: Section, item: Item, check: Check) -> None:
    found = function(section.stem, check)
    assert isfunction(found)
    assert (found.__doc__ or "").strip(), f"{item.id}: {check.name} has no docstring"
    told = check.needs or re.search(r"S (all|config)", item.evidence)
    assert told, f"{item.id}: {check.name} needs nothing, so it would be exercised by nothing"
    known = {"session": set(TABLES), "source": {"code", "config", "docs"}}[check.evidence]
    assert set(check.needs) <= known, f"{item.id}: {check.name} needs what no such evidence has"
    for words in (check.title, check.why, check.fix):
        assert words.strip()
    assert not check.title.endswith(".")


@pytest.mark.parametrize("section", [s for s in sections() if any(item.checks for item in s.items)], ids=lambda s: s.id)
def test_no_check_is_run_by_nothing(section: Section) -> None:
    """A public function of a section's module that the TOML does not name would be a check that never runs."""
    module = import_module(f"mmverify.checks.{section.stem}")
    named = [check.name for item in section.items for check in item.checks]
    own = {name for name, value in vars(module).items() if isfunction(value) and value.__module__ == module.__name__}
    assert {name for name in own if not name.startswith("_")} <= set(named)
    assert all(isfunction(getattr(module, name, None)) for name in named)
    assert len(set(named)) == len(named)


def test_every_module_of_checks_belongs_to_a_section_or_serves_one(root: Path) -> None:
    """A file that no other and no notebook imports, and that is no section's, is run by nothing."""
    folder = root / "mmverify" / "checks"
    stems = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    used = {section.stem for section in sections()}
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mmverify.checks"):
                used |= {(node.module or "").rpartition(".")[2], *(alias.name for alias in node.names)}
    for page in (root / "notebooks").glob("*.ipynb"):
        used |= set(re.findall(r"from mmverify\.checks\.(\w+) import", page.read_text(encoding="utf-8")))
    assert stems <= used


@pytest.mark.parametrize(
    "item", [item for item in items().values() if item.checks or item.formulas], ids=lambda i: i.id
)
def test_the_formulas_that_an_item_names_exist(item: Item) -> None:
    assert set(item.formulas) <= set(formulas()), item.id


@pytest.mark.parametrize("id", ["1.3.1", "1.3.2", "1.3.3", "1.3.4", "1.3.5", "3.3.1", "3.3.2", "3.3.3", "3.3.4"])
def test_the_two_sections_that_are_reviewed_have_a_check_for_every_item(id: str) -> None:
    assert items()[id].checks
