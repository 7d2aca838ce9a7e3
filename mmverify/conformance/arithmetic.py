"""The arithmetic of a case in one line, as a person would write it."""

from __future__ import annotations

from itertools import accumulate, pairwise

from mmverify.conformance.inputs import Case


def mid_work(case: Case) -> str:
    """Write the mean of the best levels that are large enough."""
    best = [
        next(price for price, qty in case[side] if qty and qty >= case.get("min_qty", 0)) for side in ("bids", "asks")
    ]
    return f"({best[0]} + {best[1]}) / 2"


def ema_work(case: Case) -> str:
    """Write the recursion and where it begins."""
    alpha = case["alpha"] if case.get("alpha") is not None else f"2 / ({case['span']} + 1)"
    if case.get("init") == "adjusted":
        return f"alpha = {alpha}, the mean of the values so far with weights 1, 1 - alpha, (1 - alpha)^2 backwards"
    start = f"the mean of the first {case['span']}" if case.get("init") == "sma" else "the first value"
    return f"alpha = {alpha}, e = {start}, then e + alpha x (x - e)"


def returns_work(case: Case) -> str:
    """Write each change."""
    form = "{1} / {0} - 1" if case.get("kind") == "simple" else "ln({1} / {0})"
    return ", ".join(form.format(before, after) for before, after in pairwise(case["prices"]))


def volatility_work(case: Case) -> str:
    """Write the root of the annual variance."""
    n = len(case["prices"]) - 1
    return (
        f"r = {returns_work(case)}; "
        f"sqrt(sum((r - mean(r))^2) / ({n} - {case.get('ddof', 1)}) x {case['periods_per_year']})"
    )


def drawdown_work(case: Case) -> str:
    """Write the fraction below the highest so far."""
    pairs = zip(accumulate(case["equity"], max), case["equity"], strict=True)
    return ", ".join(f"({high} - {equity}) / {high}" if high > 0 else "None" for high, equity in pairs)


def liquidation_work(case: Case) -> str:
    """Write the equation that the price solves."""
    size, rate = abs(case["qty"]) * case.get("multiplier", 1), case["maintenance_rate"]
    inverse, entry, d = case.get("kind") == "inverse", case["avg_px"], "" if case["qty"] > 0 else "-"
    gain = f"(1 / {entry} - 1 / P)" if inverse else f"(P - {entry})"
    at = entry if case.get("maintenance_at") == "entry" else "P"
    due = f"{rate} x {size} {'/' if inverse else 'x'} {at} - {case.get('maintenance_amount', 0)}"
    return f"{case['margin']} + {gain} x {d}{size} = {due}; P"
