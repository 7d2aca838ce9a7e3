"""Open a session folder and read its tables, a column at a time, into arrays.

Opening checks what is cheap for all of it: the form of every table, its header, session.toml. Small tables are read
whole, so that a fault in a column that no check needs is found too; of a large one only the columns that are asked for.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from mmverify.errors import EvidenceError
from mmverify.numeric import Decimals
from mmverify.session.columns import AnyColumn, Builder, Unreadable, Whole, Words, absent, constant, give_back, shown
from mmverify.session.files import Source, batches, find_sources, header
from mmverify.session.schema import CONVENTIONS, TABLES
from mmverify.session.settings import check_settings, exact, read_settings

_SMALL = 4 * 2**20  # bytes of a table that is read whole when the session is opened


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of one table: arrays of equal length, one element a row.

    An optional column that the source lacks is there with every row missing. `starts` is the first row of each of the
    table's files, from 0.
    """

    name: str
    rows: int
    columns: dict[str, AnyColumn]
    starts: tuple[int, ...] = (0,)

    def __len__(self) -> int:
        return self.rows

    def whole(self, name: str) -> Whole:
        """Return a column of times, integers or truth values."""
        column = self.columns[name]
        assert isinstance(column, Whole), name
        return column

    def words(self, name: str) -> Words:
        """Return a column of text."""
        column = self.columns[name]
        assert isinstance(column, Words), name
        return column

    def decimals(self, name: str) -> Decimals:
        """Return a column of decimals."""
        column = self.columns[name]
        assert isinstance(column, Decimals), name
        return column

    def where(self, row: int) -> str:
        """Name a row as findings do: ``table:row``, the first row is 1."""
        return f"{self.name}:{row + 1}"


@dataclass(frozen=True, eq=False)
class Session:
    """A recorded session: its folder, its session.toml, and its tables on demand.

    Parameters
    ----------
    folder : Path
        The session folder.
    settings : dict
        session.toml as parsed, numbers as Decimal.
    sources : dict of str to Source
        The tables that are there.
    notes : list of str
        What was kept and ignored, or read with a guess that session.md prescribes.
    """

    folder: Path
    settings: dict[str, Any]
    sources: dict[str, Source]
    notes: list[str] = field(default_factory=list)
    _cache: dict[str, Table] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the session: its folder's."""
        return self.folder.resolve().name

    def has(self, *tables: str) -> bool:
        """Say whether all of these tables are there."""
        return all(table in self.sources for table in tables)

    def table(self, name: str, *columns: str) -> Table:
        """Read columns of a table; those that were read before are kept.

        Raises
        ------
        EvidenceError
            For the first thing that cannot be read.
        """
        cached = self._cache.get(name)
        known = dict(cached.columns) if cached else {}
        wanted = [column for column in columns or TABLES[name] if column not in known]
        if name not in self.sources:
            self._cache[name] = Table(name, 0, known | {column: absent(TABLES[name][column], 0) for column in wanted})
        elif wanted or cached is None:
            starts, fresh = _read(self.sources[name], wanted, self.notes)
            for column in fresh:
                fresh[column] = self._shared(column, fresh[column])
            if self.sources[name].bytes() > _SMALL:
                give_back()
            table = Table(name, starts[-1], known | fresh, starts[:-1])
            if cached and cached.rows != table.rows:
                raise EvidenceError(
                    self.sources[name].label,
                    was=f"{table.rows} rows, {cached.rows} a moment ago",
                    should="a table that nobody writes to any more",
                )
            _require_a_time(self.sources[name], table)
            _require_whole_levels(self.sources[name], table)
            self._cache[name] = table
        return self._cache[name]

    def _shared(self, name: str, column: AnyColumn) -> AnyColumn:
        """Return a column with the text of another table's where it is the same: ids take more than their codes."""
        others = (table.columns.get(name) for table in self._cache.values())
        return next(
            (
                Words(column.codes, other.dictionary)
                for other in others
                if isinstance(column, Words) and isinstance(other, Words) and other.dictionary.equals(column.dictionary)
            ),
            column,
        )

    def convention(self, name: str) -> str:
        """Return a convention as the session states it, else the one that session.md lists first."""
        return str(self.settings.get("conventions", {}).get(name, CONVENTIONS[name][0]))

    def number(self, section: str, name: str, default: int | None = None) -> Fraction | None:
        """Return a number of session.toml, exact, or the default."""
        value = self.settings.get(section, {}).get(name, default)
        return None if value is None else exact(value, f"{section}.{name}")

    def limit(self, symbol: str, name: str) -> Fraction | None:
        """Return a limit of a symbol, or of all (``*``), exact; None where it is not set."""
        value = self.settings.get("limits", {}).get(symbol, {}).get(name)
        return None if value is None else exact(value, f"limits.{symbol}.{name}")

    @property
    def currency(self) -> str | None:
        """The reporting currency, None where session.toml names none."""
        value = self.settings.get("session", {}).get("currency")
        return None if value is None else str(value)


# --- opening ----------------------------------------------------------------------------------------------------------


def open_session(folder: str | Path) -> Session:
    """Open a session folder.

    Parameters
    ----------
    folder : str or Path
        Folder that holds session.toml and tables, as session.md describes.

    Returns
    -------
    Session

    Raises
    ------
    EvidenceError
        When anything in it cannot be read; the message names file, row and column.
    """
    root = Path(folder)
    if not root.is_dir():
        raise EvidenceError(str(folder), was="no such folder", should="a session folder with a session.toml")
    sources, notes = find_sources(root)
    settings = read_settings(root)
    notes += check_settings(settings)
    session = Session(root, settings, sources, notes)
    for source in sources.values():
        unknown = [name for file in source.files for name in header(source, file) if name not in TABLES[source.table]]
        if unknown:
            notes.append(f"{source.label}: unknown columns, kept and ignored: {', '.join(dict.fromkeys(unknown))}")
        if source.bytes() <= _SMALL:
            session.table(source.table)
    return session


def with_changes(session: Session, folder: Path) -> Session:
    """Return a session with session.toml, and such tables as are there, of another folder; what is read stays shared.

    Raises
    ------
    EvidenceError
        When anything in the other folder cannot be read.
    """
    changed = open_session(folder)
    kept = {name: table for name, table in session._cache.items() if name not in changed.sources}
    return Session(session.folder, changed.settings, session.sources | changed.sources, [], kept | changed._cache)


# --- reading ----------------------------------------------------------------------------------------------------------


def _read(source: Source, wanted: list[str], notes: list[str]) -> tuple[tuple[int, ...], dict[str, AnyColumn]]:
    """Read columns of a table over all its files; return the first row of each, the row after the last, the columns."""
    schema = TABLES[source.table]
    builders = {name: Builder(schema[name]) for name in wanted}
    present: set[str] = set()
    starts = [0]
    for file in source.files:
        names = header(source, file)
        partition = source.partition(file)
        stored = [name for name in wanted if name in names and name not in partition]
        present.update(name for name in wanted if name in names)
        done = 0
        for batch in batches(source, file, stored or [name for name in names if name not in partition][:1]):
            for name in wanted:
                if name in stored:
                    array = batch.column(batch.schema.get_field_index(name))
                else:
                    array = constant(partition.get(name), batch.num_rows)
                try:
                    builders[name].add(array)
                except Unreadable as bad:
                    row = None if bad.row is None else done + bad.row + 1
                    raise EvidenceError(
                        source.name(file), row=row, column=name, was=bad.was, should=bad.should
                    ) from None
            done += batch.num_rows
        starts.append(starts[-1] + done)
    columns: dict[str, AnyColumn] = {}
    for name, builder in builders.items():
        columns[name] = builder.column_data() if name in present and starts[-1] else absent(schema[name], starts[-1])
        if builder.naive:
            notes.append(f"{source.table}, column {name}: {builder.naive[0]} has no offset; read as UTC")
    return tuple(starts), columns


def _at(source: Source, table: Table, row: int, column: str, was: str, should: str) -> EvidenceError:
    """Make the error for a row of a table, which names the row of its file."""
    part = bisect_right(table.starts, row) - 1
    place = row - table.starts[part] + 1
    return EvidenceError(source.name(source.files[part]), row=place, column=column, was=was, should=should)


def _require_a_time(source: Source, table: Table) -> None:
    exchange, local = table.columns.get("ts_exchange"), table.columns.get("ts_local")
    if exchange and local and (bare := np.flatnonzero(exchange.missing & local.missing)).size:
        raise _at(source, table, int(bare[0]), "ts_exchange", "empty, as is ts_local", "one of the two at least")


def _require_whole_levels(source: Source, table: Table) -> None:
    """Refuse a book row that has some of side, price and qty: an update without levels has none of them."""
    level = ("side", "price", "qty")
    if source.table == "book" and all(name in table.columns for name in level):
        missing = {name: table.columns[name].missing for name in level}
        odd = np.flatnonzero(sum(mask.astype(int) for mask in missing.values()) % 3)
        if odd.size:
            row = int(odd[0])
            column = next(name for name in level if missing[name][row])
            raise _at(source, table, row, column, "empty", "side, price and qty, or none of them")


def need_instruments(session: Session, table: str, symbols: Words) -> None:
    """Raise for the first row of a table whose symbol has no instrument.

    Raises
    ------
    EvidenceError
        Naming the table, the row and the symbol.
    """
    known = session.table("instruments", "symbol").words("symbol").names
    strangers = [name for name in symbols.names if name not in known and name != "*"]
    if strangers:
        row = int(np.flatnonzero(symbols.is_(*strangers))[0])
        was = f"{shown(symbols.text(row))}, a symbol without an instrument"
        place = session.table(table, "symbol")
        raise _at(session.sources[table], place, row, "symbol", was, "a symbol of the instruments table")
