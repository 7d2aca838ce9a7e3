"""A recorded session as the naive detectors read it: rows of text from its CSV files, in file order."""

from __future__ import annotations

import csv
import gzip
import tomllib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import cache, wraps
from pathlib import Path
from typing import IO, Any, TypeVar

MILLISECOND = 10**6
SECOND = 10**9

Row = dict[str, str]
T = TypeVar("T")


class Cells(Row):
    """A row by column; a column that the table has not is an empty cell. `#` is its number in the table, from 1."""

    def __missing__(self, column: str) -> str:
        return ""


@dataclass(frozen=True)
class Seen:
    """What a detector came to: how many records exercised its item, and each violation in words that name its row."""

    exercised: int
    violations: tuple[str, ...]


@cache
def number(text: str) -> Fraction | None:
    """Return a cell as an exact number; None where it is empty, NaN, infinite or no number."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return Fraction(value) if value.is_finite() else None


@cache
def digits(text: str) -> int:
    """Return how many decimals a cell prints, trailing zeros too; 0 where it is no number."""
    try:
        exponent = Decimal(text).as_tuple().exponent
    except InvalidOperation:
        return 0
    return max(0, -exponent) if isinstance(exponent, int) else 0


def ns(text: str) -> int:
    """Return a time in ns since the epoch: a whole number of them, or ISO-8601 text (without an offset: UTC)."""
    if text.lstrip("-").isdigit():
        return int(text)
    whole, _, rest = text.replace("Z", "+00:00").partition(".")
    fraction = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    when = datetime.fromisoformat(whole + rest[len(fraction) :])
    since = (when if when.tzinfo else when.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86400 + since.seconds) * SECOND + int(fraction.ljust(9, "0")[:9] or 0)


def is_true(text: str) -> bool:
    """Return whether a cell of a bool column says yes."""
    return text.lower() in ("true", "1")


class Recorded:
    """The settings and tables of a session folder, and what was known at an instant."""

    def __init__(self, folder: Path) -> None:
        self.settings: dict[str, Any] = tomllib.loads((folder / "session.toml").read_text(encoding="utf-8"))
        self.conventions: dict[str, str] = self.settings.get("conventions", {})
        self.currency: str = self.settings["session"]["currency"]
        self.tables = {name: list(rows) for name, rows in _tables(folder)}
        self.instruments = {row["symbol"]: row for row in self["instruments"]}
        self._arrivals: dict[tuple[Any, ...], tuple[list[Row], list[int]]] = {}
        self.remembered: dict[Hashable, Any] = {}
        self.lag = self.timing("claim_lag_ms") or 0
        self.skew = self.timing("max_clock_skew_ms") or 0

    def __getitem__(self, table: str) -> list[Row]:
        """Return the rows of a table in file order, none where the session has no such table."""
        return self.tables.get(table, [])

    def rows(self, table: str, **where: str) -> list[Row]:
        """Return the rows of a table with these cells."""
        return [row for row in self[table] if where.items() <= row.items()]

    def known(self, table: str, ts: int, **where: str) -> list[Row]:
        """Return the rows with these cells that had arrived at `ts`, in the order of arrival."""
        rows, times = self.arrivals(table, **where)
        return rows[: bisect_right(times, ts)]

    def arrivals(self, table: str, **where: str) -> tuple[list[Row], list[int]]:
        """Return the rows with these cells in the order of arrival, and their ts_local; a row without one is left out.

        Where no row of the table has a ts_local, ts_exchange stands for it.
        """
        key = (table, *where.items())
        if key not in self._arrivals:
            clock = self.clock(table)
            rows = sorted((row for row in self.rows(table, **where) if row[clock]), key=lambda row: ns(row[clock]))
            self._arrivals[key] = rows, [ns(row[clock]) for row in rows]
        return self._arrivals[key]

    def clock(self, table: str) -> str:
        """Return the column by which a table's rows arrived: ts_local where any row has it."""
        key = ("clock", table)
        if key not in self.remembered:
            self.remembered[key] = "ts_local" if any(row["ts_local"] for row in self[table]) else "ts_exchange"
        return str(self.remembered[key])

    def last_known(self, table: str, ts: int, **where: str) -> list[Row]:
        """Return each row that may count as last known at a claim: of equal time with or without, `claim_lag_ms` back.

        A table without ts_local is by the venue's clock, which may be `max_clock_skew_ms` off either way.
        """
        rows, times = self.arrivals(table, **where)
        skew = self.skew if self.clock(table) == "ts_exchange" else 0
        return [rows[count - 1] for count in cuts(times, ts - skew, self.lag, ahead=2 * skew) if count]

    def timing(self, name: str) -> int | None:
        """Return a setting of [timing] in ns (its name says ms), None where it is not set."""
        value = self.settings.get("timing", {}).get(name)
        return None if value is None else round(Fraction(str(value)) * MILLISECOND)

    def limit(self, symbol: str, name: str) -> Fraction | None:
        """Return a limit of a symbol, None where it is not set."""
        value = self.settings.get("limits", {}).get(symbol, {}).get(name)
        return None if value is None else Fraction(str(value))

    def quoting(self, name: str) -> Fraction | None:
        """Return a setting of [quoting], None where it is not set."""
        value = self.settings.get("quoting", {}).get(name)
        return None if value is None else Fraction(str(value))

    def instrument(self, symbol: str, ts: int) -> Row:
        """Return the row of a symbol that is in force at `ts`."""
        rows = self.rows("instruments", symbol=symbol)
        if len(rows) == 1:
            return rows[0]
        begun = [row for row in rows if not row["ts_from"] or ns(row["ts_from"]) <= ts]
        return max(begun or rows[:1], key=lambda row: ns(row["ts_from"] or "0"), default=Cells())

    def half_unit(self, table: str, column: str) -> Fraction:
        """Return half a unit of a column's last digit: of the most digits printed in it."""
        key = ("half unit", table, column)
        if key not in self.remembered:
            most = max((digits(row[column]) for row in self[table]), default=0)
            self.remembered[key] = Fraction(1, 2 * 10**most)
        result: Fraction = self.remembered[key]
        return result

    @property
    def end(self) -> int:
        """The session's end: as it says, else the last time in any table by the bot's clock. [ns]"""
        if "end" not in self.remembered:
            said = self.settings["session"].get("end")
            times = (ns(row["ts_local"]) for rows in self.tables.values() for row in rows if row["ts_local"])
            self.remembered["end"] = ns(str(said)) if said else max(times, default=0)
        return int(self.remembered["end"])


def remember(function: Callable[..., T]) -> Callable[..., T]:
    """Compute a function of a session and hashable arguments once for each session."""

    @wraps(function)
    def recall(session: Recorded, *arguments: Hashable) -> T:
        key = (function, *arguments)
        if key not in session.remembered:
            session.remembered[key] = function(session, *arguments)
        result: T = session.remembered[key]
        return result

    return recall


def cuts(times: list[int], ts: int, lag: int = 0, *, ahead: int = 0) -> range:
    """Return how many of these (rising) times may count as come at `ts`: those of equal time or `lag` back or not."""
    return range(bisect_left(times, ts - lag), bisect_right(times, ts + ahead) + 1)


def place(table: str, row: Row) -> str:
    """Return where a row is."""
    return f"{table}:{row['#']}"


def seen(exercised: int, violations: Iterable[str]) -> Seen:
    """Return what a detector came to."""
    return Seen(exercised, tuple(violations))


def shown(value: Fraction | None) -> str:
    """Return a number as text for a reader."""
    return "nothing" if value is None else f"{float(value):.12g}"


def _tables(folder: Path) -> Iterator[tuple[str, Iterator[Row]]]:
    for path in sorted(folder.glob("*.csv*")):
        with _open(path) as file:
            rows = csv.DictReader(file, restval="")
            yield path.name.partition(".")[0], (Cells({"#": str(n), **row}) for n, row in enumerate(rows, 1))


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")
