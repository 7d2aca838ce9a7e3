"""Which single mistake makes the residual of an identity: of one record, of a part, of a convention, of a sum.

A suspect is words and what they would add to a claim; the first that gives the residual of every record that was looked
at, to its last digit, is the cause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from mmverify.checks import mistakes
from mmverify.checks.books import FEE_UNIT, ledger, payments
from mmverify.checks.claims import Claims, pnl_table
from mmverify.checks.identity_view import ALL, Held, Parts, Seen, View, view
from mmverify.checks.known import Rates
from mmverify.checks.s1_4_equity import moves
from mmverify.checks.sums import sums_of
from mmverify.session.load import Session

Effects = Iterable[tuple[str, Fraction]]
_ZERO = Fraction(0)
_ONCE = {"realized": 1, "unrealized": 1, "fees": -1, "funding": 1}
_SHOWN = 2
_TELLING = 20  # times what the digits leave open: an effect that is smaller would be met by chance
_OLD = 5  # rows back that a sum may have taken


def records_between(taken: View, before: Held | None, first: Held) -> tuple[str, ...]:
    """Name the fills, funding payments and transfers that came after one record and not after another."""
    places = []
    for symbol in taken.symbols:
        places += [where for where, _, _ in _records(taken.session, symbol, before, first)]
    places += [where for where, _ in _transfers(taken.session, before, first)]
    return tuple(places)


def cause(taken: View, origin: Held | None, before: Held | None, wrong: Sequence[Held]) -> str:
    """Name the mistake that makes the residual of each of these records, '' if none that is known does.

    Parameters
    ----------
    taken : View
    origin : Held or None
        What changes count from.
    before : Held or None
        The last record that holds.
    wrong : sequence of Held
        Records that do not, the first of them first.
    """
    off = [_residual(origin, each) for each in wrong]
    printed = [each.printed + (origin.printed if origin else _ZERO) for each in wrong]

    def gives(effects: Callable[[Held], Effects], looked: int, shown: int) -> str:
        found: dict[str, list[Fraction]] = {}
        for each, residual, most in zip(wrong[:looked], off, printed, strict=False):
            least: dict[str, Fraction] = {}
            for words, effect in effects(each):
                distance = abs(residual - effect)
                if distance <= most and abs(effect) > _TELLING * most:
                    least[words] = min(distance, least.get(words, distance))
            for words, distance in least.items():
                found.setdefault(words, []).append(distance)
        sums = {words: sum(each, _ZERO) for words, each in found.items() if len(each) == looked}
        best = [words for words, distance in sums.items() if distance == min(sums.values())]
        return ", or ".join(best[:shown])

    kinds: list[tuple[Callable[[Held], Effects], int]] = [
        (lambda each: _of_records(taken, before, wrong[0], each), _SHOWN),
        (lambda each: _of_parts(taken, _parts(origin, each), each), 1),
        (lambda each: _of_claims(taken, each), 1),
    ]
    for effects, shown in kinds:
        if found := gives(effects, len(wrong), shown):
            return found
    found = gives(kinds[0][0], 1, _SHOWN)
    return f"{found}; records after it have more to them" if found else ""


def _residual(origin: Held | None, held: Held) -> Fraction:
    return held.claimed - (origin.claimed if origin else _ZERO) - _parts(origin, held).total


def _parts(origin: Held | None, held: Held) -> Parts:
    return held.parts - origin.parts if origin else held.parts


# --- one record -------------------------------------------------------------------------------------------------------


def _records(session: Session, symbol: str, before: Held | None, first: Held) -> Iterator[tuple[str, str, int]]:
    """Yield the place, table and count of each fill and funding payment of a symbol between two records."""
    for name, line in (("fills", ledger(session, symbol).line), ("funding", payments(session, symbol).line)):
        since = int(line.span(np.array([before.at]))[0][0]) if before else 0
        until = int(line.span(np.array([first.at]))[1][0])
        for count in range(since, until):
            yield session.table(name).where(int(line.rows[count])), name, count


def _transfers(session: Session, before: Held | None, first: Held) -> Iterator[tuple[str, int]]:
    line = moves(session).line
    since = int(line.span(np.array([before.at]))[0][0]) if before else 0
    for count in range(since, int(line.span(np.array([first.at]))[1][0])):
        yield session.table("transfers").where(int(line.rows[count])), count


def _of_records(taken: View, before: Held | None, first: Held, held: Held) -> Effects:
    """Yield what a record between the last that holds and the first that does not adds where it is booked wrongly."""
    session = taken.session
    for symbol, seen in held.seen.items():
        for where, name, count in _records(session, symbol, before, first):
            effects = _of_fill(seen, count) if name == "fills" else _of_payment(session, symbol, count)
            for words, effect in effects:
                yield words.format(where), effect * seen.rate
    paid, table = moves(session), session.table("transfers")
    for where, count in _transfers(session, before, first):
        row, worth = int(paid.line.rows[count]), paid.high[count + 1] - paid.high[count]
        amount, asset = table.decimals("amount").fraction(row), table.words("asset").text(row)
        if not taken.of_account:
            yield f"{where}, a transfer, was taken for profit", worth
            continue
        for rate in Rates.of(session).choices(asset, taken.currency(held.row), held.at):
            yield f"{where}, a transfer, was left out", -amount * rate
            yield f"{where}, a transfer, was counted twice", amount * rate
            yield f"{where}, a transfer, was counted with its sign turned", -2 * amount * rate
            yield f"{where}, a transfer, was added unconverted", amount * (1 - rate)


def _of_fill(seen: Seen, count: int) -> Effects:
    """Yield what a fill adds, in the settlement currency, where it or its fee is booked wrongly."""
    book = seen.book
    fee = book.fees_at(count + 1) - book.fees_at(count)
    paid, kind = Fraction(book.fee_steps.paid[count], FEE_UNIT), book.fee_steps.kinds[count]
    yield "the fee of {} was left out", fee
    if kind == "base" and seen.price:
        yield "the fee of {} was left out", paid * seen.price
    yield "the fee of {} was counted twice", -fee
    yield "the fee of {} was counted with its sign turned", 2 * fee
    yield "the fee of {} was added unconverted", fee - paid
    if not seen.price:
        return

    def gain(price: Fraction) -> Fraction:
        after, then = (book.realized_at(n) + book.unrealized_at(n, price) for n in (count + 1, count))
        return after - then

    yield "{} was left out", fee - gain(seen.price)
    yield "{} was counted twice", gain(seen.price) - fee
    yield "{} was booked on the other side", -2 * gain(seen.price)
    if count and book.prices[count - 1]:
        yield (
            "{} was booked at the price of the fill before it",
            -gain(Fraction(book.prices[count - 1], book.price_unit)),
        )


def _of_payment(session: Session, symbol: str, count: int) -> Effects:
    amount = payments(session, symbol).amounts[count]
    yield "{} was left out", -amount
    yield "{} was counted twice", amount
    yield "{} was counted with its sign turned", -2 * amount


# --- parts, conventions, sums -----------------------------------------------------------------------------------------


def _of_parts(taken: View, parts: Parts, held: Held) -> Effects:
    """Yield what a part adds that was left out, counted again, turned or added without converting it."""
    for words, counts in mistakes.TOTALS.items():
        yield words, sum((count - _ONCE[name]) * getattr(parts, name) for name, count in counts.items())
    if taken.of_account:
        yield "transfers were left out", -parts.transfers
        yield "transfers were counted twice", parts.transfers
        yield "what was held in other currencies was kept at its first rates", -parts.conversion
    for symbol, seen in held.seen.items() if len(held.seen) > 1 else ():
        own = seen.earned
        yield f"{symbol} was left out", -own * seen.rate
        yield f"{symbol} was counted twice", own * seen.rate
    yield (
        "the amounts were added without converting them",
        sum((seen.earned * (1 - seen.rate) for seen in held.seen.values()), _ZERO),
    )


def _of_claims(taken: View, held: Held) -> Effects:
    """Yield what the mistakes of section 1.3 add to a total."""
    session, at = taken.session, np.array([held.row])
    for words, mistake in mistakes.booking(session):
        for symbol, seen in held.seen.items():
            yield words, (replace(seen, book=ledger(session, symbol, mistake)).earned - seen.earned) * seen.rate
    if taken.name == ALL:
        for sums in (each for each in sums_of(session) if each.name == "total"):
            for value in sums.right(held.row):
                yield "rows of its symbols that it sums are wrong", value - held.parts.total
        yield from _older(taken, held)
    if taken.of_account or taken.name == ALL:
        return
    table, book = pnl_table(session), ledger(session, taken.name)

    def claims(name: str) -> Claims:
        return Claims(session, table, table.decimals(name), taken.name, at, (book,))

    kind, net = session.convention("unrealized_price"), session.convention("realized") == "net"
    of_open, parts = claims("unrealized"), held.parts
    for name, right, suspects in (
        ("realized", parts.realized - (parts.fees if net else _ZERO),
         mistakes.of_realized(claims("realized"), mistakes.net if net else mistakes.gross)),
        ("unrealized", parts.unrealized, mistakes.of_unrealized(of_open, mistakes.prices_of(of_open, kind), kind)),
        ("fees", parts.fees, mistakes.of_fees(claims("fees"))),
        ("funding", parts.funding, mistakes.of_funding(claims("funding"))),
    ):  # fmt: skip
        for words, candidates in suspects:
            for value in candidates(held.row):
                yield f"{name}: {words}", _ONCE[name] * (value - right)


def _older(taken: View, held: Held) -> Effects:
    """Yield what a sum gains that takes a row of a symbol for its last one that is not."""
    for symbol, seen in held.seen.items() if taken.summed else ():
        own = view(taken.session, symbol)
        known = own.rows[: np.searchsorted(own.times(own.rows), held.at, side="right")]
        for row in known[-_OLD:-1].tolist():
            moved = own.column.fraction(row) - own.column.fraction(int(known[-1]))
            yield f"{symbol} was summed as it stood in {own.table.where(row)}", moved * seen.rate
