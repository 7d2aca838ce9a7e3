"""Writes the session's tables while it goes on: one CSV file each, a row as it happens."""

from __future__ import annotations

import csv
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

from mmverify.simulate.markets import Row

COLUMNS = {
    "instruments": "symbol kind base quote settle tick_size lot_size min_qty max_qty min_notional multiplier maker_fee"
    " taker_fee book_depth order_types tifs ts_from",
    "book": "ts_exchange ts_local symbol seq prev_seq kind side price qty",
    "bot_book": "ts_local symbol seq side level price qty",
    "trades": "ts_exchange ts_local symbol trade_id price qty aggressor",
    "bot_trades": "trade_id symbol side used reason",
    "quotes": "ts_local symbol fair_value bid ask bid_qty ask_qty half_spread level mid skew volatility best_bid"
    " best_ask book_seq book_ts_exchange state ts_expires",
    "order_events": "ts_local ts_exchange symbol client_order_id order_id event side type tif post_only reduce_only"
    " level price qty cum_qty leaves_qty avg_px state orig_client_order_id exec_id ts_expires reason code origin"
    " intent",
    "fills": "ts_exchange ts_local symbol exec_id client_order_id order_id side price qty liquidity fee fee_asset"
    " fee_rate correction_of kind",
    "positions": "ts_local symbol qty source",
    "pnl": "ts_local symbol realized unrealized fees funding total price currency",
    "equity": "ts_local equity high_water drawdown currency",
    "balances": "ts_local asset total haircut value currency source",
    "transfers": "ts_exchange ts_local asset amount kind",
    "marks": "ts_exchange ts_local symbol mark index last",
    "rates": "ts_exchange ts_local asset currency rate",
    "funding": "ts_exchange ts_local symbol rate position mark amount asset",
    "signals": "ts_local symbol name value window_start window_end params ts_input_max",
    "risk_events": "ts_local rule event symbol side value threshold action",
    "stops": "ts_local stop_id symbol side stop_price event price price_type",
    "connection": "ts_local channel event detail",
    "messages": "ts_local channel message_id complete applied ts_exchange",
    "requests": "ts_local endpoint weight status code retry_after_ms ts_response client_order_id",
    "latency": "path_id ts_receive ts_book ts_signal ts_send blocked_us allocations log_us",
    "config_events": "ts_local name old new by accepted quotes_paused",
}


class Recorder:
    """The session's folder while it is written; closed at the end of a ``with`` block.

    Parameters
    ----------
    out : Path
        The folder; made where it is not there.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._held: dict[str, list[Row]] = {}

    def __enter__(self) -> Recorder:
        """Open a file a table and write its columns."""
        self._out.mkdir(parents=True, exist_ok=True)
        self._files = ExitStack()
        self._columns = {table: columns.split() for table, columns in COLUMNS.items()}
        self._writers = {}
        for table, columns in self._columns.items():
            file = self._files.enter_context((self._out / f"{table}.csv").open("w", newline="", encoding="utf-8"))
            self._writers[table] = csv.writer(file, lineterminator="\n")
            self._writers[table].writerow(columns)
        return self

    def __exit__(self, *_: object) -> None:
        """Write what was held back, and close the files."""
        for table, rows in self._held.items():
            for row in rows:
                self(table, row)
        self._files.close()

    def __call__(self, table: str, row: Row) -> None:
        """Write a row."""
        self._writers[table].writerow([_text(row.get(column)) for column in self._columns[table]])

    def hold(self, table: str, row: Row) -> None:
        """Write a row at the end of the session: until then it may still be filled in."""
        self._held.setdefault(table, []).append(row)


def _text(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bool):
        return "true" if value else "false"
    return value
