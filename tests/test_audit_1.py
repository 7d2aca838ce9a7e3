"""The naive detectors of sections 1 and 2 on tiny sessions made by hand: what violates an item, and what is odd."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from audit import audit, detectors
from audit.hand_1 import CASES, COLUMNS, DEFAULTS, HEAD, INSTRUMENTS, SHORT, Case

START = 1_741_003_200 * 10**9  # 2025-03-03T12:00:00Z


def cells(text: str) -> dict[str, str]:
    named = (word.split("=", 1) for word in text.split())
    return {SHORT.get(name, name): cell for name, cell in named}


def row_of(table: str, text: str) -> dict[str, str]:
    """Read a row: its time, the first cells by their place, the others by their names."""
    words = text.split(" ")
    named = [word for word in words[1:] if "=" in word]
    placed = dict(zip(COLUMNS[table].split(), (word for word in words[1:] if "=" not in word), strict=False))
    row = cells(DEFAULTS.get(table, "")) | placed | cells(" ".join(named))
    at = START + round(float(words[0]) * 10**6)
    sent = START + round(float(row.pop("x", words[0])) * 10**6)
    return {"ts_local": str(at), "ts_exchange": str(sent)} | row


def write(folder: Path, given: Case) -> None:
    head, settings = HEAD, given.settings
    if settings.startswith("client_order_id"):
        head, settings = HEAD + settings, ""
    (folder / "session.toml").write_text(head + "\n" + settings, encoding="utf-8")
    tables = {table: [row_of(table, text) for text in rows] for table, rows in given.tables.items()}
    for table, rows in {"instruments": [cells(text) for text in INSTRUMENTS], **tables}.items():
        columns = list(dict.fromkeys(column for row in rows for column in row))
        with (folder / f"{table}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(rows)


@pytest.mark.parametrize("given", CASES, ids=lambda given: f"{given.item} {given.about}")
def test_detector(given: Case, tmp_path: Path) -> None:
    write(tmp_path, given)
    seen = audit(tmp_path, [given.item])[given.item]
    assert seen.exercised > 0
    assert {_place(violation) for violation in seen.violations} == _places(given.where), seen.violations


def _places(where: str) -> set[str]:
    return {where} if where and ":" not in where else set(where.split())


def _place(violation: str) -> str:
    for prefix in ("quotes of X", "order_events at the end"):
        if violation.startswith(prefix):
            return prefix
    return violation.split()[0]


def test_every_item_has_a_case_that_violates_it_and_one_that_is_legal() -> None:
    items = {item for item in detectors() if item[0] in "12"}
    assert {given.item for given in CASES if given.where} == items
    assert {given.item for given in CASES if not given.where} == items
