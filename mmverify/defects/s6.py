"""Mistakes of configuration, as a session states its parameters and their changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmverify.defects import Planted, benign, defect
from mmverify.defects.lives import one, some, ts
from mmverify.defects.recording import Recording
from mmverify.defects.words import random_word
from mmverify.errors import NotExercised


def _config(recording: Recording, fits: Callable[[str, dict[str, Any]], bool]) -> dict[str, Any]:
    """Return the first parameter that fits, to be changed."""
    for name, told in recording.edit_settings().get("config", {}).items():
        if fits(name, told):
            found: dict[str, Any] = told
            return found
    raise NotExercised("session.toml states no such parameter")


def _numeric(_: str, told: dict[str, Any]) -> bool:
    return isinstance(told.get("value"), int | float) and not isinstance(told.get("value"), bool)


@defect("6.1", "gross", like="hummingbot/hummingbot#1226")
def a_parameter_without_a_maximum(recording: Recording) -> Planted:
    """A parameter has no upper bound."""
    del _config(recording, _numeric)["max"]
    return recording.planted()


@defect("6.1", "deep", also="6.4")
def a_value_just_past_its_bound(recording: Recording) -> Planted:
    """A value is past its own upper bound."""
    told = _config(recording, _numeric)
    told["value"] = told["max"] * 1.5
    return recording.planted()


def _critical(recording: Recording) -> set[str]:
    return {name for name, told in recording.settings.get("config", {}).items() if told.get("critical")}


@defect("6.2", "gross", like="hummingbot/hummingbot#3727")
def changed_while_quoting(recording: Recording) -> Planted:
    """A critical parameter changes while quotes are out."""
    rows = recording.edit("config_events")
    row = one([row for row in rows if row["name"] in _critical(recording) and row["accepted"] == "true"])
    quoting = one(
        [row for row in recording["quotes"] if row["state"] == "normal" and row["bid"] and row["ask"]], at=0.5
    )
    row |= {"ts_local": str(ts(quoting) + 1), "quotes_paused": "false"}
    rows.sort(key=ts)
    return recording.planted()


@defect("6.2", "deep")
def taken_though_hot_reload_is_false(recording: Recording) -> Planted:
    """A parameter that may not change while the bot runs is changed, by a switch that nobody remembers."""
    names = [row["name"] for row in recording["config_events"] if row["accepted"] == "true"]
    name = some([name for name in names if name in _critical(recording)])[0]
    recording.edit_settings()["config"][name]["hot_reload"] = False
    return recording.planted()


@defect("6.2", "deep", like="Codaone/DEXBot#149")
def reloaded_past_its_bounds(recording: Recording) -> Planted:
    """A reload leaves out the check of the bounds."""
    rows = [row for row in recording.edit("config_events")
            if row["name"] in _critical(recording) and row["accepted"] == "true"]  # fmt: skip
    row = some(rows)[0]
    row["new"] = str(recording.settings["config"][row["name"]]["max"] * 1000)
    return recording.planted()


@benign()
def refused_change_of_a_critical_parameter(recording: Recording) -> Planted:
    """A change past the bounds is asked for while quoting, and refused."""
    rows = [row for row in recording.edit("config_events") if row["name"] in _critical(recording)]
    some(rows)[0].update(accepted="false", quotes_paused="false", new="1000000")
    return recording.planted()


@defect("6.3", "gross")
def live_by_default(recording: Recording) -> Planted:
    """A parameter that sends orders is on by default."""
    recording.edit_settings().setdefault("config", {})["live_trading"] = {
        "value": True, "unit": "flag", "default": True, "critical": True, "hot_reload": False,
    }  # fmt: skip
    return recording.planted()


@defect("6.3", "deep", like="xLydianSoftware/Qubx#396")
def limit_that_is_none(recording: Recording) -> Planted:
    """The default of a limit is infinity."""
    recording.edit_settings().setdefault("config", {})["max_gross_notional"] = {
        "value": 50000, "unit": "USD", "min": 100, "max": 500000, "default": "inf", "critical": True,
    }  # fmt: skip
    return recording.planted()


@defect("6.4", "gross")
def a_parameter_without_a_unit(recording: Recording) -> Planted:
    """A parameter has no unit."""
    del _config(recording, lambda name, told: _numeric(name, told) and bool(told.get("unit")))["unit"]
    return recording.planted()


@defect("6.4", "deep", like="freqtrade/freqtrade#3068")
def a_unit_that_the_name_contradicts(recording: Recording) -> Planted:
    """A parameter whose name ends in ms is stated in seconds."""
    _config(recording, lambda name, _: name.endswith("_ms"))["unit"] = "s"
    return recording.planted()


@defect("6.5", "gross", like="caiovicentino/polymarket-mcp-server#10")
def a_key_in_the_settings(recording: Recording) -> Planted:
    """The secret of the account stands among the parameters."""
    recording.edit_settings().setdefault("config", {})["api_secret"] = {"value": random_word()}
    return recording.planted()


@defect("6.5", "deep")
def a_token_in_the_detail_of_a_reconnect(recording: Recording) -> Planted:
    """The detail of one reconnect holds the header that it was made with."""
    rows = [row for row in recording.edit("connection") if row["event"] == "reconnect"]
    some(rows)[0]["detail"] = f"Authorization: Bearer {random_word()}"
    return recording.planted()
