"""1.3 P&L: everything from the tables anew, in exact fractions, claim by claim."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate, pairwise

from audit.market import last_known
from audit.prices import marked, mid_of
from audit.recorded import Recorded, Row, Seen, cuts, digits, ns, number, place, remember, seen, shown
from audit.state import (
    ZERO,
    History,
    Lot,
    Span,
    Step,
    agreed_until,
    average,
    chained,
    claims,
    exactly,
    follow,
    gain,
    given,
    history,
    opening,
    rates,
    settle,
    steps,
    worth,
)

MONEY = ("realized", "unrealized", "fees", "funding", "total")


# What a pnl row should say


def is_net(session: Recorded) -> bool:
    return session.conventions.get("realized", "gross") == "net"


def own_currency(session: Recorded, row: Row) -> str:
    """Return the currency of a money row."""
    return row["currency"] or session.currency


def converted(
    session: Recorded, symbol: str, ts: int, currency: str, own: Span | None, by_fill: Span | None
) -> Span | None:
    """Return a cumulative amount of a symbol in a claim's currency, by the session's `conversion`."""
    money = settle(session.instruments[symbol])
    if own is None or currency == money:
        return own
    if session.conventions.get("conversion", "claim") == "fill" and currency == session.currency:
        return by_fill
    known = rates(session, money, currency, ts)
    return own.times(known) if known else None


def realized(session: Recorded, symbol: str, ts: int, currency: str, past: History) -> list[Span]:
    """Return what the realized P&L of a claim may be, for each state of the fills that it may know of."""
    values = [realized_at(session, symbol, ts, currency, past, count) for count in past.cuts(ts, session.lag)]
    return [value for value in values if value is not None]


def realized_at(session: Recorded, symbol: str, ts: int, currency: str, past: History, count: int) -> Span | None:
    """Return the realized P&L after so many steps, as a claim at `ts` states it."""
    gross = past.realized[count]
    own = None if gross is None else exactly(gross)
    value = converted(session, symbol, ts, currency, own, past.converted[count])
    if value is None or not is_net(session):
        return value
    fees = fees_at(session, symbol, ts, currency, past, count)
    return fees and value.minus(fees)


def fees_at(session: Recorded, symbol: str, ts: int, currency: str, past: History, count: int) -> Span | None:
    """Return the fees after so many steps, as a claim at `ts` states them."""
    return converted(session, symbol, ts, currency, past.fees[count], past.fees_converted[count])


def fees(session: Recorded, symbol: str, ts: int, currency: str) -> list[Span]:
    """Return what the fees of a claim may be."""
    past = history(session, symbol)
    spans = [fees_at(session, symbol, ts, currency, past, count) for count in past.cuts(ts, session.lag)]
    return [span for span in spans if span]


@remember
def _payments(session: Recorded, symbol: str) -> tuple[list[int], list[Fraction], list[Span | None]]:
    """Return the times of funding payments and their sums, in the settlement currency and converted when paid."""
    money = settle(session.instruments[symbol])
    rows, times = session.arrivals("funding", symbol=symbol)
    amounts, then = [], []
    for row, ts in zip(rows, times, strict=True):
        known, to_session = (
            rates(session, row["asset"] or money, money, ts),
            rates(session, money, session.currency, ts),
        )
        amount = exactly(number(row["amount"]) or ZERO).times(known or [ZERO])
        amounts.append(amount.low)
        then.append(amount.times(to_session) if to_session else None)
    sums: list[Span | None] = [exactly(ZERO)]
    for paid in then:
        sums.append(sums[-1].plus(paid) if sums[-1] and paid else None)
    return times, list(accumulate(amounts, initial=ZERO)), sums


def funding(session: Recorded, symbol: str, ts: int, currency: str) -> list[Span]:
    """Return what the funding of a claim may be."""
    times, own, then = _payments(session, symbol)
    skew = session.skew if session.clock("funding") == "ts_exchange" else 0
    counts = cuts(times, ts - skew, session.lag, ahead=2 * skew)
    spans = [converted(session, symbol, ts, currency, exactly(own[count]), then[count]) for count in counts]
    return [span for span in spans if span]


def unrealized_prices(session: Recorded, symbol: str, ts: int, direction: int) -> set[Fraction]:
    """Return the prices that `unrealized_price` names, as they may be last known at `ts`."""
    kind = session.conventions.get("unrealized_price", "mark")
    if kind in ("mark", "index", "last"):
        return marked(session, symbol, kind, ts)
    books = last_known(session, symbol, ts)
    if kind == "mid":
        return {mid for book in books if (mid := mid_of(session, book)) is not None}
    bests = [book.best[0 if direction > 0 else 1] for book in books]
    return {Fraction(best) for best in bests if best is not None}


def lots_at(session: Recorded, symbol: str, ts: int) -> list[tuple[Lot, ...]]:
    """Return the open lots that a claim may know of: by the fills; without fills, by the bot's own avg_px."""
    if "fills" in session.tables:
        past = history(session, symbol)
        return [past.lots[count] for count in past.cuts(ts, session.lag)]
    told = claims(session, "positions", "qty", symbol)
    counts = cuts([when for when, _, _ in told], ts, session.lag)
    return [(Lot(told[count - 1][1], number(told[count - 1][2]["avg_px"])),) for count in counts if count]


def unrealized(session: Recorded, symbol: str, ts: int, currency: str) -> list[tuple[Fraction | None, Span]]:
    """Return the (price, unrealized P&L) that a claim may state; of a flat position no price and 0."""
    return [value for lots in lots_at(session, symbol, ts) for value in open_gain(session, symbol, ts, currency, lots)]


def open_gain(
    session: Recorded, symbol: str, ts: int, currency: str, lots: tuple[Lot, ...]
) -> list[tuple[Fraction | None, Span]]:
    """Return the (price, gain) of open lots at each price that may be the last known."""
    instrument, held = session.instruments[symbol], sum((lot.qty for lot in lots), ZERO)
    to_currency = rates(session, settle(instrument), currency, ts)
    if not held:
        return [(None, exactly(ZERO))]
    if not to_currency or any(lot.price is None for lot in lots):
        return []
    out: list[tuple[Fraction | None, Span]] = []
    for price in unrealized_prices(session, symbol, ts, 1 if held > 0 else -1):
        gains = sum((gain(instrument, lot.price, price, lot.qty) for lot in lots if lot.price), ZERO)
        out.append((price, exactly(gains).times(to_currency)))
    return out


def expected_unrealized(session: Recorded, symbol: str) -> Iterator[tuple[Row, Fraction, set[Fraction]]]:
    """Yield each pnl row of a symbol with its unrealized P&L and what that may be."""
    for ts, value, row in claims(session, "pnl", "unrealized", symbol):
        yield row, value, {span.low for _, span in unrealized(session, symbol, ts, own_currency(session, row))}


# The items


def i1_3_1(session: Recorded) -> Seen:
    exercised, violations = 0, []
    for symbol in with_fills(session):
        past, until = history(session, symbol), agreed_until(session, symbol)
        for row, claim, should, tolerance in judged_realized(session, symbol, past):
            is_due = until is None or ns(row["ts_local"]) <= until
            exercised += is_due and any(past.realized[count] for count in past.cuts(ns(row["ts_local"]), session.lag))
            if not any(span.wider(tolerance).has(claim) for span in should):
                violations.append(f"{place('pnl', row)} realized was {shown(claim)}, should be {shown(should[-1].low)}")
    alone, violations_alone = _judge_star_alone(session, "realized")
    return seen(exercised + alone, violations + violations_alone)


@remember
def with_fills(session: Recorded) -> list[str]:
    """Return the symbols whose fills are all dated, where the session has a table of fills."""
    if "fills" not in session.tables:
        return []
    return [
        symbol for symbol in session.instruments if all(row["ts_local"] for row in session.rows("fills", symbol=symbol))
    ]


def judged_realized(
    session: Recorded, symbol: str, past: History
) -> Iterator[tuple[Row, Fraction, list[Span], Fraction]]:
    """Yield each pnl row with its realized P&L, what that may be and by how much it may differ.

    After an opening position at a price that nobody states, the first claim since flat is the start.
    """
    tolerance = session.half_unit("pnl", "realized")
    start = opening(session, symbol)
    offset = None if start and start.price is None else ZERO
    for ts, claim, row in claims(session, "pnl", "realized", symbol):
        should = realized(session, symbol, ts, own_currency(session, row), past)
        if not should:
            continue
        if offset is None:
            offset = claim - should[-1].low
        wide = tolerance if not offset else 2 * tolerance
        yield row, claim, [span.plus(exactly(offset)) for span in should], wide


def _star_alone(session: Recorded, column: str) -> Iterator[tuple[Row, Span]]:
    """Yield each `*` row that stands alone, without a symbol's row of its time, and what its column should say."""
    accompanied = {row["ts_local"] for row in session["pnl"] if row["symbol"] != "*"}
    for row in session.rows("pnl", symbol="*"):
        if row["ts_local"] in accompanied or number(row[column]) is None:
            continue
        should = _sum_of_symbols(session, session.instruments, column, ns(row["ts_local"]), own_currency(session, row))
        if should is not None:
            yield row, should


def _judge_star_alone(session: Recorded, column: str) -> tuple[int, list[str]]:
    exercised, violations = 0, []
    for row, should in _star_alone(session, column):
        exercised += 1
        claim = number(row[column])
        if claim is not None and not should.wider(session.half_unit("pnl", column)).has(claim):
            violations.append(f"{place('pnl', row)} {column} was {shown(claim)}, should be {shown(should.middle)}")
    return exercised, violations


def _sum_of_symbols(session: Recorded, symbols: Iterable[str], column: str, ts: int, currency: str) -> Span | None:
    """Return the sum of a column over symbols, from the tables anew."""
    total = exactly(ZERO)
    for symbol in symbols:
        if column == "realized":
            spans = realized(session, symbol, ts, currency, history(session, symbol))
            start = opening(session, symbol)
            if start and start.price is None:
                return None
        elif column == "fees":
            spans = fees(session, symbol, ts, currency)
        elif column == "funding":
            spans = funding(session, symbol, ts, currency)
        elif column == "unrealized":
            spans = [span for _, span in unrealized(session, symbol, ts, currency)]
        else:
            parts = [_sum_of_symbols(session, [symbol], name, ts, currency) for name in MONEY[:4]]
            if None in parts:
                return None
            gained, open_gain, cost, income = (part for part in parts if part)
            total_of_all = gained.plus(open_gain).plus(income)
            spans = [total_of_all if is_net(session) else total_of_all.minus(cost)]
        span = widest(spans)
        if span is None:
            return None
        total = total.plus(span)
    return total


def widest(spans: Sequence[Span]) -> Span | None:
    """Return the span from the lowest to the highest of these."""
    return Span(min(span.low for span in spans), max(span.high for span in spans)) if spans else None


def i1_3_2(session: Recorded) -> Seen:
    exercised, violations = 0, []
    half_unit, half_price = session.half_unit("pnl", "unrealized"), session.half_unit("pnl", "price")
    for symbol in session.instruments:
        for row in session.rows("pnl", symbol=symbol):
            claim, price = number(row["unrealized"]), number(row["price"])
            may = unrealized(session, symbol, ns(row["ts_local"]), own_currency(session, row))
            if not may or (claim is None and price is None):
                continue
            exercised += any(at is not None for at, _ in may)
            fits = [
                (claim is None or span.wider(half_unit).has(claim))
                and (at is None or price is None or abs(at - price) <= half_price)
                for at, span in may
            ]
            if not any(fits):
                at, span = may[-1]
                said = f"unrealized was {shown(claim)} at {shown(price)}"
                violations.append(f"{place('pnl', row)} {said}, should be {shown(span.low)} at {shown(at)}")
    alone, violations_alone = _judge_star_alone(session, "unrealized")
    return seen(exercised + alone, violations + violations_alone)


def i1_3_3(session: Recorded) -> Seen:
    exercised, violations = 0, []
    for symbol in session.instruments:
        charged, off = _fees_off(session, symbol)
        exercised += charged
        violations += off
    sums: dict[str, Callable[[Recorded, str, int, str], list[Span]]] = {"fees": fees, "funding": funding}
    for column, spans_of in sums.items():
        half_unit = session.half_unit("pnl", column)
        for symbol in with_fills(session):
            for ts, claim, row in claims(session, "pnl", column, symbol):
                should = spans_of(session, symbol, ts, own_currency(session, row))
                exercised += any(any(span) for span in should)
                if should and not any(span.wider(half_unit).has(claim) for span in should):
                    where = f"{place('pnl', row)} {column}"
                    violations.append(f"{where} was {shown(claim)}, should be {shown(should[-1].low)}")
        alone, violations_alone = _judge_star_alone(session, column)
        exercised += alone
        violations += violations_alone
    for row in session["pnl"]:
        total, should_be = number(row["total"]), _total(session, row)
        if total is None or should_be is None:
            continue
        exercised += 1
        if not should_be.has(total):
            violations.append(f"{place('pnl', row)} total was {shown(total)}, should be {shown(should_be.middle)}")
    return seen(exercised, violations)


def _fees_off(session: Recorded, symbol: str) -> tuple[int, list[str]]:
    """See whether each execution's fee, with its changes, is rate x notional for its liquidity."""
    instrument, charged, out = session.instruments[symbol], 0, []
    by_execution: dict[int, list[Step]] = defaultdict(list)
    for step in steps(session, symbol):
        by_execution[step.index].append(step)
    for reports in by_execution.values():
        for count in range(1, len(reports) + 1):
            first, last = reports[0], reports[count - 1]
            asset = first.row["fee_asset"] or settle(instrument)
            rate = _fee_rate(session, first, last)
            if rate is None or last.row["fee_asset"] not in ("", asset):
                continue
            fee = sum((number(step.row["fee"]) or ZERO for step in reports[:count]), ZERO)
            should = exactly(rate * worth(instrument, last.price, last.qty))
            tolerance = count * unit_of(session, asset)
            if instrument["kind"] == "spot" and asset == instrument["base"]:
                should = exactly(rate * last.qty)
            elif asset != settle(instrument):
                known = rates(session, settle(instrument), asset, first.ts)
                if not known:
                    continue
                should = should.times(known)
                tolerance += max(abs(should.low), abs(should.high)) / 100
            charged += 1
            if not should.wider(tolerance).has(fee):
                violation = f"{place('fills', last.row)} fee was {shown(fee)}, should be {shown(should.low)}"
                out.append(violation)
    return charged, out


def _fee_rate(session: Recorded, first: Step, last: Step) -> Fraction | None:
    """Return the rate of an execution: as its report says, else the instrument's for its liquidity."""
    said = number(last.row["fee_rate"]) if last.row["fee_rate"] else number(first.row["fee_rate"])
    if said is not None:
        return said
    if first.row["kind"] in ("liquidation", "adl") or not first.row["liquidity"]:
        return None
    when = ns(first.row["ts_exchange"] or first.row["ts_local"])
    return number(session.instrument(first.row["symbol"], when)[f"{first.row['liquidity']}_fee"])


@remember
def unit_of(session: Recorded, asset: str) -> Fraction:
    """Return a unit of the last digit of the fees in an asset."""
    return Fraction(1, 10 ** max((digits(row["fee"]) for row in session.rows("fills", fee_asset=asset)), default=0))


def _total(session: Recorded, row: Row) -> Span | None:
    """Return what a total should be: what the row claims to have gained, less all fees, and all funding, each once."""
    symbol, ts, currency = row["symbol"], ns(row["ts_local"]), own_currency(session, row)
    gained, told = given(row, "realized", "unrealized"), given(row, "fees", "funding")
    slack = session.half_unit("pnl", "total") + session.half_unit("pnl", "realized")
    slack += session.half_unit("pnl", "unrealized")
    if symbol in with_fills(session):
        cost, income = widest(fees(session, symbol, ts, currency)), widest(funding(session, symbol, ts, currency))
    elif told:
        cost, income = exactly(told[0]), exactly(told[1])
        slack += session.half_unit("pnl", "fees") + session.half_unit("pnl", "funding")
    else:
        return None
    if gained is None or cost is None or income is None:
        return None
    total = exactly(sum(gained, ZERO)).plus(income)
    return (total if is_net(session) else total.minus(cost)).wider(slack)


def i1_3_4(session: Recorded) -> Seen:
    exercised, violations = 0, []
    for row in session.rows("pnl", symbol="*"):
        for column in MONEY:
            claim, should = number(row[column]), _sum_of_rows(session, row, column)
            if claim is None or should is None:
                continue
            exercised += 1
            if not should.wider(session.half_unit("pnl", column)).has(claim):
                was = f"{place('pnl', row)} {column} was {shown(claim)}"
                violations.append(f"{was}, should be {shown(should.middle)} by the symbols' rows")
    for symbol in with_fills(session):
        orders = {step.row["client_order_id"] for step in steps(session, symbol) if step.row["client_order_id"]}
        if len(orders) < len(steps(session, symbol)):
            exercised += len(claims(session, "pnl", "realized", symbol))
        violations += _grouped(session, symbol)
    return seen(exercised, violations)


def _sum_of_rows(session: Recorded, star: Row, column: str) -> Span | None:
    """Return the sum of the symbols' rows of a `*` row's time, else of their newest before, each converted."""
    ts, currency, total = ns(star["ts_local"]), own_currency(session, star), exactly(ZERO)
    met = False
    for symbol in session.instruments:
        told = _newest(session, symbol, ts)
        if told is None:
            if history(session, symbol).cuts(ts, 0)[-1] if "fills" in session.tables else False:
                return None
            continue
        met = True
        part = _part(session, told, column, ts, currency)
        if part is None:
            return None
        total = total.plus(part)
    return total if met else None


def _part(session: Recorded, row: Row, column: str, ts: int, currency: str) -> Span | None:
    """Return what a symbol's row adds to the `*` row."""
    claim, money = number(row[column]), own_currency(session, row)
    if claim is None:
        return None
    own = exactly(claim).wider(session.half_unit("pnl", column))
    if money == currency:
        return own
    if session.conventions.get("conversion", "claim") == "fill" and column != "unrealized":
        return _sum_of_symbols(session, [row["symbol"]], column, ts, currency)
    known = rates(session, money, currency, ts)
    return own.times(known) if known else None


def _grouped(session: Recorded, symbol: str) -> list[str]:
    """Say where a wrong realized P&L is that of each order's fills as one, or of all of them at their mean price."""
    out, past = [], history(session, symbol)
    wrong = [
        (row, claim, tolerance)
        for row, claim, should, tolerance in judged_realized(session, symbol, past)
        if not any(span.wider(tolerance).has(claim) for span in should)
    ]
    for row, claim, tolerance in wrong[:20]:
        if any(abs(claim - told) <= tolerance for told in _rounded_each(past, past.cuts(ns(row["ts_local"]), 0)[-1])):
            out.append(f"{place('pnl', row)} realized was {shown(claim)}, the sum of gains rounded fill by fill")
        ts = ns(row["ts_local"])
        for means in _averaged(session, symbol, past.cuts(ts, 0)[-1]):
            should = realized(session, symbol, ts, own_currency(session, row), follow(session, symbol, means))
            if any(span.wider(tolerance).has(claim) for span in should):
                out.append(f"{place('pnl', row)} realized was {shown(claim)}, that of fills grouped by order")
                break
    return out


def _rounded_each(past: History, count: int) -> list[Fraction]:
    """Return the sums of what each step gained, rounded to whole units, tenths and so on."""
    gains = [(after or ZERO) - (before or ZERO) for before, after in pairwise(past.realized[: count + 1])]
    return [sum((Fraction(round(gain * 10**places), 10**places) for gain in gains), ZERO) for places in range(8)]


def _averaged(session: Recorded, symbol: str, count: int) -> Iterator[list[Step]]:
    """Yield the executions as they stand after `count` steps, those of one order at one price.

    The price is weighted by quantity or plain; one is that of all fills of an order, of those between two claims of
    P&L, or of an order whose fills all came between two claims.
    """
    claimed = [ts for ts, _, _ in claims(session, "pnl", "realized", symbol)]
    standing = list({step.index: step for step in steps(session, symbol)[:count]}.values())
    begun = {step.index: bisect_right(claimed, step.ts) for step in reversed(steps(session, symbol)[:count])}
    by_order: dict[str, set[int]] = defaultdict(set)
    for step in standing:
        by_order[_order_of(step)].add(begun[step.index])
    groupings: list[list[tuple[str | int, ...]]] = [
        [(_order_of(step),) for step in standing],
        [(_order_of(step), begun[step.index]) for step in standing],
        [(_order_of(step), step.index if len(by_order[_order_of(step)]) > 1 else -1) for step in standing],
    ]
    for keys in groupings:
        groups: dict[tuple[str | int, ...], list[Lot]] = defaultdict(list)
        for key, step in zip(keys, standing, strict=True):
            groups[key] += [Lot(step.qty, step.price)] if step.qty else []
        for is_weighted in (True, False):
            means = []
            for place_in, (key, step) in enumerate(zip(keys, standing, strict=True)):
                lots = [lot if is_weighted else Lot(Fraction(1), lot.price) for lot in groups[key]]
                price = average(session.instruments[symbol], lots).price if step.qty else step.price
                means.append(replace(step, count=place_in + 1, index=place_in, moved=step.move, price=price or ZERO))
            yield means


def _order_of(step: Step) -> str:
    return step.row["client_order_id"] or step.row["exec_id"]


def _at_the_mean(session: Recorded, symbol: str, count: int) -> list[Step]:
    """Return the executions as they stand after `count` steps, each at the mean of its order's prices."""
    standing = list({step.index: step for step in steps(session, symbol)[:count]}.values())
    by_order: dict[str, list[Fraction]] = defaultdict(list)
    for step in standing:
        by_order[step.row["client_order_id"] or step.row["exec_id"]].append(step.price)
    out = []
    for index, step in enumerate(standing):
        prices = by_order[step.row["client_order_id"] or step.row["exec_id"]]
        mean = sum(prices, ZERO) / len(prices)
        out.append(replace(step, count=index + 1, index=index, price=mean, moved=step.move))
    return out


def i1_3_5(session: Recorded) -> Seen:
    exercised, violations = 0, []
    for row in session["balances"]:
        value, total = number(row["value"]), number(row["total"])
        if value is None or total is None or row["source"] == "exchange":
            continue
        ts, currency = ns(row["ts_local"]), own_currency(session, row)
        known = rates(session, row["asset"], currency, ts) | chained(session, row["asset"], currency, ts)
        if not known:
            continue
        exercised += 1
        kept = 1 - (number(row["haircut"]) or ZERO) if total > 0 else Fraction(1)
        if all(abs(value - total * rate * kept) > session.half_unit("balances", "value") for rate in known):
            should = shown(total * max(known) * kept)
            violations.append(f"{place('balances', row)} value was {shown(value)}, should be {should}")
    for star in session.rows("pnl", symbol="*"):
        exercised += _has_two_currencies(session, star)
        for column in MONEY:
            told, half_unit = number(star[column]), session.half_unit("pnl", column)
            right, plain = _sum_of_rows(session, star, column), _unconverted(session, star, column)
            if told is None or right is None or plain is None:
                continue
            if plain.wider(half_unit).has(told) and not right.wider(half_unit).has(told):
                violations.append(f"{place('pnl', star)} {column} was {shown(told)}, the sum of unconverted parts")
    half_unit = session.half_unit("pnl", "fees")
    for symbol in with_fills(session):
        past = history(session, symbol)
        for ts, claim, row in claims(session, "pnl", "fees", symbol):
            fees_raw = [past.fees_raw[count] for count in past.cuts(ts, session.lag)]
            spans = fees(session, symbol, ts, own_currency(session, row))
            is_right = any(span.wider(half_unit).has(claim) for span in spans)
            if spans and not is_right and any(abs(claim - raw) <= half_unit for raw in fees_raw):
                violations.append(f"{place('pnl', row)} fees were {shown(claim)}, the sum of unconverted parts")
    return seen(exercised, violations)


def _rows_of(session: Recorded, star: Row) -> list[Row]:
    told = [_newest(session, symbol, ns(star["ts_local"])) for symbol in session.instruments]
    return [row for row in told if row is not None]


def _newest(session: Recorded, symbol: str, ts: int) -> Row | None:
    rows, times = session.arrivals("pnl", symbol=symbol)
    count = bisect_right(times, ts)
    return rows[count - 1] if count else None


def _has_two_currencies(session: Recorded, star: Row) -> bool:
    return len({own_currency(session, row) for row in [star, *_rows_of(session, star)]}) > 1


def _unconverted(session: Recorded, star: Row, column: str) -> Span | None:
    """Return the sum of the symbols' rows as if they were of one currency, where they are not."""
    told = [number(row[column]) for row in _rows_of(session, star)]
    if None in told or not _has_two_currencies(session, star):
        return None
    plain = sum((value for value in told if value is not None), ZERO)
    return exactly(plain).wider(len(told) * session.half_unit("pnl", column))
