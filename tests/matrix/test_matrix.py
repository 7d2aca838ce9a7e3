"""The stored matrix is of the vectors that are there, complete, and names what is known of the libraries."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mmverify import matrix, vectors

sys.path.append(str(Path(__file__).parent))

import conventions

FOUND = matrix.load()
ROWS = FOUND["rows"]
EVERY = pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['library']}-{row['name']}-{ROWS.index(row)}")
PINS = dict(re.findall(r"^([\w-]+)==(\S+)$", Path(__file__).with_name("requirements.txt").read_text(), re.MULTILINE))


def cases_of(name: str) -> dict[str, dict[str, Any]]:
    return {test["id"]: test for group in vectors.load(name)["groups"] for test in group["tests"]}


def rows(library: str, name: str) -> list[dict[str, Any]]:
    return [row for row in ROWS if row["library"] == library and row["name"] == name]


def labels(row: dict[str, Any]) -> Counter[str]:
    return Counter({label: 1 for status in row["cells"] for label in status.partition(": ")[2].split(" + ") if label})


@EVERY
def test_every_vector_is_in_one_cell(row: dict[str, Any]) -> None:
    ids = [id_ for each in row["cells"].values() for id_ in each]
    assert sorted(ids) == sorted(cases_of(row["name"]))


@EVERY
def test_every_cell_is_explained(row: dict[str, Any]) -> None:
    for status in row["cells"]:
        kind, _, label = status.partition(": ")
        assert kind in matrix.KINDS and bool(label) == (kind != "agrees")
        if kind in ("convention", "defect"):
            kinds = {FOUND["labels"][each]["kind"] for each in label.split(" + ")}
            assert kind == ("defect" if "defect" in kinds else "convention")


@EVERY
def test_every_difference_shows_its_smallest_vector(row: dict[str, Any]) -> None:
    different = {status for status in row["cells"] if status.startswith(("convention", "defect"))}
    assert set(row["examples"]) == different
    tests = cases_of(row["name"])
    for status, case in row["examples"].items():
        sizes = {id_: len(json.dumps(tests[id_]["inputs"])) for id_ in row["cells"][status]}
        assert case["inputs"] == tests[case["id"]]["inputs"] and sizes[case["id"]] == min(sizes.values())


def test_at_least_eight_libraries_at_pinned_versions() -> None:
    versions = {(row["library"], row["version"]) for row in ROWS}
    assert len(versions) >= 8
    assert all(PINS[library] == version for library, version in versions)


@pytest.mark.parametrize(
    ("library", "name", "label"),
    [
        ("pandas", "ema", "init adjusted"),
        ("TA-Lib", "ema", "init sma"),
        ("TA-Lib", "volatility", "ddof 0"),
        ("numpy", "volatility", "ddof 0"),
        ("quantstats", "volatility", "252 a year"),
        ("empyrical-reloaded", "volatility", "252 a year"),
        ("numpy", "lee_ready", "float mid"),
        ("pandas", "lee_ready", "float mid"),
        ("nautilus_trader", "Position", "arithmetic entry"),
        ("nautilus_trader", "realized_pnl", "arithmetic entry"),
    ],
)
def test_what_is_known_is_found(library: str, name: str, label: str) -> None:
    assert any(labels(row)[label] for row in rows(library, name))


@pytest.mark.parametrize("row", rows("numpy", "vwap") + rows("pandas", "volatility")[:1], ids=["vwap", "volatility"])
def test_the_settings_that_are_asked_for_agree(row: dict[str, Any]) -> None:
    assert len(row["cells"]["agrees"]) > 0.8 * len(cases_of(row["name"]))
    assert not [status for status in row["cells"] if status.startswith("defect")]


def test_a_difference_that_nothing_gives_is_not_explained() -> None:
    given = {"values": ["1", "2", "4"]}
    params = {"span": "3", "init": "first"}
    assert conventions.explain("ema", params, given, [1.0, 5 / 3, 3.0], scale=4, invalid=False) == ["init adjusted"]
    assert conventions.explain("ema", params, given, [1.0, 1.6, 3.0], scale=4, invalid=False) == []


def test_tables_have_a_line_a_library_a_call_and_a_label() -> None:
    libraries = {row["library"] for row in ROWS}
    assert len(matrix.counts(FOUND, by="library")) == 1 + len(libraries)
    assert len(matrix.counts(FOUND, by="call")) == 1 + len(ROWS)
    kinds = Counter(each["kind"] for each in FOUND["labels"].values())
    for kind, count in kinds.items():
        assert len(matrix.differences(FOUND, kind=kind)) == 1 + count
