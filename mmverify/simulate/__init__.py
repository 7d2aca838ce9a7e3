"""A deterministic exchange and a market maker on it that record a whole session, every claim of it true.

The venue: `clock` (time), `markets`, `matching`, `fees`, `crowd` (everybody else), `feed` (market data), `gateway`
(orders), `account` (positions, funding, liquidation), `venue` (all of it), `incidents` (what goes wrong, and when).
The bot: `policy` (what it holds itself to), `view` (its book), `knowledge`, `ledger`, `signals`, `orders`,
`connection`, `halts`, `risk`, `stops`, `quoting` (prices), `trader` (orders from prices), `claims`, `bot` (all of it).
The folder: `record`, `settings`. Written apart from the checks, so that the two can disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import localcontext
from fractions import Fraction
from pathlib import Path
from random import Random

from mmverify.errors import UsageError
from mmverify.simulate.bot import Bot
from mmverify.simulate.clock import SECOND, Clock, Wire
from mmverify.simulate.feed import Message
from mmverify.simulate.incidents import Incidents, maintenance, script
from mmverify.simulate.ledger import FIFTY_DIGITS
from mmverify.simulate.markets import MARKETS, Market, Row
from mmverify.simulate.record import Recorder
from mmverify.simulate.settings import settings
from mmverify.simulate.venue import Venue

START = 1_741_003_200 * SECOND  # 2025-03-03T12:00:00Z
LISTED = 86_400 * 1_000_000_007  # before the start [ns]

CHOICES = {
    "cost_basis": ("fifo", "lifo", "average"),
    "unrealized_price": ("mark", "index", "last", "mid", "exit"),
    "stop_price": ("mark", "index", "last", "mid"),
    "volatility": ("log", "simple"),
    "ema_init": ("first", "sma", "adjusted"),
    "mid_min_qty": ("0", "0.002"),
    "realized": ("gross", "net"),
    "conversion": ("claim", "fill"),
    "trade_sign": ("venue", "tick", "lee_ready"),
}


def simulate(
    out: Path, *, seed: int, hours: Fraction | float, symbols: int, conventions: Mapping[str, str] | None
) -> None:
    """Record a session of a market maker on a simulated venue into the folder `out`.

    Parameters
    ----------
    out : Path
        Folder of the session; made where it is not there, its tables written anew.
    seed : int
        Of all that is random: the same seed gives the same bytes.
    hours : Fraction or float
        Length of the session. From a tenth of an hour on it has every incident at least once. [h]
    symbols : int
        How many markets, 1 to 3: spot, then a linear perpetual, then an inverse one.
    conventions : Mapping of str to str or None
        Entries of the session's [conventions] that are not the first of their choices; None for all first.

    Raises
    ------
    UsageError
        For a length that is not positive, a number of markets that there is not, or a convention that is not known.
    """
    if not 1 <= symbols <= len(MARKETS):
        raise UsageError(f"symbols was {symbols}, but should be 1 to {len(MARKETS)}")
    if not hours > 0:
        raise UsageError(f"hours was {hours}, but should be above 0")
    stated = {name: choices[0] for name, choices in CHOICES.items()} | dict(conventions or {})
    for name, choice in stated.items():
        if name not in CHOICES:
            raise UsageError(f"convention {name} is not known, only {', '.join(CHOICES)}")
        if choice not in CHOICES[name]:
            raise UsageError(f"convention {name} was {choice}, but should be one of {', '.join(CHOICES[name])}")

    length = Fraction(hours)
    clock, rng = Clock(START, START + round(length * 3600) * SECOND), Random(seed)
    chosen = MARKETS[:symbols]
    markets = {market.symbol: market for market in chosen}
    turns = script(clock, list(chosen), length)
    windows = maintenance(turns)
    with localcontext(FIFTY_DIGITS), Recorder(out) as record:
        for market in chosen:
            record("instruments", _instrument(market))

        def deliver(message: Message) -> None:
            bot.on_market(message)

        venue = Venue(clock, Wire(clock, rng), rng, markets=markets, deliver=deliver)
        venue.gateway.maintenance = windows
        bot = Bot(
            clock, rng, venue.gateway, conventions=stated, markets=markets, maintenance=windows, record=record
        )  # fmt: skip
        venue.gateway.private = bot.on_private
        venue.open()
        bot.start()
        Incidents(clock, venue, bot).start(turns)
        clock.run()
    text = settings(markets=chosen, conventions=stated, start=clock.start, end=clock.end, maintenance=windows)
    (out / "session.toml").write_text(text, encoding="utf-8", newline="\n")


def _instrument(market: Market) -> Row:
    row = {name: getattr(market, name) for name in (
        "symbol", "kind", "base", "quote", "settle", "tick_size", "lot_size", "min_qty", "max_qty", "min_notional",
        "multiplier", "maker_fee", "taker_fee",
    )}  # fmt: skip
    row |= {"book_depth": 20, "order_types": "limit;market", "tifs": "GTC;GTD;IOC", "ts_from": START - LISTED}
    return row
