"""The arithmetic of a finding on a signal, worked by hand on the trades of its window."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from mmverify.formulas.ema import ema_last
from mmverify.numeric import decimal_text

if TYPE_CHECKING:
    from mmverify.checks.s3_3_derived import Claim, Value

_SHOWN = 4


def _trade(claim: Claim, place: int) -> tuple[Fraction, Fraction]:
    held = claim.tape
    return (Fraction(int(held.prices[place]), 10**held.price_scale), Fraction(int(held.qtys[place]), 10**held.qty_scale))


def _where(claim: Claim, place: int) -> str:
    return f"trades:{int(claim.tape.rows[place]) + 1}"


def _cut(claim: Claim, right: Value) -> int:
    return next((cut for cut in claim.cuts if claim.tape.vwap(*claim.window, cut) == right), claim.cuts[0])


def vwap_work(claim: Claim, right: Value) -> tuple[str, ...]:
    """Work sum(price x qty) / sum(qty) of a window."""
    places = claim.tape.places(*claim.window, _cut(claim, right)).tolist()
    if not places:
        return ("no trade in the window had arrived: there is no VWAP",)
    trades = [_trade(claim, place) for place in places]
    turnover = sum((price * qty for price, qty in trades), Fraction(0))
    volume = sum((qty for _, qty in trades), Fraction(0))
    lines = [
        f"{_where(claim, place)}: {decimal_text(price)} x {decimal_text(qty)} = {decimal_text(price * qty)}"
        for place, (price, qty) in zip(places[:_SHOWN], trades, strict=False)
    ]
    if len(places) > _SHOWN:
        lines.append(f"{len(places) - _SHOWN} more trades up to {_where(claim, places[-1])}")
    if not volume:
        return (*lines, "their quantities sum to 0: there is no VWAP")
    lines.append(
        f"sum(price x qty) / sum(qty) = {decimal_text(turnover)} / {decimal_text(volume)} = "
        f"{decimal_text(turnover / volume)}"
    )
    return tuple(lines)


def ema_work(claim: Claim, right: Value) -> tuple[str, ...]:
    """Work the last step of an EMA: the one before it, the newest price, the weight."""
    from mmverify.checks.s3_3_derived import _ema_settings, _series

    settings = _ema_settings(claim)
    if settings is None:
        return ()
    alpha, init, n = settings
    inputs = _series(claim, claim.cuts[0])[0]
    if right is None:
        return (f"{len(inputs)} inputs are fewer than the {n or 1} that its start needs: there is no value yet",)
    weight, newest = decimal_text(Fraction(alpha)), decimal_text(Fraction(repr(float(inputs[-1]))))
    if len(inputs) == 1 or init == "adjusted":
        return (f"{len(inputs)} prices, newest {newest}, alpha {weight}, started by {init}: {decimal_text(Fraction(right))}",)
    before = ema_last(inputs[:-1], alpha=alpha, init=init, n=n)
    if before != before:
        return (f"the mean of the first {n} prices is the start: {decimal_text(Fraction(right))}",)
    return (
        f"{len(inputs)} prices, alpha {weight}, started by {init}; before the newest price it stood at "
        f"{decimal_text(Fraction(before))}",
        f"{weight} x {newest} + (1 - {weight}) x {decimal_text(Fraction(before))} = {decimal_text(Fraction(right))}",
    )


def volatility_work(claim: Claim, right: Value) -> tuple[str, ...]:
    """Work the standard deviation of the returns between bucket closes, and its annualization."""
    from mmverify.checks.s3_3_derived import _annual, closes
    from mmverify.formulas.returns import returns

    annual, prices = _annual(claim), closes(claim, claim.cuts[0])
    if annual is None or prices is None or right is None:
        return ()
    changes = returns(prices, kind=annual.kind)
    mean = float(changes.mean())
    squares = float(((changes - mean) ** 2).sum())
    shown = ", ".join(decimal_text(Fraction(float(price))) for price in prices[:_SHOWN])
    formula = "ln(p1/p0)" if annual.kind == "log" else "p1/p0 - 1"
    return (
        f"{len(prices)} closes: {shown}{', ...' if len(prices) > _SHOWN else ''}; {annual.n} {annual.kind} returns "
        f"{formula}, mean {mean:.12g}, sum of squares around it {squares:.12g}",
        f"sqrt({squares:.12g} / ({annual.n} - {annual.ddof}) x {annual.periods:.12g}) = {decimal_text(Fraction(right))}",
    )
