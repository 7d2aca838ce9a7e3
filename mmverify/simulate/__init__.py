"""A small deterministic venue and a market maker that record a whole session, every claim of it true.

Read `clock` (time), `venue` (prices, matching, fees, funding), `ledger` and `signals` (what the bot computes), `bot`
(quotes and claims), `record` (the folder). Written apart from the checks, so that the two can disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

from mmverify.errors import UsageError
from mmverify.simulate.bot import Bot
from mmverify.simulate.clock import SECOND, Clock, Wire
from mmverify.simulate.record import write_session
from mmverify.simulate.venue import MARKETS, Venue

START = 1_741_003_200 * SECOND  # 2025-03-03T12:00:00Z

CHOICES = {
    "cost_basis": ("fifo", "lifo", "average"),
    "unrealized_price": ("mark", "index", "last", "mid", "exit"),
    "stop_price": ("mark",),
    "volatility": ("log", "simple"),
    "ema_init": ("first", "sma", "adjusted"),
    "mid_min_qty": ("0",),
    "realized": ("gross", "net"),
    "conversion": ("claim", "fill"),
    "trade_sign": ("venue",),
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
        Length of the session. [h]
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

    tables: dict[str, list[dict[str, Any]]] = {}
    rng, markets = Random(seed), MARKETS[:symbols]
    clock = Clock(START, START + round(Fraction(hours) * 3600) * SECOND)
    wire = Wire(clock, rng)

    def record(table: str, row: dict[str, Any]) -> None:
        tables.setdefault(table, []).append(row)

    def deliver(table: str, rows: list[dict[str, Any]]) -> None:
        arrived = [{**row, "ts_local": clock.now} for row in rows]
        for row in arrived:
            record(table, row)
        bot.receive(table, arrived)

    venue = Venue(clock, wire, rng, markets=markets, deliver=deliver)
    bot = Bot(clock, wire, rng, venue, conventions=stated, markets=markets, record=record)
    venue.open()
    bot.start()
    clock.run()
    write_session(out, tables=tables, markets=markets, conventions=stated, start=clock.start, end=clock.end)
