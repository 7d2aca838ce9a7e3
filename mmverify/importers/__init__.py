"""Recordings of other engines, turned into session folders: one module a format, the folder is the registry.

An importer is faithful: it maps, it neither repairs nor invents. What it leaves out, it says.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mmverify.errors import EvidenceError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa


def formats() -> list[str]:
    """Return the formats that can be imported, sorted."""
    return sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_"))


def import_session(format: str, source: Path, out: Path) -> list[str]:
    """Turn a recording into a session folder.

    Parameters
    ----------
    format : str
        One of `formats`.
    source : Path
        The recording: a file or folder, as the format says.
    out : Path
        The session folder to make; not there yet, or empty.

    Returns
    -------
    list of str
        What was left out, and why.

    Raises
    ------
    UsageError
        For an unknown format, or a place that cannot be written.
    EvidenceError
        For a recording that cannot be read.
    """
    if format not in formats():
        raise UsageError(f"{format}: no such format; should be one of {', '.join(formats())}")
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError(f"{out}: already there; should be a new or empty folder")
    notes: list[str] = import_module(f"{__name__}.{format}").load(source, out)
    return notes


def table(name: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Make one table of a session out of its rows.

    Parameters
    ----------
    name : str
        Name of the table; the types of its columns are those of the session's schema.
    rows : sequence of mapping, at least one
        Column to value; a column is in the table when the first row has it. A Decimal keeps every digit, a float
        stays a float64.

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    EvidenceError
        For a number of more than 38 digits.
    """
    import pyarrow as pa

    from mmverify.session.schema import TABLES

    plain = {"ts": pa.int64(), "int": pa.int64(), "bool": pa.bool_()}
    columns = {}
    for column in rows[0]:
        values = [row.get(column) for row in rows]
        kind = TABLES[name][column].type
        if kind not in ("dec", "udec"):
            columns[column] = pa.array(values, plain.get(kind, pa.string()))
        elif any(isinstance(value, float) for value in values):
            columns[column] = pa.array(values, pa.float64())
        else:
            scale = max((-value.as_tuple().exponent for value in values if value is not None), default=0)
            try:
                columns[column] = pa.array(values, pa.decimal128(38, max(scale, 0)))
            except pa.ArrowInvalid as error:
                raise EvidenceError(name, column=column, was=str(error), should="38 digits at most") from None
    return pa.table(columns)


def write_session(out: Path, settings: Mapping[str, Mapping[str, str]], tables: Mapping[str, pa.Table]) -> None:
    """Write a session folder, whole or not at all.

    Parameters
    ----------
    out : Path
        The session folder to make; not there yet, or empty.
    settings : mapping of str to mapping
        Sections of session.toml.
    tables : mapping of str to pyarrow.Table
        Name to table; each becomes a Parquet file.

    Raises
    ------
    UsageError
        When the folder is not empty or cannot be written.
    """
    import pyarrow.parquet as pq

    with staged(out) as folder:
        write_settings(folder, settings)
        for name, data in tables.items():
            pq.write_table(data, folder / f"{name}.parquet", compression="zstd")


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """Yield a folder to write a session into that becomes `out` once all of it is written, or never.

    Raises
    ------
    UsageError
        When `out` is not empty or cannot be written.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
            folder = Path(scratch) / out.name
            folder.mkdir()
            yield folder
            os.replace(folder, out)
    except OSError as error:
        raise UsageError(f"{out}: cannot be written ({error.strerror or error}); should be a new folder") from None


def write_settings(folder: Path, settings: Mapping[str, Mapping[str, str]]) -> None:
    """Write session.toml, of these sections."""
    (folder / "session.toml").write_text(_toml(settings), encoding="utf-8")


def _toml(settings: Mapping[str, Mapping[str, str]]) -> str:
    sections = []
    for name, values in settings.items():
        lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
        sections.append("\n".join([f"[{name}]", *lines]))
    return "\n\n".join(sections) + "\n"
