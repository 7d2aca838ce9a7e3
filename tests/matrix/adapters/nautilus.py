"""nautilus_trader: indicators, instruments, positions and order books."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import nautilus_trader
import pandas as pd
from nautilus_trader.core.uuid import UUID4
from nautilus_trader.indicators import ExponentialMovingAverage, VolumeWeightedAveragePrice
from nautilus_trader.model.book import OrderBook
from nautilus_trader.model.currencies import BTC, ETH, USDT
from nautilus_trader.model.data import BookOrder, OrderBookDelta, OrderBookDeltas
from nautilus_trader.model.enums import BookAction, BookType, LiquiditySide, OrderSide, OrderType
from nautilus_trader.model.events import OrderFilled
from nautilus_trader.model.identifiers import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    PositionId,
    StrategyId,
    Symbol,
    TradeId,
    TraderId,
    VenueOrderId,
)
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.model.position import Position
from nautilus_trader.test_kit.stubs.execution import TestExecStubs

from . import Cannot, Entry, Values, need, number, span_of

VERSION = nautilus_trader.__version__
ID = InstrumentId.from_str("BTCUSDT-PERP.VENUE")
PLACES = 16
LIMITS = "a price, quantity or amount has at most 16 places, and 13 digits before them"
SIDES = {"buy": OrderSide.BUY, "sell": OrderSide.SELL}


def _places(texts: list[str]) -> int:
    """Return the places that hold all of these numbers."""
    known = [Decimal(text) for text in texts]
    most = max((-int(each.as_tuple().exponent) for each in known if each.is_finite()), default=0)
    if most > PLACES or any(each.is_finite() and abs(each) > 10**13 for each in known):
        raise Cannot(LIMITS)
    return max(most, 0)


def _instrument(params: Values, prices: list[str], qtys: list[str], **more: Any) -> CryptoPerpetual:
    kind = params.get("kind", "linear")
    need("kind", kind, "linear", "spot", "inverse", "quanto")
    price_places, qty_places = _places(prices), _places(qtys)
    return CryptoPerpetual(
        instrument_id=ID, raw_symbol=Symbol("BTCUSDT-PERP"), base_currency=BTC, quote_currency=USDT,
        settlement_currency={"inverse": BTC, "quanto": ETH}.get(kind, USDT), is_inverse=kind == "inverse",
        price_precision=price_places, size_precision=qty_places,
        price_increment=Price(10.0**-price_places, price_places),
        size_increment=Quantity(10.0**-qty_places, qty_places),
        multiplier=Quantity.from_str(params.get("multiplier", "1")), ts_event=0, ts_init=0, **more,
    )  # fmt: skip


def _fill(made: CryptoPerpetual, trade: str, side: str, price: str, qty: str, fee: str) -> OrderFilled:
    return OrderFilled(
        trader_id=TraderId("T-1"), strategy_id=StrategyId("S-1"), instrument_id=ID,
        client_order_id=ClientOrderId("O-1"),
        venue_order_id=VenueOrderId("1"), account_id=AccountId("VENUE-1"), trade_id=TradeId(trade),
        position_id=PositionId("P-1"), order_side=SIDES[side], order_type=OrderType.LIMIT,
        last_qty=Quantity(Decimal(qty), made.size_precision), last_px=Price(Decimal(price), made.price_precision),
        currency=made.quote_currency, commission=Money(Decimal(fee), made.settlement_currency),
        liquidity_side=LiquiditySide.MAKER, event_id=UUID4(), ts_event=0, ts_init=0,
    )  # fmt: skip


def _parts(
    held: float, trade: str, side: str, price: str, qty: str, fee: str
) -> Iterator[tuple[str, str, str, str, str]]:
    """Split a fill through zero in two, as ExecutionEngine does before it applies them."""
    against = held * (1 if side == "buy" else -1) < 0
    closing = Decimal(str(abs(held)))
    if against and Decimal(qty) > closing:
        share = closing / Decimal(qty)
        yield f"{trade}-1", side, price, str(closing), str(Decimal(fee) * share)
        yield f"{trade}-2", side, price, str(Decimal(qty) - closing), str(Decimal(fee) * (1 - share))
    else:
        yield trade, side, price, qty, fee


class _Book:
    """A Position as one would use it: made by its first fill, then applied to."""

    def __init__(self, params: Values, fills: list[tuple[str, str, str, str, str]], split: bool) -> None:
        need("cost_basis", params["cost_basis"], "average", "fifo", "lifo")
        self.made = _instrument(params, [each[2] for each in fills], [each[3] for each in fills])
        self.position: Position | None = None
        self.split = split
        self.earned = 0.0  # by the cycles that are over

    def fill(self, *given: str) -> None:
        held = self.position.signed_qty if self.position is not None else 0.0
        for part in _parts(held, *given) if self.split else [given]:
            event = _fill(self.made, *part)
            if self.position is None:
                self.position = Position(self.made, event)
                continue
            over = self.position.realized_pnl.as_double() if self.position.is_closed else 0.0
            self.position.apply(event)
            self.earned += over

    def state(self) -> dict[str, Any]:
        if self.position is None:
            return {"qty": 0.0, "avg_px": None, "realized": 0.0, "fees": 0.0}
        paid = sum(each.as_double() for each in self.position.commissions())
        return {"qty": self.position.signed_qty, "avg_px": self.position.avg_px_open,
                "realized": self.position.realized_pnl.as_double(), "fees": paid}  # fmt: skip


def _position(split: bool) -> Callable[[Values, Values], Any]:
    def run(params: Values, given: Values) -> Any:
        keys = ("exec_id", "side", "price", "qty", "fee")
        fills = [tuple(each[key] for key in keys) for each in given["calls"]]
        book, states = _Book(params, fills, split), []
        for fill in fills:
            try:
                book.fill(*fill)
                states.append(book.state())
            except Exception:  # whatever it refuses with
                states.append("error")
        return states

    return run


def _realized(split: bool) -> Callable[[Values, Values], Any]:
    def run(params: Values, given: Values) -> float:
        fills = [(f"e{place}", side, price, qty, "0") for place, (side, price, qty) in enumerate(given["fills"])]
        book = _Book(params, fills, split)
        for fill in fills:
            book.fill(*fill)
        return book.earned + book.state()["realized"]

    return run


def _unrealized(params: Values, given: Values) -> float:
    signed = Decimal(given["qty"])
    if signed == 0:
        raise Cannot("a Position of quantity 0 cannot be opened")
    qty = given["qty"].lstrip("-")
    made = _instrument(params, [given["avg_px"], given["price"]], [qty])
    position = Position(made, _fill(made, "e1", "buy" if signed > 0 else "sell", given["avg_px"], qty, "0"))
    return float(position.unrealized_pnl(Price(Decimal(given["price"]), made.price_precision)).as_double())


def _amount(value: Callable[[], Money]) -> float:
    try:
        return float(value().as_double())
    except ValueError as error:
        if "_MAX" in str(error):
            raise Cannot(LIMITS) from error
        raise


def _notional(params: Values, given: Values) -> float:
    made = _instrument(params, [given["price"]], [given["qty"]])
    size, price = (
        Quantity(Decimal(given["qty"]), made.size_precision),
        Price(Decimal(given["price"]), made.price_precision),
    )
    return _amount(lambda: made.notional_value(size, price))


def _fee(params: Values, given: Values) -> float:
    made = _instrument(params, [given["price"]], [given["qty"]], maker_fee=Decimal(given["rate"]), taker_fee=Decimal(0))
    size, price = (
        Quantity(Decimal(given["qty"]), made.size_precision),
        Price(Decimal(given["price"]), made.price_precision),
    )
    account = TestExecStubs.margin_account()
    return _amount(lambda: account.calculate_commission(made, size, price, LiquiditySide.MAKER))


def _ema(params: Values, given: Values) -> list[float]:
    need("init", params["init"], "first")
    average, out = ExponentialMovingAverage(span_of(params)), []
    for value in given["values"]:
        average.update_raw(number(value))
        out.append(average.value)
    return out


def _vwap(params: Values, given: Values) -> float | None:
    average = VolumeWeightedAveragePrice()
    when = pd.Timestamp("2024-01-01", tz="UTC")
    for price, qty in zip(given["prices"], given["qtys"], strict=True):
        average.update_raw(number(price), number(qty), when)
    return float(average.value) if average.has_inputs else None


def _round_price(params: Values, given: Values) -> float:
    made = _grid(given["tick"], "1")
    return _amount(lambda: made.make_price(given["price"]))


def _round_qty(params: Values, given: Values) -> float:
    made = _grid("1", given["lot"])
    return _amount(lambda: made.make_qty(given["qty"], round_down=True))


def _grid(tick: str, lot: str) -> CryptoPerpetual:
    _places([tick, lot])
    price, qty = Price.from_str(tick), Quantity.from_str(lot)
    return CryptoPerpetual(
        instrument_id=ID, raw_symbol=Symbol("BTCUSDT-PERP"), base_currency=BTC, quote_currency=USDT,
        settlement_currency=USDT, is_inverse=False, price_precision=price.precision, size_precision=qty.precision,
        price_increment=price, size_increment=qty, ts_event=0, ts_init=0,
    )  # fmt: skip


def _orders(given: list[list[str]], price_places: int, qty_places: int) -> list[BookOrder]:
    sides = {"bid": OrderSide.BUY, "ask": OrderSide.SELL}
    return [
        BookOrder(sides[side], Price(Decimal(price), price_places), Quantity(Decimal(qty), qty_places), 0)
        for side, price, qty in given
    ]


def _apply(book: OrderBook, kind: str, seq: int, orders: list[BookOrder]) -> None:
    actions = {"snapshot": BookAction.ADD, "delta": BookAction.UPDATE}
    deltas = [OrderBookDelta.clear(ID, seq, 0, 0)] if kind == "snapshot" else []
    for order in orders:
        action = actions[kind] if order.size > 0 else BookAction.DELETE
        if order.size > 0 or kind == "delta":
            deltas.append(OrderBookDelta(ID, action, order, 0, seq, 0, 0))
    if deltas:
        book.apply_deltas(OrderBookDeltas(ID, deltas))


def _state(book: OrderBook) -> dict[str, Any]:
    try:
        book.check_integrity()
        fine = True
    except RuntimeError:
        fine = False
    rows = {"bids": book.bids(), "asks": book.asks()}
    shown = {key: [[float(level.price), level.size()] for level in levels] for key, levels in rows.items()}
    return {**shown, "valid": fine}


def _book(params: Values, given: Values) -> list[Any]:
    levels = [level for call in given["calls"] for level in call["levels"]]
    places = _places([level[1] for level in levels]), _places([level[2] for level in levels])
    book, states = OrderBook(ID, BookType.L2_MBP), []
    for call in given["calls"]:
        try:
            _apply(book, call["kind"], int(call["seq"]), _orders(call["levels"], *places))
            states.append(_state(book))
        except Exception:  # whatever it refuses with
            states.append("error")
    return states


def _mid(params: Values, given: Values) -> float | None:
    if Decimal(params["min_qty"]) != 0:
        raise Cannot("midpoint() takes no smallest quantity")
    levels = [["bid", *each] for each in given["bids"]] + [["ask", *each] for each in given["asks"]]
    places = _places([level[1] for level in levels]), _places([level[2] for level in levels])
    book = OrderBook(ID, BookType.L2_MBP)
    _apply(book, "snapshot", 1, _orders(levels, *places))
    found = book.midpoint()
    return None if found is None else float(found)


ENTRIES = [
    Entry("ema", "ExponentialMovingAverage(span).update_raw(value)", _ema),
    Entry("vwap", "VolumeWeightedAveragePrice().update_raw(price, qty, time)", _vwap),
    Entry("mid", "OrderBook.midpoint()", _mid),
    Entry("round_price", "Instrument.make_price(price)", _round_price),
    Entry("round_qty", "Instrument.make_qty(qty, round_down=True)", _round_qty),
    Entry("notional", "Instrument.notional_value(qty, price)", _notional),
    Entry("fee", "MarginAccount.calculate_commission(...)", _fee),
    Entry("unrealized_pnl", "Position.unrealized_pnl(price)", _unrealized),
    Entry("realized_pnl", "Position.apply(fill)", _realized(False)),
    Entry("realized_pnl", "Position.apply(fill), flips split as by ExecutionEngine", _realized(True)),
    Entry("Position", "Position.apply(fill)", _position(False)),
    Entry("Position", "Position.apply(fill), flips split as by ExecutionEngine", _position(True)),
    Entry("Book", "OrderBook.apply_deltas(deltas)", _book),
]
