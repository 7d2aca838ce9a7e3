"""Time: one queue of what happens next, the two clocks that stamp it, and the wires between them."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from random import Random

MILLISECOND = 10**6
SECOND = 10**9
MINUTE = 60 * SECOND

DRIFT = 3 * MILLISECOND // 2  # the venue's clock runs ahead of the bot's and behind it by so much
DRIFT_PERIOD = 10 * MINUTE
FASTEST, SLOWEST = 3 * MILLISECOND // 2, 9 * MILLISECOND  # one way

Action = Callable[[], None]


class Clock:
    """A queue of actions by time: the earliest runs next, of two at one time the one that was put first.

    Parameters
    ----------
    start, end : int
        First and last instant of the session, by the bot's clock. [ns since the epoch, UTC]

    Attributes
    ----------
    now : int
        What the bot's clock shows. [ns]
    """

    def __init__(self, start: int, end: int) -> None:
        self.start, self.end, self.now = start, end, start
        self._order = count()
        self._queue: list[tuple[int, int, Action]] = []

    @property
    def venue_now(self) -> int:
        """What the venue's clock shows. [ns]"""
        return self.now + self._skew(self.now)

    def _skew(self, ts: int) -> int:
        """THE CLOCK RULE: the venue's clock is the bot's plus a skew that goes slowly up and down."""
        into = (ts - self.start) % DRIFT_PERIOD
        return abs(4 * DRIFT * into // DRIFT_PERIOD - 2 * DRIFT) - DRIFT

    def at(self, ts: int, action: Action) -> None:
        """Put an action on the clock at the instant `ts`. [ns]"""
        heapq.heappush(self._queue, (ts, next(self._order), action))

    def at_venue(self, ts: int, action: Action) -> None:
        """Put an action on the clock at the instant when the venue's shows `ts`. [ns]"""
        here = ts - self._skew(ts)
        self.at(max(self.now, ts - self._skew(here)), action)

    def after(self, delay: int, action: Action) -> None:
        """Put an action on the clock `delay` ns from now."""
        self.at(self.now + delay, action)

    def every(self, period: int, action: Action, *, rng: Random) -> None:
        """Act once in each period, at a random moment of its first fiftieth."""
        first = self.now + period

        def happen() -> None:
            nonlocal first
            first += period
            self.at(first + rng.randrange(period // 50), happen)
            action()

        self.at(first + rng.randrange(period // 50), happen)

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

    def carry(self, action: Action, *, stream: str | None, behind: str = "", delay: int = 0) -> None:
        """Let `action` happen at the far end.

        Parameters
        ----------
        action : Callable
            What the message does when it arrives.
        stream : str or None
            Messages of one stream arrive in the order they were sent; without one they may overtake.
        behind : str
            Another stream whose messages so far must have arrived first.
        delay : int
            How much later than usual. [ns]
        """
        arrival = self._clock.now + FASTEST + int(self._rng.random() * (SLOWEST - FASTEST)) + delay
        if stream is not None:
            last = max(self._arrived.get(stream, 0), self._arrived.get(behind, 0))
            arrival = max(arrival, last + 1_000 + int(self._rng.random() * 8_000))
            self._arrived[stream] = arrival
        self._clock.at(arrival, action)
