"""The arithmetic of a finding on a signal, worked by hand on the trades of its window, and what a wrong one costs."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from mmverify.checks.books import Instrument, instruments
from mmverify.checks.signals import Claim, Smoothing, Value, annual, bucket_prices, ema_inputs, smoothing
from mmverify.formulas.ema import ema_last
from mmverify.formulas.returns import returns
from mmverify.numeric import decimal_text
from mmverify.session.load import Session

_SHOWN = 4


def _text(value: Fraction | float) -> str:
    return decimal_text(Fraction(value))


def _shortest(value: float) -> str:
    """Write a price that was read as a float: the shortest decimal that is it."""
    return decimal_text(Fraction(repr(float(value))))


def vwap_work(claim: Claim, right: Value) -> tuple[str, ...]:
    """Work sum(price x qty) / sum(qty) of a window."""
    held, window = claim.tape, claim.window
    cut = next((cut for cut in claim.cuts if held.vwap(*window, cut) == right), claim.cuts[0])
    trades = [
        (f"trades:{int(held.rows[place]) + 1}", Fraction(int(held.prices[place]), 10**held.price_scale),
         Fraction(int(held.qtys[place]), 10**held.qty_scale))
        for place in held.places(*window, cut)
    ]  # fmt: skip
    if not trades:
        return ("no trade in the window had arrived: there is no VWAP",)
    lines = [f"{where}: {_text(price)} x {_text(qty)} = {_text(price * qty)}" for where, price, qty in trades[:_SHOWN]]
    if len(trades) > _SHOWN:
        lines.append(f"{len(trades) - _SHOWN} more trades up to {trades[-1][0]}")
    volume = sum((qty for _, _, qty in trades), Fraction(0))
    if not volume:
        return (*lines, "their quantities sum to 0: there is no VWAP")
    turnover = sum((price * qty for _, price, qty in trades), Fraction(0))
    worked = f"{_text(turnover)} / {_text(volume)} = {_text(turnover / volume)}"
    return (*lines, f"sum(price x qty) / sum(qty) = {worked}")


def ema_work(claim: Claim, right: Value) -> tuple[str, ...]:
    """Work the last step of an EMA: the one before it, the newest price, the weight."""
    how = smoothing(claim)
    if how is None:
        return ()
    series = [inputs.tolist() for cut in claim.cuts for inputs in ema_inputs(claim, cut)]
    inputs = next((each for each in series if each and _ema(each, how) == right), series[0])
    if right is None:
        return (f"{len(inputs)} inputs are fewer than the {how.n or 1} that its start needs: there is no value yet",)
    weight, newest, due = _text(how.alpha), _shortest(inputs[-1]), _text(right)
    if len(inputs) == 1 or how.init == "adjusted":
        return (f"{len(inputs)} prices, newest {newest}, alpha {weight}, started by {how.init}: {due}",)
    if len(inputs) == how.n:
        return (f"the mean of the first {how.n} prices is the start: {due}",)
    before = _text(_ema(inputs[:-1], how))
    return (
        f"{len(inputs)} prices, alpha {weight}, started by {how.init}; before the newest price it stood at {before}",
        f"{weight} x {newest} + (1 - {weight}) x {before} = {due}",
    )


def _ema(inputs: list[float], how: Smoothing) -> float:
    return ema_last(inputs, alpha=how.alpha, init=how.init, n=how.n)


def volatility_work(claim: Claim, right: Value) -> tuple[str, ...]:
    """Work the standard deviation of the returns between bucket closes, and its annualization."""
    how, prices = annual(claim), bucket_prices(claim, claim.cuts[0])
    if how is None or prices is None or right is None:
        return ()
    changes = returns(prices, kind=how.kind)
    squares = float(((changes - changes.mean()) ** 2).sum())
    shown = ", ".join(_shortest(price) for price in prices[:_SHOWN]) + (", ..." if len(prices) > _SHOWN else "")
    formula = "ln(p1/p0)" if how.kind == "log" else "p1/p0 - 1"
    return (
        f"{len(prices)} closes: {shown}; {how.n} {how.kind} returns {formula}, mean {changes.mean():.12g}, sum of "
        f"squares around it {squares:.12g}",
        f"sqrt({squares:.12g} / ({how.n} - {how.ddof}) x {how.periods:.12g}) = {_text(right)}",
    )


def order_size(session: Session, symbol: str) -> tuple[Fraction, str]:
    """Return the quantity of one order that a signal may have priced, and where it is from."""
    limit = session.limit(symbol, "max_order_qty")
    if limit is not None:
        return limit, "max_order_qty"
    fills = session.table("fills", "symbol", "qty")
    mine = np.flatnonzero(fills.words("symbol").is_(symbol))
    if mine.size:
        qty = fills.decimals("qty")
        return Fraction(int(qty.ints[mine].max()), 10**qty.scale), "its largest fill"
    return Fraction(1), "one unit"


def moved(instrument: Instrument, qty: Fraction, before: Fraction, after: Fraction) -> Fraction:
    """Return what a quantity gains or loses between two prices, in the settlement currency."""
    size = qty * instrument.multiplier
    if instrument.kind == "inverse" and before and after:
        return abs(size / before - size / after)
    return abs(before - after) * size


def price_money(claim: Claim, right: Value) -> tuple[Fraction | None, str]:
    """Return what an order that is priced by a wrong claim gives away, in the settlement currency, and in words."""
    if claim.value is None or right is None:
        return None, "a price made of nothing: a quote around it is a guess"
    qty, source = order_size(claim.session, claim.symbol)
    return moved(instruments(claim.session)[claim.symbol], qty, claim.value, Fraction(right)), (
        f"what one order of {decimal_text(qty)} ({source}) quoted around it gives away where the claim is furthest off"
    )
