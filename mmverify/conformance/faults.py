"""What a failure of each name means: the items that it serves, and the words of a finding on each (faults.toml)."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from mmverify.checks import Check

UNDEFINED, ERROR, AHEAD = "5.1.1", "5.1.3", "3.3.4"
_WHY = (
    "Called directly with these inputs, the bot's own function or object does not do what its definition says. "
    "Whatever it is wired into inherits the mistake, in sessions that nobody has recorded yet as well."
)


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("faults.toml").read_text(encoding="utf-8"))


def names() -> tuple[str, ...]:
    """Return the names of the contract, in its order."""
    return tuple(_data()["serves"])


def items_of(name: str) -> tuple[str, ...]:
    """Return the items that a name serves: that of a wrong value first, 5.1.1 and 5.1.3 where it has a domain."""
    own = tuple(_data()["serves"][name].split())
    return own if name in ("order_id", "on_book_update") else (*own, UNDEFINED, ERROR)


def check(item: str, name: str) -> Check:
    """Return the check of one item on one name."""
    words = _data()["item"][item]
    return Check(f"target_{name.lower()}", (name,), f"{name} {words['title']}", _WHY, words["fix"], "target")


def checks(item: str) -> tuple[Check, ...]:
    """Return the checks of an item on all names that serve it."""
    return tuple(check(item, name) for name in names() if item in items_of(name))
