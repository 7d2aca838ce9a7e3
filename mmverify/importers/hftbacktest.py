"""hftbacktest: a raw capture of Binance's streams, turned into a session of market data.

What is read: a text file, gzipped or not, with a line a message, ``<local ns> <JSON>``: Binance's combined stream
(spot, USD-M and COIN-M futures), and the REST snapshots of the book, which have ``lastUpdateId`` and no ``stream``.

What its fields mean: the time before the JSON is the bot's clock, kept as recorded. Of depth updates ``ts_exchange`` is
``T``, when the book changed, on spot ``E``, when the message was made; of trades it is ``T``. ``u`` is `seq`;
`prev_seq` is ``pu``, on spot ``U`` less 1. A snapshot stands at its ``lastUpdateId``; on spot it has no time. ``m``
says that the buyer was the maker, so that the seller was the aggressor. Quantities of COIN-M are contracts.

A capture does not state its markets. Which of the three it is follows from the fields, base and quote from the symbol;
tick and lot are the greatest steps that all its prices and quantities are multiples of.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import IO, Any, NamedTuple

from mmverify.errors import EvidenceError
from mmverify.importers import staged, table, write_settings
from mmverify.importers._markets import instrument
from mmverify.importers._parts import ROWS, Parts, decimals, step
from mmverify.session.venues import sequence_rules

_MARKETS = {"binance_spot": "binance", "binance_usdm": "binance-futures", "binance_coinm": "binance-delivery"}
_UNITS = {13: 10**6, 16: 10**3}  # digits of a time of this century, and its unit in ns: ms, us
_GZIP = b"\x1f\x8b"
_SHOULD = "a time in ns, a space and a message as Binance sends it"
_SHOWN = 60


def load(source: Path, out: Path) -> list[str]:
    """Turn a capture into a session folder.

    Parameters
    ----------
    source : Path
        The capture.
    out : Path
        The session folder to make; not there yet, or empty.

    Returns
    -------
    list of str
        What was left out, and why.

    Raises
    ------
    EvidenceError
        When a line cannot be read; the message names it.
    UsageError
        When `out` cannot be written.
    """
    with staged(out) as folder:
        capture = _Capture(source.name, Parts(folder))
        for row, line in enumerate(_lines(source), 1):
            try:
                at, _, text = line.partition(b" ")
                capture.take(int(at), json.loads(text))
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                if not line.endswith(b"\n"):
                    capture.notes.append(f"line {row}, the last, is cut off and was left out")
                    continue
                was = f"{line[:_SHOWN].decode(errors='replace').strip()} ({type(error).__name__}: {error})"
                raise EvidenceError(source.name, row=row, was=was, should=_SHOULD) from None
            capture.write(ROWS)
        capture.close()
        write_settings(folder, {"session": {"venue": sequence_rules()["binance_spot"].venue}})
    return capture.notes


def _lines(source: Path) -> Iterator[bytes]:
    if not source.is_file():
        raise EvidenceError(source.name, was="a folder" if source.is_dir() else "not there", should="a capture file")
    try:
        with source.open("rb") as plain:
            packed = plain.read(2) == _GZIP
            plain.seek(0)
            stream: IO[bytes] = gzip.GzipFile(fileobj=plain) if packed else plain  # type: ignore[assignment]
            yield from stream
    except (OSError, EOFError, zlib.error) as error:
        raise EvidenceError(source.name, was=f"cannot be read ({error})", should="a whole file") from None


class _Message(NamedTuple):
    """What the rows of one update of the book have in common."""

    ts_exchange: int | None
    ts_local: int
    symbol: str
    seq: int
    prev_seq: int | None
    kind: str


@dataclass
class _Capture:
    """What was read of a capture and is not written yet, and what is known of its markets.

    Parameters
    ----------
    place : str
        Name of the file.
    parts : Parts
    notes : list of str
        What was left out.
    """

    place: str
    parts: Parts
    notes: list[str] = field(default_factory=list)
    _messages: list[_Message] = field(default_factory=list)
    _sizes: list[int] = field(default_factory=list)
    _levels: list[tuple[str | None, str | None, str | None]] = field(default_factory=list)
    _trades: list[tuple[int, int, str, str, str, str, str]] = field(default_factory=list)
    _waiting: list[tuple[int, Mapping[str, Any]]] = field(default_factory=list)
    _markets: dict[str, str] = field(default_factory=dict)
    _steps: dict[tuple[str, str], Fraction] = field(default_factory=dict)
    _left_out: Counter[str] = field(default_factory=Counter)
    _snapshots: int = 0
    _is_guessed: bool = False

    def take(self, at: int, message: Mapping[str, Any]) -> None:
        """Take a message that came at a time."""
        if "lastUpdateId" not in message:
            self._streamed(at, message)
        elif self._markets:
            self._snapshot(at, message)
        else:
            self._waiting.append((at, message))

    def _streamed(self, at: int, message: Mapping[str, Any]) -> None:
        data = message["data"]
        event = data.get("e")
        if event == "depthUpdate":
            market = self._market(data)
            seq, prev_seq = sequence_rules()[market].numbers(data)
            if seq is None or prev_seq is None:
                raise KeyError("u, and pu or U")
            sent = _ns(data["T"] if "T" in data else data["E"])
            self._update(_Message(sent, at, data["s"], seq, prev_seq, "delta"), data["b"], data["a"])
        elif event == "trade" and data.get("X", "MARKET") == "MARKET":
            self._market(data)
            aggressor = "sell" if data["m"] else "buy"
            self._trades.append((_ns(data["T"]), at, data["s"], str(data["t"]), data["p"], data["q"], aggressor))
        else:
            self._left_out["trades that were none of the market (X is not MARKET)" if event == "trade"
                           else f"messages of {str(message['stream']).partition('@')[2]}"] += 1  # fmt: skip

    def _market(self, data: Mapping[str, Any]) -> str:
        """Return the market of a message, which its fields tell, and remember its symbol."""
        symbol = data["s"]
        if symbol not in self._markets:
            futures = "binance_coinm" if "USD_" in symbol else "binance_usdm"
            self._markets[symbol] = futures if "pu" in data or "X" in data else "binance_spot"
            for at, snapshot in self._waiting:
                self._snapshot(at, snapshot)
            self._waiting.clear()
        return self._markets[symbol]

    def _snapshot(self, at: int, message: Mapping[str, Any]) -> None:
        """Take a snapshot; on spot and USD-M it does not name its symbol, which is then the only one of the capture."""
        self._is_guessed |= "symbol" not in message
        symbol, sent = message.get("symbol", next(iter(self._markets))), message.get("T", message.get("E"))
        head = _Message(None if sent is None else _ns(sent), at, symbol, int(message["lastUpdateId"]), None, "snapshot")
        self._snapshots += 1
        self._update(head, message["bids"], message["asks"])

    def _update(self, message: _Message, bids: Sequence[Sequence[str]], asks: Sequence[Sequence[str]]) -> None:
        self._levels += [("bid", price, qty) for price, qty in bids] + [("ask", price, qty) for price, qty in asks]
        if not (bids or asks):
            self._levels.append((None, None, None))
        self._messages.append(message)
        self._sizes.append(max(len(bids) + len(asks), 1))

    # Writing

    def write(self, least: int = 1) -> None:
        """Write what is read of a table once there are so many rows of it."""
        if len(self._levels) >= least:
            self._write_book()
        if len(self._trades) >= least:
            self._write_trades()

    def close(self) -> None:
        """Write what is left, and the instruments."""
        if self._is_guessed and len(self._markets) > 1:
            was = f"snapshots without a symbol, and updates of {', '.join(self._markets)}"
            raise EvidenceError(self.place, was=was, should="a capture of one symbol, or snapshots that name theirs")
        self.write()
        if not self._markets:
            raise EvidenceError(self.place, was="neither depth updates nor trades", should="a capture with some")
        if not self._snapshots:
            self.notes.append("book: the capture has no snapshot; levels that did not change in it are missing")
        self.notes += [f"{count} {what} left out" for what, count in self._left_out.items()]
        instruments = [
            row for symbol, market in self._markets.items()
            if (row := instrument(_MARKETS[market], symbol, self._steps.get((symbol, "price")),
                                  self._steps.get((symbol, "qty")), self.notes))
        ]  # fmt: skip
        if instruments:
            self.parts.add("instruments", table("instruments", instruments))

    def _write_book(self) -> None:
        import numpy as np
        import pyarrow as pa

        of = pa.array(np.repeat(np.arange(len(self._messages)), self._sizes))
        rows = pa.table(dict(zip(_Message._fields, _arrays(self._messages, "iisiis"), strict=True))).take(of)
        side, price, qty = _arrays(self._levels, "sss")
        self._write("book", rows.append_column("side", side), price, qty)
        self._messages, self._sizes, self._levels = [], [], []

    def _write_trades(self) -> None:
        import pyarrow as pa

        *columns, price, qty, aggressor = _arrays(self._trades, "iisssss")
        rows = pa.table([*columns, aggressor], ["ts_exchange", "ts_local", "symbol", "trade_id", "aggressor"])
        self._write("trades", rows, price, qty)
        self._trades = []

    def _write(self, name: str, rows: Any, price: Any, qty: Any) -> None:
        """Write rows with their prices and quantities, and read the steps of these off."""
        import pyarrow.compute as pc

        for column, values in (("price", price), ("qty", qty)):
            numbers = decimals(values, f"{self.place}, {name}", column)
            rows = rows.append_column(column, numbers)
            for symbol in rows["symbol"].unique().to_pylist():
                mine = rows.filter(pc.equal(rows["symbol"], symbol))[column].combine_chunks()
                self._steps[symbol, column] = step(mine, self._steps.get((symbol, column), Fraction(0)))
        self.parts.add(name, rows)


def _arrays(rows: Sequence[Sequence[Any]], kinds: str) -> list[Any]:
    """Turn rows into columns: whole numbers (i) and texts (s)."""
    import pyarrow as pa

    types = {"i": pa.int64(), "s": pa.string()}
    return [pa.array(values, types[kind]) for values, kind in zip(zip(*rows, strict=True), kinds, strict=True)]


def _ns(time: int) -> int:
    """Return a time of Binance, in ms or us, in nanoseconds."""
    digits = len(str(time))
    if not isinstance(time, int) or digits not in _UNITS:
        raise ValueError(f"{time!r} is no time in ms or us")
    return time * _UNITS[digits]
