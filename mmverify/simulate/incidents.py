"""What goes wrong in a session: a script that is played once in each quarter of an hour, every incident in its turn."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import partial

from mmverify.simulate.account import TRANSFER
from mmverify.simulate.bot import Bot
from mmverify.simulate.clock import MILLISECOND, MINUTE, SECOND, Clock
from mmverify.simulate.markets import Market
from mmverify.simulate.matching import Order
from mmverify.simulate.venue import Venue

ROUND = 15 * MINUTE
LEAD, TAIL = 8 * SECOND, 8 * SECOND  # of the session, without incidents
SHORTEST = 8 * SECOND  # of an incident's turn
SQUEEZED = Decimal("0.05")  # maintenance margin, once raised
MAINTENANCE = 2500 * MILLISECOND, 5500 * MILLISECOND  # in its turn

#: Each incident, and whom it befalls: any market (the next one each time), any contract, or all.
SCRIPT = """
    late_fill any; gap any; fill_in_cancel any; part_in_cancel any; incomplete any; fill_in_replace any;
    part_in_replace any; replace_refused any; flood contract; correction any; overtaken any; submit_lost any;
    submit_unanswered any; cancel_lost any; bust any; cancel_unanswered any; too_many_requests any;
    overload all; liquidation contract; adl contract; stall any; market_data_break all; orders_break all;
    market_data_silence all; orders_silence all; maintenance all; shock all; burst all; retune all; one_sided any;
    venue_cancels any; storm all; jump any; refusals any; transfer all; quiet any; duplicate all
"""

#: Tricks on the next request: to which endpoint, and whether it is lost, refused, or its order is filled first.
TRICKS = {
    "fill_in_cancel": ("cancel", "fill"),
    "part_in_cancel": ("cancel", "part"),
    "fill_in_replace": ("replace", "fill"),
    "part_in_replace": ("replace", "part"),
    "replace_refused": ("replace", "refused"),
    "submit_lost": ("order", "lost"),
    "submit_unanswered": ("order", "unanswered"),
    "cancel_lost": ("cancel", "lost"),
    "cancel_unanswered": ("cancel", "unanswered"),
    "too_many_requests": ("order", "limited"),
    "overload": ("status", "overload"),
}
#: Faults of the next update of a book.
FAULTS = {"gap": "dropped", "incomplete": "incomplete", "overtaken": "overtaken"}


@dataclass(frozen=True)
class Turn:
    """When an incident begins [ns], and whom it befalls."""

    ts: int
    name: str
    symbol: str
    number: int


def script(clock: Clock, markets: list[Market], hours: Fraction) -> list[Turn]:
    """Place the incidents: so many rounds of the script as there are quarters of an hour, at even distances."""
    parts = [part.split() for part in SCRIPT.replace("\n", " ").strip().split(";")]
    rounds = max(1, round(hours * 60 * MINUTE / ROUND))
    count = rounds * len(parts)
    length = max((clock.end - clock.start - LEAD - TAIL) // count, SHORTEST)
    contracts = [market.symbol for market in markets if market.kind != "spot"]
    turns = []
    for number in range(count):
        name, whom = parts[number % len(parts)]
        symbols = contracts if whom == "contract" else [market.symbol for market in markets]
        ts = clock.start + LEAD + number * length
        if symbols and ts + SHORTEST <= clock.end - TAIL:
            round_, place = divmod(number, len(parts))
            turns.append(Turn(ts, name, symbols[(round_ + place) % len(symbols)], round_))
    return turns


def maintenance(turns: list[Turn]) -> list[tuple[int, int]]:
    """The maintenance windows that the venue announces. [ns]"""
    return [(turn.ts + MAINTENANCE[0], turn.ts + MAINTENANCE[1]) for turn in turns if turn.name == "maintenance"]


class Incidents:
    """Plays the script on a venue and its wires."""

    def __init__(self, clock: Clock, venue: Venue, bot: Bot) -> None:
        self._clock, self._venue, self._bot = clock, venue, bot

    def start(self, turns: list[Turn]) -> None:
        """Put all on the clock."""
        for turn in turns:
            self._clock.at(turn.ts, partial(self._play, turn))

    def _play(self, turn: Turn) -> None:
        if turn.name in TRICKS:
            endpoint, trick = TRICKS[turn.name]
            self._venue.gateway.arrange(endpoint, trick, {"fill": self._fill, "part": self._part}.get(trick))
            if endpoint in ("order", "cancel"):  # a pause cancels all of a market's quotes, and after it they are new
                self._bot.pause(turn.symbol, 300 * MILLISECOND)
        elif turn.name in FAULTS:
            self._venue.feed.fail(turn.symbol, FAULTS[turn.name])
        else:
            getattr(self, f"_{turn.name}")(turn)

    # Fills that cross requests

    def _hit(self, symbol: str, side: str = "") -> None:
        """Let the crowd take all that the bot offers, on one side or both."""
        for order in self._venue.gateway.resting(symbol):
            if order.state == "NEW" and side in ("", order.side):
                self._venue.take(order, order.leaves)

    def _fill(self, order: Order) -> None:
        if order.state == "NEW":
            self._venue.take(order, order.leaves)

    def _part(self, order: Order) -> None:
        if order.state == "NEW":
            self._venue.take(order, (order.leaves + 1) // 2)

    def _late_fill(self, turn: Turn) -> None:
        """A fill is reported when its order is already known to be cancelled."""
        self._venue.gateway.lag(600 * MILLISECOND, 50 * MILLISECOND)
        for order in self._venue.gateway.resting(turn.symbol)[:3:2]:
            self._part(order)
        self._bot.pause(turn.symbol, SECOND)

    def _flood(self, turn: Turn) -> None:
        """One side is taken again and again, until the position is at its limit."""
        side = "buy" if self._venue.account.positions[turn.symbol] >= 0 else "sell"
        for n in range(24):
            self._clock.after(n * 300 * MILLISECOND, partial(self._hit, turn.symbol, side))

    # Requests that fail

    def _refusals(self, turn: Turn) -> None:
        self._venue.gateway.refuse(turn.symbol, 5 * SECOND)
        self._bot.pause(turn.symbol, 300 * MILLISECOND)

    def _venue_cancels(self, turn: Turn) -> None:
        self._venue.gateway.cancel_all(turn.symbol, "exchange_cancel", "market operations")

    # Market data that fails

    def _duplicate(self, turn: Turn) -> None:
        for symbol in self._venue.books:
            self._venue.feed.fail(symbol, "duplicate")

    def _stall(self, turn: Turn) -> None:
        self._venue.feed.stall(turn.symbol, 5 * SECOND)

    # Channels

    def _market_data_break(self, turn: Turn, event: str = "disconnect", duration: int = 1500 * MILLISECOND) -> None:
        self._bot.connection.lose("market_data", event)
        self._clock.after(duration, self._bot.restore_market_data)

    def _orders_break(self, turn: Turn, event: str = "disconnect", duration: int = 1500 * MILLISECOND) -> None:
        self._venue.gateway.disconnect()
        self._bot.connection.lose("orders", event)
        self._clock.after(100 * MILLISECOND, partial(self._hit, turn.symbol, "buy"))
        self._clock.after(duration, self._venue.gateway.reconnect)
        self._clock.after(duration, partial(self._bot.connection.restore, "orders"))

    def _market_data_silence(self, turn: Turn) -> None:
        self._market_data_break(turn, "timeout", 3 * SECOND)

    def _orders_silence(self, turn: Turn) -> None:
        self._orders_break(turn, "timeout", 3 * SECOND)

    # The account

    def _correction(self, turn: Turn) -> None:
        self._restate(turn, "correction")

    def _bust(self, turn: Turn) -> None:
        self._restate(turn, "bust")

    def _restate(self, turn: Turn, kind: str) -> None:
        """Restate an execution of this market, else of another."""
        symbols = list(self._venue.books)
        first = symbols.index(turn.symbol)
        any(self._venue.account.restate(symbol, kind) for symbol in symbols[first:] + symbols[:first])

    def _liquidation(self, turn: Turn) -> None:
        self._grow(turn.symbol)
        self._clock.after(1500 * MILLISECOND, partial(self._venue.liquidate, turn.symbol, SQUEEZED))

    def _adl(self, turn: Turn) -> None:
        self._grow(turn.symbol)
        self._clock.after(1500 * MILLISECOND, partial(self._venue.deleverage, turn.symbol))

    def _grow(self, symbol: str) -> None:
        """Take the side of the bot's that makes its position larger, a few times."""
        side = "buy" if self._venue.account.positions[symbol] >= 0 else "sell"
        for n in range(3):
            self._clock.after(n * 400 * MILLISECOND, partial(self._hit, symbol, side))

    def _transfer(self, turn: Turn) -> None:
        """A deposit, and in the next round it is withdrawn."""
        self._venue.account.transfer(TRANSFER if turn.number % 2 == 0 else -TRANSFER)

    # The market

    def _maintenance(self, turn: Turn) -> None:
        start, end = MAINTENANCE
        for symbol in self._venue.books:
            self._clock.after(start - SECOND // 5, partial(self._venue.crowd.rest, symbol, end - start))

    def _jump(self, turn: Turn) -> None:
        """The price goes against what the bot holds most of."""
        position = self._venue.account.positions[turn.symbol]
        self._venue.crowd.jump(-11_000 if position > 0 else 11_000)

    def _shock(self, turn: Turn) -> None:
        """What the account is held in loses its worth, and regains it."""
        self._set_shock(Decimal("0.90"))
        self._clock.after(3 * SECOND, partial(self._set_shock, Decimal(1)))

    def _set_shock(self, factor: Decimal) -> None:
        self._venue.crowd.shock = factor
        self._venue.crowd.publish_rates()

    def _burst(self, turn: Turn) -> None:
        """The price flickers faster than quotes can follow."""
        for n in range(10):
            self._clock.after(n * 200 * MILLISECOND, partial(self._venue.crowd.jump, 3000 if n % 2 == 0 else -3000))

    def _storm(self, turn: Turn) -> None:
        self._venue.crowd.storm = 5
        self._clock.after(7 * SECOND, partial(setattr, self._venue.crowd, "storm", 1))

    def _quiet(self, turn: Turn) -> None:
        self._venue.crowd.rest(turn.symbol, 100 * SECOND)

    def _one_sided(self, turn: Turn) -> None:
        """Nobody offers any more, and what the bot offers is taken."""
        crowd = self._venue.crowd
        crowd.leave(turn.symbol, "sell")
        self._hit(turn.symbol, "sell")
        self._clock.after(50 * MILLISECOND, partial(self._hit, turn.symbol, "sell"))
        self._clock.after(1500 * MILLISECOND, partial(crowd.leave, turn.symbol, ""))

    # The bot's operator

    def _retune(self, turn: Turn) -> None:
        odd = turn.number % 2
        self._bot.configure("stop_distance_bps", "20")
        self._bot.configure("alpha_usd", "1.5" if odd == 0 else "1")
        self._bot.configure("risk_aversion", "0.012" if odd == 0 else "0.01")
