"""Open a session folder and read its tables, a column at a time, into arrays.

Opening checks what is cheap for all of it: the form of every table, its header, session.toml. Small tables are read
whole, so that a fault in a column that no check needs is found too; of a large one only the columns that are asked for.
"""

from __future__ import annotations

import csv
import gzip
import re
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from mmverify.errors import EvidenceError
from mmverify.numeric import Decimals
from mmverify.session.columns import AnyColumn, Builder, Unreadable, Whole, Words, absent
from mmverify.session.schema import CONVENTIONS, TABLES

_FORMS = (".parquet", ".csv", ".csv.gz")
_SMALL = 4 * 2**20  # bytes of a table that is read whole when the session is opened
_BLOCK = 8 * 2**20
_ROWS = 1 << 20


@dataclass(frozen=True)
class Source:
    """Where a table is: one file, or the parts of a folder in order of their names."""

    table: str
    form: str
    files: tuple[Path, ...]
    root: Path

    def name(self, file: Path) -> str:
        """Name a file as errors do, below the session folder."""
        return file.relative_to(self.root).as_posix()

    def partition(self, file: Path) -> dict[str, str]:
        """Read ``column=value`` off the folders above a part."""
        steps = file.relative_to(self.root).parts[1:-1]
        return dict(step.split("=", 1) for step in steps if "=" in step)

    def bytes(self) -> int:
        """Return the size on disk."""
        return sum(file.stat().st_size for file in self.files)


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of one table: arrays of equal length, one element a row.

    ``table["price"]`` gives a column; an optional column that the source lacks is there with every row missing.
    """

    name: str
    rows: int
    columns: dict[str, AnyColumn]

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
            rows, fresh = 0, {column: absent(TABLES[name][column], 0) for column in wanted}
        elif wanted or cached is None:
            rows, fresh = _read(self.sources[name], wanted, self.notes)
        else:
            rows, fresh = cached.rows, {}
        self._cache[name] = Table(name, rows, known | fresh)
        return self._cache[name]

    def convention(self, name: str) -> str:
        """Return a convention as the session states it, else the one that session.md lists first."""
        return str(self.settings.get("conventions", {}).get(name, CONVENTIONS[name][0]))

    def number(self, section: str, name: str, default: int | None = None) -> Fraction | None:
        """Return a number of session.toml, exact, or the default."""
        value = self.settings.get(section, {}).get(name, default)
        return None if value is None else _number(value, f"{section}.{name}")

    @property
    def currency(self) -> str | None:
        """The reporting currency, None where session.toml names none."""
        value = self.settings.get("session", {}).get("currency")
        return None if value is None else str(value)


def _number(value: Any, place: str) -> Fraction:
    with suppress(ArithmeticError, ValueError, TypeError):
        number = Decimal(value) if not isinstance(value, bool) else Decimal("NaN")
        if number.is_finite() and abs(number.adjusted()) < 38:
            return Fraction(number)
    raise EvidenceError("session.toml", column=place, was=f"{value!r}", should="a finite number such as 0.25")


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
    sources, notes = _sources(root)
    session = Session(root, _settings(root), sources, notes)
    for source in sources.values():
        for file in source.files:
            _header(source, file, notes)
        if source.bytes() <= _SMALL:
            session.table(source.table)
    _check_values(session)
    return session


def _settings(root: Path) -> dict[str, Any]:
    path = root / "session.toml"
    if not path.is_file():
        raise EvidenceError("session.toml", was="not there", should="a file in the session folder (it may be short)")
    _inside(root, path)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise EvidenceError("session.toml", was=str(error), should="valid TOML") from None


def _check_values(session: Session) -> None:
    settings = session.settings
    for section in ("session", "conventions", "limits", "quoting", "risk", "timing", "config"):
        if not isinstance(settings.get(section, {}), dict):
            raise EvidenceError("session.toml", column=section, was=f"{settings[section]!r}", should=f"a [{section}]")
    stated = settings.get("conventions", {})
    for name, words in CONVENTIONS.items():
        if name in stated and stated[name] not in words:
            raise EvidenceError(
                "session.toml", column=f"conventions.{name}", was=repr(stated[name]), should=f"one of {', '.join(words)}"
            )
    source = settings.get("session", {}).get("fills_from", "bot")
    if source not in ("venue", "bot"):
        raise EvidenceError("session.toml", column="session.fills_from", was=repr(source), should="one of venue, bot")
    for name in ("claim_lag_ms", "max_clock_skew_ms"):
        if (session.number("timing", name, 0) or 0) < 0:
            raise EvidenceError("session.toml", column=f"timing.{name}", was="a negative time", should="0 or more")


def _inside(root: Path, path: Path) -> None:
    if not path.resolve().is_relative_to(root.resolve()):
        raise EvidenceError(path.name, was="a link that leads out of the session folder", should="a file inside it")


def _sources(root: Path) -> tuple[dict[str, Source], list[str]]:
    sources: dict[str, Source] = {}
    unknown = []
    for path in sorted(root.iterdir()):
        form = next((form for form in _FORMS if path.name.endswith(form)), "")
        table = path.name.removesuffix(form) if form else path.name
        if table not in TABLES:
            if form or (path.is_dir() and any(path.glob("*.parquet"))):
                unknown.append(path.name)
            continue
        _inside(root, path)
        if form and not path.is_file():
            raise EvidenceError(path.name, was="a directory", should="a file")
        if not form and not path.is_dir():
            raise EvidenceError(path.name, was="a file without an ending", should=f"{table} + one of {', '.join(_FORMS)}")
        if table in sources:
            first = sources[table].files[0].relative_to(root).parts[0]
            raise EvidenceError(path.name, was=f"the table {table} a second time, beside {first}", should="one form of it")
        files = (path,) if form else tuple(sorted(path.rglob("*.parquet")))
        if not files:
            raise EvidenceError(f"{path.name}/", was="a folder without Parquet parts", should="one part at least")
        for file in files:
            _inside(root, file)
            if not file.is_file():
                raise EvidenceError(file.relative_to(root).as_posix(), was="a directory", should="a file")
        sources[table] = Source(table, form or ".parquet", files, root)
    notes = [f"{', '.join(unknown)}: unknown table, kept and ignored"] if unknown else []
    return sources, notes


def _header(source: Source, file: Path, notes: list[str] | None = None) -> list[str]:
    """Return the column names of a file; raise for a broken file, a name twice, a required column that is missing."""
    if source.form == ".parquet":
        names = list(_parquet(source, file).schema_arrow.names) + list(source.partition(file))
    else:
        names = _csv_header(source, file)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise EvidenceError(source.name(file), column=twice[0], was="the column twice", should="each column once")
    schema = TABLES[source.table]
    for column in schema.values():
        if column.required and column.name not in names:
            raise EvidenceError(source.name(file), column=column.name, was="no such column", should="one of that name")
    unknown = [name for name in names if name not in schema]
    if notes is not None and unknown:
        notes.append(f"{source.name(file)}: unknown columns kept and ignored: {', '.join(unknown)}")
    return names


def _parquet(source: Source, file: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _broken(source, file, error, "a whole Parquet file") from None


def _csv_header(source: Source, file: Path) -> list[str]:
    opener: Callable[..., Any] = gzip.open if source.form == ".csv.gz" else open
    try:
        with opener(file, "rt", encoding="utf-8-sig", newline="") as stream:
            header = next(csv.reader(stream), None)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise _broken(source, file, error, "a whole CSV file in UTF-8") from None
    if not header:
        raise EvidenceError(source.name(file), was="an empty file", should="a header line at least")
    return header


def _broken(source: Source, file: Path, error: Exception, should: str) -> EvidenceError:
    text = str(error).strip() or type(error).__name__
    row = re.search(r"Row #(\d+)", text)
    brief = re.sub(r"^CSV parse error:( Row #\d+:)?", "", text.splitlines()[0])[:160].strip()
    number = int(row.group(1)) - 1 if row else None
    return EvidenceError(source.name(file), row=number, was=f"cannot be read ({brief})", should=should)


# --- reading ----------------------------------------------------------------------------------------------------------


def _batches(source: Source, file: Path, names: list[str]) -> Iterator[pa.RecordBatch]:
    try:
        if source.form == ".parquet":
            yield from _parquet(source, file).iter_batches(batch_size=_ROWS, columns=names)
            return
        with pa.input_stream(file, compression="gzip" if source.form == ".csv.gz" else None) as stream:
            yield from pacsv.open_csv(
                stream,
                read_options=pacsv.ReadOptions(block_size=_BLOCK, use_threads=False),
                convert_options=pacsv.ConvertOptions(
                    column_types={name: pa.large_string() for name in _header(source, file)}, include_columns=names
                ),
            )
    except (pa.ArrowException, OSError, EOFError, ValueError) as error:
        whole = "a whole Parquet file" if source.form == ".parquet" else "CSV rows as long as the header, in UTF-8"
        raise _broken(source, file, error, whole) from None


def _read(source: Source, wanted: list[str], notes: list[str]) -> tuple[int, dict[str, AnyColumn]]:
    """Read columns of a table over all its files; return how many rows there are and the columns."""
    schema = TABLES[source.table]
    builders = {name: Builder(schema[name]) for name in wanted}
    present: set[str] = set()
    total = 0
    for file in source.files:
        names = _header(source, file)
        partition = source.partition(file)
        stored = [name for name in wanted if name in names and name not in partition]
        probe = stored or [name for name in names if name not in partition][:1]
        done = 0
        for batch in _batches(source, file, probe):
            rows = batch.num_rows
            for name in wanted:
                if name in stored:
                    array = batch.column(batch.schema.get_field_index(name))
                elif name in partition:
                    array = pa.array([partition[name]] * rows, pa.large_string())
                else:
                    array = pa.nulls(rows)
                present.update([name] if name in names else [])
                try:
                    builders[name].add(array)
                except Unreadable as bad:
                    raise EvidenceError(
                        source.name(file), row=done + bad.row + 1, column=name, was=bad.was, should=bad.should
                    ) from None
            done += rows
        total += done
    columns: dict[str, AnyColumn] = {}
    for name, builder in builders.items():
        columns[name] = builder.column_data() if name in present else absent(schema[name], total)
        if builder.naive:
            notes.append(f"{source.table}, column {name}: {builder.naive[0]} has no offset; read as UTC")
    _require_a_time(source, columns)
    return total, columns


def _require_a_time(source: Source, columns: dict[str, AnyColumn]) -> None:
    exchange, local = columns.get("ts_exchange"), columns.get("ts_local")
    if isinstance(exchange, Whole) and isinstance(local, Whole):
        bare = np.flatnonzero(exchange.missing & local.missing)
        if bare.size:
            name = source.name(source.files[0]) if len(source.files) == 1 else source.table
            raise EvidenceError(name, row=int(bare[0]) + 1, column="ts_exchange", was="empty, as is ts_local",
                                should="one of the two at least")


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
        row = int(np.flatnonzero(symbols.is_(strangers[0]))[0])
        source = session.sources[table]
        name = source.name(source.files[0]) if len(source.files) == 1 else table
        raise EvidenceError(name, row=row + 1, column="symbol", was=f"{strangers[0]!r}, a symbol without an instrument",
                            should="a symbol of the instruments table")


