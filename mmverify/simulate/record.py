"""Writes what was recorded as a session folder: a CSV file a table, and session.toml."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from mmverify.simulate.bot import CURRENCY, MAX_ORDER, MAX_POSITION, MAX_SKEW_BPS, MIN_SPREAD_BPS, ORDER_QTY
from mmverify.simulate.venue import Market, Row

COLUMNS = {
    "instruments": "symbol kind base quote settle tick_size lot_size min_qty multiplier maker_fee taker_fee",
    "book": "ts_exchange ts_local symbol seq prev_seq kind side price qty",
    "trades": "ts_exchange ts_local symbol trade_id price qty aggressor",
    "bot_trades": "trade_id symbol side used reason",
    "quotes": "ts_local symbol fair_value bid ask bid_qty ask_qty half_spread level mid skew best_bid best_ask"
    " book_seq book_ts_exchange state",
    "fills": "ts_exchange ts_local symbol exec_id client_order_id order_id side price qty liquidity fee fee_asset"
    " fee_rate correction_of kind",
    "positions": "ts_local symbol qty source",
    "pnl": "ts_local symbol realized unrealized fees funding total price currency",
    "balances": "ts_local asset total haircut value currency source",
    "transfers": "ts_exchange ts_local asset amount kind",
    "marks": "ts_exchange ts_local symbol mark index last",
    "rates": "ts_exchange ts_local asset currency rate",
    "funding": "ts_exchange ts_local symbol rate position mark amount asset",
    "signals": "ts_local symbol name value window_start window_end params ts_input_max",
}


def write_session(
    out: Path, *, tables: Mapping[str, Sequence[Row]], markets: Sequence[Market], conventions: Mapping[str, str],
    start: int, end: int,
) -> None:  # fmt: skip
    """Write the folder `out`: every recorded table, the instruments, and session.toml."""
    out.mkdir(parents=True, exist_ok=True)
    for table, rows in {"instruments": [_instrument(market) for market in markets], **tables}.items():
        with (out / f"{table}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            columns = COLUMNS[table].split()
            writer.writerow(columns)
            writer.writerows([_text(row.get(column)) for column in columns] for row in rows)
    text = _settings(markets=markets, conventions=conventions, start=start, end=end)
    (out / "session.toml").write_text(text, encoding="utf-8", newline="\n")


def _text(value: Any) -> str:
    if value is None:
        return ""
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _instrument(market: Market) -> Row:
    row = {column: getattr(market, column, "") for column in COLUMNS["instruments"].split()}
    return row | {"maker_fee": market.fee_rates["maker"], "taker_fee": market.fee_rates["taker"]}


def _settings(*, markets: Sequence[Market], conventions: Mapping[str, str], start: int, end: int) -> str:
    first, last = (datetime.fromtimestamp(ts // 10**9, UTC).isoformat() for ts in (start, end))
    lines = ["[session]", 'venue = "simulated"', 'bot = "mm"', 'bot_version = "1"', f'currency = "{CURRENCY}"']
    lines += [f'start = "{first}"', f'end = "{last}"', 'fills_from = "venue"', 'client_order_id = "mm-[0-9]+"']
    lines += ["", "[conventions]", *(f'{name} = "{value}"' for name, value in conventions.items())]
    for market in markets:
        unit = ORDER_QTY[market.kind]
        lines += ["", f'[limits."{market.symbol}"]', f"max_position = {MAX_POSITION * unit}"]
        lines += [f"max_order_qty = {MAX_ORDER * unit}", f"min_qty = {market.min_qty}", "max_open_orders = 4"]
    lines += [
        "",
        "[quoting]",
        f"min_spread_bps = {MIN_SPREAD_BPS}",
        "min_edge_bps = 0",
        f"max_skew_bps = {MAX_SKEW_BPS}",
    ]
    lines += ["levels = 1", "", "[risk]", "max_drawdown = 0.05", "max_daily_loss = 2000", "", "[timing]"]
    lines += ["claim_lag_ms = 0", "book_stale_ms = 5000", "quote_max_age_ms = 10000", "ack_timeout_ms = 1000"]
    lines += ["cancel_timeout_ms = 1000", "max_clock_skew_ms = 5", "resync_timeout_ms = 5000"]
    return "\n".join(lines) + "\n"
