"""Section 2.4, races: what is live, and how far the position may go, in whatever order the answers arrive."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from mmverify.checks import Breach, Looked, gather
from mmverify.checks import s2_2_work as work
from mmverify.checks.claims import places
from mmverify.checks.orderflow import Flow
from mmverify.checks.orderflow_exposure import Exposure, exposure
from mmverify.checks.story import adds, described, furthest, in_flight, told
from mmverify.numeric import Mask, decimal_text
from mmverify.session.load import Session

QUOTES = ("quote_bid", "quote_ask")
_WAITS = ("", "replace to more", "replace to less", "submit", "cancel")


def live_quotes(session: Session) -> Looked:
    """No more orders of one quote intent and symbol are live at once than there are levels."""
    return gather(_live(session, symbol) for symbol in session.table("order_events", "symbol").words("symbol").names)


def _live(session: Session, symbol: str) -> Looked:
    known = exposure(session, symbol)
    replayed, asks = known.flow, known.asks
    table, levels = replayed.table, session.number("quoting", "levels")
    quote = table.words("intent").is_(*QUOTES)
    submits = replayed.is_("submit") & quote & table.words("symbol").is_(symbol)
    judged = submits[asks.rows]
    blind = int(submits.sum() - judged.sum())
    unsaid = int(np.sum(replayed.is_("submit") & table.words("intent").missing & table.words("symbol").is_(symbol)))
    left_out = (
        (blind, "submits of quotes without a quantity are not counted"),
        (unsaid, "submits state no intent: whether they are quotes is not known"),
    )
    notes = tuple(f"{symbol}: {count} {what}" for count, what in left_out if count)
    found = []
    for intent in QUOTES:
        mine = np.flatnonzero(judged & table.words("intent").is_(intent)[asks.rows])
        if not mine.size:
            continue
        most = int(levels) if levels is not None else _usual(replayed, symbol, intent)
        over = mine[asks.of_intent[mine] + 1 > most].tolist()
        counts = {ask: int(asks.of_intent[ask]) + 1 - len(_perhaps_done(known, ask, intent)) for ask in over}
        counts = {ask: count for ask, count in counts.items() if count > most}
        if counts:
            found.append(_crowd(session, known, symbol, intent, counts, most, is_stated=levels is not None))
    return Looked(int(judged.sum()), tuple(found), notes)


def _of_intent(replayed: Flow, intent: str) -> Mask:
    """Return which lives are of an intent."""
    return replayed.table.words("intent").is_(intent)[replayed.lives.first]


def _usual(replayed: Flow, symbol: str, intent: str) -> int:
    """Return how many orders of a symbol and intent, at least one, are live most of the time; the larger of two."""
    lives = replayed.lives
    mine = _of_intent(replayed, intent) & replayed.table.words("symbol").is_(symbol)[lives.first] & ~replayed.is_foreign
    is_live = ~replayed.is_done & mine[lives.life]
    live = np.cumsum(is_live.astype(np.int64) - lives.before(is_live, False))
    held = np.zeros(int(live.max()) + 1, dtype=np.int64)
    np.add.at(held, live[:-1], np.diff(replayed.heard))
    return len(held) - 1 - int(np.argmax(held[:0:-1])) if held[1:].any() else 1


def _perhaps_done(known: Exposure, ask: int, intent: str) -> set[int]:
    """Return which of the others may have been filled in full: a bust that came by then may not have been known."""
    asks, executions = known.asks, known.executions
    counts = np.arange(int(asks.low[ask]), int(asks.high[ask]) + 1)
    if not executions.of_fills or not executions.restated[counts[:-1]].any():
        return set()
    mine, row, out = _of_intent(known.flow, intent), int(asks.rows[ask]), set[int]()
    for order in known.others(row):
        filled = executions.filled_by(np.full(len(counts), order.life), counts) * 10 ** (
            known.digits - executions.digits
        )
        if mine[order.life] and filled[-1] < order.most and np.any(filled >= order.most):
            out.add(order.life)
    return out


def _crowd(
    session: Session, known: Exposure, symbol: str, intent: str, counts: dict[int, int], most: int, *, is_stated: bool
) -> Breach:
    replayed, asks = known.flow, known.asks
    rows, ask = asks.rows[list(counts)], next(iter(counts))
    qty, mine = replayed.table.decimals("qty"), _of_intent(replayed, intent)
    going = known.is_open & replayed.cancel_open[known.row] & (known.row >= 0)
    canceling = known.total(rows, going.astype(np.int64), mine)
    amount, currency = work.largest(session, replayed, rows.tolist(), qty.fraction)
    rule = "quoting.levels" if is_stated else "as many as are live most of the time, since quoting.levels is not stated"
    is_early = np.all(np.array(list(counts.values())) - canceling <= most)
    return Breach(
        key=f"{symbol} {intent}", where=places(replayed.table, rows.tolist()), count=len(counts),
        was=f"{work.order_name(replayed, int(rows[0]))} was live {intent} number {counts[ask]} of {symbol}",
        should=f"{most} at most ({rule})", work=_crowd_story(known, ask, intent, counts[ask], most),
        amount=amount, currency=currency,
        loss="the new order at its price, where it is most: it may fill beside the one whose place it takes",
        cause="the new order was sent before the cancel of the old one was answered" if is_early else "",
    )  # fmt: skip


def _crowd_story(known: Exposure, ask: int, intent: str, count: int, most: int) -> tuple[str, ...]:
    """Tell of the fewest orders that are one too many at once: those that need the fewest answers to come late."""
    mine, may_be_done = _of_intent(known.flow, intent), _perhaps_done(known, ask, intent)
    others = [
        each for each in known.others(int(known.asks.rows[ask])) if mine[each.life] and each.life not in may_be_done
    ]
    _, resting, newest = in_flight(known, ask, others, count=int(known.asks.high[ask]))
    live = [each for each, order in zip(resting, others, strict=True) if each.left or not order.most]
    chosen = sorted(live, key=lambda each: _WAITS.index(each.waits))[:most]
    sent = [each for each in chosen if each.waits == "submit"]
    late = [each.name for each in chosen if each.waits == "cancel"]
    now = len(chosen) - len(sent)
    lines = [*(described(each) for each in [*chosen, newest]), f"acknowledged: {now}"]
    for number, each in enumerate([*sent, newest], 1):
        before = f" before the cancel{'s' if len(late) > 1 else ''} of {' and '.join(late)}" if late else ""
        lines.append(f"{number}. {each.name} arrives{before if each is newest else ''}: {now} + 1 = {now + 1}")
        now += 1
    lines[-1] += f" {intent}, 1 more than {most}"
    lines.append(f"no shorter story: {most} at once {'is' if most == 1 else 'are'} allowed")
    return (*lines, f"{count} are live in all") if count > now else tuple(lines)


# --- 2.4.4 ------------------------------------------------------------------------------------------------------------
def pending_cancels(session: Session) -> Looked:
    """No order passes max_position by what is left of orders that are being cancelled."""
    symbols = session.table("order_events", "symbol").words("symbol").names
    limits = {symbol: session.limit(symbol, "max_position") for symbol in symbols}
    unset = [symbol for symbol, limit in limits.items() if limit is None]
    notes = (f"no max_position is stated for {', '.join(unset)}: not judged",) if unset else ()
    look = gather(_pending(session, symbol, limit) for symbol, limit in limits.items() if limit is not None)
    return Looked(look.exercised, look.breaches, (*look.notes, *notes))


def _pending(session: Session, symbol: str, limit: Fraction) -> Looked:
    known = exposure(session, symbol)
    asks = known.asks
    units = limit.numerator * 10**known.digits // limit.denominator
    beside = np.asarray(asks.plain["canceling"] + asks.reducing["canceling"] > 0)
    over = np.asarray(asks.with_all > units) & (~asks.is_exact | np.asarray(asks.without_canceling <= units))
    flat = ~np.asarray(asks.position * asks.direction + asks.reducing["all"] < 0)
    over &= ~(asks.is_exact & asks.reduce_only & flat)  # nothing is left for it to reduce: it adds nothing
    passed = {}
    for ask in np.flatnonzero(over).tolist():
        if asks.is_exact[ask]:
            passed[ask] = (int(asks.with_all[ask]), int(asks.low[ask]))
            continue
        others = known.others(int(asks.rows[ask]))
        staying = [order for order in others if not order.is_canceling]
        if known.least(ask, others) > units >= known.least(ask, staying):
            count = known.least_known(ask, staying)
            if adds(*in_flight(known, ask, others, count=count)):
                passed[ask] = (known.reach_by(ask, others, count), count)
    return Looked(int(beside.sum()), (_overrun(session, known, symbol, limit, passed),) if passed else ())


def _overrun(
    session: Session, known: Exposure, symbol: str, limit: Fraction, passed: dict[int, tuple[int, int]]
) -> Breach:
    """Write where the limit was passed; `passed` is, by ask, how far it may go and by how many reports."""
    replayed, asks = known.flow, known.asks
    ask, (_, count) = next(iter(passed.items()))
    row = int(asks.rows[ask])
    reaches = {int(asks.rows[each]): Fraction(reach, 10**known.digits) for each, (reach, _) in passed.items()}
    amount, currency = work.largest(session, replayed, reaches, lambda each: reaches[each] - limit)
    position, others, newest = in_flight(known, ask, known.others(row), count=count)
    mine = [each for each in others if each.direction == newest.direction and each.left]
    staying = furthest(position, [*(each for each in mine if each.waits != "cancel"), newest])
    return Breach(
        key=symbol, where=places(replayed.table, list(reaches)), count=len(passed),
        was=f"{newest.name} may take the position of {symbol} to {decimal_text(reaches[row] * newest.direction)} "
        f"with what is left of {_names([each.name for each in mine if each.waits == 'cancel'])}",
        should=f"max_position {decimal_text(limit)} at most",
        work=(
            f"position of {symbol} before {newest.place}: {decimal_text(position)}",
            *told(position, limit, mine, newest=newest),
            f"without what is being cancelled: {decimal_text(staying)}, within {decimal_text(limit)}",
        ),
        amount=amount, currency=currency,
        loss="by what max_position is passed if the orders that are being cancelled fill first, at the new order's "
        "price, where it is most",
    )  # fmt: skip


def _names(names: list[str]) -> str:
    return " and ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
