"""What a wrong belief about executions, payments or prices does to the bot's later claims of positions and P&L."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from math import prod
from typing import cast

from mmverify.defects.recording import Recording, Row, text
from mmverify.errors import NotExercised
from mmverify.simulate.ledger import FIFTY_DIGITS, Amounts, Execution, Ledger
from mmverify.simulate.markets import Market

Report = Mapping[str, str]
Cost = tuple[Fraction, str]


@dataclass(frozen=True)
class Contract:
    """What the books of a market need to know of it."""

    kind: str
    base: str
    settle: str
    multiplier: Decimal


@dataclass(frozen=True)
class Claim:
    """What a row of pnl claims, exact; `realized` is net of fees where the session says so."""

    realized: Fraction = Fraction(0)
    unrealized: Fraction = Fraction(0)
    fees: Fraction = Fraction(0)
    funding: Fraction = Fraction(0)
    total: Fraction = Fraction(0)

    def plus(self, other: Claim, times: Fraction = Fraction(1)) -> Claim:
        """Add another claim, converted."""
        return Claim(*(getattr(self, c.name) + getattr(other, c.name) * times for c in fields(self)))


class Books:
    """The ledgers of every symbol, kept from fills and funding up to the time of a claim.

    Parameters
    ----------
    recording : Recording
    reports : iterable of mapping
        Rows of fills, booked in order of ts_local, each exec_id once.
    payments : iterable of mapping
        Rows of funding.
    cost_basis : {"fifo", "lifo", "average"}
    contract : callable
        What the bot takes a contract for.
    """

    def __init__(
        self, recording: Recording, reports: Iterable[Report], payments: Iterable[Report], *, cost_basis: str,
        contract: Callable[[Contract], Contract],
    ) -> None:  # fmt: skip
        self.contracts = {row["symbol"]: _contract(row) for row in recording["instruments"]}
        taken = {symbol: cast(Market, contract(each)) for symbol, each in self.contracts.items()}
        self.ledgers = {symbol: Ledger(market, cost_basis=cost_basis) for symbol, market in taken.items()}
        self.rates, self.currency = Rates(recording), str(recording.settings["session"].get("currency", ""))
        events: list[tuple[int, Callable[[Report, int], None], Report]]
        events = [(int(row["ts_local"]), self._book, row) for row in reports]
        events += [(int(row["ts_local"] or row["ts_exchange"]), self._receive, row) for row in payments]
        self._events = sorted(events, key=lambda event: event[0])
        self._roots: dict[str, str] = {}
        self._paid_in_base: dict[str, Decimal] = {}
        self._done = 0
        #: Symbols that were held before the first fill at a price that nothing states: what they gain is not known.
        self.unknown = {symbol for symbol in self.contracts if not self._open(recording, symbol)}

    def at(self, ts: int) -> dict[str, Ledger]:
        """Book what had arrived at `ts`, which never falls from call to call."""
        while self._done < len(self._events) and self._events[self._done][0] <= ts:
            at, book, row = self._events[self._done]
            book(row, at)
            self._done += 1
        return self.ledgers

    def into(self, symbol: str, currency: str, ts: int) -> Fraction:
        """Rate of a symbol's money into a currency."""
        return self.rates.at(self.contracts[symbol].settle, currency, ts)

    def _open(self, recording: Recording, symbol: str) -> bool:
        """Open the lot that was held before the first fill; say whether its price is known."""
        held = _opening(recording, "positions", symbol)
        if held is None and self.contracts[symbol].kind == "spot":
            held = _opening(recording, "balances", self.contracts[symbol].base)
        qty = Decimal(held.get("qty") or held.get("total") or 0) if held else Decimal(0)
        if not qty or held is None:
            return True
        price = held.get("avg_px")
        self.ledgers[symbol].execute("", Execution(qty, Decimal(price or 1), Decimal(1)))
        return bool(price)

    def _book(self, report: Report, ts: int) -> None:
        id, ledger, market = report["exec_id"], self.ledgers[report["symbol"]], self.contracts[report["symbol"]]
        root = self._roots.get(report.get("correction_of") or "", "")
        if id in self._roots or (report.get("correction_of") and not root):
            return
        self._roots[id] = root or id
        price, fee = Decimal(report["price"]), Fraction(report["fee"] or 0)
        moved = Decimal(0) if report.get("kind") == "bust" else Decimal(report["qty"])
        moved = moved if report["side"] == "buy" else -moved
        if market.kind == "spot" and report["fee_asset"] == market.base:
            paid = self._paid_in_base.get(root, Decimal(0)) + Decimal(report["fee"])
            self._paid_in_base[root or id] = paid
            moved, fee = moved - paid, fee * Fraction(price)
        elif fee:
            fee *= self.rates.at(report["fee_asset"] or market.settle, market.settle, ts)
        into = _decimal(self.into(report["symbol"], self.currency or market.settle, ts))
        if root:
            ledger.restate(root, moved, price)
        else:
            ledger.execute(id, Execution(moved, price, into))
        ledger.pay_fee(_decimal(fee), into)

    def _receive(self, payment: Report, ts: int) -> None:
        settle = self.contracts[payment["symbol"]].settle
        amount = Fraction(payment["amount"]) * self.rates.at(payment.get("asset") or settle, settle, ts)
        into = self.into(payment["symbol"], self.currency or settle, ts)
        self.ledgers[payment["symbol"]].receive_funding(_decimal(amount), _decimal(into))


def rebook(
    recording: Recording, believed: Iterable[Report] | None = None, *, funding: Iterable[Report] | None = None,
    cost_basis: str = "", contract: Callable[[Contract], Contract] = lambda each: each,
    price: Callable[[Row], str] = lambda row: row.get("price") or "",
    claim: Callable[[Claim, Ledger], Claim] = lambda each, ledger: each,
) -> dict[str, Cost]:  # fmt: skip
    """Move the bot's positions and pnl rows from what the records say to what the bot believes of them.

    Parameters
    ----------
    recording : Recording
        Edited: positions of source bot, pnl with its ``*`` rows. Every other claim stays.
    believed : iterable of mapping, optional
        Rows of fills as the bot took them: changed, left out, or booked again under another exec_id. They are booked in
        order of ts_local.
    funding : iterable of mapping, optional
        Rows of funding as the bot took them.
    cost_basis : str
        The basis that the bot matches by, where it is not the stated one.
    contract : callable
        What the bot takes a contract for.
    price : callable
        The price that the bot values the position at for a symbol's row of pnl.
    claim : callable
        What the bot makes of a symbol's right claim, given its ledger.

    Returns
    -------
    dict of str to (Fraction, str)
        By column of pnl, the most that a symbol's claim is off by, and its currency.
    """
    stated, fills = recording.convention("cost_basis", "fifo"), recording["fills"]

    def right() -> Books:
        return Books(recording, fills, recording["funding"], cost_basis=stated, contract=lambda each: each)

    def held() -> Books:
        return Books(
            recording, fills if believed is None else believed, recording["funding"] if funding is None else funding,
            cost_basis=cost_basis or stated, contract=contract,
        )  # fmt: skip

    believed = None if believed is None else list(believed)
    funding = None if funding is None else list(funding)
    _move_positions(recording, right(), held())
    work = _Restating(right(), held(), recording, price, claim)
    for ts, group in groupby(sorted(recording.edit("pnl"), key=_time), key=_time):
        work.restate(ts, list(group))
    return work.costs


def _move_positions(recording: Recording, right: Books, held: Books) -> None:
    for row in sorted(recording.edit("positions"), key=_time):
        if row["source"] == "bot":
            moved = held.at(_time(row))[row["symbol"]].position - right.at(_time(row))[row["symbol"]].position
            if moved:
                row["qty"] = format(Decimal(row["qty"]) + moved, "f")


class _Restating:
    """Claims of pnl, restated instant by instant: each symbol's, then their sum."""

    def __init__(
        self, right: Books, held: Books, recording: Recording, price: Callable[[Row], str],
        claim: Callable[[Claim, Ledger], Claim],
    ) -> None:  # fmt: skip
        self.right, self.held, self.price, self.claim = right, held, price, claim
        self.net = recording.convention("realized", "gross") == "net"
        self.by_fill = recording.convention("conversion", "claim") == "fill"
        self.known: dict[str, tuple[Claim, Claim, Claim, Claim]] = {}
        self.costs: dict[str, Cost] = {}

    def restate(self, ts: int, rows: Sequence[Row]) -> None:
        was, now = self.right.at(ts), self.held.at(ts)
        for row in rows:
            symbol = row["symbol"]
            if symbol != "*":
                self.known[symbol] = self._claims(row, was[symbol], now[symbol])
                currency = row.get("currency") or self.right.currency or self.right.contracts[symbol].settle
                rate = self.right.into(symbol, currency, ts)
                before, after = (Claim().plus(each, rate) for each in self.known[symbol][:2])
                for name in _write(row, before, after):
                    off = abs(getattr(after, name) - getattr(before, name))
                    self.costs[name] = max(self.costs.get(name, (Fraction(0), "")), (off, currency))
        for row in rows:
            if row["symbol"] == "*":
                _write(row, *self._sums(row.get("currency") or self.right.currency, ts))

    def _claims(self, row: Row, was: Ledger, now: Ledger) -> tuple[Claim, Claim, Claim, Claim]:
        """What is right and what is believed, in the settlement currency and as converted at each booking."""
        prices = row.get("price") or "", self.price(row)
        right = [self._claim(amounts, was, prices[0]) for amounts in (was.settled, was.converted)]
        if row["symbol"] in self.right.unknown:
            pairs = (now.settled, was.settled), (now.converted, was.converted)
            held = [self._claim(replace(new, realized=old.realized), was, prices[0]) for new, old in pairs]
        else:
            held = [self.claim(self._claim(each, now, prices[1]), now) for each in (now.settled, now.converted)]
            if prices[1] and prices[1] != prices[0]:
                row["price"] = prices[1]
        return right[0], held[0], right[1], held[1]

    def _claim(self, amounts: Amounts, ledger: Ledger, price: str) -> Claim:
        realized, fees, funding = (Fraction(each) for each in (amounts.realized, amounts.fees, amounts.funding))
        unrealized = Fraction(ledger.unrealized(Decimal(price))) if price else Fraction(0)
        total = realized + unrealized - fees + funding
        return Claim(realized - fees if self.net else realized, unrealized, fees, funding, total)

    def _sums(self, currency: str, ts: int) -> tuple[Claim, Claim]:
        before = after = Claim()
        for symbol, (right, held, right_then, held_then) in self.known.items():
            rate = self.right.into(symbol, currency, ts)
            if self.by_fill:
                right, held = _then(right_then, right, rate), _then(held_then, held, rate)
                rate = Fraction(1)
            before, after = before.plus(right, rate), after.plus(held, rate)
        return before, after


def _then(booked: Claim, own: Claim, rate: Fraction) -> Claim:
    """Put open gains, which are converted when they are claimed, in place of those of a claim that was converted."""
    unrealized = own.unrealized * rate
    return replace(booked, unrealized=unrealized, total=booked.total - booked.unrealized + unrealized)


def _write(row: Row, before: Claim, after: Claim) -> list[str]:
    """Write a claim anew where it was right, move it by the difference where it was not; return what it changed."""
    changed = []
    for name in (each.name for each in fields(Claim)):
        was, now, cell = getattr(before, name), getattr(after, name), row.get(name)
        if cell and was != now:
            row[name] = text(now if text(was, cell) == cell else Fraction(cell) + now - was, cell)
            changed += [name] if row[name] != cell else []
    return changed


def _contract(row: Report) -> Contract:
    settle = row.get("settle") or (row["base"] if row["kind"] == "inverse" else row["quote"])
    return Contract(row["kind"], row["base"], settle, Decimal(row.get("multiplier") or 1))


def _opening(recording: Recording, table: str, name: str) -> Report | None:
    """Return what the venue says was held of a symbol, or of a base, at the first fill of it."""
    symbols = [row["symbol"] for row in recording["instruments"] if name in (row["symbol"], row["base"])]
    start = min((int(row["ts_local"]) for row in recording["fills"] if row["symbol"] in symbols), default=0)
    known = [
        row for row in recording[table]
        if row["source"] == "exchange" and name in (row.get("symbol"), row.get("asset")) and _time(row) <= start
    ]  # fmt: skip
    return known[-1] if known else None


def _time(row: Report) -> int:
    return int(row["ts_local"])


def _decimal(value: Fraction) -> Decimal:
    """Write a fraction with the digits that the ledger has."""
    return FIFTY_DIGITS.divide(Decimal(value.numerator), Decimal(value.denominator))


class Rates:
    """Conversion rates as the bot had them: direct, else the inverse pair's, else through one asset between."""

    def __init__(self, recording: Recording) -> None:
        self._known: dict[tuple[str, str], tuple[list[int], list[Fraction]]] = {}
        for row in recording["rates"]:
            ts, value = int(row.get("ts_local") or row["ts_exchange"]), Fraction(row["rate"])
            for pair, way in (((row["asset"], row["currency"]), value), ((row["currency"], row["asset"]), 1 / value)):
                times, values = self._known.setdefault(pair, ([], []))
                times.append(ts)
                values.append(way)

    def at(self, asset: str, into: str, ts: int) -> Fraction:
        """Return the last rate known at `ts`.

        Raises
        ------
        NotExercised
            If the session has none.
        """
        if asset == into:
            return Fraction(1)
        chains = [[(asset, into)], *([(asset, b), (b, into)] for a, b in self._known if a == asset)]
        for chain in chains:
            found = [self._last(pair, ts) for pair in chain]
            if None not in found:
                return prod((each for each in found if each is not None), start=Fraction(1))
        raise NotExercised(f"the session has no rate of {asset} in {into}")

    def _last(self, pair: tuple[str, str], ts: int) -> Fraction | None:
        times, values = self._known.get(pair, ([], []))
        place = bisect_right(times, ts)
        return values[place - 1] if place else None
