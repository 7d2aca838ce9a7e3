"""The 96 items and their checks: one section a stem, prose in TOML, truth in Python.

``s1_3_pnl.toml`` holds the items of section 1.3, with the text of every check that each has; ``s1_3_pnl.py`` holds the
checks, functions of the names that the TOML gives. The folder is the registry.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from mmverify.session.load import Session
    from mmverify.source.evidence import Source

SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW")
#: The category of a finding, by phase of the protocol.
CATEGORIES = {
    "1": "Financial Logic", "2": "Order Management", "3": "Market Data", "4": "Timing", "5": "Edge Case",
    "6": "Config", "7": "Docs",
}  # fmt: skip
_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Check:
    """One way to look at an item: the function's name, the tables it needs, and what a finding of it says.

    Attributes
    ----------
    name : str
    needs : tuple of str
        The tables of a session that it reads, the name of the contract that it calls, or the part of a source tree
        that it looks at: `code`, `config`, `docs`.
    title, why, fix : str
    evidence : {"session", "target", "source"}
    """

    name: str
    needs: tuple[str, ...]
    title: str
    why: str
    fix: str
    evidence: str = "session"


@dataclass(frozen=True)
class Item:
    """One box of the protocol: its wording, severity, evidence, and when it is violated."""

    id: str
    text: str
    severity: str
    evidence: str
    violated: str
    formulas: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()

    @property
    def section(self) -> str:
        """``1.3`` of ``1.3.1``, ``6`` of ``6.4``."""
        return self.id.rpartition(".")[0]

    @property
    def phase(self) -> str:
        """``1`` of ``1.3.1``."""
        return self.id.partition(".")[0]

    @property
    def category(self) -> str:
        """The protocol's category of a finding on this item."""
        return CATEGORIES[self.phase]


@dataclass(frozen=True)
class Section:
    """A section of the protocol: its number, heading, the stem of its files, and its items."""

    id: str
    title: str
    stem: str
    items: tuple[Item, ...]


class Off(NamedTuple):
    """By how much what a table claims is off from a moment on, exact but for the claims' rounding: from low to high.

    `what` is ``position``, or a column of `pnl` and its currency: ``fees USDT``.
    """

    what: str
    ts: int
    low: Fraction
    high: Fraction


@dataclass(frozen=True)
class Breach:
    """One defect that a check saw: where, what was there, what should have been, worked by hand.

    Parameters
    ----------
    key : str
        What tells this defect from others of the check: a symbol, an asset.
    where : tuple of str
        The first places, ``table:row``.
    count : int
        How many records show it.
    was, should : str
        The value of the first place, and the right one.
    work : tuple of str
        The arithmetic on the smallest set of records that shows it, a line each.
    amount : Fraction or None
        The money, in `currency`.
    loss : str
        What the money is.
    cause : str
        What reproduces the wrong value exactly, empty where nothing known does.
    severity : str
        Where it is not the item's own.
    offs : tuple of Off
        By how much the claim of the first place is off, of what was booked wrongly all that it adds up to; in order of
        time.
    """

    key: str
    where: tuple[str, ...]
    count: int
    was: str
    should: str
    work: tuple[str, ...]
    amount: Fraction | None
    currency: str
    loss: str
    cause: str = ""
    severity: str = ""
    offs: tuple[Off, ...] = ()


@dataclass(frozen=True)
class Looked:
    """What a check saw: how many records could have shown a violation, which did, and what it left out."""

    exercised: int
    breaches: tuple[Breach, ...] = ()
    notes: tuple[str, ...] = field(default=())


def gather(looks: Iterable[Looked]) -> Looked:
    """Join what a check saw of each symbol: counts added, notes once each."""
    seen = list(looks)
    notes = dict.fromkeys(note for look in seen for note in look.notes)
    return Looked(sum(look.exercised for look in seen), tuple(b for look in seen for b in look.breaches), tuple(notes))


CheckFunction = Callable[["Session"], Looked]
SourceFunction = Callable[["Source"], Looked]


def _item(data: dict[str, Any]) -> Item:
    checks = tuple(
        Check(
            check["name"], tuple(check["needs"]), check["title"], check["why"], check["fix"],
            check.get("evidence", "session"),
        )
        for check in data.get("check", ())
    )  # fmt: skip
    return Item(
        data["id"], data["text"], data["severity"], data["evidence"], data["violated"], tuple(data.get("formulas", ())),
        checks,
    )  # fmt: skip


@cache
def sections() -> tuple[Section, ...]:
    """Return the 19 sections of the protocol in its order, read from the TOML files of this folder."""
    found = []
    for path in sorted(_FOLDER.glob("s*.toml")):
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        found.append(Section(data["section"], data["title"], path.stem, tuple(_item(item) for item in data["item"])))
    return tuple(found)


@cache
def items() -> dict[str, Item]:
    """Return the 96 items by id, in the protocol's order."""
    return {item.id: item for section in sections() for item in section.items}


def function(stem: str, check: Check) -> CheckFunction:
    """Return the function of a check of the session, importing its section's module."""
    found: CheckFunction = getattr(import_module(f"mmverify.checks.{stem}"), check.name)
    return found


def source_function(stem: str, check: Check) -> SourceFunction:
    """Return the function of a check of the source tree, importing its section's module."""
    found: SourceFunction = getattr(import_module(f"mmverify.checks.{stem}"), check.name)
    return found
