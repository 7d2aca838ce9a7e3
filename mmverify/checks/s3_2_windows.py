"""What a VWAP or a volume lost of its window: trades of one time (3.2.2), and those that came late (3.2.3).

Only a claim that its window does not give is looked at: it fails the item if it is what the window gives without just
these trades.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from mmverify.checks import Breach, Looked, gather, signals
from mmverify.checks.books import instruments
from mmverify.checks.handwork import text
from mmverify.checks.known import Rows, Times, taken
from mmverify.checks.signals import Claim, Value, agrees
from mmverify.checks.signalwork import price_money, vwap_work
from mmverify.checks.tape import Tape, overtaken, tape
from mmverify.numeric import decimal_text
from mmverify.session.load import Session

_SHOWN = 5
_WORKED = 2
_LOOKED = 2_000_000  # trades in the windows of wrong claims that are gone through
_UNIT = {"us": 1_000, "ms": 1_000_000}
_VALUES = {"vwap": signals.vwaps, "volume": signals.volumes}


@dataclass(frozen=True, eq=False)
class Loss:
    """A wrong claim that is what its window gives without some of its trades: by which mistake, and which they are."""

    claim: Claim
    right: Value
    words: str
    lost: Rows
    more: Rows


Losses = Callable[[Claim, int], Iterator[tuple[str, Rows, Rows]]]


def same_time_trades(session: Session) -> Looked:
    """All trades of one time are in a volume and in a VWAP."""
    looks = [_judged(session, name, _has_ties, collapsed, _tie_work) for name in _VALUES]
    return gather(looks)


def late_trades(session: Session) -> Looked:
    """A VWAP is over the trades that happened in its window, whenever and in whatever order they came."""
    return _judged(session, "vwap", _has_late, cut_short, _late_work)


def _judged(
    session: Session,
    name: str,
    exercises: Callable[[Claim, int], bool],
    losses: Losses,
    work: Callable[[Loss], Iterator[str]],
) -> Looked:
    looks = []
    for symbol, found, notes in signals.claims(session, name):
        exercised, budget, wrong = 0, _LOOKED, list[Loss]()
        passed = 0
        for claim in found:
            if claim.value is None or not (values := _VALUES[name](claim)):
                continue
            exercised += exercises(claim, claim.cuts[0])
            if agrees(claim, values):
                continue
            low, high = claim.window
            budget -= high - low
            passed += budget < 0
            if budget >= 0 and (loss := _explained(claim, signals.nearest(claim, values), losses)):
                wrong.append(loss)
        if passed:
            notes.append(f"{symbol}: {passed} more claims of {name} are wrong; what they lost was not looked for")
        looks.append(Looked(exercised, (_breach(name, symbol, wrong, work),) if wrong else (), tuple(notes)))
    return gather(looks)


def _explained(claim: Claim, right: Value, losses: Losses) -> Loss | None:
    """Return what a claim lost, None where no mistake of these gives its value."""
    for cut in claim.cuts:
        for words, lost, more in losses(claim, cut):
            if agrees(claim, [without(claim, cut, lost, more)]):
                return Loss(claim, right, words, lost, more)
    return None


def without(claim: Claim, cut: int, lost: Rows, more: Rows) -> Value:
    """Return what a claim is of the trades that had arrived by a cut, less those at some places, and with others."""
    held = claim.tape
    sums = zip(held.sums(*claim.window, cut), held.sums_of(lost), held.sums_of(more), strict=True)
    return _value(claim, *(whole - less + plus for whole, less, plus in sums))


def _value(claim: Claim, volume: int, turnover: int) -> Value:
    held = claim.tape
    if claim.table.words("name").text(claim.row) == "volume":
        return Fraction(volume, 10**held.qty_scale)
    return held.ratio(volume, turnover)


# --- of one time ------------------------------------------------------------------------------------------------------


def _within(places: Rows, low: int, high: int) -> Rows:
    """Return those of some places, which are rising, that are in a slice."""
    begin, end = np.searchsorted(places, [low, high]).tolist()
    return places[begin:end]


def _has_ties(claim: Claim, cut: int) -> bool:
    low, high = claim.window
    held = claim.tape
    if not _within(held.repeated, low + 1, high).size:
        return False
    if held.count(low, high, cut) == high - low:
        return True
    times = held.times[held.places(low, high, cut)]
    return bool((times[1:] == times[:-1]).any())


def collapsed(claim: Claim, cut: int) -> Iterator[tuple[str, Rows, Rows]]:
    """Yield what is lost where of the trades of one time only the first, only the last, or none is taken."""
    held, none = claim.tape, np.empty(0, dtype=np.int64)
    places = held.places(*claim.window, cut)
    times = held.times[places]
    near = times // _UNIT["ms"]
    again = near[1:] == near[:-1]
    by_bot = held.arrived.times[held.rank[places]]
    close = places[(np.append(again, False) | np.append(False, again))[: len(places)]]
    price, qty = (np.unique(column[close], return_inverse=True)[1] for column in (held.prices, held.qtys))
    stamps = held.times[close]
    keys: list[tuple[str, Rows, Sequence[Times]]] = [
        ("ts_exchange", close, [stamps]), ("ts_local", places, [by_bot]),
        ("ts_exchange and price", close, [stamps, price]),
        ("ts_exchange, price and qty", close, [stamps, price, qty]),
        *((f"ts_exchange in {unit}", close, [stamps // size]) for unit, size in _UNIT.items()),
    ]  # fmt: skip
    for words, of, columns in keys:
        order = np.lexsort(columns[::-1])
        differs = np.zeros(max(len(order) - 1, 0), dtype=bool)
        for column in columns:
            differs |= column[order][1:] != column[order][:-1]
        first, last = np.append(True, differs)[: len(order)], np.append(differs, True)[: len(order)]
        for kept, mask in (("the first", first), ("the last", last), ("none", first & last)):
            if not mask.all():
                yield f"of trades with one {words} only {kept} is counted", of[order[~mask]], none


def _tie_work(loss: Loss) -> Iterator[str]:
    held, first = loss.claim.tape, int(loss.lost[0])
    for place in range(max(first - 1, 0), min(first + 2, len(held.times))):
        come = held.arrived.times[held.rank[[place, first]]]
        if come[0] == come[1] or abs(int(held.times[place] - held.times[first])) < _UNIT["ms"]:
            counted = "lost" if place in loss.lost else "counted"
            yield f"{_trade(held, place)}, ts_exchange {int(held.times[place])}, ts_local {int(come[0])}: {counted}"
    yield from _sum_work(loss)


# --- late -------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=16)
def _late(session: Session, symbol: str) -> tuple[Rows, Rows]:
    """Return the trades of the signals that came after one of a later ts_exchange: after any, after one of theirs."""
    held = tape(session, symbol)
    times = taken(held.times, held.arrived.rows)
    own = np.sort(held.arrived.rows[np.maximum.accumulate(times) > times])
    return np.flatnonzero(overtaken(session, symbol)[held.rows]), own


def _has_late(claim: Claim, cut: int) -> bool:
    """Say whether a trade of the window came late: after a newer one, or after the window had ended."""
    low, high = claim.window
    held, late = claim.tape, _within(_late(claim.session, claim.symbol)[0], low, high)
    in_time = int(held.arrived.times.searchsorted(claim.end or 0, side="left"))
    known = held.count(low, high, cut)
    if known > held.count(low, high, min(in_time, cut)):
        return True
    if not late.size or known == high - low:
        return late.size > 0
    return bool(np.isin(held.places(low, high, cut), late).any())


def cut_short(claim: Claim, cut: int) -> Iterator[tuple[str, Rows, Rows]]:
    """Yield what is lost where late trades are dropped, and what besides is gained where the window is by arrival."""
    held, none = claim.tape, np.empty(0, dtype=np.int64)
    places = held.places(*claim.window, cut)
    after_end = held.arrived.times[held.rank[places]] >= (claim.end or 0)
    for late in _late(claim.session, claim.symbol):
        lost = np.intersect1d(places, _within(late, *claim.window))
        yield "trades that came after a newer one were left out", lost, none
    yield "trades that came after the window had ended were left out", places[after_end], none
    arrived = held.arrivals(claim.start or 0, claim.end or 0, cut)
    yield "the window was cut by ts_local", np.setdiff1d(places, arrived), np.setdiff1d(arrived, places)


def _late_work(loss: Loss) -> Iterator[str]:
    claim, held = loss.claim, loss.claim.tape
    for words, places in (("in the window, and left out", loss.lost), ("not in the window, and counted", loss.more)):
        for place in places[:_WORKED].tolist():
            sent, came = int(held.times[place]), int(held.arrived.times[held.rank[place]])
            yield (
                f"{_trade(held, place)}: ts_exchange is window_start {_ms(sent - (claim.start or 0))}, ts_local "
                f"{_ms(came - sent)} to that, window_end {_ms(came - (claim.end or 0))}: {words}"
            )
    yield from _sum_work(loss)


# --- words ------------------------------------------------------------------------------------------------------------


def _trade(held: Tape, place: int) -> str:
    price, qty = Fraction(int(held.prices[place]), 10**held.price_scale), _qty(held, int(held.qtys[place]))
    return f"trades:{int(held.rows[place]) + 1} {decimal_text(qty)} at {decimal_text(price)}"


def _ms(ns: int) -> str:
    return f"{'-' if ns < 0 else '+'}{decimal_text(Fraction(abs(ns), _UNIT['ms']))} ms"


def _qty(held: Tape, units: int) -> Fraction:
    return Fraction(units, 10**held.qty_scale)


def _sum_work(loss: Loss) -> Iterator[str]:
    """Work the right value and the one without what was lost."""
    claim, held = loss.claim, loss.claim.tape
    (lost, lost_of), (more, more_of) = held.sums_of(loss.lost), held.sums_of(loss.more)
    cut = next((n for n in claim.cuts if _value(claim, *held.sums(*claim.window, n)) == loss.right), claim.cuts[0])
    volume, turnover = held.sums(*claim.window, cut)
    if claim.table.words("name").text(claim.row) == "volume":
        yield f"volume of the window: {text(_qty(held, volume))}; lost of it: {text(_qty(held, lost))}"
        yield f"{text(_qty(held, volume))} - {text(_qty(held, lost))} = {decimal_text(_qty(held, volume - lost))}"
        return
    yield from vwap_work(claim, loss.right)
    units = 10 ** (held.price_scale + held.qty_scale)
    left = Fraction(turnover - lost_of + more_of, units), _qty(held, volume - lost + more)
    if left[1]:
        how = " and ".join(words for words, sizes in (("without these", lost), ("with those", more)) if sizes)
        value = decimal_text(left[0] / left[1])
        yield f"{how}: {text(left[0])} / {text(left[1])} = {value}, as claimed"


def _breach(name: str, symbol: str, wrong: list[Loss], work: Callable[[Loss], Iterator[str]]) -> Breach:
    first = wrong[0]
    session = first.claim.session
    worst = max(wrong, key=lambda each: abs((each.claim.value or 0) - Fraction(each.right or 0)))
    if name == "vwap":
        amount, loss = price_money(worst.claim, worst.right)
    else:
        short = Fraction(worst.right or 0) - (worst.claim.value or 0)
        amount, loss = None, f"up to {decimal_text(short)} of traded volume is missing where it sizes or gates orders"
    return Breach(
        key=symbol if name == "vwap" else f"{symbol} {name}",
        where=tuple(each.claim.where for each in wrong[:_SHOWN]), count=len(wrong),
        was=f"{name} of {symbol} was {decimal_text(first.claim.value or Fraction(0))}",
        should="no value" if first.right is None else decimal_text(Fraction(first.right)), work=tuple(work(first)),
        amount=amount, currency=instruments(session)[symbol].settle, loss=loss,
        cause=first.words if all(each.words == first.words for each in wrong) else "",
    )  # fmt: skip
