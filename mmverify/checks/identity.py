"""The identity of profit and loss: what an account gained is what it earned, paid, received, converted and moved.

The change of the equity, or of a claimed total, between two of its records is realized + unrealized - fees + funding +
conversion + transfers, each recomputed from the venue's records. What is left over is a residual; where one begins, the
records in between hold the mistake.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from mmverify.checks.books import ledger
from mmverify.checks.claims import pnl_table
from mmverify.checks.identity_causes import cause, records_between
from mmverify.checks.identity_parts import hold
from mmverify.checks.identity_view import ALL, EQUITY, Held, Parts, View, view
from mmverify.checks.known import Rows
from mmverify.session.load import Session

_ROUND = 500  # records that are held at a time
_LOOKED = 3  # further ones that a cause has to explain, at least


@dataclass(frozen=True)
class Identity:
    """A claimed change beside what it is made of.

    Parameters
    ----------
    book : str
        ``equity``, a symbol whose total `pnl` claims, or ``*``.
    currency : str
    first, last : str
        The records that it is between, as ``equity:1``; `first` is empty where it counts from the session's start.
    start, end : int
        Their times, `start` that of `last` where `first` is empty. [ns]
    claimed : Fraction
        The change that the two records claim.
    parts : Parts
        What it is made of, recomputed.
    printed : Fraction
        What the digits of the two claims leave open: half a unit of the last, of each claim that they sum, too.
    allowed : Fraction
        What it may be off by at most: `printed`, and half a unit of each fee, times its rate.
    """

    book: str
    currency: str
    first: str
    last: str
    start: int
    end: int
    claimed: Fraction
    parts: Parts
    printed: Fraction
    allowed: Fraction

    @property
    def residual(self) -> Fraction:
        """What was claimed and nothing accounts for."""
        return self.claimed - self.parts.total

    @property
    def holds(self) -> bool:
        """Whether the residual is no more than what is allowed."""
        return abs(self.residual) <= self.allowed


def books(session: Session) -> tuple[str, ...]:
    """Return what claims a change that records can account for: ``equity``, symbols, ``*``.

    Parameters
    ----------
    session : Session

    Returns
    -------
    tuple of str
        Nothing of a session without fills or instruments.
    """
    if not session.has("fills", "instruments"):
        return ()
    names = sorted(pnl_table(session).words("symbol").names, key=lambda name: name == ALL)
    return tuple(name for name in (EQUITY, *names) if len(view(session, name).rows))


def identity(session: Session, book: str, *, start: int | None, end: int | None) -> Identity | None:
    """Hold the change of one book over an interval to what the records account for.

    Parameters
    ----------
    session : Session
    book : str
        One of `books`.
    start, end : int or None
        The interval ``[start, end)``, open where None. A total of `pnl` counts from the session's start where `start`
        is None, all else from the first record of the interval. [ns]

    Returns
    -------
    Identity or None
        Of the first and last records of the interval that can be held to anything; None where there are no two.
    """
    taken = view(session, book)
    origin, rows = _interval(taken, start, end)
    last = next(_each(taken, rows[::-1], origin), None)
    if last is None or (start is not None and origin is None) or (origin is not None and origin.at >= last.at):
        return None
    return _between(taken, origin, last)


def identities(session: Session, book: str, *, start: int | None, end: int | None, count: int) -> list[Identity]:
    """Hold the records of one book, each from where `identity` counts, to what the records account for.

    Parameters
    ----------
    session, book, start, end
        As of `identity`.
    count : int
        How many records at most, spread evenly over the interval; at least 2.

    Returns
    -------
    list of Identity
        In order of time; records that lack a price or a rate are left out.
    """
    taken = view(session, book)
    origin, rows = _interval(taken, start, end)
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(np.int64))
    return [_between(taken, origin, each) for each in hold(taken, rows[chosen], origin)]


def _interval(taken: View, start: int | None, end: int | None) -> tuple[Held | None, Rows]:
    """Return the record that the changes of an interval count from, and the records in it."""
    times = taken.times(taken.rows)
    first = 0 if start is None else int(np.searchsorted(times, start, side="left"))
    stop = len(times) if end is None else int(np.searchsorted(times, end, side="left"))
    rows = taken.rows[first:stop]
    return _base(taken) if start is None else next(_each(taken, rows, None), None), rows


def _between(taken: View, origin: Held | None, last: Held) -> Identity:
    """Return the identity between two records; without the first, since the session's start."""
    claimed, parts, printed, allowed = last.claimed, last.parts, last.printed, last.allowed
    if origin:
        claimed, parts = claimed - origin.claimed, parts - origin.parts
        printed, allowed = printed + origin.printed, allowed + origin.allowed
    return Identity(
        book=taken.name, currency=taken.currency(last.row), first=taken.table.where(origin.row) if origin else "",
        last=taken.table.where(last.row), start=origin.at if origin else last.at, end=last.at, claimed=claimed,
        parts=parts, printed=printed, allowed=allowed,
    )  # fmt: skip


def _base(taken: View) -> Held | None:
    """Return the record that changes count from: none where the claim is 0 at the start, else the first one."""
    unstated = any(ledger(taken.session, symbol).opened for symbol in taken.symbols)
    return next(_each(taken, taken.rows, None), None) if taken.of_account or unstated else None


def _each(taken: View, rows: Rows, origin: Held | None) -> Iterator[Held]:
    """Yield the records that can be held to anything, the first of them soon."""
    done, size = 0, 1
    while done < len(rows):
        yield from hold(taken, rows[done : done + size], origin)
        done, size = done + size, _ROUND


@dataclass(frozen=True)
class _Broken:
    """Where an identity stops to hold: the last record that holds, the first that does not, some of those after it."""

    origin: Held | None
    before: Held | None
    first: Held
    later: tuple[Held, ...]


def _broken(taken: View) -> _Broken | None:
    """Find the first record that does not hold: every one of a few hundred, else by rounds that close in on it.

    Each round takes a few hundred records between the last that holds and the first that does not.
    """
    origin = _base(taken)
    before, later = origin, tuple[Held, ...]()
    low, high = 0, len(taken.rows)
    while low < high:
        places = np.unique(np.linspace(low, high - 1, min(_ROUND, high - low)).astype(np.int64))
        place_of = dict(zip(taken.rows[places].tolist(), places.tolist(), strict=True))
        held = hold(taken, taken.rows[places], origin)
        wrong = next((n for n, each in enumerate(held) if not _between(taken, origin, each).holds), None)
        if wrong is None:
            return None
        first = held[wrong]
        later = later or tuple(each for each in held[wrong + 1 :] if not _between(taken, origin, each).holds)
        before = held[wrong - 1] if wrong else before
        closer = (place_of[held[wrong - 1].row] + 1 if wrong else low, place_of[first.row] + 1)
        if len(places) == high - low or closer == (low, high):
            return _Broken(origin, before, first, later)
        low, high = closer
    return None


@dataclass(frozen=True)
class Break:
    """Where an identity stops to hold, and why.

    Parameters
    ----------
    identity : Identity
        Of the first record that does not hold.
    holds_at : str
        The last record that does, as ``pnl:41``; empty where there is none.
    breaks_at : str
        The first that does not.
    since, until : int
        Their times; `since` is that of `breaks_at` where nothing holds before. [ns]
    records : tuple of str
        Fills, funding payments and transfers that came between the two.
    cause : str
        The single mistake that gives the residual exactly, empty where none that is known does.
    """

    identity: Identity
    holds_at: str
    breaks_at: str
    since: int
    until: int
    records: tuple[str, ...]
    cause: str


def first_break(session: Session, book: str) -> Break | None:
    """Find where the identity of one book stops to hold, and the single mistake that explains its residual.

    Parameters
    ----------
    session : Session
    book : str
        One of `books`.

    Returns
    -------
    Break or None
        None where it holds at every record that was looked at: all of them up to 500; of more, 500 spread evenly.
    """
    taken = view(session, book)
    found = _broken(taken)
    if found is None:
        return None
    before, first = found.before, found.first
    looked = [first, *found.later[:: max(1, len(found.later) // _LOOKED)], *found.later[-1:]]
    return Break(
        identity=_between(taken, found.origin, first),
        holds_at=taken.table.where(before.row) if before else "",
        breaks_at=taken.table.where(first.row),
        since=before.at if before else first.at,
        until=first.at,
        records=records_between(taken, before, first),
        cause=cause(taken, found.origin, before, looked),
    )
