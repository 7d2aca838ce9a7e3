"""Tardis: its CSV files of market data, turned into a session.

What is read: a file, or a folder of them, gzipped or not: ``trades``, ``derivative_ticker``, and for the book one of
``incremental_book_L2``, ``book_snapshot_N`` and ``quotes``, the first of these that is there. Which one a file is shows
in its header.

What its fields mean: ``timestamp`` is the venue's clock, ``local_timestamp`` that of the host which recorded the feed,
both in microseconds. ``side`` of a trade is the aggressor's, of a level bid or ask. An amount of 0 removes a level. A
row of ``book_snapshot_N`` and of ``quotes`` is the best N levels, and 1, of each side: a snapshot each. There are no
sequence numbers. Amounts of contracts are as the exchange sends them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmverify.errors import EvidenceError
from mmverify.importers import staged, table, write_settings
from mmverify.importers._markets import instrument
from mmverify.importers._parts import Parts, decimals, step

if TYPE_CHECKING:
    import pyarrow as pa

_COMMON = ("exchange", "symbol", "timestamp", "local_timestamp")
_TRADES = ("id", "side", "price", "amount")
_UPDATES = ("is_snapshot", "side", "price", "amount")
_TICKER = {"mark_price": "mark", "index_price": "index", "last_price": "last"}
_QUOTE = (("bid", "bid_price", "bid_amount"), ("ask", "ask_price", "ask_amount"))
_US = 1000
_BLOCK = 4 * 2**20


@dataclass(frozen=True)
class _File:
    """A file, what it is, and how deep a book."""

    path: Path
    kind: str
    depth: int


def load(source: Path, out: Path) -> list[str]:
    """Turn files of Tardis into a session folder.

    Parameters
    ----------
    source : Path
        A CSV file, or a folder with them.
    out : Path
        The session folder to make; not there yet, or empty.

    Returns
    -------
    list of str
        What was left out, and why.

    Raises
    ------
    EvidenceError
        When a file cannot be read; the message names it, with row and column.
    UsageError
        When `out` cannot be written.
    """
    files = [_opened(path) for path in _paths(source)]
    books = sorted({(file.kind == "incremental_book_L2", file.depth, file.kind) for file in files if file.depth})
    notes = [
        f"{file.path.name}: left out, the book is of {books[-1][2]}"
        for file in files
        if file.depth and file.kind != books[-1][2]
    ]
    with staged(out) as folder:
        tables = _Tables(Parts(folder), notes)
        for file in files:
            if not file.depth or file.kind == books[-1][2]:
                tables.read(file)
        tables.close()
        write_settings(folder, {"session": {"venue": tables.exchange}})
    return notes


def _paths(source: Path) -> Sequence[Path]:
    if source.is_file():
        return [source]
    found = sorted(path for path in source.glob("*") if path.name.endswith((".csv", ".csv.gz")))
    if not found:
        was = "a folder without CSV files" if source.is_dir() else "not there"
        raise EvidenceError(source.name, was=was, should="a CSV file of Tardis, or a folder with some")
    return found


def _opened(path: Path) -> _File:
    """Read the header of a file."""
    names = _batches(path, None).schema.names
    levels = sum(name.startswith("asks[") and name.endswith(".price") for name in names)
    kinds: Mapping[str, tuple[Iterable[str], int]] = {
        "trades": (_TRADES, 0),
        "incremental_book_L2": (_UPDATES, 2**31),
        "quotes": ((name for level in _QUOTE for name in level[1:]), 1),
        f"book_snapshot_{levels}": ((name for level in _levels(levels) for name in level[1:]), levels),
        "derivative_ticker": (_TICKER, 0),
    }
    for kind, (columns, depth) in kinds.items():
        if {*columns, *_COMMON} <= set(names) and kind != "book_snapshot_0":
            return _File(path, kind, depth)
    raise EvidenceError(path.name, was=f"columns {', '.join(names)}"[:120], should=f"a file of {', '.join(kinds)}")


def _levels(depth: int) -> Sequence[tuple[str, str, str]]:
    return [
        (side, f"{side}s[{n}].price", f"{side}s[{n}].amount") for side in ("bid", "ask") for n in range(depth)
    ]  # fmt: skip


def _batches(path: Path, columns: Sequence[str] | None) -> Any:
    """Open a CSV file as batches of text."""
    import pyarrow as pa
    import pyarrow.csv as csv

    try:
        with pa.input_stream(path, compression="gzip" if path.suffix == ".gz" else None) as head:
            names = head.read(2**16).decode("utf-8", errors="replace").partition("\n")[0].strip().split(",")
        return csv.open_csv(
            pa.input_stream(path, compression="gzip" if path.suffix == ".gz" else None),
            read_options=csv.ReadOptions(block_size=_BLOCK, use_threads=False),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), include_columns=columns, null_values=[""],
                strings_can_be_null=True,
            ),
        )  # fmt: skip
    except (pa.ArrowException, OSError) as error:
        raise EvidenceError(path.name, was=f"cannot be read ({error})", should="CSV text of Tardis") from None


@dataclass
class _Tables:
    """The tables as far as they are written, and what is known of the markets.

    Parameters
    ----------
    parts : Parts
    notes : list of str
        Added to.
    exchange : str
    """

    parts: Parts
    notes: list[str]
    exchange: str = ""
    _symbols: dict[str, None] = field(default_factory=dict)
    _steps: dict[tuple[str, str], Fraction] = field(default_factory=dict)

    def read(self, file: _File) -> None:
        """Write the rows of a file."""
        levels = _QUOTE if file.kind == "quotes" else _levels(file.depth) if file.kind.startswith("book_") else ()
        columns = {"trades": _TRADES, "incremental_book_L2": _UPDATES, "derivative_ticker": tuple(_TICKER)}
        wanted = columns.get(file.kind, tuple(name for level in levels for name in level[1:]))
        for start, batch in _numbered(file.path, [*_COMMON, *wanted]):
            head = self._head(file.path.name, batch, start)
            if file.kind == "trades":
                self._trades(file.path.name, batch, head, start)
            elif file.kind == "incremental_book_L2":
                self._updates(file.path.name, batch, head, start)
            elif levels:
                self._snapshots(file.path.name, batch, head, start, levels)
            else:
                for name, column in _TICKER.items():
                    head = head.append_column(column, decimals(batch[name], file.path.name, name, start))
                self.parts.add("marks", head)
        if file.kind == "derivative_ticker":
            self.notes.append(
                f"{file.path.name}: funding rates and open interest left out: the session has payments only"
            )

    def close(self) -> None:
        """Write the instruments."""
        rows = [
            row for symbol in self._symbols
            if (row := instrument(self.exchange, symbol, self._steps.get((symbol, "price")),
                                  self._steps.get((symbol, "amount")), self.notes))
        ]  # fmt: skip
        if rows:
            self.parts.add("instruments", table("instruments", rows))

    def _head(self, place: str, batch: pa.RecordBatch, start: int) -> pa.Table:
        """Return the clocks and the symbol of each row."""
        import pyarrow as pa

        exchanges = batch["exchange"].unique().to_pylist()
        self.exchange = self.exchange or str(exchanges[0])
        if exchanges != [self.exchange]:
            other = next(each for each in exchanges if each != self.exchange)
            raise EvidenceError(
                place, column="exchange", was=str(other), should=f"{self.exchange}, as in the rows before"
            )
        self._symbols |= dict.fromkeys(batch["symbol"].unique().to_pylist())
        return pa.table({
            "ts_exchange": _times(batch["timestamp"], place, "timestamp", start),
            "ts_local": _times(batch["local_timestamp"], place, "local_timestamp", start),
            "symbol": batch["symbol"],
        })  # fmt: skip

    def _trades(self, place: str, batch: pa.RecordBatch, head: pa.Table, start: int) -> None:
        rows = head.append_column("trade_id", batch["id"])
        rows = self._numbers(place, rows, batch["price"], batch["amount"], start)
        words = {"buy": "buy", "sell": "sell", "unknown": None}
        self.parts.add("trades", rows.append_column("aggressor", _words(batch["side"], words, place, "side", start)))

    def _updates(self, place: str, batch: pa.RecordBatch, head: pa.Table, start: int) -> None:
        words = {"true": "snapshot", "false": "delta"}
        kind = _words(batch["is_snapshot"], words, place, "is_snapshot", start)
        side = _words(batch["side"], {"bid": "bid", "ask": "ask"}, place, "side", start)
        self._book(place, head, kind, side, batch["price"], batch["amount"], start)

    def _snapshots(
        self, place: str, batch: pa.RecordBatch, head: pa.Table, start: int, levels: Sequence[tuple[str, str, str]]
    ) -> None:
        """Write the levels of each row as a snapshot; an empty cell is a level that is not there."""
        import numpy as np
        import pyarrow as pa

        count, depth = batch.num_rows, len(levels)
        order = (np.arange(depth) * count + np.arange(count)[:, None]).ravel()
        price, qty = (pa.concat_arrays([batch[level[n]] for level in levels]).take(pa.array(order)) for n in (1, 2))
        given = price.is_valid()
        rows = head.take(pa.array(np.repeat(np.arange(count), depth))).filter(given)
        side = pa.array([level[0] for level in levels] * count).filter(given)
        kind = pa.repeat("snapshot", len(side))
        self._book(place, rows, kind, side, price.filter(given), qty.filter(given), start)

    def _book(
        self, place: str, rows: pa.Table, kind: pa.Array, side: pa.Array, price: pa.Array, qty: pa.Array, start: int
    ) -> None:
        import pyarrow as pa

        rows = rows.append_column("seq", pa.nulls(len(side), pa.int64()))
        rows = rows.append_column("kind", kind).append_column("side", side)
        self.parts.add("book", self._numbers(place, rows, price, qty, start))

    def _numbers(self, place: str, rows: pa.Table, price: pa.Array, amount: pa.Array, start: int) -> pa.Table:
        """Add price and quantity, and read their steps off."""
        import pyarrow.compute as pc

        for name, column, text in (("price", "price", price), ("amount", "qty", amount)):
            numbers = decimals(text, place, name, start)
            rows = rows.append_column(column, numbers)
            for symbol in rows["symbol"].unique().to_pylist():
                mine = numbers.filter(pc.equal(rows["symbol"].combine_chunks(), symbol))
                self._steps[symbol, name] = step(mine, self._steps.get((symbol, name), Fraction(0)))
        return rows


def _numbered(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield the batches of a file, each with the number of rows before it."""
    import pyarrow as pa

    start = 0
    try:
        for batch in _batches(path, columns):
            if batch.num_rows:
                yield start, batch
            start += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise EvidenceError(path.name, was=f"cannot be read ({error})", should="CSV text of Tardis") from None


def _times(text: pa.Array, place: str, column: str, start: int) -> pa.Array:
    """Return microseconds as nanoseconds."""
    import pyarrow as pa
    import pyarrow.compute as pc

    fine = pc.fill_null(pc.match_substring_regex(text, r"^[0-9]{1,16}$"), False)
    row = pc.index(fine, False).as_py()
    if row >= 0:
        should = "microseconds since 1970, before 2262"
        raise EvidenceError(place, row=start + row + 1, column=column, was=repr(text[row].as_py())[:60], should=should)
    return pc.multiply_checked(pc.cast(text, pa.int64()), _US)


def _words(text: pa.Array, words: Mapping[str, str | None], place: str, column: str, start: int) -> pa.Array:
    """Return what one of the known words stands for, row by row."""
    import pyarrow as pa
    import pyarrow.compute as pc

    codes = pc.index_in(text, value_set=pa.array(list(words)))
    if codes.null_count:
        row = pc.index(pc.is_null(codes), True).as_py()
        raise EvidenceError(
            place, row=start + row + 1, column=column, was=repr(text[row].as_py()), should=f"one of {', '.join(words)}"
        )
    return pa.array(list(words.values()), pa.string()).take(codes)
