"""The files of a session folder: which table is where, its header, its rows in batches, what is wrong with it."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from mmverify.errors import EvidenceError
from mmverify.session.columns import shown
from mmverify.session.schema import TABLES

_FORMS = (".parquet", ".csv", ".csv.gz")
_BLOCK = 2 * 2**20
_BUFFER = 2**16  # without it a whole row group is held
_ROWS = 1 << 17
_MAGIC = b"PAR1"
_UNREADABLE = (pa.ArrowException, OSError, EOFError, ValueError, zlib.error, MemoryError, OverflowError)
_NO_PARTITION = "__HIVE_DEFAULT_PARTITION__"  # what writers of partitions call an empty value


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
        steps = [step.split("=", 1) for step in file.relative_to(self.root).parts[1:-1] if "=" in step]
        return {name: "" if value == _NO_PARTITION else unquote(value) for name, value in steps}

    @property
    def label(self) -> str:
        """Name of the file or folder that the table is."""
        return self.files[0].relative_to(self.root).parts[0]

    def bytes(self) -> int:
        """Return the size on disk."""
        return sum(file.stat().st_size for file in self.files)


def inside(root: Path, path: Path) -> None:
    """Raise EvidenceError for a link that leads out of the folder, or nowhere."""
    name = path.relative_to(root).as_posix()
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError):
        raise EvidenceError(name, was="a link that leads nowhere", should="a file inside the session folder") from None
    if not real.is_relative_to(root.resolve()):
        raise EvidenceError(name, was="a link that leads out of the session folder", should="a file inside it")


def find_sources(root: Path) -> tuple[dict[str, Source], list[str]]:
    """Return the tables of a folder, and a note on what is there and is none."""
    sources: dict[str, Source] = {}
    unknown = []
    for path in sorted(root.iterdir()):
        form = next((form for form in _FORMS if path.name.endswith(form)), "")
        table = path.name.removesuffix(form) if form else path.name
        if table not in TABLES:
            if form or (path.is_dir() and any(path.glob("*.parquet"))):
                unknown.append(path.name)
            continue
        inside(root, path)
        if not form and not path.is_dir():
            raise EvidenceError(
                path.name, was="a file without an ending", should=f"{table}{f' or {table}'.join(_FORMS)}"
            )
        files = (path,) if form else _parts(root, path)
        if not files:
            raise EvidenceError(f"{path.name}/", was="a folder without Parquet parts", should="one part at least")
        for file in files:
            inside(root, file)
            if not file.is_file():
                raise EvidenceError(
                    file.relative_to(root).as_posix(),
                    was="a directory" if file.is_dir() else "not a file",
                    should="a file",
                )
        if table in sources:
            was = f"the table {table} a second time, beside {sources[table].label}"
            raise EvidenceError(path.name, was=was, should="one form of it")
        sources[table] = Source(table, form or ".parquet", files, root)
    notes = [f"unknown tables, kept and ignored: {', '.join(unknown)}"] if unknown else []
    return sources, notes


def _parts(root: Path, folder: Path) -> tuple[Path, ...]:
    for path in folder.rglob("*"):
        if path.is_symlink() and path.is_dir():
            inside(root, path)
            raise EvidenceError(path.relative_to(root).as_posix(), was="a link to a folder", should="a folder")
    return tuple(sorted(folder.rglob("*.parquet")))


def header(source: Source, file: Path) -> list[str]:
    """Return the column names of a file; raise for a broken file, a name twice, a required column that is missing."""
    if source.form == ".parquet":
        with _parquet(source, file) as opened:
            names = list(opened.schema_arrow.names) + list(source.partition(file))
    else:
        names = _csv_header(source, file)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise EvidenceError(source.name(file), column=twice[0], was="the column twice", should="each column once")
    for column in TABLES[source.table].values():
        if column.required and column.name not in names:
            raise EvidenceError(source.name(file), column=column.name, was="no such column", should="one of that name")
    return names


def _parquet(source: Source, file: Path) -> pq.ParquetFile:
    try:
        opened = pq.ParquetFile(file, pre_buffer=False, buffer_size=_BUFFER)
        opened.schema_arrow.names  # noqa: B018 - the schema is decoded when it is asked for
        return opened
    except _UNREADABLE as error:
        raise _broken_parquet(source, file, error) from None


def _broken_parquet(source: Source, file: Path, error: Exception) -> EvidenceError:
    """Say what is wrong with a Parquet file: it begins and ends with the same four letters."""
    was = "a Parquet file that is damaged"
    try:
        with file.open("rb") as stream:
            start = stream.read(8)
            stream.seek(-min(4, file.stat().st_size), 2)
            end = stream.read()
        if not start:
            was = "an empty file"
        elif not start.startswith(_MAGIC):
            was = f"no Parquet file: it begins with {start!r}"
        elif end != _MAGIC:
            was = "a Parquet file that was cut off: its end is missing"
    except OSError as problem:
        was = f"cannot be read ({problem.strerror})"
    return EvidenceError(source.name(file), was=was, should="a whole Parquet file")


def _lines(source: Source, file: Path) -> TextIO:
    opener: Callable[..., Any] = gzip.open if source.form == ".csv.gz" else open
    stream: TextIO = opener(file, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="")
    return stream


def _csv_header(source: Source, file: Path) -> list[str]:
    try:
        with _lines(source, file) as stream:
            header = next(csv.reader(stream, strict=True), None)
    except (*_UNREADABLE, csv.Error) as error:
        raise _broken_csv(source, file, error) from None
    if not header:
        was = "an empty file" if header is None else "an empty first line"
        raise EvidenceError(source.name(file), was=was, should="a header line")
    if not all(map(_is_utf8, header)):
        raise EvidenceError(source.name(file), was="a header that is not UTF-8", should="CSV text in UTF-8")
    return header


def _is_utf8(text: str) -> bool:
    return text.isascii() or not any("\udc80" <= character <= "\udcff" for character in text)


def _csv_fault(source: Source, file: Path) -> EvidenceError | None:
    """Read a CSV file row by row and return its first fault: slow, for a file that is known to have one."""
    name, row = source.name(file), 0
    try:
        with _lines(source, file) as stream:
            rows = filter(None, csv.reader(stream, strict=True))
            header = next(rows)
            for row, fields in enumerate(rows, 1):
                if len(fields) != len(header):
                    should = f"{len(header)}, as in the header"
                    return EvidenceError(name, row=row, was=f"{len(fields)} values", should=should)
                for column, text in zip(header, fields, strict=True):
                    if not _is_utf8(text):
                        was = f"{shown(text.encode(errors='surrogateescape'))}, which is not UTF-8"
                        return EvidenceError(name, row=row, column=column, was=was, should="text in UTF-8")
    except csv.Error:
        return EvidenceError(
            name,
            row=row + 1,
            was="a quote that is never closed, or text after a closing quote",
            should='quotes in pairs, a quote inside quoted text written ""',
        )
    except (*_UNREADABLE, StopIteration):
        return None
    return None


def _broken_csv(source: Source, file: Path, error: Exception) -> EvidenceError:
    fault = _csv_fault(source, file)
    if fault:
        return fault
    if isinstance(error, OSError) and error.strerror:
        was = f"cannot be read ({error.strerror})"
    elif source.form == ".csv.gz":
        was = "a gzip file that is damaged or was cut off"
    elif "straddling" in str(error):
        was = f"a row of more than {_BLOCK // 2**20} MiB"
    else:
        was = "a CSV file that is damaged"
    return EvidenceError(source.name(file), was=was, should="a whole CSV file in UTF-8")


# --- rows -------------------------------------------------------------------------------------------------------------


class _Quotes:
    """A stream of bytes that counts the quotes in it: where one is never closed, the rows after it would be lost."""

    def __init__(self, stream: pa.NativeFile) -> None:
        self._stream = stream
        self.closed = False
        self.count = 0

    def read(self, size: int) -> bytes:
        block: bytes = self._stream.read(size)
        self.count += block.count(b'"')
        return block

    def close(self) -> None:
        self.closed = True


def batches(source: Source, file: Path, names: list[str]) -> Iterator[pa.RecordBatch]:
    """Yield columns of a file a batch of rows at a time, those of a CSV file as text."""
    if source.form == ".parquet":
        with _parquet(source, file) as opened:
            try:
                yield from opened.iter_batches(batch_size=_ROWS, columns=names)
            except _UNREADABLE as error:
                raise _broken_parquet(source, file, error) from None
        return
    text = {name: pa.large_string() for name in _csv_header(source, file)}
    try:
        with pa.input_stream(file, compression="gzip" if source.form == ".csv.gz" else None) as stream:
            quotes = _Quotes(stream)
            yield from pacsv.open_csv(
                quotes,
                read_options=pacsv.ReadOptions(block_size=_BLOCK, use_threads=False),
                parse_options=pacsv.ParseOptions(newlines_in_values=True),
                convert_options=pacsv.ConvertOptions(
                    column_types=text, include_columns=names, null_values=[""], strings_can_be_null=True
                ),
            )
    except _UNREADABLE as error:
        if "Empty CSV file" not in str(error):  # a header, and not even the end of its line
            raise _broken_csv(source, file, error) from None
    if quotes.count % 2 and (fault := _csv_fault(source, file)):
        raise fault
