"""What mistakes of the order book are made on: the bot's own books, and what the venue had sent of each level."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from mmverify.defects.lives import ts
from mmverify.defects.recording import Recording, Row, text

Levels = list[tuple[str, str]]


@dataclass(frozen=True)
class Look:
    """The bot's own book of a symbol at an instant: the rows of each side by level, to be changed."""

    ts: int
    symbol: str
    seq: str
    sides: dict[str, list[Row]] = field(default_factory=lambda: {"bid": [], "ask": []})

    def levels(self, side: str) -> Levels:
        """Return price and quantity of each level, the best first."""
        return [(row["price"], row["qty"]) for row in self.sides[side]]

    def best(self, side: str) -> Fraction:
        """Return the best price of a side."""
        return Fraction(self.sides[side][0]["price"])

    def ends(self, side: str) -> tuple[Fraction, Fraction]:
        """Return the best and the worst price."""
        return self.best(side), Fraction(self.sides[side][-1]["price"])

    def write(self, side: str, levels: Levels) -> None:
        """Claim these levels in place of as many."""
        for row, (price, qty) in zip(self.sides[side], levels, strict=False):
            row |= {"price": price, "qty": qty}

    def insert(self, side: str, price: Fraction, qty: Fraction) -> None:
        """Claim one more level where its price belongs; the worst one drops out."""
        like = self.sides[side][0]
        levels = [*self.levels(side), (text(price, like["price"]), text(qty, like["qty"]))]
        self.write(side, sorted(levels, key=lambda level: Fraction(level[0]), reverse=side == "bid"))

    def drop(self, recording: Recording, side: str, gone: Sequence[Row]) -> None:
        """Claim a side without these of its rows."""
        rows, dropped = recording.edit("bot_book"), {id(row) for row in gone}
        rows[:] = [row for row in rows if id(row) not in dropped]
        for level, row in enumerate(row for row in self.sides[side] if id(row) not in dropped):
            row["level"] = str(level)


def looks(recording: Recording) -> list[Look]:
    """Return the bot's own books in order of time."""
    found: dict[tuple[str, str, str], Look] = {}
    for row in recording.edit("bot_book"):
        key = row["ts_local"], row["symbol"], row.get("seq", "")
        found.setdefault(key, Look(ts(row), *key[1:])).sides[row["side"]].append(row)
    for look in found.values():
        for rows in look.sides.values():
            rows.sort(key=lambda row: int(row["level"]))
    return sorted(found.values(), key=lambda look: look.ts)


@dataclass
class _Tape:
    """The book's rows of a symbol, and all quantities since the last snapshot, by side and price, up to a place."""

    rows: list[Mapping[str, str]] = field(default_factory=list)
    place: int = 0
    head: tuple[str, ...] = ()
    sides: dict[str, dict[Fraction, list[Fraction]]] = field(default_factory=lambda: {"bid": {}, "ask": {}})

    def take(self, until: int, seq: str) -> Mapping[str, Mapping[Fraction, list[Fraction]]]:
        """Take what came up to a time, and no seq past `seq`."""
        while self.place < len(self.rows) and ts(self.rows[self.place]) <= until:
            row = self.rows[self.place]
            if seq and row["seq"] and int(row["seq"]) > int(seq):
                break
            self._note(row)
            self.place += 1
        return self.sides

    def _note(self, row: Mapping[str, str]) -> None:
        head = row["seq"], row["ts_local"], row["ts_exchange"]
        if row["kind"] == "snapshot" and head != self.head:
            self.sides, self.head = {"bid": {}, "ask": {}}, head
        is_older = row["kind"] == "delta" and row["seq"] and self.head and seq_of(row) <= int(self.head[0] or 0)
        if row["price"] and not is_older:
            self.sides[row["side"]].setdefault(Fraction(row["price"]), []).append(Fraction(row["qty"]))


def walk(recording: Recording) -> Iterator[tuple[Look, Mapping[str, Mapping[Fraction, list[Fraction]]]]]:
    """Yield each look with the quantities that the venue had sent since its snapshot, by side and price."""
    tapes: dict[str, _Tape] = defaultdict(_Tape)
    for row in sorted(recording["book"], key=ts):
        tapes[row["symbol"]].rows.append(row)
    for look in looks(recording):
        yield look, tapes[look.symbol].take(look.ts, look.seq)


def seq_of(row: Mapping[str, str]) -> int:
    """Return the seq of a row of the book, 0 where it has none."""
    return int(row["seq"] or 0)
