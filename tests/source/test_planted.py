"""Three well-behaved trees: mistakes planted in them are found at their lines with nothing else, and traps are not."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from source.reviewed import ROOT, TREES, edited, errors, findings, place

SEEDED = tomllib.loads((ROOT / "mmverify" / "defects" / "source.toml").read_text(encoding="utf-8"))["defect"]
PLANTED = tomllib.loads((Path(__file__).parent / "planted.toml").read_text(encoding="utf-8"))["planted"]
EVERY: list[dict[str, Any]] = [{"tree": "python", **each} for each in SEEDED] + PLANTED
MISTAKES = [each for each in EVERY if each.get("item")]
TRAPS = [each for each in EVERY if each.get("near")]
#: The items that a source tree is held against, and nothing else is.
ITEMS = {
    "4.1.1", "4.2.1", "4.2.2", "4.2.3", "4.2.4", "4.2.5", "6.1", "6.3", "6.4", "6.5", "7.1", "7.2", "7.3", "7.4", "7.5",
    "7.6",
}  # fmt: skip


def named(each: object) -> str:
    return each["id"] if isinstance(each, dict) else str(each)


@pytest.mark.parametrize("tree", sorted(TREES))
def test_a_well_behaved_tree_has_no_finding(tree: str) -> None:
    assert errors(TREES[tree]) == []
    assert findings(TREES[tree]) == []


@pytest.mark.armed
@pytest.mark.parametrize("mistake", MISTAKES, ids=named)
def test_a_mistake_is_found_at_its_line_and_nothing_else(mistake: dict[str, Any], tmp_path: Path) -> None:
    folder = edited(mistake["tree"], mistake["edits"], tmp_path / "bot")
    assert errors(folder) == []
    found = findings(folder)
    own = [each for each in found if each.item == mistake["item"]]
    assert len(own) == 1, found
    assert place(folder, mistake["at"]) in own[0].where
    assert {each.item for each in found} <= {mistake["item"], *mistake.get("consequences", ())}


@pytest.mark.parametrize("trap", TRAPS, ids=named)
def test_a_trap_raises_nothing(trap: dict[str, Any], tmp_path: Path) -> None:
    folder = edited(trap["tree"], trap["edits"], tmp_path / "bot")
    assert errors(folder) == []
    assert findings(folder) == []


def test_there_are_mistakes_of_every_item_in_every_language() -> None:
    counts = Counter((each["item"], each["tree"]) for each in MISTAKES)
    assert {item for item, _ in counts} == ITEMS
    assert all(counts[item, tree] >= 2 for item in ITEMS for tree in TREES), counts
    assert len(MISTAKES) >= 100
    assert len(TRAPS) >= 25
    assert {each["near"] for each in TRAPS} <= ITEMS
    assert len({each["id"] for each in EVERY}) == len(EVERY)
