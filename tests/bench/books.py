"""A book of any length that is drawn, and what a bot that looks at it sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.int64]
START, MS = 1_741_003_200 * 10**9, 10**6
SIZE = 8  # levels of a message that is drawn
LEVELS = 10  # of each side of a look


@dataclass(frozen=True)
class Book:
    """Level changes in order of arrival: columns of n rows, `starts` where each message begins."""

    ts: Column
    seq: Column
    prev: Column
    snapshot: NDArray[np.bool_]
    is_ask: NDArray[np.bool_]
    price: Column
    qty: Column
    starts: Column
    price_scale: int
    qty_scale: int

    @property
    def ends(self) -> Column:
        """The row after each message."""
        return np.append(self.starts[1:], len(self.ts))


def drawn(rows: int) -> Book:
    """Draw a book that never crosses: the best prices move by a tick or stay, five levels behind them change."""
    rng = np.random.default_rng(31)
    messages = rows // SIZE
    step = rng.choice(np.array([-1, 0, 0, 0, 1]), messages)
    step[0] = 1
    bid = 600_000 + np.cumsum(step)
    is_ask, price, qty = (np.empty((messages, SIZE), dtype=np.int64) for _ in range(3))
    is_ask[:] = rng.integers(0, 2, (messages, SIZE))
    depth = rng.geometric(0.04, (messages, SIZE))
    price[:] = np.where(is_ask, bid[:, None] + 1 + depth, bid[:, None] - depth)
    qty[:] = rng.integers(1, 10_000, (messages, SIZE)) * (rng.random((messages, SIZE)) < 0.6)
    # the level that the price passed is removed, and the two best ones are set
    is_ask[:, 0], price[:, 0], qty[:, 0] = step > 0, np.where(step > 0, bid, bid + 1), 0
    still = step == 0
    is_ask[still, 0], price[still, 0], qty[still, 0] = 0, bid[still], 5
    is_ask[:, 1], price[:, 1], is_ask[:, 2], price[:, 2] = 0, bid, 1, bid + 1
    qty[:, 1:3] = rng.integers(1, 10_000, (messages, 2))
    seq = np.repeat(np.arange(1, messages + 1), SIZE)
    ts = START + np.cumsum(rng.integers(MS // 1000, 2 * MS, messages))
    return Book(np.repeat(ts, SIZE), seq, seq - 1, seq == 1, is_ask.ravel() > 0, price.ravel(), qty.ravel(),
                np.arange(messages) * SIZE, 1, 3)  # fmt: skip


def truth(book: Book, messages: Column) -> Iterator[tuple[int, int, Column, Column]]:
    """Yield message, side, prices and quantities of the book after some messages, the best level first."""
    listed, ranks = np.unique(book.price, return_inverse=True)
    sides = np.zeros((2, len(listed)), dtype=np.int64)
    ends = book.ends
    done = 0
    renews = np.flatnonzero(book.snapshot[book.starts])
    for message in messages.tolist():
        renewed = int(book.starts[renews[np.searchsorted(renews, message, side="right") - 1]])
        if renewed >= done:
            sides[:], done = 0, renewed
        span = slice(done, int(ends[message]))
        sides[book.is_ask[span].astype(np.int64), ranks[span]] = book.qty[span]
        done = span.stop
        for side in (0, 1):
            there = np.flatnonzero(sides[side])
            places = there[:LEVELS] if side else there[::-1][:LEVELS]
            yield message, side, listed[places], sides[side, places]
