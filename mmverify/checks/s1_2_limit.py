"""Section 1.2, the limit on a position: what one order may come to when it is sent, and what orders in flight may."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction

import numpy as np

from mmverify.checks import Breach, Looked, gather
from mmverify.checks import s2_2_work as work
from mmverify.checks.books import fills_table
from mmverify.checks.claims import places
from mmverify.checks.handwork import notional, text
from mmverify.checks.orderflow_exposure import Exposure, Resting, exposure
from mmverify.checks.prices import venue_prices
from mmverify.checks.s1_2_work import NOT_TRADES
from mmverify.checks.story import InFlight, in_flight, shortest, told
from mmverify.numeric import decimal_text
from mmverify.replay.order_state import STATES
from mmverify.session.load import Session

_ENDS = [STATES.index(state) for state in ("CANCELED", "REJECTED", "EXPIRED")]


def _held(session: Session, look: Callable[[Session, Exposure, Fraction], Looked]) -> Looked:
    """Hold every symbol to its max_position, where one is stated and the position is known."""
    if not session.has("fills") and not session.has("positions"):
        return Looked(0, (), ("neither fills nor positions: what was held when an order was sent is not known",))
    symbols = session.table("order_events", "symbol").words("symbol").names
    limits = {symbol: session.limit(symbol, "max_position") for symbol in symbols}
    unset = [symbol for symbol, limit in limits.items() if limit is None]
    notes = (f"no max_position is stated for {', '.join(unset)}: not judged",) if unset else ()
    seen = gather(
        look(session, exposure(session, symbol), limit) for symbol, limit in limits.items() if limit is not None
    )
    return Looked(seen.exercised, seen.breaches, (*seen.notes, *notes))


def _units(known: Exposure, limit: Fraction) -> int:
    return int(limit * 10**known.digits // 1)


def _symbol(known: Exposure) -> str:
    return known.executions.instrument.symbol


def _position_line(known: Exposure, position: Fraction, count: int, place: str) -> str:
    """State the position before a row, and the newest report that it is of."""
    executions = known.executions
    table = "fills" if executions.of_fills else "positions"
    newest = f", by {table}:{int(executions.line.rows[count - 1]) + 1} and before" if count else ""
    return f"position of {_symbol(known)} before {place}: {decimal_text(position)}{newest}"


def _worth(session: Session, known: Exposure, over: dict[int, Fraction]) -> tuple[Fraction | None, str]:
    """Return what the most of some quantities is worth, each at its order's price, else at the mark; by row."""
    instrument = known.executions.instrument
    found = []
    for row, qty in over.items():
        amount, _ = work.worth(session, known.flow, row, qty)
        if amount is None and session.has("marks"):
            marks = venue_prices(session, instrument.symbol, "mark", known.flow.ts[[row]]).known[0]
            amount = min((notional(instrument, price, qty) for price in marks if price), default=None)
        found += [amount] if amount is not None else []
    return max(found, default=None), instrument.settle


def _loss(amount: Fraction | None, words: str) -> str:
    return words if amount is not None else "no price is known that the quantity could be valued at"


# --- 1.2.2 ------------------------------------------------------------------------------------------------------------
def limit_before_submit(session: Session) -> Looked:
    """No order that grows the position may pass max_position by itself; no fill does."""
    return _held(session, _alone)


def _alone(session: Session, known: Exposure, limit: Fraction) -> Looked:
    asks, units = known.asks, _units(known, limit)
    growing = ~asks.reduce_only & np.asarray(asks.own > 0)
    exercised = growing & np.asarray(np.abs(asks.position + asks.direction * asks.own) > np.abs(asks.position))
    passed: dict[int, int] = {}
    for ask in np.flatnonzero(growing & np.asarray(asks.alone > units)).tolist():
        count = known.least_known(ask, [])
        reach, held = known.reach_by(ask, [], count), known.executions.qty(known.executions.position[count])
        if reach > units and Fraction(reach, 10**known.digits) > abs(held):
            passed[ask] = reach
    found = [_sent(session, known, limit, passed)] if passed else []
    found += _filled(session, known, limit, {int(known.flow.lives.life[asks.rows[ask]]) for ask in passed})
    return Looked(int(exercised.sum()), tuple(found))


def _sent(session: Session, known: Exposure, limit: Fraction, passed: dict[int, int]) -> Breach:
    asks, unit = known.asks, 10**known.digits
    ask, reach = next(iter(passed.items()))
    rows = [int(asks.rows[each]) for each in passed]
    count = known.least_known(ask, [])
    position, _, newest = in_flight(known, ask, [], count=count)
    farthest, sign = Fraction(reach, unit) * newest.direction, "+" if newest.direction > 0 else "-"
    amount, currency = _worth(
        session, known, {row: Fraction(by, unit) - limit for row, by in zip(rows, passed.values(), strict=True)}
    )
    side = "buy" if newest.direction > 0 else "sell"
    return Breach(
        key=f"{_symbol(known)} sent", where=places(known.flow.table, rows), count=len(passed),
        was=f"{newest.name} was {'sent' if newest.waits == 'submit' else 'replaced'}, which takes the position of "
        f"{_symbol(known)} to {decimal_text(farthest)} when all of it fills",
        should=f"max_position {decimal_text(limit)} at most, looked at before it is sent",
        work=(
            _position_line(known, position, count, newest.place),
            f"{newest.place} {newest.name}: {side} {decimal_text(newest.left)}",
            f"{text(position)} {sign} {decimal_text(newest.left)} = {decimal_text(farthest)}",
            f"{text(abs(farthest))} is {decimal_text(abs(farthest) - limit)} above {decimal_text(limit)}",
        ),
        amount=amount, currency=currency,
        loss=_loss(amount, "by what max_position is passed, at the order's price or the mark, where it is most"),
        cause=_sent_cause(session, known, limit, passed),
    )  # fmt: skip


def _lot(session: Session, known: Exposure) -> Fraction:
    """Return the smallest step of a quantity of the market."""
    table = session.table("instruments", "symbol", "lot_size")
    return table.decimals("lot_size").fraction(int(np.argmax(table.words("symbol").is_(_symbol(known)))))


def _sent_cause(session: Session, known: Exposure, limit: Fraction, passed: dict[int, int]) -> str:
    """Name what lets just these orders through, to the last lot."""
    unit = 10**known.digits
    sizes = [Fraction(int(known.asks.own[ask]), unit) for ask in passed]
    if max(sizes) == limit:
        return "each order was held against the limit alone, without the position"
    if max(passed.values()) <= (limit + _lot(session, known)) * unit:
        return "the limit was passed by the last lot: a comparison or a rounding that is off by one lot"
    return ""


def _filled(session: Session, known: Exposure, limit: Fraction, sent: set[int]) -> Iterable[Breach]:
    """Yield the fills that took the position past the limit, of orders that no finding above is of."""
    executions = known.executions
    if not executions.of_fills or not len(executions):
        return
    fills = fills_table(session)
    units = limit.numerator * 10**executions.digits // limit.denominator
    before, after = np.abs(executions.position[:-1]), np.abs(executions.position[1:])
    past = np.asarray((after > units) & (after > before))
    past &= ~fills.words("kind").is_(*NOT_TRADES)[executions.line.rows]
    seen = [n for n in np.flatnonzero(past).tolist() if not _is_late(known, n) and int(executions.life[n]) not in sent]
    if not seen:
        return
    n, instrument = seen[0], executions.instrument
    held, now = executions.qty(executions.position[n]), executions.qty(executions.position[n + 1])
    rows = [int(executions.line.rows[each]) for each in seen]
    side, qty = fills.words("side").text(rows[0]), decimal_text(fills.decimals("qty").fraction(rows[0]))
    worth = [
        notional(instrument, executions.price(each), executions.qty(after[each]) - limit)
        for each in seen
        if executions.prices[each]
    ]
    amount = max(worth, default=None)
    yield Breach(
        key=f"{instrument.symbol} filled", where=places(fills, rows), count=len(seen),
        was=f"a fill took the position of {instrument.symbol} to {decimal_text(now)}",
        should=f"max_position {decimal_text(limit)} at most, held before an order is sent: after the fill it is too "
        "late",
        work=(
            f"position of {instrument.symbol} before {fills.where(rows[0])}: {decimal_text(held)}",
            f"{fills.where(rows[0])} {fills.words('exec_id').text(rows[0])}: {side} {qty}, moves it by "
            f"{decimal_text(now - held)}",
            f"{text(held)} + {text(now - held)} = {decimal_text(now)}: {decimal_text(abs(now) - limit)} above "
            f"{decimal_text(limit)}",
            _behind(known, n),
        ),
        amount=amount, currency=instrument.settle,
        loss=_loss(amount, "by what max_position was passed, at the fill's price, where it is most"),
        cause="each order was within the limit alone: several were open at once"
        if all(executions.life[each] >= 0 for each in seen)
        else "",
    )  # fmt: skip


def _is_late(known: Exposure, n: int) -> bool:
    """Whether the order of a report was known to be canceled, expired or rejected before it."""
    replayed, life = known.flow, int(known.executions.life[n])
    at = int(replayed.done[life]) if life >= 0 else -1
    return at >= 0 and replayed.state[at] in _ENDS and bool(replayed.ts[at] < known.executions.line.times[n])


def _behind(known: Exposure, n: int) -> str:
    """Name the order that a report is of."""
    replayed, life = known.flow, int(known.executions.life[n])
    if life < 0:
        return "no order of order_events is behind it"
    row = int(replayed.lives.first[life])
    return f"its order: {work.row_line(replayed, row)}"


# --- 1.2.6 ------------------------------------------------------------------------------------------------------------
def races(session: Session) -> Looked:
    """No orders in flight together may pass max_position in any order of arrival where each alone would not."""
    return _held(session, _together)


def _together(session: Session, known: Exposure, limit: Fraction) -> Looked:
    asks, units = known.asks, _units(known, limit)
    beside = np.asarray(asks.plain["in_flight"] + asks.reducing["in_flight"] > 0)
    doubtful = beside & np.asarray(asks.with_in_flight > units) & (~asks.is_exact | np.asarray(asks.alone <= units))
    passed: dict[int, tuple[int, list[Resting]]] = {}
    for ask in np.flatnonzero(doubtful).tolist():
        row, side = int(asks.rows[ask]), int(asks.direction[ask])
        rivals = [each for each in known.others(row) if each.is_in_flight and each.direction == side]
        reach = known.least(ask, rivals)
        if reach > units >= max((known.least(ask, []), *(_without(known, ask, each) for each in rivals))):
            passed[ask] = (reach, rivals)
    return Looked(int(beside.sum()), (_race(session, known, limit, passed),) if passed else ())


def _without(known: Exposure, ask: int, rival: Resting) -> int:
    """Return how far another order may take the position without the ask."""
    own = 0 if known.asks.reduce_only[ask] else known.own(ask, known.least_known(ask, [rival]))
    return known.least(ask, [rival]) - own


def _race(session: Session, known: Exposure, limit: Fraction, passed: dict[int, tuple[int, list[Resting]]]) -> Breach:
    """Tell the first race by its shortest story."""
    asks, unit = known.asks, 10**known.digits
    ask, (reach, rivals) = next(iter(passed.items()))
    rows = [int(asks.rows[each]) for each in passed]
    count = known.least_known(ask, rivals)
    position, others, newest = in_flight(known, ask, rivals, count=count)
    chosen = [each for each in shortest(position, limit, others, newest=newest) if each is not newest]
    amount, currency = _worth(
        session, known,
        {row: Fraction(by, unit) - limit for row, (by, _) in zip(rows, passed.values(), strict=True)},
    )  # fmt: skip
    names = " and ".join([*(each.name for each in chosen), newest.name])
    return Breach(
        key=_symbol(known), where=(*places(known.flow.table, rows[:3]), *(each.place for each in chosen[:2])),
        count=len(passed),
        was=f"{names} were in flight together, and may take the position of {_symbol(known)} to "
        f"{decimal_text(Fraction(reach, unit) * newest.direction)}",
        should=f"max_position {decimal_text(limit)} at most, whatever arrives first",
        work=(
            _position_line(known, position, count, newest.place),
            *(_unanswered(known, each, rivals[others.index(each)], rows[0]) for each in chosen),
            *told(position, limit, others, newest=newest),
            *_each_alone(position, limit, [*chosen, newest]),
        ),
        amount=amount, currency=currency,
        loss=_loss(amount, "by what max_position is passed if all that is in flight fills, at the new order's price or "
                   "the mark, where it is most"),
        cause=_race_cause(session, known, limit, list(passed)),
    )  # fmt: skip


def _race_cause(session: Session, known: Exposure, limit: Fraction, passed: list[int]) -> str:
    """Say so where each of the orders takes, to the last lot, the room that is left without what is in flight."""
    room = (limit - _lot(session, known)) * 10**known.digits
    is_all = all(known.least(ask, []) > room for ask in passed)
    return "the orders take the room that is left when those on their way are not counted, to the lot" if is_all else ""


def _unanswered(known: Exposure, order: InFlight, rival: Resting, row: int) -> str:
    """Say when an order was sent, and when its answer was processed."""
    replayed = known.flow
    at = replayed.lives.newest(rival.life, row)
    sent = int(replayed.asked[at]) if replayed.replace_open[at] else int(replayed.lives.first[rival.life])
    place, answer = replayed.table.where(sent), int(replayed.answer[sent])
    before = decimal_text(Fraction(int(replayed.ts[row] - replayed.ts[sent]), 10**9))
    line = f"{order.name} was sent by {place}, {before} s before {replayed.table.where(row)}"
    if answer < 0:
        return f"{line}, and never answered"
    after = decimal_text(Fraction(int(replayed.ts[answer] - replayed.ts[row]), 10**9))
    return f"{line}, and answered by {replayed.table.where(answer)}, {after} s after it"


def _each_alone(position: Fraction, limit: Fraction, orders: list[InFlight]) -> list[str]:
    """Say that none of the orders passes the limit by itself."""
    sign = "+" if orders[0].direction > 0 else "-"
    alone = [
        f"{each.name} {text(position)} {sign} {decimal_text(each.left)} = "
        f"{decimal_text(position + each.direction * each.left)}"
        for each in orders
        if not each.reduce_only
    ]
    return [f"alone: {'; '.join(alone)}: within {decimal_text(limit)}"]
