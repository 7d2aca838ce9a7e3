"""A session as text that a mistake is made in: read a table at a time, edited in copies, written as CSV."""

from __future__ import annotations

import copy
import csv
import gzip
import os
import shutil
import tomllib
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any, TextIO

from mmverify.defects import Planted
from mmverify.errors import NotExercised, UsageError

Row = dict[str, str]
_FORMS = (".csv", ".csv.gz", ".parquet")


class Recording:
    """The tables and settings of a session folder.

    Parameters
    ----------
    folder : Path
        The session; it is only read.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / "session.toml").is_file():
            raise UsageError(f"{folder}: no session.toml; should be a session folder")
        self.folder = folder
        self._read: dict[str, list[Row]] = {}
        self._edited: dict[str, list[Row]] = {}
        self._stated: dict[str, Any] = tomllib.loads((folder / "session.toml").read_text(encoding="utf-8"))
        self._settings: dict[str, Any] | None = None

    def fresh(self) -> Recording:
        """Return the same session without edits; what was read is shared."""
        other = copy.copy(self)
        other._edited, other._settings = {}, None
        return other

    # Reading

    def __contains__(self, table: str) -> bool:
        return self._path(table) is not None

    def __getitem__(self, table: str) -> Sequence[Mapping[str, str]]:
        """Return the rows of a table as they are now, in file order; none where there is no such table."""
        return self._edited[table] if table in self._edited else self._rows(table)

    @property
    def settings(self) -> Mapping[str, Any]:
        """session.toml as it is now."""
        return self._settings if self._settings is not None else self._stated

    def convention(self, name: str, default: str) -> str:
        """Return a convention as stated, else the default of the contract."""
        return str(self.settings.get("conventions", {}).get(name, default))

    def limit(self, symbol: str, name: str) -> Fraction | None:
        """Return a limit of a symbol, None where none is set."""
        value = self.settings.get("limits", {}).get(symbol, {}).get(name)
        return None if value is None else Fraction(str(value))

    def deadline(self, name: str) -> int:
        """Return a time of ``[timing]`` that is stated in milliseconds, 0 where none is set. [ns]"""
        return round(Fraction(str(self.settings.get("timing", {}).get(name) or 0)) * 1_000_000)

    def instrument(self, symbol: str) -> Mapping[str, str]:
        """Return the row of a symbol's instrument."""
        return next(row for row in self["instruments"] if row["symbol"] == symbol)

    def lot(self, symbol: str) -> Fraction:
        """Return the lot of a symbol."""
        return Fraction(self.instrument(symbol)["lot_size"])

    # Editing

    def edit(self, table: str) -> list[Row]:
        """Return the rows of a table to be changed: cells, rows added, rows removed."""
        if table not in self._edited:
            self._edited[table] = [dict(row) for row in self._rows(table)]
        return self._edited[table]

    def edit_settings(self) -> dict[str, Any]:
        """Return session.toml to be changed."""
        if self._settings is None:
            self._settings = copy.deepcopy(self._stated)
        return self._settings

    # Writing

    def changed(self) -> dict[str, list[Row]]:
        """Return the tables that differ from what was read."""
        return {table: rows for table, rows in self._edited.items() if rows != self._rows(table)}

    def planted(self, cost: Fraction | None = None, currency: str = "") -> Planted:
        """Return what the edits so far did: where each changed table first differs, and what it costs.

        Raises
        ------
        NotExercised
            If nothing differs.
        """
        where = []
        for table, rows in self.changed().items():
            pairs = enumerate(zip(self._rows(table), rows, strict=False))
            same = next((place for place, (was, now) in pairs if was != now), min(len(self._rows(table)), len(rows)))
            where.append(f"{table}:{same + 1}")
        where += ["session.toml"] if self.settings != self._stated else []
        if not where:
            raise NotExercised("no record of the session is of the kind that this mistake is made on")
        return Planted(tuple(where), cost, currency)

    def write(self, out: Path) -> None:
        """Write the whole session: changed tables as CSV, the others as the files that they are."""
        changed = self.changed()
        out.mkdir(parents=True, exist_ok=True)
        replaced = {self._path(table) for table in changed}
        for path in sorted(self.folder.iterdir()):
            if path not in replaced and path.name != "session.toml":
                copier = shutil.copytree if path.is_dir() else shutil.copyfile
                copier(path, out / path.name)
        self.write_changed(out)

    def write_changed(self, out: Path) -> None:
        """Write session.toml and the changed tables only."""
        for table, rows in self.changed().items():
            columns = list(dict.fromkeys(name for row in [*self._rows(table)[:1], *rows] for name in row))
            with (out / f"{table}.csv").open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
        if self._settings is None:
            shutil.copyfile(self.folder / "session.toml", out / "session.toml")
        else:
            import tomli_w

            (out / "session.toml").write_text(tomli_w.dumps(self._settings), encoding="utf-8")

    # Files

    def _path(self, table: str) -> Path | None:
        paths = [self.folder / f"{table}{form}" for form in _FORMS] + [self.folder / table]
        return next((path for path in paths if path.exists()), None)

    def _rows(self, table: str) -> list[Row]:
        if table not in self._read:
            path = self._path(table)
            self._read[table] = [] if path is None else _csv(path) if ".csv" in path.name else _parquet(path)
        return self._read[table]


def _csv(path: Path) -> list[Row]:
    with _open(path) as file:
        return list(csv.DictReader(file))


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _parquet(path: Path) -> list[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(os.fspath(path))
    columns = {}
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("ns")).cast(pa.int64())
        columns[name] = ["" if value is None else _cell(value) for value in column.to_pylist()]
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f") if value == value and abs(value) != float("inf") else str(value)
    return format(value, "f") if isinstance(value, Decimal) else str(value)


# --- cells ------------------------------------------------------------------------------------------------------------


def text(value: Fraction | Decimal | int, like: str) -> str:
    """Write a number with the digits that another cell has after its point, rounded half to even."""
    digits = len(like.partition(".")[2])
    with localcontext(prec=60):
        exact = Fraction(value)
        quotient = Decimal(exact.numerator) / Decimal(exact.denominator)
        return format(quotient.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN), "f")


def shift(row: Row, column: str, by: Fraction | Decimal | int) -> Fraction:
    """Add to a number where there is one, in its own digits; return by how much it moved."""
    was = row.get(column)
    if not was:
        return Fraction(0)
    row[column] = text(Fraction(was) + Fraction(by), was)
    return Fraction(row[column]) - Fraction(was)


def first(rows: Sequence[Mapping[str, str]], wanted: Callable[[Mapping[str, str]], bool], after: float = 0) -> int:
    """Return the place, from 0, of the first row that is wanted, past a share of the table.

    Raises
    ------
    NotExercised
        If there is none.
    """
    start = int(len(rows) * after)
    found = next((place for place in range(start, len(rows)) if wanted(rows[place])), None)
    if found is None:
        raise NotExercised("no record of the session is of the kind that this mistake is made on")
    return found
