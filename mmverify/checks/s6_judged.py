"""6 Configuration: what is wrong with a parameter, wherever it is stated."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from mmverify.source.parameters import Parameter, names_unit, number

#: Names that end in a unit, and the units that they may have.
_SUFFIXES = {
    name: {name} for name in ("ns", "us", "ms", "s", "bps", "usd", "usdt", "btc", "eth", "eur", "ticks", "lots")
}
_SUFFIXES |= {name: {"pct", "percent", "%"} for name in ("pct", "percent")}
_SUFFIXES |= {name: {"fraction", "ratio", "1"} for name in ("fraction", "ratio")}
_SUFFIXES |= {name: {"s"} for name in ("sec", "secs", "seconds")}
_SAME = {
    "seconds": "s", "second": "s", "secs": "s", "sec": "s", "milliseconds": "ms", "millisecond": "ms",
    "microseconds": "us", "microsecond": "us", "nanoseconds": "ns", "nanosecond": "ns", "basis points": "bps",
    "percentage": "percent",
}  # fmt: skip
#: Sizes outside of which a number fits another unit than its own.
_SIZES = {
    "fraction": (None, 1.0), "bps": (0.01, 10_000.0), "percent": (None, 100.0), "pct": (None, 100.0),
    "%": (None, 100.0), "s": (None, 86_400.0 * 31), "ms": (1.0, 86_400_000.0 * 7), "us": (1.0, None), "ns": (1.0, None),
}  # fmt: skip
_LEAST_TIMEOUT_MS = 10  # a time-out below is one in seconds
_LIVE = re.compile(r"(^|_)(live|trading_enabled|enable_trading|auto_start|real_money|production|live_mode)($|_)")
_SAFE = re.compile(r"(^|_)(dry_?run|paper|testnet|sandbox|simulated?|read_only)($|_)")
_GUARD = re.compile(r"breaker|kill_switch|halt|stop_loss|circuit|guard|checks?_enabled|limits?_enabled")
_LIMIT = re.compile(r"(^|_)(max|limit)(_|$)")
#: A limit on what can be lost, of a parameter that does not state itself.
_RISK_LIMIT = re.compile(
    r"(?=.*(^|_)(max|maximum|limit)(_|$)).*(position(?!_adjust)|notional|drawdown|loss|leverage|exposure|open_(orders|trades)|"
    r"order_(qty|size|quantity|value)|stake)"
)
_SIZE = re.compile(r"(^|_)(qty|size|notional|max_position|lots|orders|depth)($|_)")
_RISK_FRACTION = re.compile(r"(^|_)max_(drawdown|loss|daily_loss|leverage_fraction|exposure)($|_)")
_COUNT = re.compile(
    r"(^|_)(n|num|number|count|counts|levels?|retries|retry|attempts|workers|threads|port|version|id|index|seed|"
    r"verbosity|level|orders|trades|pairs|precision|decimals|leverage|depth|rank|priority|epochs?|candles?|rows?|"
    r"columns?|size|items|samples|steps|window|span|period|periods|lookback|chat_id|schema)($|_)"
)
#: Names that say what they are counted in, or that have no unit.
_PLAIN = re.compile(
    r"(^|_)(quote|base|multiplier|ratio|factor|coefficient|fraction|share|weight|multiple|records)($|_)"
)
_DURATION = re.compile(r"timeout|interval|delay|cooldown|latency|stale|ttl|expir|wait|duration|age|period_|throttle")


@dataclass(frozen=True)
class Fault:
    """What is wrong with a parameter: what it was, what it should be, and what that costs."""

    was: str
    should: str
    cost: str


def bounds_fault(parameter: Parameter) -> Fault | None:
    """Say what is wrong with the bounds of a numeric parameter."""
    said = parameter.said
    low, high, value = number(said.get("min")), number(said.get("max")), number(parameter.value)
    if (low is None or high is None) and parameter.checked:
        return None
    if low is None or high is None:
        lacks = " and ".join(name for name, bound in (("min", low), ("max", high)) if bound is None)
        return Fault(f"{parameter.name} = {parameter.value} without {lacks}", "a parameter with min and max",
                     "a zero too many is taken as it stands, at ten times the risk that was meant")  # fmt: skip
    if low > high:
        return _bounds(parameter, "min at or below max", "no value can be right: the check of the bounds cannot be on")
    for name, told in (("value", value), ("default", number(said.get("default")))):
        if told is not None and not low <= told <= high:
            return Fault(f"{parameter.name} {name} {told:g}", f"from {low:g} to {high:g} by its own bounds",
                         "either the bot does not start, or its bounds are not checked")  # fmt: skip
    if low < 0 and _SIZE.search(parameter.name):
        return _bounds(parameter, "no negative size", "a sign too many turns every order around, or is refused")
    if low <= 0 and "spread" in parameter.name:
        return _bounds(parameter, "a spread above 0", "at a spread of 0 each round trip earns nothing and pays for "
                                                      "every move against it")  # fmt: skip
    if _unit(parameter) == "fraction" and high > 1:
        return _bounds(parameter, "a fraction of at most 1", "a percentage typed for the fraction is taken: a limit of "
                                                             "five times the whole")  # fmt: skip
    return None


def _bounds(parameter: Parameter, should: str, cost: str) -> Fault:
    said = parameter.said
    return Fault(f"{parameter.name} from {said.get('min')} to {said.get('max')}", should, cost)


def unit_fault(parameter: Parameter) -> Fault | None:
    """Say what is wrong with the unit of a numeric parameter."""
    unit, name = _unit(parameter), parameter.name.lower()
    suffix = re.split(r"[_\-.]", name)[-1]
    told = suffix if suffix in _SUFFIXES and suffix != name else ""
    if not unit:
        plain = _COUNT.search(name) or _PLAIN.search(name) or names_unit(parameter.comment)
        if told or (plain and not parameter.itself):
            return None
        return Fault(f"{parameter.name} = {parameter.value} without a unit", "a unit beside it, or in its name",
                     "read in another unit it is off by a power of ten")  # fmt: skip
    if told and unit not in _SUFFIXES[told]:
        return Fault(f"{parameter.name} in {parameter.said['unit']}", f"{told}, as its name says",
                     "one of the two is wrong, and whoever sets it reads one of them")  # fmt: skip
    value = number(parameter.value)
    low, high = _SIZES.get(unit, (None, None))
    if unit == "ms" and _DURATION.search(name):
        low = float(_LEAST_TIMEOUT_MS)
    if value and ((low is not None and abs(value) < low) or (high is not None and abs(value) > high)):
        return Fault(f"{parameter.name} = {parameter.value} {unit}", f"a number of the size of {unit}",
                     "it is of the size of another unit, and works as that many of this one")  # fmt: skip
    return None


def plain_unit(told: Any) -> str:
    """Write a unit as its short name, in small letters: ``ms`` of milliseconds; empty of none."""
    unit = str(told or "").lower()
    return _SAME.get(unit, unit)


def _unit(parameter: Parameter) -> str:
    return plain_unit(parameter.said.get("unit"))


def default_fault(parameter: Parameter) -> Fault | None:
    """Say what trades in the default of a parameter, or in its value where a file that is shipped states that alone."""
    stated = "default" in parameter.said
    default, name = parameter.said["default"] if stated else parameter.value, parameter.name.lower()
    told = f"{parameter.name} {'default' if stated else 'is'} {default}"
    if (_LIVE.search(name) and _is(default, True)) or (_SAFE.search(name) and _is(default, False)):
        return Fault(told, "a bot that does not trade unless it is told to",
                     "whoever tries it out with keys in the environment sends real orders")  # fmt: skip
    if _GUARD.search(name) and _is(default, False):
        return Fault(told, "on unless it is turned off", "a bot on its defaults has nothing that stops it")
    value = number(default)
    limit = _LIMIT.search(name) if parameter.itself else _RISK_LIMIT.search(name)
    if limit and (is_infinite(default) or default == "" or (value is not None and value < 0)):
        return Fault(told, "a limit", "the loss is bounded by the margin alone")
    if _RISK_FRACTION.search(name) and _unit(parameter) == "fraction" and value is not None and value >= 1:
        return Fault(told, "a fraction below 1", "a bot on its defaults loses everything before it stops")
    return None


def _is(value: Any, on: bool) -> bool:
    words = ("true", "on", "yes", "1") if on else ("false", "off", "no", "0")
    return value is on or (isinstance(value, str) and value.lower() in words)


def is_infinite(value: Any) -> bool:
    """Say whether a setting says that there is no bound, or is no number."""
    return str(value).lower().lstrip("+-") in ("inf", "infinity", "nan", "none", "unlimited")
