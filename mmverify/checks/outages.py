"""When channels were down."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mmverify.checks.known import timeline
from mmverify.checks.moments import session_end
from mmverify.session.load import Session

CHANNELS = ("market_data", "orders")
_UP, _DOWN = ("connect", "reconnect"), ("disconnect", "timeout")


class Outage(NamedTuple):
    """A time in which a channel, and all that are redundant with it, was down.

    Parameters
    ----------
    row : int
        The row of `connection` that it begins with.
    channel : str
    start : int
        [ns]
    end : int or None
        The reconnect [ns], None where the session ends before.
    timed_out : bool
        Whether it was a timeout, or one came while it lasted.
    """

    row: int
    channel: str
    start: int
    end: int | None
    timed_out: bool

    def until(self, session: Session) -> int:
        """Return its end, or the session's."""
        return session_end(session) if self.end is None else self.end


@lru_cache(maxsize=16)
def outages(session: Session, channel: str) -> tuple[Outage, ...]:
    """Return when a channel was down, in order of time; before its first connect it is not counted.

    Parameters
    ----------
    session : Session
    channel : str
        ``market_data:2`` and the like are redundant with ``market_data``: it is down when the last of them is.

    Returns
    -------
    tuple of Outage
    """
    table = session.table("connection", "ts_local", "channel", "event")
    names, event = table.words("channel"), table.words("event")
    redundant = [name for name in names.names if name.partition(":")[0] == channel]
    rows = timeline(session, table, names.is_(*redundant)).rows
    first = np.unique(names.codes[rows], return_index=True)[1]
    up = {names.text(row) for row in rows[first].tolist() if event.text(row) not in _UP}
    found = list[Outage]()
    for row in rows[event.is_(*_UP, *_DOWN)[rows]].tolist():
        name, ts, is_up = names.text(row), int(table.whole("ts_local").values[row]), event.text(row) in _UP
        if is_up and not up and found:
            found[-1] = found[-1]._replace(end=ts)
        if not is_up and up == {name}:
            found.append(Outage(row, channel, ts, None, False))
        up = up | {name} if is_up else up - {name}
        if event.text(row) == "timeout" and not up and found:
            found[-1] = found[-1]._replace(timed_out=True)
    return tuple(found)
