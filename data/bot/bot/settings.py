"""The configuration: every parameter is stated, bounded, and has a unit; none has a fallback in code."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

STATED = ("value", "unit", "default", "critical", "hot_reload")
BOUNDS = ("min", "max")


class SettingsError(ValueError):
    """The configuration cannot be used: the bot does not start, or keeps the one that it has."""


@dataclass(frozen=True)
class Settings:
    """The values of the parameters; docs/parameters.md says what each does."""

    dry_run: bool
    symbol: str
    tick_size: Decimal
    lot_size: Decimal
    book_depth: Decimal
    min_spread_bps: Decimal
    vol_multiplier: Decimal
    vol_span: Decimal
    max_skew_bps: Decimal
    order_qty: Decimal
    max_position: Decimal
    max_notional: Decimal
    max_open_orders: Decimal
    max_drawdown: Decimal
    breaker_cooldown_s: Decimal
    book_stale_ms: Decimal
    request_timeout_ms: Decimal
    rate_limit: Decimal
    rate_window_s: Decimal
    rate_margin: Decimal


KINDS = {field.name: str(field.type) for field in fields(Settings)}


def read(path: Path) -> dict[str, dict[str, Any]]:
    """Read the parameters of a file by name, and check that all are there and within their bounds."""
    sections = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    parameters = {name: stated for section in sections.values() for name, stated in section.items()}
    if KINDS.keys() != parameters.keys():
        raise SettingsError(f"{path}: missing or unknown: {', '.join(sorted(KINDS.keys() ^ parameters.keys()))}")
    for name, kind in KINDS.items():
        _check(name, parameters[name], kind)
    return parameters


def _check(name: str, stated: dict[str, Any], kind: str) -> None:
    needed = STATED + BOUNDS if kind == "Decimal" else STATED
    missing = [key for key in needed if key not in stated]
    if missing:
        raise SettingsError(f"{name}: {', '.join(missing)} is not stated")
    if kind == "Decimal":
        for key in ("value", "default"):
            within(name, stated[key], stated)
    elif type(stated["value"]).__name__ != kind:
        raise SettingsError(f"{name} is {stated['value']!r}; should be of type {kind}")


def within(name: str, value: Any, stated: dict[str, Any]) -> None:
    """Refuse a number outside its bounds."""
    number = isinstance(value, int | Decimal) and not isinstance(value, bool) and Decimal(value).is_finite()
    if not number or not stated["min"] <= value <= stated["max"]:
        raise SettingsError(f"{name} is {value}; should be in [{stated['min']}, {stated['max']}] {stated['unit']}")


def load(path: Path) -> Settings:
    """Read a file into settings."""
    parameters = read(path)
    values: dict[str, Any] = {name: stated["value"] for name, stated in parameters.items()}
    values |= {name: Decimal(value) for name, value in values.items() if KINDS[name] == "Decimal"}
    return Settings(**values)


def reload(current: Settings, path: Path, quotes_paused: bool) -> Settings:
    """Read the file again while the bot runs; keep the current settings if a change is not allowed."""
    parameters, wanted = read(path), load(path)
    for name, stated in parameters.items():
        if getattr(current, name) == getattr(wanted, name):
            continue
        if not stated["hot_reload"]:
            raise SettingsError(f"{name} cannot be changed while the bot runs")
        if stated["critical"] and not quotes_paused:
            raise SettingsError(f"{name} is critical; quotes should be paused first")
    return wanted
