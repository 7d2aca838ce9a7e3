"""When the records that findings name were written, and the claims before them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from mmverify.review.diagnose import Moment
from mmverify.review.results import Finding
from mmverify.session.load import Session, Table
from mmverify.session.schema import TABLES

#: Claims of the bot's, and what one of them is about.
_CLAIMS = {"positions": ("symbol", "source"), "pnl": ("symbol",), "equity": (), "balances": ("asset", "source")}

#: Of a row, the first that it has.
_CLOCKS = ("ts_local", "ts_exchange", "ts_receive")


def moments(session: Session, findings: Iterable[Finding]) -> Iterator[tuple[tuple[str, str], Moment]]:
    """Yield session and place, and the moment, of each record of a session that findings name.

    Parameters
    ----------
    session : Session
    findings : iterable of Finding

    Yields
    ------
    tuple of (str, str) and Moment
    """
    named = dict.fromkeys(place for each in findings if each.session == session.name for place in each.occurrences)
    for place in named:
        name, _, row = place.rpartition(":")
        if row.isdigit() and name in TABLES and session.has(name) and set(_CLOCKS) & set(TABLES[name]):
            yield (session.name, place), _moment(session, name, int(row) - 1)


def _moment(session: Session, name: str, row: int) -> Moment:
    """Return the moment of a row: by the bot's clock, by the venue's where the bot's is not recorded."""
    of = _CLAIMS.get(name)
    clocks = [column for column in _CLOCKS if column in TABLES[name]]
    table = session.table(name, *clocks, *(of or ()))
    times = [table.whole(column) for column in clocks]
    ts = int(next((each for each in times if not each.missing[row]), times[0]).values[row])
    return Moment(ts) if of is None else Moment(ts, True, _before(table, of, row, ts))


def _before(table: Table, of: tuple[str, ...], row: int, ts: int) -> int | None:
    """Return when the newest earlier claim of the same thing was made, None where there is none."""
    same = np.ones(len(table), dtype=bool)
    for column in of:
        words = table.words(column)
        same &= words.codes == words.codes[row]
    times = table.whole("ts_local").values
    same &= (times < ts) | ((times == ts) & (np.arange(len(table)) < row))
    return int(times[same].max()) if same.any() else None
