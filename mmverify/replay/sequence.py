"""Which messages of a book follow each other: gaps, snapshots where they stand, what is applied and when.

A delta follows if its prev_seq (seq - 1 where the venue has none) is the last number, whatever its own; the first ones
after a snapshot may overlap it. One above that is a gap, one below is old. A snapshot stands at its number: deltas
above it that came first are applied again after it. From a gap to the next snapshot the book stays as it was before
the gap. Unnumbered deltas are always applied. Runs in which each message follows the one before are taken as columns,
the rest one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmverify.numeric import Mask

Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Messages:
    """The messages of one book in order of arrival, m of them.

    Parameters
    ----------
    seq, prev : ndarray of int64, shape (m,)
        The number of each, and of the one that it follows.
    numbered, snapshot, empty, timed : ndarray of bool, shape (m,)
        Whether it has a number, is a snapshot, has no levels (a heartbeat), has a time of the venue's.
    sent : ndarray of int64, shape (m,)
        That time. [ns]
    """

    seq: Numbers
    prev: Numbers
    numbered: Mask
    snapshot: Mask
    empty: Mask
    timed: Mask
    sent: Numbers

    def __len__(self) -> int:
        return len(self.seq)

    def follows(self) -> Mask:
        """Return which messages follow the one that arrived before them, if that one is in the book."""
        out = np.zeros(len(self), dtype=bool)
        seq, last, prev = self.seq[1:], self.seq[:-1], self.prev[1:]
        both = self.numbered[1:] & self.numbered[:-1]
        neither = ~(self.numbered[1:] | self.numbered[:-1])
        overlaps = self.snapshot[:-1] & (prev <= last) & (seq > last)
        in_turn = np.where(self.snapshot[1:], seq >= last, (prev == last) | overlaps)
        out[1:] = (both & in_turn) | (neither & ~self.snapshot[1:])
        return out


@dataclass(frozen=True, eq=False)
class Sequence:
    """What became of m messages.

    Parameters
    ----------
    seq : ndarray of int64, shape (m,)
        Number of the last update in the book after each message that changed anything.
    numbered : ndarray of bool, shape (m,)
        Whether there is such a number.
    intact : ndarray of bool, shape (m,)
        Whether a snapshot came and nothing is missing since.
    changed : ndarray of bool, shape (m,)
        Messages that were applied, showed a gap or said that nothing has changed; of the others nothing is told here.
    heard : ndarray of int64, shape (m,)
        The newest message that is in the book.
    applied, at : ndarray of int64
        Messages in the order in which they take effect, and the message at whose arrival they do.
    gaps : tuple of int
        Messages that came after a gap.
    chained : int
        Deltas that could have shown one.
    """

    seq: Numbers
    numbered: Mask
    intact: Mask
    changed: Mask
    heard: Numbers
    applied: Numbers
    at: Numbers
    gaps: tuple[int, ...]
    chained: int


def sequence(messages: Messages) -> Sequence:
    """Follow the numbers of messages in order of arrival."""
    follower = _Follower(messages)
    breaks = np.flatnonzero(~messages.follows())
    place, count = 0, len(messages)
    while place < count:
        follower.take(place, place)
        place += 1
        if follower.is_in_turn(place - 1):
            end = int(breaks[np.searchsorted(breaks, place)]) if place <= int(breaks[-1]) else count
            follower.run(place, end)
            place = end
        elif not follower.intact:
            place = follower.wait(place)
    return follower.told()


class _Follower:
    """Where the numbers of a book stand, and what was told so far."""

    def __init__(self, messages: Messages) -> None:
        self.of = messages
        self.seq: int | None = None
        self.intact = False
        self._fresh = False  # nothing but the snapshot is in the book
        self._heard = -1
        self._kept: list[tuple[int, int]] = []  # ranges of messages since the snapshot, or since the gap
        self._applied: list[tuple[Numbers, Numbers]] = []  # messages, and those at which they take effect
        self._gaps: list[int] = []
        self._chained = 0
        begins = messages.snapshot.copy()
        # a reset, which follows the last number with a lower one, begins a book too
        begins[1:] |= (messages.seq[1:] < messages.seq[:-1]) & messages.numbered[1:]
        self._starts = np.flatnonzero(begins)
        self._needs_look = np.flatnonzero(messages.snapshot | ~messages.numbered)
        count = len(messages)
        self._seq, self._last = (np.zeros(count, dtype=np.int64) for _ in range(2))
        self._numbered, self._intact, self._changed = (np.zeros(count, dtype=bool) for _ in range(3))

    def is_in_turn(self, place: int) -> bool:
        """Whether the message after this one follows it if it follows the book."""
        if not self.of.numbered[place]:
            return self.seq is None
        return self.intact and self.seq == int(self.of.seq[place]) and bool(self._changed[place])

    def take(self, place: int, now: int) -> None:
        """Take one message in at the arrival of `now`."""
        if self.of.snapshot[place]:
            self._stand(place, now)
        else:
            self._follow(place, now)

    def run(self, start: int, end: int) -> None:
        """Take in messages each of which follows the one before."""
        if start == end:
            return
        span, places = slice(start, end), np.arange(start, end)
        begins = self._starts[slice(*np.searchsorted(self._starts, (start, end)))]
        if begins.size:
            begun = int(begins[-1])
            self._kept, self._fresh, self.seq = [], bool(self.of.snapshot[begun]), int(self.of.seq[begun])
            start = begun
        self._kept.append((start, end))
        if self.of.numbered[end - 1]:
            last = int(self.of.seq[end - 1])
            self._fresh, self.seq = self._fresh and last == self.seq, last
            self._seq[span], self._numbered[span] = self.of.seq[span], True
            self._chained += int(np.count_nonzero(~self.of.snapshot[span]))
        self._intact[span], self._changed[span], self._last[span] = self.intact, True, places
        self._heard = end - 1
        self._applied.append((places, places))

    def wait(self, place: int) -> int:
        """Keep the deltas that come before the next snapshot; return the next message that has to be looked at."""
        after = int(np.searchsorted(self._needs_look, place))
        end = int(self._needs_look[after]) if after < len(self._needs_look) else len(self.of)
        self._kept.append((place, end))
        return end

    def told(self) -> Sequence:
        """Return what became of all messages."""
        nothing = np.empty(0, dtype=np.int64)
        applied, at = (np.concatenate([nothing, *(each[n] for each in self._applied)]) for n in range(2))
        return Sequence(
            self._seq, self._numbered, self._intact, self._changed, self._last, applied, at, tuple(self._gaps),
            self._chained,
        )  # fmt: skip

    def _stand(self, place: int, now: int) -> None:
        was_intact, later = self.intact, self._later(place)
        self._kept = [(place, place + 1)]
        self.intact = self._fresh = True
        self._apply(place, now)
        for each, is_older in later:
            if not is_older or (not was_intact and self._chains(each)):
                self.take(each, now)
        self._note(now, heard=now)

    def _later(self, place: int) -> list[tuple[int, bool]]:
        """Return the kept messages above a snapshot's number, and which of them the venue sent before it.

        These may be of an older numbering: of what was in the book they are, of what a gap kept out if they do not
        follow.
        """
        if not self.of.numbered[place] or not self._kept:
            return []
        kept = np.concatenate([np.arange(*span) for span in self._kept])
        kept = kept[self.of.numbered[kept] & (self.of.seq[kept] > self.of.seq[place])]
        older = self.of.timed[kept] & self.of.timed[place] & (self.of.sent[kept] < self.of.sent[place])
        return list(zip(kept.tolist(), older.tolist(), strict=True))

    def _chains(self, place: int) -> bool:
        """Whether a delta follows the book, or overlaps its snapshot."""
        seq, prev, last = int(self.of.seq[place]), int(self.of.prev[place]), self.seq
        return last is not None and (prev == last or (self._fresh and prev <= last < seq))

    def _follow(self, place: int, now: int) -> None:
        seq, last = int(self.of.seq[place]), self.seq
        if not self.of.numbered[place] or (last is None and self.intact):
            self._apply(place, now)
            return
        if not self.intact or last is None:
            self._kept.append((place, place + 1))
            return
        self._chained += 1
        if self._chains(place):
            if seq < last:
                self._kept = []
            self._kept.append((place, place + 1))
            self._fresh = self._fresh and seq == last
            self._apply(place, now)
        elif seq == last and self.of.empty[place]:
            self._note(now, heard=now)
        elif seq > last:
            self.intact = False
            self._kept = [(place, place + 1)]
            self._gaps.append(place)
            self._note(now, heard=self._heard)

    def _apply(self, place: int, now: int) -> None:
        if self.of.numbered[place]:
            self.seq = int(self.of.seq[place])
        self._applied.append((np.array([place]), np.array([now])))
        self._note(now, heard=now)

    def _note(self, now: int, *, heard: int) -> None:
        self._heard = heard
        self._seq[now], self._numbered[now] = self.seq or 0, self.seq is not None
        self._intact[now], self._changed[now], self._last[now] = self.intact, True, heard
