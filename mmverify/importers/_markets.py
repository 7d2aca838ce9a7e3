"""What an exchange and a symbol say of a market, and the instrument that comes of it and of the steps read off."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from mmverify.importers._parts import increment

_PAIR = r"([A-Z0-9]+?)(USDT|USDC|FDUSD|TUSD|BUSD|USD1|BTC|ETH|BNB|EUR|TRY|BRL|JPY)"


class Terms(NamedTuple):
    """The terms of a contract: its kind, currencies, and what one of it is worth."""

    kind: str
    base: str
    quote: str
    multiplier: int


#: By exchange: what its symbols look like (base, then quote), the kind, and a contract's worth by base, of all others
#: under an empty name.
_MARKETS: dict[str, tuple[tuple[str, str, Mapping[str, int]], ...]] = {
    "binance": ((_PAIR, "spot", {}),),
    "binance-futures": ((rf"{_PAIR}(?:_\d+)?", "linear", {}),),
    "binance-delivery": ((r"([A-Z0-9]+)(USD)_.+", "inverse", {"BTC": 100, "": 10}),),
    "bitmex": ((r"(XBT)(USD)", "inverse", {}),),
    "deribit": ((r"(BTC|ETH)()-(?:PERPETUAL|\d+[A-Z]{3}\d\d)", "inverse", {}),),
    "huobi-dm-swap": ((r"([A-Z0-9]+)-(USD)", "inverse", {"BTC": 100, "": 10}),),
}


def terms(exchange: str, symbol: str) -> Terms | None:
    """Return the terms of a market, None where they are not known."""
    for pattern, kind, worth in _MARKETS.get(exchange, ()):
        if found := re.fullmatch(pattern, symbol):
            base, quote = found[1], found[2] or "USD"
            return Terms(kind, base, quote, worth.get(base, worth.get("", 1)))
    return None


def instrument(
    exchange: str, symbol: str, tick: Fraction | None, lot: Fraction | None, notes: list[str]
) -> dict[str, Any] | None:
    """Return the row of a market, None where too little is known of it; say either in a note.

    Parameters
    ----------
    exchange, symbol : str
    tick, lot : Fraction or None
        The steps that all its prices and quantities are multiples of.
    notes : list of str
        Added to.
    """
    known = terms(exchange, symbol)
    if known is None or not tick or not lot:
        why = "its terms are not known" if known is None else "no price or quantity tells its steps"
        notes.append(f"no instrument for {symbol}: {why}; an instruments.csv in the session folder gives it")
        return None
    kind, base, quote, multiplier = known
    contract = f", a contract {multiplier} {quote} as the exchange lists it" if kind == "inverse" else ""
    tick_size, lot_size = increment(tick), increment(lot)
    notes.append(
        f"instruments: {symbol} is taken for {kind}, {base} in {quote}{contract}; tick {tick_size} and lot {lot_size} "
        "are read off its prices and quantities"
    )
    return {
        "symbol": symbol, "kind": kind, "base": base, "quote": quote, "settle": base if kind == "inverse" else quote,
        "tick_size": tick_size, "lot_size": lot_size, "multiplier": Decimal(multiplier),
    }  # fmt: skip
