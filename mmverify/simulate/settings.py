"""session.toml: what the venue and the bot have stated before the session began."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from mmverify.simulate import policy
from mmverify.simulate.markets import Market


def settings(
    *, markets: Sequence[Market], conventions: Mapping[str, str], start: int, end: int,
    maintenance: Sequence[tuple[int, int]],
) -> str:  # fmt: skip
    """Write session.toml."""
    session = {"venue": "simulated", "bot": "mm", "bot_version": "2", "currency": policy.CURRENCY}
    session |= {"start": _iso(start), "end": _iso(end), "fills_from": "venue", "client_order_id": "[a-z]+-[0-9]+"}
    parts = [_table("session", session), _table("conventions", conventions)]
    for market in markets:
        limits = {"max_position": policy.max_position(market), "max_order_qty": policy.max_order_qty(market)}
        limits |= {"min_qty": market.min_qty, "max_notional": policy.max_notional(market)}
        parts.append(_table(f'limits."{market.symbol}"', limits | {"max_open_orders": policy.MAX_OPEN_ORDERS}))
    whole = {"max_notional": sum((policy.max_notional(market) for market in markets), Decimal(0))}
    parts.append(_table('limits."*"', whole | {"max_open_orders": policy.MAX_OPEN_ORDERS * len(markets)}))
    quoting = {"min_spread_bps": policy.MIN_SPREAD_BPS, "min_edge_bps": policy.MIN_EDGE_BPS}
    quoting |= {"vol_multiplier": policy.VOL_MULTIPLIER, "max_skew_bps": policy.MAX_SKEW_BPS}
    parts.append(_table("quoting", quoting | {"levels": Decimal(policy.LEVELS)}))
    parts.append(_table("risk", {"max_drawdown": policy.MAX_DRAWDOWN, "max_daily_loss": policy.MAX_DAILY_LOSS}))
    for name, breaker in policy.BREAKERS.items():
        stated = {"name": name, "metric": name, "threshold": breaker.threshold, "min_count": breaker.min_count}
        parts.append(_table("[breaker]", stated | {"action": breaker.action, "cooldown_s": breaker.cooldown_s}))
    parts.append(_table("timing", policy.TIMING))
    for endpoint, (limit, window_s, margin) in policy.RATE_LIMITS.items():
        stated = {"endpoint": endpoint, "limit": limit, "window_s": window_s, "margin": margin, "kind": "sliding"}
        parts.append(_table("[rate_limit]", stated))
    parts += [_table("[maintenance]", {"start": _iso(first), "end": _iso(last)}) for first, last in maintenance]
    for name, (value, unit, least, most, default, critical, hot) in policy.PARAMETERS.items():
        stated = {"value": Decimal(value), "unit": unit, "min": Decimal(least), "max": Decimal(most)}
        stated |= {"default": Decimal(default), "critical": critical, "hot_reload": hot}
        parts.append(_table(f"config.{name}", stated))
    return "\n".join(parts)


def _iso(ts: int) -> str:
    return datetime.fromtimestamp(ts // 10**9, UTC).replace(microsecond=ts % 10**9 // 1000).isoformat()


def _table(name: str, stated: Mapping[str, object]) -> str:
    lines = [f"[{name}]"]
    for key, value in stated.items():
        if isinstance(value, bool):
            lines.append(f"{key} = {str(value).lower()}")
        else:
            lines.append(f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value:f}".replace(".0f", ""))
    return "\n".join(lines) + "\n"
