"""How fast a book is replayed and checked, beside hftbacktest's depth: ``python tests/bench/book.py --peer PYTHON``.

Both get the same updates in memory, in turns; the fastest turn of each counts. hftbacktest, in a process of its own by
an interpreter that has it, sets level by level in a hash map or in a vector, moves the best prices along, repairs what
crosses, and keeps the last book alone, on one processor; on data as it converts them it does so twice, for the book of
its exchange too. mmverify follows the numbers, replays every level, finds the best prices after every message, and
holds the bot's looks at its book and its quotes to them: the seven checks of section 3.1. The last best prices are held
to hftbacktest's.

The market is drawn; ``--session`` repeats the book of a session instead, of a real capture say, each time from a
snapshot that takes the levels of the last away.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from books import MS, Book, Column, drawn, truth
from numpy.typing import NDArray

from mmverify import compiled
from mmverify.checks import Looked, s3_1_feed, s3_1_looks, s3_1_order_book, s3_1_views
from mmverify.numeric import Decimals
from mmverify.session.columns import AnyColumn, Whole, Words, absent
from mmverify.session.files import Source
from mmverify.session.load import Session, Table, open_session
from mmverify.session.schema import TABLES

Seconds = tuple[float, float]
T = TypeVar("T")
SYMBOL = "BTC-USDT"


def recorded(folder: Path, rows: int) -> Book:
    """Repeat the book of a session: one symbol, numbered, in order of arrival."""
    table = open_session(folder).table("book", *s3_1_feed.COLUMNS)
    ts, seq = (table.whole(name).values for name in ("ts_local", "seq"))
    price, qty = table.decimals("price"), table.decimals("qty")
    fresh = np.append(True, (seq[1:] != seq[:-1]) | (ts[1:] != ts[:-1]))
    number = np.cumsum(fresh)
    times, count = max(1, round(rows / len(ts))), len(ts)
    turn = np.repeat(np.arange(times), count)
    all_seq = np.tile(number, times) + turn * int(number[-1])
    length = int(ts[-1] - ts[0]) + MS
    return Book(
        np.tile(np.maximum.accumulate(ts), times) + turn * length, all_seq, all_seq - 1, np.tile(number == 1, times),
        np.tile(table.words("side").is_("ask"), times), np.tile(price.ints, times), np.tile(qty.ints, times),
        np.flatnonzero(np.tile(fresh, times)), price.scale, qty.scale,
    )  # fmt: skip


# --- the session ------------------------------------------------------------------------------------------------------


def whole(values: Column) -> Whole:
    """Return a column of whole numbers."""
    return Whole(values, np.zeros(len(values), dtype=bool))


def decimals(ints: Column, scale: int) -> Decimals:
    """Return a column of decimals."""
    nothing = np.zeros(len(ints), dtype=bool)
    return Decimals(ints, scale, scale, False, nothing, nothing)


def words(codes: NDArray[Any], *names: str) -> Words:
    """Return a column of text."""
    return Words(codes.astype(np.int32), pa.array(names, pa.large_string()))


def table(name: str, columns: dict[str, AnyColumn]) -> Table:
    """Return a table, the columns that are not given empty."""
    rows = len(next(iter(columns.values())))
    return Table(name, rows, {each: columns.get(each) or absent(kind, rows) for each, kind in TABLES[name].items()})


def tables(book: Book, looks: int, quotes: int) -> list[Table]:
    """Return the tables of a bot that looks and quotes at what has just come."""
    rows = len(book.ts)
    symbol = np.zeros(rows, dtype=np.int32)
    looked = np.linspace(len(book.starts) // 100, len(book.starts) - 1, looks).astype(np.int64)
    parts = list(truth(book, looked))
    sizes = [len(prices) for _, _, prices, _ in parts]
    of = np.repeat([book.starts[message] for message, _, _, _ in parts], sizes)
    level = np.concatenate([np.arange(size) for size in sizes])
    quoted = book.starts[np.linspace(0, len(book.starts) - 1, quotes).astype(np.int64)]
    one = np.zeros(1, dtype=np.int64)
    names = {"symbol": SYMBOL, "kind": "spot", "base": "BTC", "quote": "USDT", "settle": "USDT"}
    instrument = {name: words(one, text) for name, text in names.items()}
    return [
        table("instruments", {**instrument, "tick_size": decimals(one + 1, book.price_scale),
                              "lot_size": decimals(one + 1, book.qty_scale)}),
        table("book", {
            "ts_exchange": whole(book.ts - MS), "ts_local": whole(book.ts), "symbol": words(symbol, SYMBOL),
            "seq": whole(book.seq), "prev_seq": whole(book.prev), "kind": words(book.snapshot, "delta", "snapshot"),
            "side": words(book.is_ask, "bid", "ask"), "price": decimals(book.price, book.price_scale),
            "qty": decimals(book.qty, book.qty_scale),
        }),
        table("bot_book", {
            "ts_local": whole(book.ts[of]), "symbol": words(0 * of, SYMBOL), "seq": whole(book.seq[of]),
            "side": words(np.repeat([side for _, side, _, _ in parts], sizes), "bid", "ask"), "level": whole(level),
            "price": decimals(np.concatenate([prices for _, _, prices, _ in parts]), book.price_scale),
            "qty": decimals(np.concatenate([qty for _, _, _, qty in parts]), book.qty_scale),
        }),
        table("quotes", {
            "ts_local": whole(book.ts[quoted]), "symbol": words(0 * quoted, SYMBOL),
            "bid": decimals(book.price[quoted], book.price_scale), "book_seq": whole(book.seq[quoted]),
        }),
        table("connection", {"ts_local": whole(book.ts[:1]), "channel": words(one, "market_data"),
                             "event": words(one, "connect")}),
    ]  # fmt: skip


def checked(given: list[Table]) -> tuple[Session, dict[str, Looked]]:
    """Run the checks of 3.1 over tables that nothing was worked out of yet."""
    for known in (s3_1_feed.feeds, s3_1_looks.looks, s3_1_views.views):
        known.cache_clear()
    sources = {each.name: Source(each.name, "parquet", (), Path()) for each in given}
    settings = {"timing": {"book_stale_ms": 10**7}}
    session = Session(Path(), settings, sources, [], {each.name: each for each in given})
    return session, {name: getattr(s3_1_order_book, name)(session) for name in s3_1_order_book.__all__}


def timed(job: Callable[[], T]) -> tuple[T, Seconds]:
    """Run a job; return what it returns, and seconds of the clock and of processors."""
    wall, cpu = perf_counter(), process_time()
    out = job()
    return out, (perf_counter() - wall, process_time() - cpu)


def fastest(turns: Sequence[Seconds]) -> Seconds:
    """Return the fewest seconds of each kind."""
    wall, cpu = zip(*turns, strict=True)
    return min(wall), min(cpu)


# --- beside hftbacktest -----------------------------------------------------------------------------------------------


@contextmanager
def hftbacktest(python: str, book: Book) -> Iterator[Callable[[], dict[str, dict[str, Any]]]]:
    """Start hftbacktest by an interpreter that has it; give what makes it replay once."""
    with TemporaryDirectory() as folder:
        np.savez(f"{folder}/book.npz", **vars(book))
        command = [python, str(Path(__file__).with_name("hftbacktest_depth.py")), f"{folder}/book.npz"]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def replay() -> dict[str, dict[str, Any]]:
            assert child.stdin and child.stdout
            child.stdin.write("\n")
            child.stdin.flush()
            return json.loads(child.stdout.readline())  # type: ignore[no-any-return]

        with child:
            yield replay


def main() -> None:
    """Print as JSON the seconds of all, and how many times as fast the replay with its checks is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000, help="level changes")
    parser.add_argument("--looks", type=int, default=10_000, help="of the bot at its book, 20 levels each")
    parser.add_argument("--quotes", type=int, default=200_000)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--session", type=Path, help="a session whose book is repeated")
    parser.add_argument("--columns", action="store_true", help="as without numba")
    parser.add_argument("--peer", default=sys.executable, help="an interpreter that has hftbacktest")
    arguments = parser.parse_args()
    if arguments.columns:
        compiled.LARGE = sys.maxsize
    book = recorded(arguments.session, arguments.rows) if arguments.session else drawn(arguments.rows)
    given = tables(book, arguments.looks, arguments.quotes)
    peers: dict[str, list[Seconds]] = {}
    own: list[Seconds] = []
    with hftbacktest(arguments.peer, book) as replay:
        for _ in range(arguments.turns):
            told, ((session, looked), took) = replay(), timed(lambda: checked(given))
            own.append(took)
            (kept,) = s3_1_feed.feeds(session).values()
            held = [round(float(kept.price(int(code))), 8) for code in kept.best[:, -1]]
            assert not any(each.breaches for each in looked.values()), looked
            for name, peer in told.items():
                assert peer["best"] == held, (name, peer, held)
                peers.setdefault(name, []).append(peer["took"])
    ours, ours_cpu = fastest(own)
    times = {f"hftbacktest {name}": fastest(turns) for name, turns in peers.items()}
    print(json.dumps({
        "rows": len(book.ts), "messages": len(book.starts), "looks": arguments.looks, "quotes": arguments.quotes,
        "cores": os.cpu_count(), "compiled": find_spec("numba") is not None and len(book.ts) >= compiled.LARGE,
        "mmverify": {"s": round(ours, 3), "cpu_s": round(ours_cpu, 3)},
        **{name: {"s": round(wall, 3), "cpu_s": round(cpu, 3), "ratio": round(wall / ours, 2),
                  "cpu_ratio": round(cpu / ours_cpu, 2)} for name, (wall, cpu) in times.items()},
    }, indent=2))  # fmt: skip


if __name__ == "__main__":
    main()
