"""The tables of a session as data: which columns each has, of which type, and which it cannot do without.

A column is written ``name:type``, with ``!`` where it is required and ``!?`` where the column is required but a row may
leave it empty. Types: ``ts`` int64 nanoseconds UTC; ``int``; ``bool``; ``id`` free text, dictionary-encoded; ``dec`` a
signed decimal; ``udec`` a price or quantity, refused when negative in a table of the venue's; ``a|b`` one of these
words.
"""

from __future__ import annotations

from dataclasses import dataclass

_SIDE = "buy|sell"
_STATES = "PENDING_NEW|NEW|PARTIALLY_FILLED|FILLED|PENDING_CANCEL|CANCELED|PENDING_REPLACE|REJECTED|EXPIRED"

_TABLES = {
    "instruments": "symbol:id! kind:spot|linear|inverse|quanto! base:id! quote:id! settle:id tick_size:udec! "
    "lot_size:udec! min_qty:udec max_qty:udec min_notional:udec multiplier:udec maker_fee:dec taker_fee:dec "
    "book_depth:int order_types:id tifs:id ts_from:ts",
    "book": "ts_exchange:ts!? ts_local:ts!? symbol:id! seq:int!? prev_seq:int kind:snapshot|delta! side:bid|ask!? "
    "price:udec!? qty:udec!? checksum:id",
    "bot_book": "ts_local:ts! symbol:id! seq:int side:bid|ask! level:int! price:udec! qty:udec!",
    "trades": f"ts_exchange:ts!? ts_local:ts!? symbol:id! trade_id:id price:udec! qty:udec! aggressor:{_SIDE}",
    "bot_trades": f"trade_id:id! symbol:id! side:{_SIDE}!? used:bool reason:id",
    "quotes": "ts_local:ts! symbol:id! fair_value:dec!? bid:udec!? ask:udec!? bid_qty:udec ask_qty:udec "
    "half_spread:dec level:int mid:dec skew:dec volatility:dec best_bid:dec best_ask:dec book_seq:int "
    "book_ts_exchange:ts state:id ts_expires:ts",
    "order_events": f"ts_local:ts! ts_exchange:ts symbol:id! client_order_id:id!? order_id:id event:id! side:{_SIDE}!? "
    "type:id tif:id post_only:bool reduce_only:bool level:int price:udec qty:udec cum_qty:dec leaves_qty:dec "
    "avg_px:dec state:id orig_client_order_id:id exec_id:id ts_expires:ts reason:id code:id origin:id intent:id",
    "fills": f"ts_exchange:ts!? ts_local:ts!? symbol:id! exec_id:id! client_order_id:id order_id:id side:{_SIDE}! "
    "price:udec! qty:udec! liquidity:maker|taker!? fee:dec! fee_asset:id! fee_rate:dec correction_of:id "
    "kind:trade|liquidation|adl|correction|bust",
    "positions": "ts_local:ts! symbol:id! qty:dec! avg_px:dec source:bot|exchange!",
    "pnl": "ts_local:ts! symbol:id! realized:dec unrealized:dec fees:dec funding:dec total:dec price:dec currency:id",
    "equity": "ts_local:ts! equity:dec! high_water:dec drawdown:dec currency:id",
    "balances": "ts_local:ts! asset:id! total:dec! available:dec haircut:dec value:dec currency:id "
    "source:bot|exchange!",
    "transfers": "ts_exchange:ts!? ts_local:ts asset:id! amount:dec! kind:id",
    "marks": "ts_exchange:ts!? ts_local:ts symbol:id! mark:udec index:udec last:udec",
    "rates": "ts_exchange:ts!? ts_local:ts asset:id! currency:id! rate:udec!",
    "funding": "ts_exchange:ts!? ts_local:ts symbol:id! rate:dec! position:dec mark:udec amount:dec! asset:id",
    "signals": "ts_local:ts! symbol:id! name:id! value:dec!? window_start:ts window_end:ts params:id ts_input_max:ts",
    "risk_events": f"ts_local:ts! rule:id! event:trip|block|reset|override! symbol:id side:{_SIDE} value:dec "
    "threshold:dec action:id",
    "stops": f"ts_local:ts! stop_id:id symbol:id! side:{_SIDE}! stop_price:dec! event:arm|fire|disarm price:dec "
    "price_type:id!?",
    "connection": "ts_local:ts! channel:id! event:id! detail:id",
    "messages": "ts_local:ts! channel:id! message_id:id! complete:bool applied:bool ts_exchange:ts",
    "requests": "ts_local:ts! endpoint:id! weight:dec status:int code:id retry_after_ms:dec ts_response:ts "
    "client_order_id:id",
    "latency": "path_id:id! ts_receive:ts! ts_book:ts ts_signal:ts ts_send:ts! blocked_us:dec allocations:int "
    "log_us:dec",
    "config_events": "ts_local:ts! name:id! old:id new:id!? by:id accepted:bool quotes_paused:bool",
}

#: Tables that the venue is the source of: a number in them that is no number cannot be read.
_VENUE = {"instruments", "book", "trades", "fills", "marks", "rates", "funding"}

#: ``[conventions]`` of session.toml: what each may be; the first is what an unstated one is taken as, with a note.
CONVENTIONS = {
    "cost_basis": ("fifo", "lifo", "average"),
    "unrealized_price": ("mark", "index", "last", "mid", "exit"),
    "stop_price": ("mark", "index", "last", "mid", "exit"),
    "volatility": ("log", "simple"),
    "ema_init": ("first", "sma", "adjusted"),
    "realized": ("gross", "net"),
    "conversion": ("claim", "fill"),
    "trade_sign": ("venue", "tick", "lee_ready"),
}

#: The sections of session.toml and what each may state; a name in `NUMBERS` is a number, in milliseconds not negative.
#: ``limits`` holds a table a symbol, ``config`` one a parameter; ``breaker``, ``rate_limit`` and ``maintenance`` are
#: lists.
SETTINGS = {
    "session": "venue bot bot_version currency start end fills_from client_order_id",
    "conventions": f"{' '.join(CONVENTIONS)} mid_min_qty",
    "limits": "max_position max_order_qty min_qty max_notional max_open_orders",
    "quoting": "min_spread_bps min_edge_bps vol_multiplier max_skew_bps levels",
    "risk": "max_drawdown max_daily_loss",
    "breaker": "name metric threshold min_count action cooldown_s",
    "timing": "claim_lag_ms book_stale_ms quote_max_age_ms ack_timeout_ms cancel_timeout_ms max_clock_skew_ms "
    "max_tick_to_order_us connection_timeout_ms resync_timeout_ms",
    "rate_limit": "endpoint limit window_s margin kind",
    "maintenance": "start end",
    "config": "value unit min max default critical hot_reload",
}
NUMBERS = {
    *("mid_min_qty", "threshold", "min_count", "cooldown_s", "limit", "window_s", "margin"),
    *(name for section in ("limits", "quoting", "risk", "timing") for name in SETTINGS[section].split()),
}


@dataclass(frozen=True)
class Column:
    """One column: its type, whether the table needs it, whether a row may leave it empty."""

    name: str
    type: str
    required: bool
    nullable: bool
    venue: bool

    @property
    def words(self) -> tuple[str, ...]:
        """The words that the column is limited to, empty for any other type."""
        return tuple(self.type.split("|")) if "|" in self.type else ()


def _column(text: str, venue: bool) -> Column:
    name, _, kind = text.partition(":")
    bare = kind.rstrip("!?")
    return Column(name, bare, "!" in kind, "!" not in kind or "?" in kind, venue)


#: Table name -> column name -> Column.
TABLES: dict[str, dict[str, Column]] = {
    table: {column.name: column for column in (_column(text, table in _VENUE) for text in columns.split())}
    for table, columns in _TABLES.items()
}
