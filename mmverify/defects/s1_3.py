"""Mistakes of P&L, and what is none: other conventions, rebates, late reports."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from mmverify.defects import Planted, benign, defect, pnl
from mmverify.defects.rebook import Claim, Cost, Report, rebook
from mmverify.defects.recording import Recording, Row, shift, text
from mmverify.errors import NotExercised
from mmverify.simulate.ledger import Ledger

MONEY = ("realized", "unrealized", "fees", "funding", "total")
BASES = {"fifo": "lifo", "lifo": "fifo", "average": "fifo"}

# 1.3.1


@defect("1.3.1", "gross", also="1.3.2 1.3.4")
def lots_matched_by_another_basis(recording: Recording) -> Planted:
    """Fills are matched last in, first out where first in, first out is stated, or the other way round."""
    costs = rebook(recording, cost_basis=BASES[recording.convention("cost_basis", "fifo")])
    return pnl.at_their_cost(recording, costs, "realized")


@defect("1.3.1", "gross", also="1.3.4", like="hummingbot/hummingbot#3405")
def loss_shown_as_a_profit(recording: Recording) -> Planted:
    """A realized loss is shown without its sign."""

    def shown(right: Claim, ledger: Ledger) -> Claim:
        return replace(right, realized=abs(right.realized), total=right.total + abs(right.realized) - right.realized)

    return pnl.at_their_cost(recording, rebook(recording, claim=shown), "realized")


@defect("1.3.1", "gross", also="1.3.2 1.3.4 2.3.2", like="gateio/gateapi-js#4")
def contract_multiplier_left_out(recording: Recording) -> Planted:
    """Price differences are multiplied by the number of contracts, not by what a contract is of."""
    costs = rebook(recording, contract=lambda each: replace(each, multiplier=Decimal(1)))
    return pnl.at_their_cost(recording, costs, "realized")


@defect("1.3.1", "gross", also="1.3.2 1.3.4")
def inverse_contract_by_the_linear_formula(recording: Recording) -> Planted:
    """Profit of an inverse contract is taken as exit less entry price, as if it were settled in its quote currency."""
    costs = rebook(recording, contract=lambda each: replace(each, kind="linear"))
    return pnl.at_their_cost(recording, costs, "realized")


@defect("1.3.1", "deep", also="1.3.4")
def exit_booked_at_the_price_of_the_fill_before(recording: Recording) -> Planted:
    """Late in the session one closing fill is booked at the price of the fill that came before it."""
    rows, found = recording["fills"], []
    last: dict[str, str] = {}
    closing, restated = pnl.closing_fills(recording), {row.get("correction_of") for row in rows}
    for place, row in enumerate(rows):
        before = last.get(row["symbol"])
        last[row["symbol"]] = row["price"]
        if before and place in closing and row["exec_id"] not in restated and place >= len(rows) // 2:
            found.append((pnl.apart(recording, row, before), place, before))
    if not found:
        raise NotExercised("no fill of the later half closes at another price than the fill before it")
    _, chosen, price = max(found)
    believed = [{**row, "price": price} if place == chosen else row for place, row in enumerate(rows)]
    return pnl.at_their_cost(recording, rebook(recording, believed), "realized")


# 1.3.2


@defect("1.3.2", "gross", also="1.2.4 2.3.2")
def valued_at_another_price_type(recording: Recording) -> Planted:
    """Positions are valued at the last price, at the mark where the last price is stated."""
    kind = "mark" if recording.convention("unrealized_price", "mark") == "last" else "last"
    return pnl.at_their_cost(recording, rebook(recording, price=pnl.last_marks(recording, kind)), "unrealized")


@defect("1.3.2", "gross", also="1.2.4")
def short_valued_as_a_long(recording: Recording) -> Planted:
    """Open profit is the price difference times the size of the position, whichever its sign."""

    def shown(right: Claim, ledger: Ledger) -> Claim:
        turned = -right.unrealized if ledger.position < 0 else right.unrealized
        return replace(right, unrealized=turned, total=right.total - right.unrealized + turned)

    return pnl.at_their_cost(recording, rebook(recording, claim=shown), "unrealized")


@defect("1.3.2", "deep")
def valued_at_the_price_of_the_next_claim(recording: Recording) -> Planted:
    """Late in the session one position is valued at a price that came after the claim."""
    rows, books, found = recording["pnl"], pnl.true_books(recording), []
    for place, price in pnl.next_prices(recording):
        row = rows[place]
        ledger = books.at(int(row["ts_local"]))[row["symbol"]]
        moved = ledger.unrealized(Decimal(price)) - ledger.unrealized(Decimal(row["price"]))
        found.append((abs(moved), place, price))
    if not found or not max(found)[0]:
        raise NotExercised("no position is valued in the later half of the session while its price moves")
    _, place, price = max(found)
    key = (rows[place]["ts_local"], rows[place]["symbol"])

    def seen(row: Row) -> str:
        return price if (row["ts_local"], row["symbol"]) == key else row.get("price") or ""

    return pnl.at_their_cost(recording, rebook(recording, price=seen), "unrealized")


# 1.3.3


@defect("1.3.3", "gross", also="1.3.1 1.3.4", like="hummingbot/hummingbot#7891")
def rebates_taken_as_costs(recording: Recording) -> Planted:
    """The venue states a rebate as a negative fee, and the bot adds every fee as a cost."""

    def taken(row: Report) -> Report:
        return (
            row
            if row.get("correction_of") or pnl.is_in_base(recording, row)
            else {**row, "fee": row["fee"].lstrip("-")}
        )

    return pnl.at_their_cost(recording, rebook(recording, map(taken, recording["fills"])), "fees")


@defect("1.3.3", "gross", also="1.3.1 1.3.4 2.3.2", like="kernc/backtesting.py#1006")
def fees_of_exits_left_out(recording: Recording) -> Planted:
    """Fees are taken on entry and not on exit."""
    closing = pnl.closing_fills(recording)
    believed = [{**row, "fee": "0"} if n in closing else row for n, row in enumerate(recording["fills"])]
    return pnl.at_their_cost(recording, rebook(recording, believed), "fees")


@defect("1.3.3", "deep", also="1.3.1 1.3.4")
def fee_in_a_third_asset_unconverted(recording: Recording) -> Planted:
    """Fees that are paid in an exchange token are added as if they were of the settlement currency."""
    contracts = pnl.true_books(recording).contracts

    def taken(row: Report) -> Report:
        own = contracts[row["symbol"]]
        known = (own.settle, own.base if own.kind == "spot" else own.settle, "")
        return row if row["fee_asset"] in known else {**row, "fee_asset": own.settle}

    return pnl.at_their_cost(recording, rebook(recording, map(taken, recording["fills"])), "fees")


@defect("1.3.3", "deep", also="1.3.1 1.3.4 2.3.2")
def fee_of_one_fill_left_out(recording: Recording) -> Planted:
    """Late in the session the fee of one fill is never booked."""
    rows = recording["fills"]
    late = [n for n in range(len(rows) // 2, len(rows)) if not pnl.is_in_base(recording, rows[n])]
    chosen = max(late, key=lambda n: Fraction(rows[n]["fee"]), default=None)
    believed = [{**row, "fee": "0"} if n == chosen else row for n, row in enumerate(rows)]
    return pnl.at_their_cost(recording, rebook(recording, believed), "fees")


@defect("1.3.3", "gross", also="1.3.4", like="freqtrade/freqtrade#6185")
def funding_paid_taken_as_received(recording: Recording) -> Planted:
    """Funding enters with its sign turned: what was paid is income, what was received a cost."""
    turned = [{**row, "amount": str(-Decimal(row["amount"]))} for row in recording["funding"]]
    return pnl.at_their_cost(recording, rebook(recording, funding=turned), "funding")


@defect("1.3.3", "deep", also="1.3.4")
def one_funding_payment_left_out(recording: Recording) -> Planted:
    """One funding payment is never booked."""
    rows = recording["funding"]
    chosen = max(range(len(rows)), key=lambda n: abs(Fraction(rows[n]["amount"])), default=None)
    return pnl.at_their_cost(
        recording, rebook(recording, funding=[r for n, r in enumerate(rows) if n != chosen]), "funding"
    )


@defect("1.3.3", "gross", also="1.1.5 1.3.4")
def fees_taken_off_the_total_twice(recording: Recording) -> Planted:
    """The total takes fees off a profit that has them off already."""
    costs = rebook(recording, claim=lambda right, ledger: replace(right, total=right.total - right.fees))
    return pnl.at_their_cost(recording, costs, "total")


@defect("1.3.3", "deep", also="1.1.5 1.3.4")
def total_without_funding(recording: Recording) -> Planted:
    """The total leaves funding out, though the column beside it has it."""
    costs = rebook(recording, claim=lambda right, ledger: replace(right, total=right.total - right.funding))
    return pnl.at_their_cost(recording, costs, "total")


@defect("1.3.3", "gross")
def maker_rate_of_another_tier_assumed(recording: Recording) -> Planted:
    """The bot goes on with the maker rate of another tier than the one that the venue charges it."""
    for row in recording.edit("instruments"):
        held = pnl.true_books(recording).contracts[row["symbol"]]
        rate, paid = Fraction(row.get("maker_fee") or 0), Fraction(0)
        for fill in pnl.charged_at_the_rate(recording, row["symbol"], held.settle):
            qty, price = Fraction(fill["qty"]) * Fraction(held.multiplier), Fraction(fill["price"])
            paid += qty / price if held.kind == "inverse" else qty * price
        if rate > 0 and paid:
            row["maker_fee"] = format(Decimal(row["maker_fee"]) * Decimal("0.8"), "f")
            return recording.planted(rate / 5 * paid, held.settle)
    raise NotExercised("no maker fill is charged at the rate of its instrument")


# 1.3.4


@defect("1.3.4", "gross")
def symbol_left_out_of_the_sum(recording: Recording) -> Planted:
    """The row of all symbols leaves one of them out."""
    symbol, cost = "", Fraction(0)
    for star, parts in pnl.sums_of(recording):
        symbol = symbol or max(parts, key=lambda each: abs(Fraction(parts[each]["total"])), default="")
        if symbol in parts and len(parts) > 1:
            for column in MONEY:
                shift(star, column, -Fraction(parts[symbol][column]))
            cost = max(cost, abs(Fraction(parts[symbol]["total"])))
    return recording.planted(cost, pnl.session_currency(recording))


@defect("1.3.4", "deep")
def stale_row_of_a_symbol_in_the_sum(recording: Recording) -> Planted:
    """Late in the session one row of all symbols takes what a symbol claimed two claims ago."""
    sums = list(pnl.sums_of(recording))
    found = [
        (abs(Fraction(old["total"]) - Fraction(parts[symbol]["total"])), place, symbol)
        for place, (_, parts) in enumerate(sums)
        if place >= max(len(sums) // 2, 2)
        for symbol, old in sums[place - 2][1].items()
        if symbol in parts
    ]
    if not found:
        raise NotExercised("no row of all symbols stands beside the rows that it sums")
    cost, place, symbol = max(found)
    star, parts = sums[place]
    for column in MONEY:
        shift(star, column, Fraction(sums[place - 2][1][symbol][column]) - Fraction(parts[symbol][column]))
    return recording.planted(cost, pnl.session_currency(recording))


@defect("1.3.4", "gross", also="1.3.1 1.3.2 1.3.3")
def order_booked_at_the_mean_of_its_prices(recording: Recording) -> Planted:
    """Fills of an order that come together are booked at the mean of their prices, whatever each was of."""
    believed = [dict(row) for row in recording["fills"]]
    for places in pnl.orders_at_once(recording):
        mean = sum((Fraction(believed[n]["price"]) for n in places), Fraction(0)) / len(places)
        for n in places:
            believed[n]["price"] = text(mean, "0." + "0" * 30)
    return pnl.at_their_cost(recording, rebook(recording, believed), "realized")


# 1.3.5


@defect("1.3.5", "gross")
def haircut_taken_off_what_is_owed(recording: Recording) -> Planted:
    """The haircut is taken off every balance, so that a debt weighs less than it is."""
    cost: Cost = (Fraction(0), "")
    for row, right, _ in pnl.valued_balances(recording):
        if Fraction(row["total"]) < 0:
            cost = max(cost, pnl.revalue(recording, row, right * (1 - Fraction(row.get("haircut") or 0))))
    return recording.planted(*cost)


@defect("1.3.5", "gross", like="taniman/profit-trailer#1481")
def balances_at_the_rates_of_the_start(recording: Recording) -> Planted:
    """Balances are converted at the rates that were read at the start."""
    cost: Cost = (Fraction(0), "")
    start: dict[str, Fraction] = {}
    for row, right, rate in pnl.valued_balances(recording):
        first = start.setdefault(row["asset"], rate)
        cost = max(cost, pnl.revalue(recording, row, right / rate * first))
    return recording.planted(*cost)


@defect("1.3.5", "deep")
def balance_at_a_rate_of_after_it(recording: Recording) -> Planted:
    """Late in the session one balance is converted at a rate that came after it."""
    valued, found, later = list(pnl.valued_balances(recording)), [], dict[str, Fraction]()
    for place in reversed(range(len(valued) // 2, len(valued))):
        row, right, rate = valued[place]
        value = right / rate * later.get(row["asset"], rate)
        found.append((abs(value - right), place, value))
        later[row["asset"]] = rate
    if not found or not max(found)[0]:
        raise NotExercised("no balance of the later half is converted at a rate that changes after it")
    _, place, value = max(found)
    return recording.planted(*pnl.revalue(recording, valued[place][0], value))


@defect("1.3.5", "gross", also="1.3.4", like="nautechsystems/nautilus_trader#4205")
def currencies_added_unconverted(recording: Recording) -> Planted:
    """The row of all symbols adds bitcoins to dollars."""
    cost = Fraction(0)
    for star, parts in pnl.sums_of(recording, every=True):
        for column in MONEY:
            if star.get(column) and parts:
                was = Fraction(star[column])
                star[column] = text(sum((Fraction(part[column]) for part in parts.values()), Fraction(0)), star[column])
                cost = max(cost, abs(Fraction(star[column]) - was)) if column == "total" else cost
    return recording.planted(cost, pnl.session_currency(recording))


# Oddities


@benign()
def rows_of_one_instant_in_another_order(recording: Recording) -> Planted:
    """Claims of one instant are recorded the other way round, the sum before its symbols."""
    for table in ("pnl", "signals"):
        rows = recording.edit(table)
        rows.reverse()
        rows.sort(key=lambda row: int(row["ts_local"]))
    return recording.planted()


@benign()
def claims_late_by_the_lag_that_is_stated(recording: Recording) -> Planted:
    """P&L is written down 200 ms after it was computed, and the session allows for 250 ms."""
    recording.edit_settings().setdefault("timing", {})["claim_lag_ms"] = 250
    for row in recording.edit("pnl"):
        row["ts_local"] = str(int(row["ts_local"]) + 200_000_000)
    return recording.planted()


@benign()
def another_cost_basis_stated_and_kept(recording: Recording) -> Planted:
    """The bot matches at average cost, first in, first out where that was stated, and says so."""
    basis = {"average": "fifo"}.get(recording.convention("cost_basis", "fifo"), "average")
    pnl.needed(rebook(recording, cost_basis=basis), "realized")
    recording.edit_settings().setdefault("conventions", {})["cost_basis"] = basis
    return recording.planted()


@benign()
def realized_net_where_it_was_gross(recording: Recording) -> Planted:
    """The bot states realized P&L net of fees, gross where it was net, and says so."""
    net = recording.convention("realized", "gross") == "net"

    def stated(right: Claim, ledger: Ledger) -> Claim:
        return replace(right, realized=right.realized + right.fees if net else right.realized - right.fees)

    pnl.needed(rebook(recording, claim=stated), "realized")
    recording.edit_settings().setdefault("conventions", {})["realized"] = "gross" if net else "net"
    return recording.planted()


@benign()
def index_price_stated_and_kept(recording: Recording) -> Planted:
    """The bot values positions at the index, at the mark where that was stated, and says so."""
    kind = "mark" if recording.convention("unrealized_price", "mark") == "index" else "index"
    pnl.needed(rebook(recording, price=pnl.last_marks(recording, kind)), "unrealized")
    recording.edit_settings().setdefault("conventions", {})["unrealized_price"] = kind
    return recording.planted()


@benign()
def execution_reported_again_and_booked_once(recording: Recording) -> Planted:
    """The venue reports an execution a second time, and the bot does nothing."""
    rows = recording.edit("fills")
    place = next((n for n in range(len(rows) // 2, len(rows)) if rows[n].get("kind", "trade") == "trade"), None)
    if place is None:
        raise NotExercised("the session has no fill")
    rows.insert(place + 1, dict(rows[place]))
    return recording.planted()


@benign()
def fill_reported_late_and_booked_when_it_came(recording: Recording) -> Planted:
    """The venue matched a fill a while before its report arrived; nothing of its symbol came between."""
    rows = recording.edit("fills")
    before: dict[str, int] = {}
    for place, row in enumerate(rows):
        ts, known = int(row["ts_exchange"]), before.get(row["symbol"], 0)
        before[row["symbol"]] = max(ts, known)
        if place >= len(rows) // 2 and known and ts - known > 2 * 10**9 and pnl.is_plain(recording, row):
            row["ts_exchange"] = str(ts - 10**9)
            return recording.planted()
    raise NotExercised("no fill of the later half has a quiet second before it")


@benign()
def fee_in_a_third_asset(recording: Recording) -> Planted:
    """The venue takes one fee in its own token, and the bot books it at the rate of the fill."""
    return pnl.charged_otherwise(recording, "BNB")


@benign()
def rebate_on_one_fill(recording: Recording) -> Planted:
    """The venue pays a rebate on one fill, says at which rate, and the bot takes it off its fees."""
    return pnl.charged_otherwise(recording, "")
