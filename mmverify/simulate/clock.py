"""The clock and the wire: time moves only here, and everything that happens was put on the clock before."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from random import Random

MILLISECOND = 10**6
SECOND = 10**9
MINUTE = 60 * SECOND


class Clock:
    """A queue of actions by time: the earliest runs next, of two at one time the one that was put first.

    Parameters
    ----------
    start, end : int
        First and last instant of the session. [ns since the epoch, UTC]
    """

    def __init__(self, start: int, end: int) -> None:
        self.start, self.end, self.now = start, end, start
        self._order = count()
        self._queue: list[tuple[int, int, Callable[[], None]]] = []

    def at(self, ts: int, action: Callable[[], None]) -> None:
        """Put an action on the clock at the instant `ts`. [ns]"""
        heapq.heappush(self._queue, (ts, next(self._order), action))

    def run(self) -> None:
        """Let time pass until the session's end; what is still under way then is never seen."""
        while self._queue and self._queue[0][0] <= self.end:
            self.now, _, action = heapq.heappop(self._queue)
            action()


class Wire:
    """The way between venue and bot: each message takes some milliseconds, and a named stream keeps its order."""

    def __init__(self, clock: Clock, rng: Random) -> None:
        self._clock, self._rng = clock, rng
        self._arrived: dict[str, int] = {}

    def carry(self, action: Callable[[], None], *, stream: str | None, delay: int = 0) -> None:
        """Let `action` happen at the far end, `delay` ns later than usual. Without a stream, messages may overtake."""
        arrival = self._clock.now + self._rng.randrange(2 * MILLISECOND, 12 * MILLISECOND) + delay
        if stream is not None:
            arrival = max(arrival, self._arrived.get(stream, 0) + self._rng.randrange(1_000, 9_000))
            self._arrived[stream] = arrival
        self._clock.at(arrival, action)
