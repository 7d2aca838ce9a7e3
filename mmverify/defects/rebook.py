"""What a wrong belief about executions does to the bot's later claims of positions and P&L."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from math import prod

from mmverify.defects.recording import Recording, Row, shift
from mmverify.errors import NotExercised
from mmverify.simulate.ledger import Execution, Ledger

Report = Mapping[str, str]


@dataclass(frozen=True)
class Contract:
    """What the books of a market need to know of it."""

    kind: str
    base: str
    settle: str
    multiplier: Decimal


@dataclass
class _Claims:
    """The books of every symbol, kept from one list of reports up to the time of a claim."""

    reports: Sequence[Report]
    contracts: dict[str, Contract]
    ledgers: dict[str, Ledger]
    rates: Rates
    currency: str
    net: bool
    by_fill: bool
    seen: set[str] = field(default_factory=set)
    done: int = 0

    def at(self, ts: int) -> dict[str, Ledger]:
        """Book the reports that had arrived at `ts`."""
        while self.done < len(self.reports) and int(self.reports[self.done]["ts_local"]) <= ts:
            self._book(self.reports[self.done])
            self.done += 1
        return self.ledgers

    def _book(self, report: Report) -> None:
        if report["exec_id"] in self.seen:
            return
        self.seen.add(report["exec_id"])
        ledger, ts = self.ledgers[report["symbol"]], int(report["ts_local"])
        market, price = self.contracts[report["symbol"]], Decimal(report["price"])
        moved = Decimal(0) if report.get("kind") == "bust" else Decimal(report["qty"])
        moved = moved if report["side"] == "buy" else -moved
        fee = Fraction(report["fee"])
        if market.kind == "spot" and report["fee_asset"] == market.base:
            moved, fee = moved - Decimal(report["fee"]), fee * Fraction(price)
        else:
            fee *= self.rates.at(report["fee_asset"], market.settle, ts)
        into = self.rates.at(market.settle, self.currency, ts)
        if report.get("correction_of"):
            ledger.restate(report["correction_of"], moved, price)
        else:
            ledger.execute(report["exec_id"], Execution(moved, price, into))
        ledger.pay_fee(fee, into)


def rebook(recording: Recording, believed: Iterable[Report]) -> None:
    """Move the bot's positions and pnl rows from what the fills say to what the bot believes of them.

    Parameters
    ----------
    recording : Recording
        Edited: positions of source bot, pnl with its ``*`` rows. Every other claim stays.
    believed : iterable of mapping
        Rows of fills as the bot took them: changed, left out, or booked again under another exec_id. They are booked in
        order of ts_local.
    """
    taken = sorted(believed, key=lambda row: int(row["ts_local"]))
    true, held = _books(recording, recording["fills"]), _books(recording, taken)
    for row in sorted(recording.edit("positions"), key=lambda row: int(row["ts_local"])):
        ts, symbol = int(row["ts_local"]), row["symbol"]
        if row["source"] == "bot":
            shift(row, "qty", held.at(ts)[symbol].position - true.at(ts)[symbol].position)
    true, held = _books(recording, recording["fills"]), _books(recording, taken)
    for ts, group in groupby(recording.edit("pnl"), key=lambda row: int(row["ts_local"])):
        _move_claims(true, held, ts, list(group))


def _books(recording: Recording, reports: Sequence[Report]) -> _Claims:
    basis = recording.convention("cost_basis", "fifo")
    contracts = {row["symbol"]: _contract(row) for row in recording["instruments"]}
    ledgers = {symbol: Ledger(contract, cost_basis=basis) for symbol, contract in contracts.items()}
    return _Claims(
        reports, contracts, ledgers, Rates(recording), currency=str(recording.settings["session"]["currency"]),
        net=recording.convention("realized", "gross") == "net",
        by_fill=recording.convention("conversion", "claim") == "fill",
    )  # fmt: skip


def _contract(row: Report) -> Contract:
    settle = row.get("settle") or (row["base"] if row["kind"] == "inverse" else row["quote"])
    return Contract(row["kind"], row["base"], settle, Decimal(row.get("multiplier") or 1))


def _move_claims(true: _Claims, held: _Claims, ts: int, rows: Sequence[Row]) -> None:
    """Move the claims of one instant: each symbol's, then their sum."""
    was, now, rates, net = true.at(ts), held.at(ts), true.rates, true.net
    moved = {
        row["symbol"]: _move(row, was[row["symbol"]], now[row["symbol"]], net) for row in rows if row["symbol"] != "*"
    }
    for row in rows:
        if row["symbol"] == "*":
            into = {symbol: rates.at(true.contracts[symbol].settle, true.currency, ts) for symbol in moved}
            sums = [sum((moved[symbol][n] * into[symbol] for symbol in moved), Fraction(0)) for n in range(3)]
            if true.by_fill:
                sums[0] = sum((now[s].converted.realized - was[s].converted.realized for s in moved), Fraction(0))
                sums[2] = sum((now[s].converted.fees - was[s].converted.fees for s in moved), Fraction(0))
            _add(row, sums[0], sums[1], sums[2], net)


def _move(row: Row, was: Ledger, now: Ledger, net: bool) -> tuple[Fraction, ...]:
    """Move one symbol's claim; return by how much, as printed: realized (gross), unrealized, fees."""
    realized = now.settled.realized - was.settled.realized
    fees = now.settled.fees - was.settled.fees
    price = row.get("price")
    unrealized = now.unrealized(Decimal(price)) - was.unrealized(Decimal(price)) if price else Fraction(0)
    return _add(row, realized, unrealized, fees, net)


def _add(row: Row, realized: Fraction, unrealized: Fraction, fees: Fraction, net: bool) -> tuple[Fraction, ...]:
    paid = shift(row, "fees", fees)
    gained = shift(row, "realized", realized - fees if net else realized) + (paid if net else 0)
    open_gain = shift(row, "unrealized", unrealized)
    shift(row, "total", gained + open_gain - paid)
    return gained, open_gain, paid


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
