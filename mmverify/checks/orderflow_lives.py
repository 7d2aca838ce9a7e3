"""Which order each row of `order_events` is of: an order and all that replaced it is one *life*."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmverify.checks.known import Rows
from mmverify.numeric import Mask
from mmverify.session.columns import Words
from mmverify.session.load import Table

CHUNK = 2**16  # rows that are taken out of the arrays at once


@dataclass(frozen=True, eq=False)
class Lives:
    """The orders of a session, numbered in the order of their first rows.

    Parameters
    ----------
    life : ndarray of int64, shape (n,)
        Number of the order that each row is of.
    order : ndarray of int64, shape (n,)
        Rows by life, in file order within one.
    first, last : ndarray of int64, shape (lives,)
        First and last row of each life.
    is_taken : ndarray of bool, shape (n,)
        Submits under an id that an order had before: each begins a life of its own.
    """

    life: Rows
    order: Rows
    first: Rows
    last: Rows
    is_taken: Mask

    def __len__(self) -> int:
        return len(self.first)

    @cached_property
    def _place(self) -> Rows:
        """The place of each row in `order`."""
        out = np.empty(len(self.life), dtype=np.int64)
        out[self.order] = np.arange(len(out))
        return out

    @cached_property
    def previous(self) -> Rows:
        """Row of the same life before each, -1 for its first."""
        out = np.full(len(self.life), -1, dtype=np.int64)
        same = self.life[self.order[1:]] == self.life[self.order[:-1]]
        out[self.order[1:][same]] = self.order[:-1][same]
        return out

    def before(self, values: NDArray[Any], none: Any) -> NDArray[Any]:
        """Return what `values` were at the row before of the same life, `none` at the first of it."""
        return np.where(self.previous >= 0, values[self.previous], values.dtype.type(none)) if len(values) else values

    def latest(self, which: Mask) -> Rows:
        """Return, per row, the newest of `which` in its life up to and with it, -1 where there is none."""
        size = len(which)
        places = np.where(which[self.order], np.arange(size), -1)
        found = np.maximum.accumulate(places)
        return self._by_row(found, found >= self._place[self.first][self.life[self.order]])

    def upcoming(self, which: Mask) -> Rows:
        """Return, per row, the next of `which` in its life after it, -1 where there is none."""
        size = len(which)
        places = np.append(np.where(which[self.order], np.arange(size), size), size)[1:]
        found = np.minimum.accumulate(places[::-1])[::-1]
        return self._by_row(found, found <= self._place[self.last][self.life[self.order]])

    def _by_row(self, places: Rows, found: Mask) -> Rows:
        out = np.full(len(places), -1, dtype=np.int64)
        out[self.order[found]] = self.order[places[found]]
        return out

    def rows_of(self, life: int) -> Rows:
        """Return the rows of one life in file order."""
        return self.order[self._place[self.first[life]] : self._place[self.last[life]] + 1]

    def newest(self, life: int, row: int) -> int:
        """Return the newest row of a life before a row; the life began before it."""
        rows = self.rows_of(life)
        return int(rows[np.searchsorted(rows, row) - 1])


def codes_in(ids: Words, among: Words) -> Rows:
    """Return, per row of one column of ids, the code that its id has in another column: -1 empty, -2 not there."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not len(ids.dictionary):
        return ids.codes.astype(np.int64)
    found = pc.fill_null(pc.index_in(ids.dictionary, value_set=among.dictionary.cast(pa.large_string())), -2)
    codes = np.frombuffer(found.buffers()[1], dtype=np.int32)[found.offset :][: len(found)]
    return np.append(codes, -1).astype(np.int64)[ids.codes]


def lives_of(table: Table) -> Lives:
    """Number the orders of `order_events`: a row is found by its client_order_id, the one it replaces, its order_id."""
    life, is_taken = _named(table)
    order = np.argsort(life, kind="stable")
    ends = np.flatnonzero(np.diff(life[order], append=-1))
    first = order[np.append(0, ends[:-1] + 1)] if ends.size else ends
    return Lives(life, order, first, order[ends], is_taken)


def _named(table: Table) -> tuple[Rows, Mask]:
    event, ids, venue = table.words("event"), table.words("client_order_id"), table.words("order_id")
    submit, ask, answer = (event.code(name) for name in ("submit", "replace_request", "replace_ack"))
    columns = (
        event.codes,
        ids.codes,
        codes_in(table.words("orig_client_order_id"), ids),
        np.where(venue.codes >= 0, venue.codes + len(ids.dictionary), -1),
    )
    named = [-1] * (len(ids.dictionary) + len(venue.dictionary) + 1)  # the last stands for an empty id
    life, is_taken, count = np.empty(len(table), dtype=np.int64), np.zeros(len(table), dtype=bool), 0
    for start in range(0, len(table), CHUNK):
        found_in_part: list[int] = []
        for kind, id, orig, order_id in zip(
            *(column[start : start + CHUNK].tolist() for column in columns), strict=True
        ):
            if kind == ask and orig != -1:
                found = named[orig] if orig >= 0 else -1
            else:
                found = named[id]
                if found < 0 and orig >= 0:
                    found = named[orig]
                if found < 0:
                    found = named[order_id]
            if kind == submit and found >= 0:
                is_taken[start + len(found_in_part)] = True
                found = -1
            if found < 0:
                found, count = count, count + 1
                if id >= 0:
                    named[id] = found
            elif id >= 0 and kind in (ask, answer):
                named[id] = found
            if order_id >= 0:
                named[order_id] = found
            found_in_part.append(found)
        life[start : start + CHUNK] = found_in_part
    return life, is_taken
