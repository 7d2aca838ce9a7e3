"""One record of a recording and where it stands, so that whatever cannot be read is refused by its place."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TypeVar

from mmverify.errors import EvidenceError

_Word = TypeVar("_Word")
_SHOWN = 60  # characters of a value that an error repeats
_MAX_DIGITS = 38  # before the point; as many may stand after it


@dataclass(frozen=True)
class Record:
    """One record of a file: its place, its number from 1, its fields. A field that is null is as one that is missing.

    Its methods return a field as what it should be, and raise `EvidenceError` with the place for anything else.
    """

    place: str
    row: int
    fields: Mapping[str, Any]

    def bad(self, key: str, should: str) -> EvidenceError:
        """Return the error for a field that cannot be read."""
        was = repr(self.fields[key])[:_SHOWN] if key in self.fields else "not there"
        return EvidenceError(self.place, row=self.row, column=key, was=was, should=should)

    def has(self, key: str) -> bool:
        """Say whether a field is there."""
        return self.fields.get(key) is not None

    def text(self, key: str) -> str:
        """Return a text, not empty."""
        value = self.fields.get(key)
        if not isinstance(value, str) or not value:
            raise self.bad(key, "text")
        return value

    def word(self, key: str, words: Mapping[str, _Word]) -> _Word:
        """Return what one of the known words stands for."""
        value = self.text(key)
        if value not in words:
            raise self.bad(key, f"one of {', '.join(words)}")
        return words[value]

    def whole(self, key: str) -> int:
        """Return a whole number."""
        value = self.fields.get(key)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.bad(key, "a whole number")
        return value

    def number(self, key: str) -> Decimal:
        """Return a number, of a float the shortest decimal that prints as it."""
        value = self.fields.get(key)
        if isinstance(value, (int, float, str, Decimal)) and not isinstance(value, bool):
            try:
                number = Decimal(str(value))
            except InvalidOperation:
                raise self.bad(key, "a number") from None
            if number.is_finite() and (not number or -_MAX_DIGITS <= number.adjusted() < _MAX_DIGITS):
                return number
        raise self.bad(key, "a finite number")

    def optional(self, key: str) -> Decimal | None:
        """Return a number, None where it is not there."""
        return self.number(key) if self.has(key) else None

    def flag(self, key: str) -> bool | None:
        """Return true or false, None where it is not there."""
        value = self.fields.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.bad(key, "true or false")
        return value

    def time(self, key: str, unit: int) -> int:
        """Return a whole number of units of `unit` nanoseconds since 1970 as nanoseconds."""
        value = self.fields.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value * unit < 2**63:
            raise self.bad(key, f"a whole number of {unit} ns since 1970")
        return value * unit

    def object(self, key: str) -> Record:
        """Return the JSON object of a field, of a text that holds one too, as a record of the same place."""
        value = self.fields.get(key)
        if isinstance(value, str):
            value = parse(value, self.place, self.row, key)
        if not isinstance(value, dict):
            raise self.bad(key, "a JSON object")
        return Record(self.place, self.row, value)

    def listed(self, key: str) -> list[Record]:
        """Return the objects of a list as records of the same place; of one that is not there, none."""
        value = self.fields.get(key) or []
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise self.bad(key, "a list of objects")
        return [Record(self.place, self.row, each) for each in value]


def parse(text: str, place: str, row: int | None = None, column: str | None = None) -> Any:
    """Parse JSON, decimals kept exact; NaN and infinities are refused.

    Raises
    ------
    EvidenceError
        For anything that is no JSON.
    """

    def refuse(word: str) -> None:
        raise ValueError(f"{word}, which is no number in JSON")

    try:
        return json.loads(text, parse_float=Decimal, parse_constant=refuse)
    except json.JSONDecodeError as error:
        was = f"{error.msg} at character {error.pos}"
    except RecursionError:
        was = "nested too deeply"
    except (ValueError, InvalidOperation) as error:
        was = str(error)[:_SHOWN]
    raise EvidenceError(place, row=row, column=column, was=was, should="JSON")


def read_database(source: Path, tables: Mapping[str, str], optional: Iterable[str] = ()) -> dict[str, list[Record]]:
    """Read tables of an SQLite database, which is not written to, each in the order that its rows were inserted.

    Parameters
    ----------
    source : Path
        The database file.
    tables : mapping of str to str
        Name of a table to the columns that it must have, with a space between.
    optional : iterable of str
        Those of them that may be missing; they are then without a row.

    Returns
    -------
    dict of str to list of Record
        Every column of every row, by table.

    Raises
    ------
    EvidenceError
        Naming the file and the table, and the column where one is missing.
    """
    if not source.is_file():
        was = "a folder" if source.is_dir() else "not there"
        raise EvidenceError(source.name, was=was, should="an SQLite database file")
    for suffix in ("-wal", "-journal"):  # read-only, what stands in them would be left out unseen
        beside = source.with_name(source.name + suffix)
        if beside.is_file() and beside.stat().st_size:
            was = f"{beside.name} beside it, with rows that are not in the file yet"
            raise EvidenceError(source.name, was=was, should="a database that was closed, or a backup of it")
    found: dict[str, list[Record]] = {}
    try:
        with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            present = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            for table, columns in tables.items():
                place = f"{source.name}, table {table}"
                if table in present:
                    found[table] = _rows(database, place, table, columns)
                elif table in optional:
                    found[table] = []
                else:
                    raise EvidenceError(place, was="not there", should=f"a table with {columns.replace(' ', ', ')}")
    except (sqlite3.Error, UnicodeDecodeError, OverflowError) as error:
        was = f"cannot be read ({error})"
        raise EvidenceError(source.name, was=was, should="a whole SQLite database") from None
    return found


def _rows(database: sqlite3.Connection, place: str, table: str, columns: str) -> list[Record]:
    cursor = database.execute(f'SELECT * FROM "{table}" ORDER BY rowid')
    names = [description[0] for description in cursor.description]
    for column in columns.split():
        if column not in names:
            raise EvidenceError(place, column=column, was="not there", should=f"one of {', '.join(names)}")
    return [Record(place, row, dict(zip(names, values, strict=True))) for row, values in enumerate(cursor, 1)]
