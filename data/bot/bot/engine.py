"""The hot path, from a book update to the quote that should be working.

Nothing here waits, does I/O or loops without a bound; the quote is one object that is written over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bot import prices
from bot.book import Book
from bot.logs import LOG
from bot.settings import Settings

ZERO, ONE = Decimal(0), Decimal(1)
BPS = Decimal(10_000)


@dataclass(slots=True)
class Quote:
    """What should be working at the venue; a side of quantity 0 is not quoted."""

    bid: Decimal = ZERO
    bid_qty: Decimal = ZERO
    ask: Decimal = ZERO
    ask_qty: Decimal = ZERO
    book_ns: int = 0


class Engine:
    """Keeps the book, and the quote that it asks for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.book = Book(int(settings.book_depth))
        self.quote = Quote()
        self.position = ZERO
        self.halted = False
        self._volatility_bps = ZERO
        self._last_mid = ZERO

    @property
    def quoting(self) -> bool:
        """Say whether a side is quoted."""
        return bool(self.quote.bid_qty or self.quote.ask_qty)

    def on_snapshot(self, update: Mapping[str, Any]) -> None:
        """Take the whole book; the next update quotes on it."""
        self.book.apply("snapshot", update["seq"], update["prev_seq"], update["levels"])
        self.quote.book_ns = update["ts_exchange"]

    def on_book_update(self, update: Mapping[str, Any]) -> None:
        """Apply an update, and set the quote or withdraw it."""
        self.book.apply("delta", update["seq"], update["prev_seq"], update["levels"])
        self.quote.book_ns = update["ts_exchange"]
        if self.halted or not self.book.valid or not self.book.two_sided:
            self.withdraw()
        else:
            self._requote()

    def on_time(self, now_ns: int) -> None:
        """Withdraw the quote when the book is too old for it."""
        if now_ns - self.quote.book_ns > self.settings.book_stale_ms * 1_000_000:
            self.withdraw()

    def withdraw(self) -> None:
        """Quote neither side."""
        if self.quoting:
            LOG.warning("quotes withdrawn at the book of %d", self.quote.book_ns)
        self.quote.bid_qty = self.quote.ask_qty = ZERO

    def _requote(self) -> None:
        settings, quote = self.settings, self.quote
        best_bid, best_ask = self.book.best_bid(), self.book.best_ask()
        self._observe((best_bid + best_ask) / 2)
        fair = prices.microprice(best_bid, self.book.best_bid_qty(), best_ask, self.book.best_ask_qty())
        spread_bps = max(settings.min_spread_bps, settings.vol_multiplier * self._volatility_bps)
        used = max(-ONE, min(ONE, self.position / settings.max_position))
        skew = -used * settings.max_skew_bps * fair / BPS
        bid, ask = prices.quote(fair, fair * spread_bps / BPS / 2, skew, settings.tick_size)
        quote.bid = min(bid, best_ask - settings.tick_size)
        quote.ask = max(ask, best_bid + settings.tick_size)
        quote.bid_qty = self._size(settings.max_position - self.position)
        quote.ask_qty = self._size(settings.max_position + self.position)

    def _observe(self, mid: Decimal) -> None:
        """Average the size of the mid's moves exponentially."""
        if self._last_mid:
            move_bps = abs(mid - self._last_mid) / self._last_mid * BPS
            self._volatility_bps += 2 / (self.settings.vol_span + 1) * (move_bps - self._volatility_bps)
        self._last_mid = mid

    def _size(self, room: Decimal) -> Decimal:
        return prices.round_qty(max(ZERO, min(self.settings.order_qty, room)), self.settings.lot_size)
