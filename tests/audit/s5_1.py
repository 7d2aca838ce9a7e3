"""5.1 Numeric edge cases: prices of zero, the largest position, no number, signs, less than a lot or a tick."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from fractions import Fraction

from audit.market import is_quoting, sent, time
from audit.recorded import Recorded, Row, Seen, ns, number, place, seen, shown
from audit.state import DIRECTION, positions
from audit.tape import window_claims

ZERO = Fraction(0)


def i5_1_1(session: Recorded) -> Seen:
    """A price of zero or below enters mid, VWAP, a quote or an order."""
    exercised, violations = 0, []
    for row in session["quotes"]:
        columns = ["mid", "fair_value", "best_bid", "best_ask"] if is_quoting(row) else ["mid"]
        values = [(column, number(row[column])) for column in [*columns, "bid", "ask"] if row[column]]
        exercised += bool(values)
        for column, value in values:
            if value is not None and value <= 0:
                violations.append(f"{place('quotes', row)} {column} was {row[column]}, should be above 0")
    for row in session["order_events"]:
        price = number(row["price"])
        if row["event"] in ("submit", "replace_request") and price is not None and row["type"] != "market":
            exercised += 1
            if price <= 0:
                violations.append(f"{place('order_events', row)} price was {row['price']}, should be above 0")
    worthless = {
        symbol: [(stamp, number(row["qty"]) or ZERO) for row, stamp in _zero_priced(session, symbol)]
        for symbol in session.instruments
    }
    for claim in window_claims(session):
        if claim.name != "vwap":
            continue
        exercised += 1
        added = sum(
            (qty for stamp, qty in worthless.get(claim.row["symbol"], ()) if claim.start <= stamp < claim.end), ZERO
        )
        for trades in claim.truths() if added else ():
            volume = sum((trade.qty for trade in trades), added)
            value = sum((trade.price * trade.qty for trade in trades), ZERO) / volume
            if abs(value - claim.value) <= claim.tolerance:
                where = place("signals", claim.row)
                violations.append(f"{where} vwap was {claim.row['value']}, should be without the trades at 0")
                break
    return seen(exercised, violations)


def _zero_priced(session: Recorded, symbol: str) -> list[tuple[Row, int]]:
    rows = session.rows("trades", symbol=symbol)
    return [
        (row, stamp) for row in rows if number(row["price"]) == 0 and (stamp := time(row["ts_exchange"])) is not None
    ]


def i5_1_2(session: Recorded) -> Seen:
    """At exactly max_position an increasing order is sent, or a reducing one is blocked."""
    exercised, violations = 0, []
    blocks = [row for row in session["risk_events"] if row["event"] == "block" and row["side"]]
    for table, rows in (("order_events", sent(session)), ("risk_events", blocks)):
        for row in rows:
            most = session.limit(row["symbol"], "max_position")
            held = positions(session, row["symbol"], ns(row["ts_local"])) if most and row["symbol"] else set()
            if not held or any(abs(position) != most for position in held):
                continue
            exercised += 1
            increases = all(position * DIRECTION[row["side"]] > 0 for position in held)
            if table == "order_events" and increases and row["reduce_only"].lower() not in ("true", "1"):
                violations.append(f"{place(table, row)} {row['side']} was sent at max_position, should not grow it")
            if table == "risk_events" and not increases:
                violations.append(f"{place(table, row)} {row['side']} was blocked at max_position, should reduce it")
    return seen(exercised, violations)


CLAIMS = {
    "signals": ("value",),
    "quotes": ("fair_value", "bid", "ask", "half_spread", "mid", "skew", "volatility", "best_bid", "best_ask"),
    "pnl": ("realized", "unrealized", "fees", "funding", "total", "price"),
    "equity": ("equity", "high_water", "drawdown"),
    "positions": ("qty", "avg_px"),
    "balances": ("total", "available", "haircut", "value"),
    "bot_book": ("price", "qty"),
    "order_events": ("price", "qty", "cum_qty", "leaves_qty", "avg_px"),
    "risk_events": ("value", "threshold"),
    "stops": ("stop_price", "price"),
}


def i5_1_3(session: Recorded) -> Seen:
    """NaN or infinity in a claim."""
    exercised, violations = 0, []
    for table, columns in CLAIMS.items():
        for row in session[table]:
            for column in columns:
                exercised += bool(row[column])
                if row[column] and not is_finite(row[column]):
                    violations.append(f"{place(table, row)} {column} was {row[column]}, should be a number or empty")
    return seen(exercised, violations)


def is_finite(text: str) -> bool:
    """Whether a cell is not NaN or infinite."""
    try:
        return number(text) is not None or Decimal(text).is_finite()
    except InvalidOperation:
        return True


def i5_1_4(session: Recorded) -> Seen:
    """An avg_px or a value has a sign that qty x price cannot have."""
    exercised, violations = 0, []
    for table in ("order_events", "positions"):
        for row in session[table]:
            price, qty = number(row["avg_px"]), number(row["cum_qty" if table == "order_events" else "qty"])
            if price is None:
                continue
            exercised += 1
            if price < 0 or (price == 0 and qty):
                where = place(table, row)
                violations.append(f"{where} avg_px was {row['avg_px']} with qty {shown(qty)}, should be above 0")
    for row in session["balances"]:
        total, value = number(row["total"]), number(row["value"])
        if total is not None and value is not None:
            exercised += 1
            if total * value < 0:
                violations.append(
                    f"{place('balances', row)} value was {row['value']} of {row['total']}, should share its sign"
                )
    return seen(exercised, violations)


def i5_1_5(session: Recorded) -> Seen:
    """An order below one lot or one tick is sent."""
    exercised, violations = 0, []
    for row in session["order_events"]:
        if row["event"] not in ("submit", "replace_request"):
            continue
        instrument = session.instrument(row["symbol"], ns(row["ts_local"]))
        for column, step in (("qty", "lot_size"), ("price", "tick_size")):
            value, least = number(row[column]), number(instrument[step])
            if value is None or least is None or (column == "price" and row["type"] == "market"):
                continue
            exercised += 1
            if value < least:
                where = place("order_events", row)
                violations.append(f"{where} {column} was {row[column]}, should be one {step} of {shown(least)} or more")
    return seen(exercised, violations)
