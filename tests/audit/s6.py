"""6 Configuration: the parameters that session.toml states, their changes, and secrets in any text."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from audit.market import is_quoting
from audit.recorded import Recorded, Seen, is_true, ns, number, place, seen, shown

UNIT_OF_SUFFIX = {name: {name} for name in ("ns", "us", "ms", "s", "bps", "usd", "usdt", "btc", "eur", "ticks", "lots")}
UNIT_OF_SUFFIX |= {name: {"pct", "percent", "%"} for name in ("pct", "percent")}
UNIT_OF_SUFFIX |= {name: {"fraction", "ratio", "1"} for name in ("fraction", "ratio")}
UNIT_OF_SUFFIX |= {name: {"s"} for name in ("sec", "secs", "seconds")}
SAME_UNIT = {"seconds": "s", "secs": "s", "sec": "s", "milliseconds": "ms", "microseconds": "us", "nanoseconds": "ns"}
LIVE = re.compile(r"(^|_)(live|trading_enabled|enable_trading|auto_start|real_money|production)($|_)")
SAFE = re.compile(r"(^|_)(dry_run|paper|testnet|sandbox|simulated?|read_only)($|_)")
GUARD = re.compile(r"breaker|kill_switch|halt|stop_loss|circuit|guard|checks?_enabled|limits?_enabled")
LIMIT = re.compile(r"(^|_)(max|limit)(_|$)")
SIZE = re.compile(r"(^|_)(qty|size|notional|max_position|lots)($|_)")


def parameters(session: Recorded) -> dict[str, Mapping[str, Any]]:
    """Return the [config.NAME] tables."""
    return session.settings.get("config", {})


def numeric(value: Any) -> Fraction | None:
    """Return a setting as a number, None where it is none (or infinite)."""
    return None if isinstance(value, bool) or value is None else number(str(value))


def i6_1(session: Recorded) -> Seen:
    """A numeric parameter has no min and max, is outside them, or they admit nonsense."""
    exercised, violations = 0, []
    for name, row in parameters(session).items():
        value, low, high = (numeric(row.get(key)) for key in ("value", "min", "max"))
        if value is None and not is_infinite(row.get("value")):
            continue
        exercised += 1
        where = f"session.toml config.{name}"
        if low is None or high is None:
            violations.append(f"{where} min and max were {row.get('min')} and {row.get('max')}, should both be set")
            continue
        if value is None or not low <= value <= high:
            violations.append(f"{where} was {row['value']}, should be from {shown(low)} to {shown(high)}")
        if low > high:
            violations.append(f"{where} min was {shown(low)}, should not be above max {shown(high)}")
        if low < 0 and SIZE.search(name):
            violations.append(f"{where} min was {shown(low)}, a size should not be negative")
        if low <= 0 and "spread" in name:
            violations.append(f"{where} min was {shown(low)}, a spread should be above 0")
        if str(row.get("unit")) in UNIT_OF_SUFFIX["fraction"] and high > 1:
            violations.append(f"{where} max was {shown(high)}, a fraction should be 1 at most")
    return seen(exercised, violations)


def is_infinite(value: Any) -> bool:
    """Whether a setting says that there is no bound, or is no number."""
    return str(value).lower().lstrip("+-") in ("inf", "infinity", "nan", "none", "unlimited")


def i6_2(session: Recorded) -> Seen:
    """A critical parameter changed while quoting and not paused, out of its bounds, or though hot_reload is false."""
    quotes, times = session.arrivals("quotes")
    exercised, violations = 0, []
    for row in session["config_events"]:
        parameter = parameters(session).get(row["name"], {})
        if not parameter.get("critical"):
            continue
        exercised += 1
        if row["accepted"] and not is_true(row["accepted"]):
            continue
        where = f"{place('config_events', row)} {row['name']}"
        before = bisect_left(times, ns(row["ts_local"]))
        if before and is_quoting(quotes[before - 1]) and not is_true(row["quotes_paused"]):
            violations.append(f"{where} changed while quoting, should be paused")
        new, low, high = number(row["new"]), numeric(parameter.get("min")), numeric(parameter.get("max"))
        if (
            is_infinite(row["new"])
            or (new is not None and (low or new) > new)
            or (new is not None and (high or new) < new)
        ):
            violations.append(f"{where} was set to {row['new']}, should be from {shown(low)} to {shown(high)}")
        if parameter.get("hot_reload") is False:
            violations.append(f"{where} changed while running, should not: hot_reload is false")
    return seen(exercised, violations)


def i6_3(session: Recorded) -> Seen:
    """A default trades: live mode on, a limit unset or infinite, a breaker off."""
    exercised, violations = 0, []
    for name, row in parameters(session).items():
        where = f"session.toml config.{name} default was {row.get('default')}"
        if "default" not in row:
            continue
        exercised += 1
        default = row["default"]
        if LIVE.search(name) and is_on(default):
            violations.append(f"{where}, should not trade unless told to")
        if SAFE.search(name) and is_off(default):
            violations.append(f"{where}, should not trade unless told to")
        if GUARD.search(name) and is_off(default):
            violations.append(f"{where}, should be on")
        if LIMIT.search(name) and (is_infinite(default) or default == ""):
            violations.append(f"{where}, should be a limit")
    for name, limits in session.settings.get("limits", {}).items():
        exercised += len(limits)
        for key, value in limits.items():
            if is_infinite(value):
                violations.append(f"session.toml limits.{name} {key} was {value}, should be a limit")
    return seen(exercised, violations)


def is_on(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.lower() in ("true", "on", "yes", "1"))


def is_off(value: Any) -> bool:
    return value is False or (isinstance(value, str) and value.lower() in ("false", "off", "no", "0"))


def i6_4(session: Recorded) -> Seen:
    """A parameter has no unit, one that its name contradicts, or a value whose size fits another unit."""
    exercised, violations = 0, []
    for name, row in parameters(session).items():
        value = numeric(row.get("value"))
        if value is None:
            continue
        exercised += 1
        unit = str(row.get("unit") or "")
        where = f"session.toml config.{name}"
        if not unit:
            violations.append(f"{where} unit was unset, should be set")
            continue
        unit = SAME_UNIT.get(unit.lower(), unit.lower())
        suffix = name.lower().rpartition("_")[2]
        if suffix in UNIT_OF_SUFFIX and suffix != name.lower() and unit not in UNIT_OF_SUFFIX[suffix]:
            violations.append(f"{where} unit was {unit}, should be {suffix} by its name")
        low, high = SIZES.get(unit, (None, None))
        if value and ((low is not None and abs(value) < low) or (high is not None and abs(value) > high)):
            violations.append(f"{where} was {row['value']} {unit}, should be of the size of its unit")
    return seen(exercised, violations)


SIZES = {  # outside of them a value fits another unit
    "fraction": (None, 1),
    "ratio": (None, 1),
    "bps": (Fraction(1, 100), 10_000),
    "percent": (None, 100),
    "pct": (None, 100),
    "s": (None, 86_400),
    "ms": (1, 86_400_000),
    "us": (1, None),
    "ns": (1, None),
}

SECRETS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?i)(api[_-]?key|secret|token|pass(word|phrase)|authorization|signature)[\"']?\s*[=:]\s*[\"']?"
        r"(?!redacted|masked|hidden|removed|x{4})[A-Za-z0-9+/_.\-]{8,}",
        r"(?i)bearer\s+[A-Za-z0-9+/_.\-]{10,}",
        r"-----BEGIN [A-Z ]*PRIVATE KEY",
        r"\bAKIA[0-9A-Z]{16}\b",
        r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}",
        r"(?=[A-Za-z0-9]*[a-z])(?=[A-Za-z0-9]*[A-Z])(?=[A-Za-z0-9]*[0-9])\b[A-Za-z0-9]{60,}\b",
    )
)


def i6_5(session: Recorded) -> Seen:
    """A key, secret, token or passphrase in the session's text."""
    exercised, violations = 0, []
    met: dict[str, bool] = {}
    for where, text in texts(session):
        exercised += 1
        if text not in met:
            met[text] = any(pattern.search(text) for pattern in SECRETS)
        if met[text]:
            violations.append(f"{where} held what looks like a secret, should hold none")
    return seen(exercised, violations)


def texts(session: Recorded) -> Iterator[tuple[str, str]]:
    """Yield where and what of each setting, and of each cell that is not a number."""
    yield from settings_texts("session.toml", session.settings)
    for table, rows in session.tables.items():
        for row in rows:
            for column, text in row.items():
                if len(text) > 8 and not text.lstrip("-").replace(".", "", 1).isdigit():
                    yield f"{place(table, row)} {column}", text


def settings_texts(where: str, value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield each setting as NAME=VALUE; the value of a [config.NAME] goes by that name."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from settings_texts(f"{where} {key}", inner, name if key in ("value", "default") else key)
    elif isinstance(value, list):
        for inner in value:
            yield from settings_texts(where, inner, name)
    else:
        yield where, f"{name}={value}"
