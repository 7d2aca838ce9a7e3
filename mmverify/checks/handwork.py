"""The arithmetic of a finding, worked by hand on the smallest set of records that shows it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from mmverify.checks.books import Instrument, Ledger, payments
from mmverify.formulas.pnl import PositionState, position_exact
from mmverify.numeric import decimal_text
from mmverify.session.load import Table

if TYPE_CHECKING:
    from mmverify.checks.claims import Claims, Wrong

_REPLAYED = 2000  # fills since the position was last flat that are worked by hand
_SHOWN = 4
_NOISE = Fraction(1, 10**20)  # of an average carried at 30 guard digits


def text(value: Fraction | int) -> str:
    """Write a number in arithmetic: negative ones in brackets."""
    plain = decimal_text(value)
    return f"({plain})" if plain.lstrip("~").startswith("-") else plain


def notional(instrument: Instrument, price: Fraction, qty: Fraction) -> Fraction:
    """Return what a quantity is worth in the settlement currency, by the contract's kind."""
    return qty * instrument.multiplier / price if instrument.kind == "inverse" else price * qty * instrument.multiplier


def _times_multiplier(instrument: Instrument) -> str:
    return "" if instrument.multiplier == 1 else f" x {text(instrument.multiplier)}"


def _summed(parts: Sequence[tuple[str, Fraction]], name: str) -> list[str]:
    """Show the first few parts of a sum and the sum of all."""
    lines = [line for line, _ in parts[:_SHOWN]]
    if len(parts) > _SHOWN:
        rest = sum((value for _, value in parts[_SHOWN:]), Fraction(0))
        lines.append(f"{len(parts) - _SHOWN} more: {text(rest)}")
    total = sum((value for _, value in parts), Fraction(0))
    terms = " + ".join(text(value) for _, value in parts[:_SHOWN])
    if len(parts) > 1:
        more = f" + {text(sum((v for _, v in parts[_SHOWN:]), Fraction(0)))}" if len(parts) > _SHOWN else ""
        lines.append(f"{name}: {terms}{more} = {decimal_text(total)}")
    return lines


def realized_work(claims: Claims, wrong: Wrong) -> tuple[str, ...]:
    """Work the closings between the last claim before the wrong one and that claim, lot by lot."""
    if len(claims.books) != 1:
        return ()
    book = claims.book
    until = claims.spans[0][wrong.first][1]
    place = claims.rows.tolist().index(wrong.first)
    since = claims.spans[0][int(claims.rows[place - 1])][1] if place else 0
    flat = max((n for n in range(since, -1, -1) if book.position[n] == 0), default=-1)
    if flat < 0 or until - flat > _REPLAYED or not until:
        return (f"the {until} reports before it realize {decimal_text(wrong.first_should)}",)
    reports = [n for n in range(flat, until) if book.deltas[n]]
    if not all(book.prices[n] for n in reports):
        return (f"the {until} reports before it realize {decimal_text(wrong.first_should)}, one of them at price 0",)
    fills = [
        ("buy" if book.deltas[n] > 0 else "sell", Fraction(book.prices[n], book.price_unit),
         Fraction(abs(book.deltas[n]), book.qty_unit))
        for n in reports
    ]  # fmt: skip
    instrument = book.instrument
    basis = claims.session.convention("cost_basis")
    states = position_exact(fills, cost_basis=basis, kind=instrument.kind, multiplier=instrument.multiplier)
    before = PositionState(Fraction(0), None, Fraction(0), ())
    parts: list[tuple[str, Fraction]] = []
    entry: tuple[str, ...] = ()
    for n, (_, price, qty), state in zip(reports, fills, states, strict=True):
        where = f"fills:{int(book.line.rows[n]) + 1}"
        if n >= since and state.realized != before.realized:
            parts += _closing(instrument, where, price, before, state, basis)
        elif not parts and basis == "average" and before.avg_px and state.avg_px and state.realized == before.realized:
            entry = (_averaged(instrument, where, price, qty, before, state),)
        before = state
    gained = sum((value for _, value in parts), Fraction(0))
    started, fees = book.realized_at(since), claims.session.convention("realized") == "net"
    if abs(gained - (book.realized_at(until) - started)) > Fraction(1, 10**12):
        return (f"the {until} reports before it realize {decimal_text(wrong.first_should)}",)
    lines = [*entry, *_summed(parts, "realized by these")] if parts else ["nothing was closed since the claim before"]
    if started:
        lines.append(f"{text(started)} realized before + {text(gained)} = {decimal_text(started + gained)}")
    if fees:
        paid = book.fees_at(until)
        lines.append(f"less fees: {text(started + gained)} - {text(paid)} = {decimal_text(started + gained - paid)}")
    return tuple(lines)


def parting(right: Ledger, other: Ledger) -> tuple[str, ...]:
    """Say at which report two ways to book part first, and what each had realized by then."""
    for n in range(1, len(right.realized)):
        a, b = right.realized_at(n), other.realized_at(n)
        if abs(a - b) > _NOISE:
            where = f"fills:{int(right.line.rows[n - 1]) + 1}"
            values = f"{decimal_text(a, 18)} realized by then, not {decimal_text(b, 18)}"
            return (f"the two ways part first at {where}: {values}",)
    return ()


def _averaged(
    instrument: Instrument, where: str, price: Fraction, qty: Fraction, before: PositionState, after: PositionState
) -> str:
    held, old, new = text(abs(before.qty)), text(before.avg_px or 0), decimal_text(after.avg_px or 0)
    size = f"({held} + {text(qty)})"
    if instrument.kind == "inverse":
        return f"{where} makes the entry {size} / ({held}/{old} + {text(qty)}/{text(price)}) = {new}"
    return f"{where} makes the entry ({held} x {old} + {text(qty)} x {text(price)}) / {size} = {new}"


def _closing(
    instrument: Instrument, where: str, price: Fraction, before: PositionState, after: PositionState, basis: str
) -> Iterable[tuple[str, Fraction]]:
    direction = 1 if before.qty > 0 else -1
    flipped = after.qty * direction < 0
    left = abs(before.qty) if flipped or not after.qty else abs(before.qty) - abs(after.qty)
    lots = list(before.lots)
    while left > 0 and lots:
        held, entry = lots.pop(-1 if basis == "lifo" else 0)
        qty = min(abs(held), left)
        left -= qty
        if instrument.kind == "inverse":
            unit = 1 / entry - 1 / price if direction > 0 else 1 / price - 1 / entry
            terms = f"1/{text(entry)} - 1/{text(price)}" if direction > 0 else f"1/{text(price)} - 1/{text(entry)}"
        else:
            unit = (price - entry) * direction
            terms = f"{text(price)} - {text(entry)}" if direction > 0 else f"{text(entry)} - {text(price)}"
        gain = unit * qty * instrument.multiplier
        side = "long" if direction > 0 else "short"
        yield (
            f"{where} closes {side} {text(qty)} entered at {text(entry)} at {text(price)}: ({terms}) x {text(qty)}"
            f"{_times_multiplier(instrument)} = {decimal_text(gain)}",
            gain,
        )


def unrealized_work(claims: Claims, wrong: Wrong, kind: str, prices: Sequence[Fraction]) -> tuple[str, ...]:
    """Work the open position at the price last known."""
    book = claims.book
    low, high = claims.spans[0][wrong.first]

    def distance(n: int) -> Fraction:
        return min((abs(book.unrealized_at(n, p) - wrong.first_should) for p in prices if p), default=Fraction(0))

    n = min(range(low, high + 1), key=distance)
    qty = book.qty_at(n)
    if not qty:
        return ("the position is flat, so nothing is unrealized",)
    price = min((p for p in prices if p), key=lambda p: abs(book.unrealized_at(n, p) - wrong.first_should))
    entry = _entry(book, n)
    multiplier = _times_multiplier(book.instrument)
    due = decimal_text(book.unrealized_at(n, price))
    if book.instrument.kind == "inverse":
        arithmetic = f"(1/{text(entry)} - 1/{text(price)}) x {text(qty)}{multiplier} = {due}"
    else:
        arithmetic = f"({text(price)} - {text(entry)}) x {text(qty)}{multiplier} = {due}"
    return (
        f"position {decimal_text(qty)}, its open lots entered at {decimal_text(entry)} on average, {kind} last known "
        f"{decimal_text(price)}",
        arithmetic,
    )


def _entry(book: Ledger, n: int) -> Fraction:
    """Return the average entry price of the open lots: harmonic for an inverse contract."""
    value = book.cost[n] * book.money_unit / (book.qty_at(n) * book.instrument.multiplier)
    return -1 / value if book.instrument.kind == "inverse" else value


def fee_work(
    table: Table, instrument: Instrument, row: int, rate: Fraction, should: Fraction, asset: str
) -> tuple[str, ...]:
    """Work one fee: rate times notional, converted where it is paid in another asset."""
    price, qty = table.decimals("price").fraction(row), table.decimals("qty").fraction(row)
    liquidity = table.words("liquidity").text(row) or "its"
    multiplier = _times_multiplier(instrument)
    if instrument.kind == "spot" and asset == instrument.base:
        worth, terms = rate * qty, f"{text(qty)} x {text(rate)}"
    else:
        worth = rate * notional(instrument, price, qty)
        terms = f"{text(qty)}{multiplier} / {text(price)}" if instrument.kind == "inverse" else (
            f"{text(price)} x {text(qty)}{multiplier}"
        )  # fmt: skip
        terms += f" x {text(rate)}"
    lines = [f"{table.where(row)}, {liquidity} rate {text(rate)}: {terms} = {decimal_text(worth)}"]
    if worth and should != worth:
        lines.append(f"in {asset}, at {text(should / worth)} {asset} a unit: {decimal_text(should)}")
    paid = table.decimals("fee").fraction(row)
    lines.append(f"the fee of {decimal_text(paid)} {asset} is off by {decimal_text(paid - should)}")
    return tuple(lines)


def fees_work(claims: Claims, wrong: Wrong) -> tuple[str, ...]:
    """Work the fees between the last claim before the wrong one and that claim."""
    if len(claims.books) != 1:
        return ()
    book = claims.book
    until = claims.spans[0][wrong.first][1]
    place = claims.rows.tolist().index(wrong.first)
    since = claims.spans[0][int(claims.rows[place - 1])][1] if place else 0
    settle = book.instrument.settle
    parts = [
        (f"fills:{int(book.line.rows[n]) + 1}: {text(fee)} {settle}", fee)
        for n in range(since, until)
        if (fee := book.fees_at(n + 1) - book.fees_at(n))
    ]
    before = book.fees_at(since)
    lines = _summed(parts, "fees of these") if parts else ["no fee was paid since the claim before"]
    if since:
        lines.append(f"with {decimal_text(before)} {settle} before: {decimal_text(book.fees_at(until))} {settle}")
    return tuple(lines)


def funding_work(claims: Claims, wrong: Wrong) -> tuple[str, ...]:
    """Work the funding payments up to the wrong claim."""
    if len(claims.books) != 1:
        return ()
    flow = payments(claims.session, claims.book.instrument.symbol)
    known = [n for n, at in enumerate(flow.line.times.tolist()) if at <= claims.time(wrong.first)]
    paid = [(int(flow.line.rows[n]) + 1, flow.amounts[n]) for n in known]
    parts = [(f"funding:{row}: {text(amount)} {flow.asset}", amount) for row, amount in paid]
    return tuple(_summed(parts, "funding received"))


def total_work(parts: dict[str, list[Fraction]], once: dict[str, int], should: Fraction) -> tuple[str, ...]:
    """Work the sum of the parts of a total."""
    terms = [(name, count, parts[name][0]) for name, count in once.items() if count and parts[name]]
    names = " ".join(f"{'-' if count < 0 else '+'} {name}" for name, count, _ in terms)
    numbers = " ".join(f"{'-' if count < 0 else '+'} {text(value)}" for _, count, value in terms)
    return (f"{names.lstrip('+ ')} = {numbers.lstrip('+ ')} = {decimal_text(should)}",)


def sum_work(parts: Sequence[tuple[str, Fraction, Fraction]], currency: str) -> tuple[str, ...]:
    """Work the sum of the symbols' rows: place, amount, rate into `currency`."""
    lines = [f"{where}: {text(amount)}" for where, amount, _ in parts]
    for place, (_, amount, rate) in enumerate(parts):
        lines[place] += "" if rate == 1 else f" x {text(rate)} = {decimal_text(amount * rate)} {currency}"
    total = sum((amount * rate for _, amount, rate in parts), Fraction(0))
    return (*lines, " + ".join(text(a * r) for _, a, r in parts) + f" = {decimal_text(total)} {currency}")


def balance_work(total: Fraction, rate: Fraction, haircut: Fraction, asset: str, currency: str) -> tuple[str, ...]:
    """Work the value of a balance."""
    if total < 0 and haircut:
        return (f"{text(total)} {asset} is owed, so no haircut: {text(total)} x {text(rate)} = "
                f"{decimal_text(total * rate)} {currency}",)  # fmt: skip
    due = total * rate * (1 - haircut)
    cut = f" x (1 - {text(haircut)})" if haircut else ""
    return (f"{text(total)} {asset} x {text(rate)} {currency}/{asset}{cut} = {decimal_text(due)} {currency}",)
