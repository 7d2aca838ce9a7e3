"""Section 1.3, P&L calculation: each claim of `pnl` and `balances` against what fills, funding and prices give."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np

from mmverify.checks import Breach, Looked, gather, mistakes
from mmverify.checks.books import FEE_UNIT, Instrument, fills_table, instruments, ledger, payments
from mmverify.checks.claims import (
    Candidates,
    Claims,
    Money,
    Slack,
    Wrong,
    agrees,
    cause,
    claims_of,
    column_near,
    finer,
    judge,
    judge_near,
    money_breach,
    nearest,
    places,
    pnl_table,
    telling,
    within,
)  # fmt: skip
from mmverify.checks.exact import Near, plus, scaled, times
from mmverify.checks.handwork import (
    balance_work,
    fee_work,
    fees_work,
    funding_work,
    notional,
    parting,
    realized_work,
    sum_work,
    total_work,
    unrealized_work,
)  # fmt: skip
from mmverify.checks.known import Rates, Rows, Timeline, timeline
from mmverify.checks.stated import stated_positions
from mmverify.checks.sums import Sums, sums_of
from mmverify.numeric import Decimals, Ints, Mask, decimal_text
from mmverify.session.load import Session, Table


def _unrated(claims: Claims, judged: Mask) -> tuple[str, ...]:
    count = int(np.sum(~judged))
    return (f"{claims.symbol}: {count} claims are in a currency without a known rate",) if count else ()


_NOISE = 2.0**-48  # of a fee: what a product of five numbers in float64 is off by at most


# --- 1.3.1 ------------------------------------------------------------------------------------------------------------


def realized_pnl(session: Session) -> Looked:
    """Realized P&L is what the fills give, by the claimed cost basis and the contract's kind."""
    return gather(_realized(claims) for claims in claims_of(session, "realized"))


def _realized(claims: Claims) -> Looked:
    is_net = claims.session.convention("realized") == "net"
    money: Money = mistakes.net if is_net else mistakes.gross
    right = claims.candidates(money)
    judged = claims.judged(right)
    values, base = _rebased(claims, right, judged)
    notes = [flaw for book in claims.books for flaw in book.flaws]
    guesses = [
        _shifted(claims.near(mistakes.net_terms if is_net else mistakes.gross_terms, newest=newest), base)
        for newest in (True, False)
    ]
    if any(book.opened for book in claims.books):
        judged &= np.arange(len(claims.rows)) != int(np.argmax(judged))
    else:
        notes += _unrated(claims, judged)
    confirmed = claims.confirmed()
    if not confirmed.all():
        notes.append(f"{claims.symbol}: claims after the last agreeing exchange position do not count as exercised")
    exercised = int(np.sum(confirmed & (claims.closings() > 0) & judged))
    terms = sum(np.maximum.accumulate(np.abs(book.cost_floats))[book.line.span(claims.at)[1]] for book in claims.books)
    wrong = judge_near(claims.column, claims.rows, guesses, values, magnitude=terms)
    if not wrong:
        return Looked(exercised, (), tuple(notes))
    reason = cause(claims.column, wrong, mistakes.of_realized(claims, money))
    mistake = dict(mistakes.booking(claims.session)).get(reason)
    parted = parting(claims.book, ledger(claims.session, claims.symbol, mistake)) if mistake and claims.native else ()
    breach = money_breach(
        claims.table, claims.column, wrong, key=claims.symbol, what=f"realized P&L of {claims.symbol}",
        currency=claims.currency(wrong.first), work=(*realized_work(claims, wrong), *parted), reason=reason,
        loss="realized P&L that the books show and the account does not have, or the reverse: limits, sizing and "
        "payouts run on money that is not there",
    )  # fmt: skip
    return Looked(exercised, (breach,), tuple(notes))


def _rebased(claims: Claims, values: Candidates, judged: Mask) -> tuple[Candidates, Fraction]:
    """Where the opening price is unknown, hold claims after the first flat state to their change since the first.

    Return the values, and what they are above those of the books.
    """
    if not any(book.opened for book in claims.books) or not judged.any():
        return values, Fraction(0)
    first = int(claims.rows[np.argmax(judged)])
    base = claims.column.fraction(first) - next(iter(values(first)))
    return lambda row: [] if row == first else [value + base for value in values(row)], base


def _shifted(near: Near, base: Fraction) -> Near:
    return Near(
        plus(near.units, np.full(len(near.units), int(base * 10**near.digits))), near.digits, near.known, near.error + 1
    )


# --- 1.3.2 ------------------------------------------------------------------------------------------------------------


def unrealized_pnl(session: Session) -> Looked:
    """Unrealized P&L and its price are by the stated price type as of the claim, never later."""
    table = pnl_table(session)
    symbols, column, price = table.words("symbol"), table.decimals("unrealized"), table.decimals("price")
    claimed = column.known | price.known
    found = []
    for symbol in symbols.names:
        rows = np.flatnonzero(symbols.is_(symbol) & claimed)
        if symbol != "*" and rows.size:
            book = ledger(session, symbol) if session.has("fills") else stated_positions(session, symbol)
            found.append(_unrealized(Claims(session, table, column, symbol, rows, (book,)), price))
    return gather(found)


def _entry_slack(claims: Claims) -> Slack:
    """Return what the digits of a stated avg_px leave open; nothing where the entry comes from fills."""
    entry = claims.session.table("positions", "avg_px").decimals("avg_px")

    def of_row(row: int) -> Fraction:
        n, book = claims.spans[0][row][1], claims.book
        if claims.session.has("fills") or not n or not book.prices[n - 1]:
            return Fraction(0)
        size = abs(book.qty_at(n)) * book.instrument.multiplier
        at = Fraction(book.prices[n - 1], book.price_unit)
        per_unit = at * at if book.instrument.kind == "inverse" else 1
        return entry.tolerance(int(book.line.rows[n - 1])) * size / per_unit

    return of_row


def _unrealized(claims: Claims, price: Decimals) -> Looked:
    kind, book, rows, column = claims.session.convention("unrealized_price"), claims.book, claims.rows, claims.column
    low, high = book.line.span(claims.at)
    holding = np.concatenate([[0], np.cumsum(book.qty_floats != 0)])
    flat = holding[high + 1] == holding[low]
    always_open = holding[high + 1] - holding[low] == high + 1 - low
    known = mistakes.prices_of(claims, kind)
    newest, priced = known.newest
    blank = priced & np.asarray(newest == 0)
    notes = []
    if (unpriced := int(np.sum(~priced & ~flat))) > 0:
        notes.append(f"{claims.symbol}: {unpriced} claims have no {kind} price known at their time")
    values = mistakes.unrealized_values(claims, known)
    worthy = np.array([any(known[row]) for row in rows[blank].tolist()], dtype=bool)
    usable = priced.copy()
    usable[blank] = worthy
    held = column.known[rows]
    valued = held & claims.judged(values) & (flat | usable)
    exercised = int(np.sum(priced & ~flat & (price.known[rows] | valued)))
    guess, worth = _open_gain(claims, newest, known.seen.unit, flat | (priced & ~blank))
    wrong = judge_near(
        column, rows[held], [guess.at(held)], values, _entry_slack(claims), magnitude=np.abs(worth)[held]
    )
    if wrong:
        breach = money_breach(
            claims.table, column, wrong, key=claims.symbol, what=f"unrealized P&L of {claims.symbol}",
            currency=claims.currency(wrong.first), work=unrealized_work(claims, wrong, kind, known[wrong.first]),
            loss="unrealized P&L that closing at that price would not give: equity, drawdown and margin are off by it",
            reason=cause(column, wrong, mistakes.of_unrealized(claims, known, kind)),
        )  # fmt: skip
        return Looked(exercised, (breach,), tuple(notes))
    told = priced & always_open & price.known[rows]
    stated = Near(
        scaled([newest[told]], Fraction(1, known.seen.unit), finer(price)),
        finer(price),
        np.ones(int(told.sum()), dtype=bool),
    )
    doubtful = rows[told][~within(price, rows[told], stated)].tolist()
    off = [row for row in doubtful if not agrees(price, row, known[row])]
    return Looked(exercised, (_price_breach(claims, price, off, known, kind),) if off else (), tuple(notes))


def _open_gain(
    claims: Claims, prices: Ints, unit: int, known: Mask
) -> tuple[Near, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Return unrealized P&L at these prices by what was known last, in its currency, and what the position is worth."""
    book, digits, count = claims.book, finer(claims.column), claims.latest
    top, bottom, rated = claims.rates(book.instrument.settle)
    price = np.where(prices == 0, 1, prices)
    held = book.position.ints[count]
    if book.instrument.kind == "inverse":
        worth = scaled(
            [held, top], -book.instrument.multiplier * unit / book.qty_unit, digits, over=times(bottom, price)
        )
    else:
        worth = scaled([held, price, top], book.instrument.multiplier / (book.qty_unit * unit), digits, over=bottom)
    cost = scaled([book.cost.ints[count], top], book.money_unit, digits, over=bottom)
    near = Near(plus(worth, -cost), digits, known & rated & (count >= book.opened), 2)
    return near, np.where(known, worth, 0).astype(np.float64) / 10.0**digits


def _price_breach(claims: Claims, price: Decimals, off: list[int], known: mistakes.Priced, kind: str) -> Breach:
    book, first, settle = claims.book, off[0], claims.book.instrument.settle
    should = {row: nearest(price, row, known[row]) for row in off}

    def harm(row: int) -> Fraction:
        n = claims.spans[0][row][1]
        return abs(book.unrealized_at(n, price.fraction(row) or should[row]) - book.unrealized_at(n, should[row]))

    worst = max(off, key=harm)
    was = decimal_text(price.fraction(first))
    return Breach(
        key=f"{claims.symbol} price", where=places(claims.table, off), count=len(off),
        was=f"the price that {claims.symbol} was valued at was {was}",
        should=f"{decimal_text(should[first])}, the {kind} last known",
        work=(f"{kind} last known: {decimal_text(should[first])}; claimed: {was}",
              f"over the position of {decimal_text(book.qty_at(claims.spans[0][worst][1]))} at "
              f"{claims.table.where(worst)} that is {decimal_text(harm(worst))} {settle}"),
        amount=harm(worst), currency=settle,
        loss="what the position is misvalued by where the difference is largest",
    )  # fmt: skip


# --- 1.3.3 ------------------------------------------------------------------------------------------------------------


def fee_rate(session: Session) -> Looked:
    """Each fee is its rate times the notional of the fill, for the fill's liquidity."""
    table = fills_table(session)
    symbols, assets, kind = table.words("symbol"), table.words("fee_asset"), table.words("kind")
    judged = ~kind.is_("correction", "bust") & ~(kind.is_("liquidation", "adl") & table.decimals("fee_rate").missing)
    ids = table.words("exec_id")
    executions = symbols.codes.astype(np.int64) * (int(ids.codes.max(initial=0)) + 1) + ids.codes
    judged &= np.isin(np.arange(len(table)), np.unique(executions, return_index=True)[1])
    found = []
    for symbol in symbols.names:
        for asset in assets.names:
            rows = np.flatnonzero(symbols.is_(symbol) & assets.is_(asset) & judged)
            if rows.size:
                found.append(_fee_rates(session, table, instruments(session)[symbol], asset, rows))
    return gather(found)


def _fee_rates(session: Session, table: Table, instrument: Instrument, asset: str, rows: Rows) -> Looked:
    price, qty, fee, stated = (table.decimals(name) for name in ("price", "qty", "fee", "fee_rate"))
    line, venue = timeline(session, table), table.whole("ts_exchange")
    at = np.empty(len(table), dtype=np.int64)
    at[line.rows] = line.times
    charged = np.where(venue.missing, at, venue.values)
    unit, rates = fee.last_digit(rows), Rates.of(session)
    in_base = instrument.kind == "spot" and asset == instrument.base
    third = asset != instrument.settle and not in_base
    rate_of = np.where(stated.known[rows], stated.floats()[rows], _listed_rates(table, instrument, rows, charged))
    judged = ~np.isnan(rate_of) & np.asarray(price.ints[rows] != 0)
    p, q, paid = price.floats()[rows], qty.floats()[rows], fee.floats()[rows]
    with np.errstate(divide="ignore", invalid="ignore"):
        due_of = rate_of * q
        if not in_base:
            due_of *= float(instrument.multiplier) * (1 / p if instrument.kind == "inverse" else p)
        if third:
            ratio = rates.ratios(instrument.settle, asset, at[rows])[0]
            judged &= ratio.known
            due_of *= ratio.top.astype(np.float64) / ratio.bottom.astype(np.float64)
        allowed = np.maximum(float(unit), third * np.abs(due_of) / 100)
        sure = np.abs(paid - due_of) + _NOISE * (np.abs(paid) + np.abs(due_of)) < allowed
    wrong: list[tuple[int, Fraction, Fraction]] = []
    for row in rows[judged & ~sure].tolist():
        rate = (
            stated.fraction(row)
            if stated.known[row]
            else instrument.rate(table.words("liquidity").text(row), int(charged[row])) or Fraction(0)
        )
        if in_base:
            due = [rate * qty.fraction(row)]
        else:
            in_settle = rate * notional(instrument, price.fraction(row), qty.fraction(row))
            due = [in_settle * each for each in rates.choices(instrument.settle, asset, int(at[row]))]
        should = nearest(fee, row, due)
        noise = fee.tolerance(row) if fee.binary else Fraction(0)
        if abs(fee.fraction(row) - should) > max(unit, noise, third * abs(should) / 100):
            wrong.append((row, should, rate))
    looked = int(np.sum(judged))
    if not wrong:
        return Looked(looked)
    first, should, rate = wrong[0]
    return Looked(looked, (
        Breach(
            key=f"{instrument.symbol} {asset}", where=places(table, [row for row, _, _ in wrong]), count=len(wrong),
            was=f"the fee was {decimal_text(fee.fraction(first))} {asset}", should=f"{decimal_text(should)} {asset}",
            work=fee_work(table, instrument, first, rate, should, asset),
            amount=sum((abs(fee.fraction(row) - due) for row, due, _ in wrong), Fraction(0)), currency=asset,
            loss="fees beside the assumed rate over these fills: the edge of every quote was computed with another "
            "rate",
            cause=_fee_rate_cause(instrument, table, wrong, charged), severity="HIGH",
        ),
    ))  # fmt: skip


def _listed_rates(
    table: Table, instrument: Instrument, rows: Rows, at: Rows
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the instrument's rate for the liquidity of each of some rows, NaN where it states none."""
    since = np.array([each[0] for each in instrument.schedule], dtype=np.int64)
    held = np.maximum(np.searchsorted(since, at[rows], side="right") - 1, 0)
    out = np.full(len(rows), np.nan)
    for name in ("maker", "taker"):
        own = table.words("liquidity").is_(name)[rows]
        rates = [instrument.rate(name, at) for at in since.tolist()]
        out[own] = np.array([np.nan if rate is None else float(rate) for rate in rates])[held[own]]
    return out


def _fee_rate_cause(instrument: Instrument, table: Table, wrong: list[tuple[int, Fraction, Fraction]], at: Rows) -> str:
    fee, liquidity = table.decimals("fee"), table.words("liquidity")
    unit = fee.last_digit(np.array([row for row, _, _ in wrong]))
    other = {"maker": "taker", "taker": "maker"}
    rivals = [instrument.rate(other.get(liquidity.text(row), ""), int(at[row])) for row, _, _ in wrong]

    def charged(factors: Iterable[Fraction | None]) -> bool:
        pairs = zip(wrong, factors, strict=True)
        return all(f is not None and abs(fee.fraction(row) - due * f) <= unit for (row, due, _), f in pairs)

    if charged([Fraction(-1)] * len(wrong)):
        return "the sign was turned: a rebate booked as a cost, or a cost as a rebate"
    rates = [rate for _, _, rate in wrong]
    if charged(rival / rate if rival is not None and rate else None for rate, rival in zip(rates, rivals, strict=True)):
        return "the rate of the other liquidity was charged: taker for maker, or maker for taker"
    return ""


def fees_claim(session: Session) -> Looked:
    """Claimed fees are the sum of every fee and rebate, each once, converted at the fill."""
    return gather(_fees(claims) for claims in claims_of(session, "fees"))


def _fees(claims: Claims) -> Looked:
    values = claims.candidates(
        lambda book, n: [book.fees_at(n, reading) for reading in range(len(book.fees))], of_lots=False
    )
    half_units = claims.candidates(lambda book, n: [Fraction(book.fee_slack[n], FEE_UNIT)], of_lots=False)

    def slack(row: int) -> Fraction:
        return max(half_units(row), default=Fraction(0))

    unpaid = tuple(flaw for book in claims.books for flaw in book.flaws if "no rate" in flaw)
    if unpaid:
        return Looked(0, (), unpaid)
    judged = claims.judged(values, of_lots=False)
    notes = _unrated(claims, judged)
    guesses = [claims.near(mistakes.fee_terms, of_lots=False, newest=newest) for newest in (True, False)]
    paid = np.logical_or.reduce([book.line.span(claims.at)[1] > 0 for book in claims.books])
    exercised = int(np.sum(paid & judged))
    room = claims.book.fee_slack.floats()[claims.latest] / FEE_UNIT if claims.native else 0.0
    wrong = judge_near(claims.column, claims.rows, guesses, values, slack, room)
    if not wrong:
        return Looked(exercised, (), notes)
    breach = money_breach(
        claims.table, claims.column, wrong, key=claims.symbol, what=f"fees of {claims.symbol}",
        work=fees_work(claims, wrong), currency=claims.currency(wrong.first),
        loss="fees that were paid and are not in the books, or the reverse: every profit since is off by it",
        reason=cause(claims.column, wrong, mistakes.of_fees(claims), slack),
    )  # fmt: skip
    return Looked(exercised, (breach,), notes)


def funding_claim(session: Session) -> Looked:
    """Claimed funding is the sum of every funding payment, received positive, each once."""
    return gather(_funding(claims) for claims in claims_of(session, "funding"))


def _funding(claims: Claims) -> Looked:
    flows = [payments(claims.session, book.instrument.symbol) for book in claims.books]
    largest = float(max((abs(amount) for flow in flows for amount in flow.amounts), default=Fraction(0)))
    right = mistakes.funding_values(claims, lambda amount: amount)
    judged = mistakes.funding_rated(claims)
    notes = _unrated(claims, judged)
    paid = np.logical_or.reduce([flow.line.span(claims.at)[1] > 0 for flow in flows])
    exercised = int(np.sum(paid & judged))
    guesses = [mistakes.funding_near(claims, newest=newest) for newest in (True, False)]
    wrong = judge_near(claims.column, claims.rows, guesses, right, magnitude=largest)
    if not wrong:
        return Looked(exercised, (), notes)
    breach = money_breach(
        claims.table, claims.column, wrong, key=claims.symbol, what=f"funding of {claims.symbol}",
        work=funding_work(claims, wrong), currency=claims.currency(wrong.first),
        loss="funding that moved the account and not the books, or the reverse",
        reason=cause(claims.column, wrong, mistakes.of_funding(claims)),
    )  # fmt: skip
    return Looked(exercised, (breach,), notes)


def total_claim(session: Session) -> Looked:
    """Total is realized + unrealized - fees + funding, each counted once."""
    return gather(_total(claims) for claims in claims_of(session, "total"))


def _total(claims: Claims) -> Looked:
    net = claims.session.convention("realized") == "net"
    once = {"realized": 1, "unrealized": 1, "fees": 0 if net else -1, "funding": 1}
    columns = {name: claims.table.decimals(name) for name in once}
    owed: dict[str, Candidates] = {
        "fees": claims.candidates(lambda book, n: [book.fees_at(n)], of_lots=False),
        "funding": mistakes.funding_values(claims, lambda amount: amount),
    }

    def part(name: str, row: int) -> list[Fraction]:
        if columns[name].known[row]:
            return [columns[name].fraction(row)]
        return list(owed[name](row)) if name in owed else []

    def summed(times: dict[str, int]) -> Candidates:
        def of_row(row: int) -> list[Fraction]:
            values = [part(name, row) if count else [Fraction(0)] for name, count in times.items()]
            signed = [[value * count for value in each] for each, count in zip(values, times.values(), strict=True)]
            return [sum(each, Fraction(0)) for each in product(*signed)]

        return of_row

    def slack(row: int) -> Fraction:
        return sum((columns[n].tolerance(row) for n, c in once.items() if c and columns[n].known[row]), Fraction(0))

    right = summed(once)
    nears = {name: column_near(column, claims.rows, finer(claims.column)) for name, column in columns.items()}
    owing = {"fees": claims.near(mistakes.fee_terms, of_lots=False), "funding": mistakes.funding_near(claims)}
    if len(claims.books) == 1 and not claims.at_fill:
        flow, book = payments(claims.session, claims.book.instrument.symbol), claims.book
        states = {"fees": (book.fees[0].ints, book.line), "funding": (flow.sums[0].ints, flow.line)}
        paid = [
            np.where(
                nears[name].known, columns[name].ints[claims.rows] != 0, owing[name].known & _some(ints, line, claims)
            )
            for name, (ints, line) in states.items()
        ]
        whole = [near.known | (name in owing and owing[name].known) for name, near in nears.items() if once[name]]
        exercised = int(np.sum((paid[0] | paid[1]) & np.logical_and.reduce(whole)))
    else:
        rows = claims.rows.tolist()
        exercised = sum(1 for row in rows if any(part("fees", row) + part("funding", row)) and list(right(row)))
    guess = Near(
        np.zeros(len(claims.rows), dtype=np.int64), finer(claims.column), np.ones(len(claims.rows), dtype=bool), 0
    )
    for name, count in once.items():
        if count:
            guess = guess.plus(nears[name].otherwise(owing[name]) if name in owing else nears[name], count)
    room = sum(np.where(nears[name].known, columns[name].tolerances()[claims.rows], 0) for name, c in once.items() if c)
    wrong = judge_near(claims.column, claims.rows, [guess], right, slack, room)
    if not wrong:
        return Looked(exercised)
    breach = money_breach(
        claims.table, claims.column, wrong, key=claims.symbol, what=f"total P&L of {claims.symbol}",
        work=total_work({name: part(name, wrong.first) for name in once}, once, wrong.first_should),
        currency=claims.currency(wrong.first), loss="profit that the total shows and its own parts do not",
        reason=cause(claims.column, wrong, ((w, summed(once | c)) for w, c in mistakes.TOTALS.items()), slack),
    )  # fmt: skip
    return Looked(exercised, (breach,))


def _some(states: Ints, line: Timeline, claims: Claims) -> Mask:
    """Return where a state that a claim may be of is not 0."""
    low, high = line.span(claims.at)
    count = np.concatenate([[0], np.cumsum(np.asarray(states != 0))])
    return np.asarray(count[high + 1] > count[low])


# --- 1.3.4 ------------------------------------------------------------------------------------------------------------


def all_symbols_row(session: Session) -> Looked:
    """The ``*`` row is the sum of the symbols' rows, each converted."""
    return _merged(map(_sums, sums_of(session)))


def _merged(looks: Iterable[Looked]) -> Looked:
    """Join columns; those wrong at the same rows by the same cause are one defect, told by the last of them."""
    whole = gather(looks)
    told: dict[tuple[tuple[str, ...], str], list[Breach]] = {}
    for breach in whole.breaches:
        told.setdefault((breach.where, breach.cause or breach.key), []).append(breach)
    joined = tuple(
        replace(same[-1], was=f"{same[-1].was} (likewise {', '.join(b.key for b in same[:-1])})")
        if same[:-1]
        else same[0]
        for same in told.values()
    )
    return replace(whole, breaches=joined)


def _sums(sums: Sums) -> Looked:
    judged = sums.rows[sums.judged]
    left = len(sums.rows) - len(judged)
    notes = (f"{left} * rows of {sums.name} are not judged: a symbol's row or a rate is missing",) if left else ()
    wrong = _judge_sums(sums, sums.judged)
    if not wrong:
        return Looked(len(judged), (), notes)
    currency = sums.currency(wrong.first)
    breach = money_breach(
        sums.table, sums.column, wrong, key=sums.name, what=f"{sums.name} of all symbols", currency=currency,
        work=sum_work(sums.parts(wrong.first), currency),
        loss="profit of the whole book that its symbols do not have",
        reason=cause(sums.column, wrong, sums.suspects(), sums.slack),
    )  # fmt: skip
    return Looked(len(judged), (breach,), notes)


def _judge_sums(sums: Sums, which: Mask) -> Wrong | None:
    """Find wrong sums; each is measured against the newest rows, the ones that its arithmetic shows."""
    guesses = [sums.near(newest=newest).at(which) for newest in (True, False)]
    wrong = judge_near(sums.column, sums.rows[which], guesses, sums.right, sums.slack, sums.room[which])
    if not wrong:
        return None
    should = {row: sums.right(row)[0] for row in wrong.rows}
    worst = max(wrong.rows, key=lambda row: abs(sums.column.fraction(row) - should[row]))
    return replace(wrong, first_should=should[wrong.first], worst=worst, worst_should=should[worst])


def grouping(session: Session) -> Looked:
    """Realized P&L does not depend on how an order's fills are split or grouped."""
    return gather(_grouping(claims) for claims in claims_of(session, "realized"))


def _grouping(claims: Claims) -> Looked:
    money: Money = mistakes.net if claims.session.convention("realized") == "net" else mistakes.gross
    right, terms = claims.candidates(money), (mistakes.net_terms if money is mistakes.net else mistakes.gross_terms)
    exercised = 0
    breaches: list[Breach] = []
    if len(claims.books) > 1 or claims.book.opened or not claims.book.split_orders():
        return Looked(0)
    near = claims.near(terms)
    alone = np.asarray(claims.spans[0].low == claims.spans[0].high) & claims.native & (len(claims.book.fees) == 1)
    for words, mistake in mistakes.GROUPING.items():
        other = claims.mistaken(mistake)
        merged = other.candidates(money)
        same, apart = telling(claims.column, claims.rows, near, other.near(terms))
        tells = apart & alone & (len(other.book.fees) == 1)
        for place in np.flatnonzero(~(same | tells)).tolist():
            row = int(claims.rows[place])
            values = list(right(row))
            tells[place] = bool(values) and not _within(claims.column, row, values, merged(row))
        exercised = max(exercised, int(np.sum(tells)))
        wrong = judge_near(claims.column, claims.rows[tells], [near.at(tells)], right)
        if wrong and cause(claims.column, wrong, [(words, merged)]) and not breaches:
            breaches.append(
                money_breach(
                    claims.table, claims.column, wrong, key=claims.symbol, what=f"realized P&L of {claims.symbol}",
                    currency=claims.currency(wrong.first), work=realized_work(claims, wrong),
                    loss="profit that comes and goes with how the venue happened to split an order", reason=words,
                )
            )  # fmt: skip
    return Looked(exercised, tuple(breaches))


def _within(column: Decimals, row: int, values: Iterable[Fraction], others: Iterable[Fraction]) -> bool:
    """Say whether a claim in this row could not tell one set of values from the other."""
    allowed = 2 * column.tolerance(row)
    return any(abs(value - other) <= allowed for value in values for other in others)


# --- 1.3.5 ------------------------------------------------------------------------------------------------------------


def balance_value(session: Session) -> Looked:
    """The value of a balance is total x rate x (1 - haircut), at the rate known then."""
    table = session.table("balances")
    assets, value = table.words("asset"), table.decimals("value")
    own = table.words("source").is_("bot") & value.known & table.decimals("total").known
    return gather(_values(session, table, asset, np.flatnonzero(own & assets.is_(asset))) for asset in assets.names)


def _values(session: Session, table: Table, asset: str, rows: Rows) -> Looked:
    value, total, haircut = table.decimals("value"), table.decimals("total"), table.decimals("haircut")
    rates, times = Rates.of(session), table.whole("ts_local").values

    def currency(row: int) -> str:
        return table.words("currency").text(row) or session.currency or asset

    def cut(row: int) -> Fraction:
        return haircut.fraction(row) if haircut.known[row] and total.fraction(row) > 0 else Fraction(0)

    def rated(row: int) -> list[Fraction]:
        return rates.choices(asset, currency(row), int(times[row]))

    def right(row: int) -> list[Fraction]:
        return [total.fraction(row) * rate * (1 - cut(row)) for rate in rated(row)]

    def by(formula: str) -> Candidates:
        formulas = {
            "the haircut was left out": lambda t, r, h, c: t * r,
            "the haircut was taken off a negative total": lambda t, r, h, c: t * r * (1 - h),
            "the haircut was multiplied by, not taken off": lambda t, r, h, c: t * r * h,
            "the haircut was taken off twice": lambda t, r, h, c: t * r * (1 - h) ** 2,
            "the total was not converted": lambda t, r, h, c: t,
            "the total was not converted, the haircut taken off": lambda t, r, h, c: t * (1 - c),
            "the rate was applied the wrong way round": lambda t, r, h, c: t / r * (1 - c),
        }
        given = haircut.fractions() if len(haircut) else []
        return lambda row: [formulas[formula](total.fraction(row), rate, given[row], cut(row)) for rate in rated(row)]

    known = [row for row in rows.tolist() if right(row)]
    exercised = sum(1 for row in known if currency(row) != asset or (haircut.known[row] and haircut.ints[row]))
    unrated = len(rows) - len(known)
    notes = (f"{asset}: {unrated} balances have no rate known at their time",) if unrated else ()
    wrong = judge(value, np.array(known, dtype=np.int64), np.full(len(known), np.nan), right)
    if not wrong:
        return Looked(exercised, (), notes)
    names = (
        "the haircut was left out", "the haircut was taken off a negative total", "the total was not converted",
        "the total was not converted, the haircut taken off", "the rate was applied the wrong way round",
        "the haircut was multiplied by, not taken off", "the haircut was taken off twice",
    )  # fmt: skip
    suspects: list[tuple[str, Candidates]] = [(name, by(name)) for name in names]
    for words, early in (("a rate of after the claim was used", False), ("an older rate was used", True)):
        suspects.append((words, lambda row, early=early: [  # type: ignore[misc]
            total.fraction(row) * rate * (1 - cut(row))
            for rate in rates.around(asset, currency(row), int(times[row]), earlier=early)
        ]))  # fmt: skip
    first = wrong.first
    rate = min(rated(first), key=lambda r: abs(total.fraction(first) * r * (1 - cut(first)) - wrong.first_should))
    stated = haircut.fraction(first) if haircut.known[first] else Fraction(0)
    breach = money_breach(
        table, value, wrong, key=asset, what=f"the value of {decimal_text(total.fraction(first))} {asset}",
        currency=currency(first), work=balance_work(total.fraction(first), rate, stated, asset, currency(first)),
        loss="collateral that the account does not have, or has and leaves unused: margin and limits are off by it",
        reason=cause(value, wrong, suspects),
    )  # fmt: skip
    return Looked(exercised, (breach,), notes)


def currencies_added(session: Session) -> Looked:
    """The ``*`` row converts each symbol's money before it adds it."""
    return _merged(map(_currencies, sums_of(session)))


def _currencies(sums: Sums) -> Looked:
    column = sums.column
    tells, doubtful = sums.tells()
    for place in np.flatnonzero(doubtful).tolist():
        row = int(sums.rows[place])
        values = sums.right(row)
        tells[place] = bool(values) and not _within(column, row, values, sums.bare(row))
    wrong = _judge_sums(sums, tells)
    words = "the amounts were added without converting them"
    if not wrong or not cause(column, wrong, [(words, sums.bare)], sums.slack):
        return Looked(int(np.sum(tells)))
    currency = sums.currency(wrong.first)
    return Looked(int(np.sum(tells)), (
        money_breach(
            sums.table, column, wrong, key=sums.name, what=f"{sums.name} of all symbols", currency=currency,
            work=sum_work(sums.parts(wrong.first), currency),
            loss="profit of one currency taken for that of another", reason=words,
        ),
    ))  # fmt: skip
