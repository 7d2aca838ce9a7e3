"""The mistakes of a source tree: each edit fits data/bot, and leaves what a naive detector finds where it is said."""

from __future__ import annotations

import ast
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
from defects.source_detectors import DETECTORS

from mmverify.defects.words import random_word

ROOT = Path(__file__).parents[2]
BOT = ROOT / "data" / "bot"
SOURCE = ROOT / "mmverify" / "defects" / "source.toml"
LISTED: list[dict[str, Any]] = tomllib.loads(SOURCE.read_text(encoding="utf-8"))["defect"]
MISTAKES = [each for each in LISTED if not each.get("benign")]
ODDITIES = [each for each in LISTED if each.get("benign")]


def named(each: object) -> str:
    return each["id"] if isinstance(each, dict) else str(each)


def tree(folder: Path) -> dict[str, str]:
    """Return the text of every file by its path."""
    paths = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def edited(defect: dict[str, Any], out: Path) -> Path:
    """Write a copy of the bot with the edits made, each of which has to fit exactly once."""
    shutil.copytree(BOT, out, ignore=shutil.ignore_patterns("__pycache__"))
    for edit in defect["edits"]:
        path = out / edit["path"]
        if "create" in edit:
            assert not path.exists(), f"{edit['path']} is there already"
            path.write_text(edit["create"].replace("{random word}", random_word()), encoding="utf-8")
            continue
        before = path.read_text(encoding="utf-8")
        assert before.count(edit["find"]) == 1, f"{edit['path']} holds it {before.count(edit['find'])} times"
        assert edit["find"] != edit["replace"]
        path.write_text(
            before.replace(edit["find"], edit["replace"].replace("{random word}", random_word())), encoding="utf-8"
        )
    return out


def detected(folder: Path) -> dict[str, set[tuple[str, int]]]:
    """Return where each detector finds something, by item."""
    found = {item: set(detector(folder)) for item, detector in DETECTORS.items()}
    return {item: where for item, where in found.items() if where}


def test_nothing_is_detected_on_the_bot_itself() -> None:
    assert detected(BOT) == {}


@pytest.mark.parametrize("defect", LISTED, ids=named)
def test_an_edit_fits_once_changes_nothing_else_and_leaves_a_tree_that_parses(
    defect: dict[str, Any], tmp_path: Path
) -> None:
    before, after = tree(BOT), tree(edited(defect, tmp_path / "bot"))
    paths = {edit["path"] for edit in defect["edits"]}
    assert {path for path in before | after if before.get(path) != after.get(path)} == paths
    for path in paths:
        if path.endswith(".py"):
            ast.parse(after[path])
        elif path.endswith(".toml"):
            tomllib.loads(after[path])


@pytest.mark.armed
@pytest.mark.parametrize("defect", MISTAKES, ids=named)
def test_a_mistake_is_detected_where_it_is(defect: dict[str, Any], tmp_path: Path) -> None:
    folder = edited(defect, tmp_path / "bot")
    path, wanted = defect["at"]["path"], defect["at"]["text"]
    lines = (folder / path).read_text(encoding="utf-8").splitlines()
    places = [n for n, line in enumerate(lines, 1) if wanted in line]
    assert len(places) == 1 or not wanted, f"{wanted!r} stands in {len(places)} lines"
    found = detected(folder)
    assert (path, places[0]) in found.get(defect["item"], set())
    assert set(found) <= {defect["item"], *defect["consequences"]}


@pytest.mark.parametrize("oddity", ODDITIES, ids=named)
def test_an_oddity_is_not_detected(oddity: dict[str, Any], tmp_path: Path) -> None:
    assert detected(edited(oddity, tmp_path / "bot")) == {}


def test_every_item_has_a_gross_mistake_and_a_deep_one() -> None:
    for item in DETECTORS:
        assert {each["grade"] for each in MISTAKES if each["item"] == item} == {"gross", "deep"}, item
    assert {each["item"] for each in MISTAKES} == set(DETECTORS)
    assert len(ODDITIES) >= 10
    assert {each["near"] for each in ODDITIES} <= set(DETECTORS)


def test_every_entry_says_what_it_is() -> None:
    ids = [each["id"] for each in LISTED]
    assert len(set(ids)) == len(ids)
    for each in MISTAKES:
        assert (
            each["id"].startswith(f"{each['item']}-") and each["cost"].endswith(".") and each["summary"].endswith(".")
        )
        assert re.fullmatch(r"[\w.-]+/[\w.-]+ #\d+", each.get("source", "a/b #1"))
        assert each["item"] not in each["consequences"]
    for each in ODDITIES:
        assert each["id"].startswith("benign-") and each["grade"] == "benign" and "item" not in each
