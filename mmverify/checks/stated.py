"""The position that a bot states, as a ledger: what open profit is held to where the session has no fills."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mmverify.checks.books import GUARD, Ledger, instruments
from mmverify.checks.exact import Column
from mmverify.checks.fee_steps import FeeSteps
from mmverify.checks.known import timeline
from mmverify.session.load import Session


@lru_cache(maxsize=64)
def stated_positions(session: Session, symbol: str) -> Ledger:
    """Return the bot's own `positions` rows of one symbol, with an entry price or flat, as states of its books."""
    instrument = instruments(session)[symbol]
    table = session.table("positions")
    qty, entry = table.decimals("qty"), table.decimals("avg_px")
    own = table.words("symbol").is_(symbol) & table.words("source").is_("bot") & qty.known
    line = timeline(session, table, own & (entry.known | np.asarray(qty.ints == 0)))
    held = [int(qty.ints[row]) for row in line.rows]
    prices = [int(entry.ints[row]) for row in line.rows]
    unit = 10**entry.scale
    inverse = instrument.kind == "inverse"
    values = [-(GUARD * unit // price) if inverse and price else price for price in prices]
    nothing = Column(np.zeros(len(held), dtype=np.int64))
    return Ledger(
        instrument=instrument,
        line=line,
        orders=np.full(len(held), -1, dtype=np.int32),
        prices=Column.of(prices),
        price_unit=unit,
        deltas=nothing,
        position=Column.of([0, *held]),
        realized=nothing.sums(),
        cost=Column.of([0, *(size * value for size, value in zip(held, values, strict=True))]),
        fee_steps=FeeSteps((nothing,), nothing, ["settle"] * len(held), nothing),
        qty_unit=10**qty.scale,
        money_unit=instrument.multiplier / ((GUARD if inverse else unit) * 10**qty.scale),
        opened=1,
        trusted_until=0,
        flaws=(),
        starts_known=True,
    )
