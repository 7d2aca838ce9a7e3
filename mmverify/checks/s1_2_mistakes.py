"""What would explain a wrong position: known ways to add fills up, each recomputed; the one that fits is the cause."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product

import numpy as np

from mmverify.checks.books import fills_table
from mmverify.checks.known import timeline
from mmverify.checks.s1_2_work import Told, order_qty
from mmverify.numeric import Ints

_NEAR = 8  # reports before the first wrong claim that one mistake may be of
_BEHIND = 64  # reports by which a stale claim may lie behind
_SAMPLE = 200  # wrong claims, and the last, that one report or a lag has to explain


def of_claims(told: Told, places: Sequence[int]) -> str:
    """Name the mistake that reproduces these wrong claims, '' if none does."""
    sample = [*places[:_SAMPLE], places[-1]]
    for name, position in _series(told):
        if all(told.fits(np.asarray(each), position).all() for each in (sample, places)):
            return name
    return _of_one_report(told, sample) or _set_flat(told, sample) or _behind(told, sample)


def _series(told: Told) -> Iterator[tuple[str, Ints]]:
    """Yield the ways to add all fills up wrongly, with what each gives after each count of reports."""
    held, known = told.held, told.known
    right, moved, sized = held.position, told.moved, told.sized
    qty = fills_qty(told)

    def adding(extra: Ints) -> Ints:
        return np.asarray(right + np.append(np.zeros(1, dtype=extra.dtype), np.cumsum(extra)))

    fee = sized - moved
    if right[0]:
        yield "the opening position was left out", right - right[0]
    if known.repeated.any():
        yield "repeated execution reports were counted again", adding(np.where(known.repeated, qty, 0))
    if known.restated.any():
        yield "corrections and busts were ignored", adding(np.where(known.restated, -moved, 0))
        yield "corrections were added as fills of their own", adding(np.where(known.restated, qty - moved, 0))
    if np.any(fee != 0):
        yield "the fee in the base asset was not taken off", adding(fee)
        yield "the fee in the base asset was taken off the size of a sale", adding(np.where(sized < 0, 2 * fee, 0))
        yield "the fee in the base asset was added", adding(2 * fee)
    venue = told.kind("liquidation", "adl")
    if venue.any():
        yield "liquidations and deleveraging by the venue were left out", adding(np.where(venue, -moved, 0))
    yield "buys were taken off and sells added", 2 * right[0] - right
    yield "the sign was dropped: a short counts as long", np.abs(right)


def fills_qty(told: Told) -> Ints:
    """Return the signed quantity that each report prints, in units."""
    qty = fills_table(told.session).decimals("qty")
    return np.asarray(qty.at_scale(told.held.digits)[told.known.line.rows] * told.sides)


def of_report(told: Told, n: int) -> Iterator[tuple[str, int]]:
    """Yield the ways to take one report wrongly, and by how much each puts the position off."""
    where, moved, sized = told.report(n), int(told.moved[n]), int(told.sized[n])
    fee = sized - moved
    if told.known.repeated[n]:
        yield f"{where} repeats a report and was booked again", int(fills_qty(told)[n])
        return
    yield f"{where} was not booked", -moved
    yield f"{where} was booked twice", moved
    if fee:
        yield f"the base fee of {where} was not taken off", fee
    yield f"{where} was booked on the other side", -2 * moved


def _of_one_report(told: Told, places: Sequence[int]) -> str:
    """Name the report that puts all of these claims off when it alone is taken wrongly."""
    offs, newest = [told.offs(place) for place in places], int(told.held.high[places[0]])
    found = [
        (rank, name)
        for n in range(newest - 1, max(-1, newest - 1 - _NEAR), -1)
        for rank, (name, by) in enumerate(of_report(told, n))
        if by and all(any(abs(off - by) <= told.held.slack for off in each) for each in offs)
    ]
    return min(found, key=lambda each: each[0])[1] if found else ""


def _set_flat(told: Told, places: Sequence[int]) -> str:
    """Name the reconnect at which the books were set to 0, where that puts all of these claims off."""
    first = int(told.held.line.times[places[0]])
    table = told.session.table("connection", "ts_local", "event")
    events = table.words("event").is_("reconnect", "resync_done", "connect")
    line = timeline(told.session, table, events & (table.whole("ts_local").values <= first))
    offs = [told.offs(place) for place in places]
    for at, row in reversed(list(zip(line.times.tolist()[-_NEAR:], line.rows.tolist()[-_NEAR:], strict=True))):
        low, high = (int(each[0]) for each in told.known.line.span(np.array([at])))
        for count in range(low, high + 1):
            by = -int(told.held.position[count])
            if by and all(any(abs(off - by) <= told.held.slack for off in each) for each in offs):
                return f"the position was set to 0 at {table.where(row)}"
    return ""


def _behind(told: Told, places: Sequence[int]) -> str:
    """Say by how many reports all of these claims lag behind, where they do."""
    most = 0
    for place in places:
        low = int(told.held.low[place])
        earlier = range(low - 1, max(-1, low - 1 - _BEHIND), -1)
        lag = next((low - n for n in earlier if abs(told.off(place, n)) <= told.held.slack), None)
        if lag is None:
            return ""
        most = max(most, lag)
    return f"the claims are older positions: they lag behind by {'1 report' if most == 1 else f'up to {most} reports'}"


def of_moves(told: Told, wrong: Sequence[tuple[Sequence[int], int]]) -> str:
    """Name the one way to take a partial fill wrongly that explains all of these moves.

    Parameters
    ----------
    told : Told
    wrong : sequence of (sequence of int, int)
        Of each move, its partial fills and by how much it is off, in units.
    """
    ways: dict[str, Callable[[int], int]] = {
        "the partial fill was not booked": lambda n: -int(told.moved[n]),
        "the partial fill was booked twice": lambda n: int(told.moved[n]),
        "the partial fill was booked as the whole order": lambda n: (
            order_qty(told, n) * int(told.sides[n]) - int(told.sized[n])
        ),
        "what the order had filled before was added again": lambda n: _filled_before(told, n),
        "the base fee of the partial fill was not taken off": lambda n: int(told.sized[n]) - int(told.moved[n]),
        "the partial fill was booked on the other side": lambda n: -2 * int(told.moved[n]),
    }
    for slack, name in product((0, 2 * told.held.slack), ways):
        way = ways[name]
        if all(any(by and abs(off - by) <= slack for by in map(way, reports)) for reports, off in wrong):
            return name
    return ""


def _filled_before(told: Told, n: int) -> int:
    """Return the signed quantity that a report's order had filled before it, in units."""
    life = int(told.known.life[n])
    filled = int(told.known.filled_by(np.array([life]), np.array([n]))[0]) if life >= 0 else 0
    return filled * int(10 ** (told.held.digits - told.known.digits)) * int(told.sides[n])
