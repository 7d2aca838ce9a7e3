"""Section 2.4, cancel and replace: what requests name, what refusals leave, and what is live while a cancel is open."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from mmverify.checks import Breach, Looked, gather
from mmverify.checks import s2_2_work as work
from mmverify.checks.books import instruments
from mmverify.checks.claims import places
from mmverify.checks.handwork import notional, text
from mmverify.checks.known import Rows
from mmverify.checks.orderflow import Flow, flow
from mmverify.checks.orderflow_exposure import Exposure, Resting, exposure
from mmverify.checks.orderflow_lives import codes_in
from mmverify.numeric import Mask, decimal_text
from mmverify.replay.order_state import DONE, STATES
from mmverify.session.load import Session

QUOTES = ("quote_bid", "quote_ask")
_DONE_CODES = [n for n, state in enumerate(STATES) if state in DONE]
_SHOWN = 4  # orders beside one that are written out


def _line(replayed: Flow, row: int) -> str:
    """Write a row as it stands: event, ids, market, terms, state."""
    table = replayed.table
    old = table.words("orig_client_order_id").text(row)
    name = table.words("client_order_id").text(row) or table.words("order_id").text(row) or "without an id"
    cells = [f"{table.where(row)} {table.words('event').text(row)} {name}" + (f" for {old}" if old else "")]
    cells[0] += f" of {table.words('symbol').text(row)}"
    for column in ("price", "qty", "cum_qty"):
        decimals = table.decimals(column)
        if decimals.known[row]:
            cells.append(f"{column} {decimal_text(decimals.fraction(row))}")
    return f"{', '.join(cells)}: {table.words('state').text(row) or 'no state'}"


def _left(replayed: Flow, row: int) -> Fraction:
    """Return what was left of an order after a row, by its own events."""
    qty, cum = int(replayed.qty_at[row]), int(replayed.cum_at[row])
    table = replayed.table
    size = table.decimals("qty").fraction(qty) if qty >= 0 else Fraction(0)
    return max(Fraction(0), size - (table.decimals("cum_qty").fraction(cum) if cum >= 0 else 0))


# --- 2.4.1 ------------------------------------------------------------------------------------------------------------
_UNKNOWN, _DONE, _SYMBOL, _REPLACED, _REFUSED = range(1, 6)


def request_targets(session: Session) -> Looked:
    """Every cancel_request and replace_request names an order that was sent, is not done, by its id and symbol."""
    replayed = flow(session)
    requests = np.flatnonzero(replayed.is_("cancel_request", "replace_request"))
    if not requests.size:
        return Looked(0)
    target = _targets(replayed, requests)
    faults = np.zeros(len(replayed), dtype=np.int64)
    faults[requests] = _faults(replayed, requests, target)
    named = dict(zip(requests.tolist(), target.tolist(), strict=True))
    found = [
        _misdirected(session, replayed, symbol, fault, rows, named)
        for fault in np.unique(faults[faults > 0]).tolist()
        for symbol, rows in work.by_symbol(replayed, faults == fault)
    ]
    return Looked(len(requests), tuple(found))


def _named(replayed: Flow, which: Mask, rows: Rows, code: Rows) -> Rows:
    """Return the first of `which` under an id in the life of each row; the length of the table where there is none."""
    ids, life = replayed.table.words("client_order_id"), replayed.lives.life
    size, none = len(ids.dictionary) + 2, len(replayed)
    naming = np.flatnonzero(which & ~ids.missing)
    keys, at = np.unique(life[naming] * size + ids.codes[naming], return_index=True)
    wanted = life[rows] * size + code
    place = np.searchsorted(keys, wanted)
    is_there = np.append(keys, -1)[place] == wanted
    return np.where(is_there, np.append(naming[at], none)[place], none)


def _begun(replayed: Flow, *events: str) -> Mask:
    """Return the first rows of all orders, and the rows of some events."""
    out = replayed.is_(*events)
    out[replayed.lives.first] = True
    return out


def _targets(replayed: Flow, rows: Rows) -> Rows:
    """Return the id that each request is for, as a code of `client_order_id`: -1 where it has none, -2 unheard of."""
    ids = replayed.table.words("client_order_id")
    own = ids.codes[rows].astype(np.int64)
    old = codes_in(replayed.table.words("orig_client_order_id"), ids)[rows]
    is_known = [_named(replayed, _begun(replayed, "replace_request", "replace_ack"), rows, each) < rows
                for each in (own, old)]  # fmt: skip
    by_old = np.where(replayed.is_("replace_request")[rows], old != -1, ~is_known[0] & is_known[1])
    return np.where(by_old, old, own)


def _faults(replayed: Flow, rows: Rows, target: Rows) -> Rows:
    """Say what is wrong with each request, 0 where nothing is."""
    table, lives = replayed.table, replayed.lives
    ids, symbol = table.words("client_order_id").codes, table.words("symbol").codes
    before = lives.previous[rows]
    is_known = _named(replayed, _begun(replayed, "replace_request", "replace_ack"), rows, target) < rows
    was_done = lives.before(replayed.is_done, False) | np.isin(replayed.told_before, _DONE_CODES)
    id_at, asked = replayed.id_at[before], replayed.asked[before]
    is_other = (target != np.where(id_at >= 0, ids[id_at], -1)) & (target != np.where(asked >= 0, ids[asked], -1))
    acked = lives.latest(replayed.is_("replace_ack") & ~table.words("client_order_id").missing)[rows]
    is_replaced = _named(replayed, _begun(replayed, "replace_ack"), rows, target) < acked
    is_refused = _named(replayed, replayed.is_("replace_reject"), rows, target) < rows
    faults = (
        (_UNKNOWN, (before < 0) | ((target != -1) & ~is_known)),
        (_DONE, was_done[rows]),
        (_SYMBOL, symbol[lives.first[lives.life[rows]]] != symbol[rows]),
        (_REPLACED, is_other & is_replaced),
        (_REFUSED, is_other & is_refused),
    )
    return np.select([which for _, which in faults], [fault for fault, _ in faults], 0)


def _misdirected(
    session: Session, replayed: Flow, symbol: str, fault: int, rows: list[int], target: dict[int, int]
) -> Breach:
    table, lives, first = replayed.table, replayed.lives, rows[0]
    ids, event, before = table.words("client_order_id"), table.words("event").text(first), int(lives.previous[first])
    name = ids.names[target[first]] if target[first] >= 0 else ""
    name = name or table.words("orig_client_order_id").text(first) or table.words("order_id").text(first)
    amount, currency, cause = None, "", ""
    loss = "each is a request for nothing: it uses up the rate limit, and the answer is an error"
    if fault == _UNKNOWN:
        key, was, should = "unknown", f"{event} was for {name or 'no id'}, which was never submitted", "an id that was"
        loss = "the order that was meant rests on at the venue; which it is cannot be known"
        codes = codes_in(ids, table.words("order_id"))[rows]
        cause = "the venue's order_id stands where the client_order_id belongs" if np.all(codes >= 0) else ""
        lines = [_line(replayed, row) for row in rows[:2]]
        lines.append(f"no row before {table.where(first)} is a submit of {name or 'it'}")
    else:
        lines = [_line(replayed, row) for at in rows[:2] for row in _behind(replayed, at)]
        state = STATES[replayed.told_before[first]] if replayed.told_before[first] >= 0 else "done"
        home = table.words("symbol").text(int(lives.first[lives.life[first]]))
        now = work.order_name(replayed, before)
        key, was, should = {
            _DONE: ("done", f"{event} was for {name}, which was {state} already", "nothing: the order is done"),
            _SYMBOL: ("symbol", f"{event} of {name} was sent to {symbol}", f"{home}, where the order is"),
            _REPLACED: ("replaced", f"{event} was for {name}, which was replaced", now),
            _REFUSED: ("refused", f"{event} was for {name}, which was refused as a replacement", now),
        }[fault]
        cause = {
            _REPLACED: "the id of before the replace was kept",
            _REFUSED: "the id of the refused replacement was kept",
        }.get(fault, "")
        if fault != _DONE:
            amount, currency = work.largest(
                session, replayed, lives.previous[rows].tolist(), lambda row: _left(replayed, row)
            )
            loss = (
                "what is left of the order that was meant, at its price, where it is most: it rests on if the "
                "venue goes by the request"
            )
    return Breach(
        key=f"{symbol} {key}", where=places(table, rows), count=len(rows), was=was, should=should,
        work=tuple(dict.fromkeys(lines)), amount=amount, currency=currency, loss=loss, cause=cause,
    )  # fmt: skip


def _behind(replayed: Flow, row: int) -> list[int]:
    """Return what a request is judged by: its order's first row, its newest answer to a replace, the row before."""
    lives = replayed.lives
    answer = int(lives.latest(replayed.is_("replace_ack", "replace_reject"))[row])
    found = {int(lives.first[lives.life[row]]), answer, int(lives.previous[row]), row}
    return sorted(found - {-1})


# --- 2.4.2 ------------------------------------------------------------------------------------------------------------
def refused_replaces(session: Session) -> Looked:
    """After a replace_reject an order has the price and quantity of before, and is open as before."""
    replayed = flow(session)
    lives, table = replayed.lives, replayed.table
    refusals = replayed.is_("replace_reject") & (lives.previous >= 0)
    after = lives.latest(refusals) > lives.latest(replayed.is_("replace_request", "replace_ack", "reconcile"))
    wrong = np.zeros(len(replayed), dtype=bool)
    for name, at in (("price", replayed.price_at), ("qty", replayed.qty_at)):
        column = table.decimals(name)
        wrong |= after & column.known & (at >= 0) & np.asarray(column.ints != column.ints[at])
    was_done = lives.before(replayed.is_done, False) | np.isin(replayed.told_before, _DONE_CODES)
    gone = refusals & np.isin(replayed.told, _DONE_CODES) & ~was_done
    stuck = refusals & (replayed.told == STATES.index("PENDING_REPLACE"))
    found = [_terms(session, replayed, symbol, rows) for symbol, rows in work.by_symbol(replayed, wrong)]
    found += [_state(session, replayed, symbol, rows, "gone") for symbol, rows in work.by_symbol(replayed, gone)]
    found += [_state(session, replayed, symbol, rows, "pending") for symbol, rows in work.by_symbol(replayed, stuck)]
    return Looked(int(refusals.sum()), tuple(found))


class _Cell(NamedTuple):
    """A price or quantity after a refusal: as the bot has it, as it is, as it was asked for."""

    name: str
    was: Fraction
    should: Fraction
    asked: Fraction | None


def _cells(replayed: Flow, row: int, requests: dict[str, Rows]) -> list[_Cell]:
    """Return the price and the quantity of a row that are not those in force."""
    out = []
    for name, at in (("price", replayed.price_at), ("qty", replayed.qty_at)):
        column, force, request = replayed.table.decimals(name), int(at[row]), int(requests[name][row])
        if column.known[row] and force >= 0 and column.fraction(row) != column.fraction(force):
            asked = column.fraction(request) if request >= 0 else None
            out.append(_Cell(name, column.fraction(row), column.fraction(force), asked))
    return out


def _terms(session: Session, replayed: Flow, symbol: str, rows: list[int]) -> Breach:
    table, lives = replayed.table, replayed.lives
    asking = replayed.is_("replace_request")
    requests = {name: lives.latest(asking & table.decimals(name).known) for name in ("price", "qty")}
    cells = {row: _cells(replayed, row, requests) for row in rows}
    first = rows[0]
    refusal, request = (int(lives.latest(which)[first]) for which in (replayed.is_("replace_reject"), asking))
    wrong = cells[first]
    sizes = [size for row in rows if (size := _misstated(session, replayed, symbol, row, cells[row])) is not None]
    instrument = instruments(session).get(symbol)
    amount = max(sizes, default=None) or None
    is_as_asked = all(cell.was == cell.asked for each in cells.values() for cell in each)
    return Breach(
        key=f"{symbol} terms", where=places(table, rows), count=len(rows),
        was=f"{work.order_name(replayed, first)} of {symbol} had "
        + " and ".join(f"{cell.name} {decimal_text(cell.was)}" for cell in wrong) + " after a replace_reject",
        should=" and ".join(f"{cell.name} {decimal_text(cell.should)}" for cell in wrong),
        work=tuple(dict.fromkeys(
            _line(replayed, row)
            for row in sorted({int(replayed.price_at[first]), int(replayed.qty_at[first]), request, refusal, first})
            if row >= 0
        )),
        amount=amount, currency=instrument.settle if instrument and amount else "",
        loss="by what the worth of the resting order is misstated, where it is most",
        cause="the terms that were asked for were kept though the venue refused them" if is_as_asked else "",
    )  # fmt: skip


def _misstated(session: Session, replayed: Flow, symbol: str, row: int, cells: list[_Cell]) -> Fraction | None:
    """Return by how much a row misstates what its order is worth; None without an instrument, a price or a quantity."""
    instrument = instruments(session).get(symbol)
    at = {"price": int(replayed.price_at[row]), "qty": int(replayed.qty_at[row])}
    if instrument is None or min(at.values()) < 0:
        return None
    real = {name: replayed.table.decimals(name).fraction(place) for name, place in at.items()}
    told = real | {cell.name: cell.was for cell in cells}
    if min(real["price"], told["price"]) <= 0:
        return None
    return abs(notional(instrument, told["price"], told["qty"]) - notional(instrument, real["price"], real["qty"]))


def _state(session: Session, replayed: Flow, symbol: str, rows: list[int], how: str) -> Breach:
    first, lives = rows[0], replayed.lives
    request = int(lives.latest(replayed.is_("replace_request"))[first])
    amount, currency = None, ""
    loss = (
        "an order that waits for an answer that has come is neither replaced nor trusted until something else "
        "moves it; what that costs cannot be known"
    )
    if how == "gone":
        amount, currency = work.largest(session, replayed, rows, lambda row: _left(replayed, row))
        loss = "what rests at the venue and the bot takes for gone, at its price, where it is most"
    shown = [row for row in (int(lives.first[lives.life[first]]), request, first) if row >= 0]
    return Breach(
        key=f"{symbol} {how}", where=places(replayed.table, rows), count=len(rows),
        was=f"{work.order_name(replayed, first)} of {symbol} was {STATES[replayed.told[first]]} after a replace_reject",
        should="the state of before the request: a refused replace leaves the order as it was",
        work=tuple(dict.fromkeys(_line(replayed, row) for row in shown)), amount=amount, currency=currency, loss=loss,
        cause="the refusal of a replace was taken for the end of the order" if how == "gone" else "",
    )  # fmt: skip


# --- 2.4.3 ------------------------------------------------------------------------------------------------------------
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
        counts = {ask: int(asks.of_intent[ask]) + 1 - _perhaps_done(known, ask, intent) for ask in over}
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


def _perhaps_done(known: Exposure, ask: int, intent: str) -> int:
    """Return how many of the others may have been filled in full: a bust that came by then may not have been known."""
    asks, executions = known.asks, known.executions
    counts = np.arange(int(asks.low[ask]), int(asks.high[ask]) + 1)
    if not executions.of_fills or not executions.restated[counts[:-1]].any():
        return 0
    mine, row, out = _of_intent(known.flow, intent), int(asks.rows[ask]), 0
    for order in known.others(row):
        filled = executions.filled_by(np.full(len(counts), order.life), counts) * 10 ** (
            known.digits - executions.digits
        )
        out += bool(mine[order.life] and filled[-1] < order.most and np.any(filled >= order.most))
    return out


def _crowd(
    session: Session, known: Exposure, symbol: str, intent: str, counts: dict[int, int], most: int, *, is_stated: bool
) -> Breach:
    replayed, asks = known.flow, known.asks
    rows, first = asks.rows[list(counts)], int(asks.rows[next(iter(counts))])
    qty, mine = replayed.table.decimals("qty"), _of_intent(replayed, intent)
    going = known.is_open & replayed.cancel_open[known.row] & (known.row >= 0)
    canceling = known.total(rows, going.astype(np.int64), mine)
    amount, currency = work.largest(session, replayed, rows.tolist(), qty.fraction)
    others = [order for order in known.others(first) if mine[order.life]]
    lines = [f"live before it: {_line(replayed, _newest(replayed, order.life, first))}" for order in others[:_SHOWN]]
    if len(others) > _SHOWN:
        lines.append(f"{len(others) - _SHOWN} more are live")
    count = next(iter(counts.values()))
    rule = "quoting.levels" if is_stated else "as many as are live most of the time, since quoting.levels is not stated"
    is_early = np.all(np.array(list(counts.values())) - canceling <= most)
    return Breach(
        key=f"{symbol} {intent}", where=places(replayed.table, rows.tolist()), count=len(counts),
        was=f"{work.order_name(replayed, first)} was live {intent} number {count} of {symbol}",
        should=f"{most} at most ({rule})",
        work=(*lines, _line(replayed, first), f"{count - 1} + 1 = {count}, {count - most} more than {most}"),
        amount=amount, currency=currency,
        loss="the new order at its price, where it is most: it may fill beside the one whose place it takes",
        cause="the new order was sent before the cancel of the old one was answered" if is_early else "",
    )  # fmt: skip


def _newest(replayed: Flow, life: int, row: int) -> int:
    """Return the newest row of a life before a row."""
    rows = replayed.lives.rows_of(life)
    return int(rows[np.searchsorted(rows, row) - 1])


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
    passed = {}
    for ask in np.flatnonzero(over).tolist():
        if asks.is_exact[ask]:
            passed[ask] = int(asks.with_all[ask])
            continue
        others = known.others(int(asks.rows[ask]))
        reach = known.least(ask, others)
        if reach > units >= known.least(ask, [order for order in others if not order.is_canceling]):
            passed[ask] = reach
    return Looked(int(beside.sum()), (_overrun(session, known, symbol, limit, passed),) if passed else ())


def _overrun(session: Session, known: Exposure, symbol: str, limit: Fraction, passed: dict[int, int]) -> Breach:
    replayed, asks = known.flow, known.asks
    ask, reach = next(iter(passed.items()))
    row, direction = int(asks.rows[ask]), int(asks.direction[ask])
    reaches = {int(asks.rows[each]): Fraction(value, 10**known.digits) for each, value in passed.items()}
    amount, currency = work.largest(session, replayed, reaches, lambda each: reaches[each] - limit)
    side = "buy" if direction > 0 else "sell"
    mine = [order for order in known.others(row) if order.direction == direction]
    going = [order for order in mine if order.is_canceling]
    without = Fraction(known.least(ask, [order for order in mine if not order.is_canceling]), 10**known.digits)
    position = Fraction(int(asks.position[ask]), 10**known.digits)
    final = Fraction(reach, 10**known.digits)
    lines = [
        f"position of {symbol} before {replayed.table.where(row)}: {decimal_text(position)}",
        *(f"{side}, cancel not answered: {_line(replayed, _newest(replayed, order.life, row))}"
          for order in going[:_SHOWN]),
    ]  # fmt: skip
    if len(going) > _SHOWN:
        lines.append(f"{len(going) - _SHOWN} more are being cancelled")
    return Breach(
        key=symbol, where=places(replayed.table, list(reaches)), count=len(passed),
        was=f"{work.order_name(replayed, row)} may take the position of {symbol} to "
        f"{decimal_text(final * direction)} with what is left of {_names(replayed, going, row)}",
        should=f"max_position {decimal_text(limit)} at most",
        work=(
            *lines, _line(replayed, row),
            f"with all orders of its side but those: {decimal_text(without * direction)}; with them: "
            f"{text(without * direction)} {'+' if direction > 0 else '-'} {decimal_text(final - without)} = "
            f"{decimal_text(final * direction)}",
            f"{decimal_text(final)} is {decimal_text(final - limit)} above {decimal_text(limit)}",
        ),
        amount=amount, currency=currency,
        loss="by what max_position is passed if the orders that are being cancelled fill first, at the new order's "
        "price, where it is most",
    )  # fmt: skip


def _names(replayed: Flow, orders: list[Resting], row: int) -> str:
    """Name a few orders by the ids that they had before a row."""
    names = [work.order_name(replayed, _newest(replayed, order.life, row)) for order in orders[:2]]
    return " and ".join(names) + (f" and {len(orders) - 2} more" if len(orders) > 2 else "")
