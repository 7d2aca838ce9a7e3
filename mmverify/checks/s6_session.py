"""6 in a session: the parameters that session.toml states, their changes while running, and secrets in any text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from mmverify.checks import Breach, Looked
from mmverify.checks.s6_judged import Fault, bounds_fault, default_fault, is_infinite, unit_fault
from mmverify.session.columns import Words
from mmverify.session.load import Session, Table
from mmverify.source.parameters import SAID, Parameter, number
from mmverify.source.secrets import kind_of

_PLACES = 3
_NONE = "session.toml states no parameter under [config]"


def _parameters(session: Session) -> list[Parameter]:
    return [
        Parameter(name, f"session.toml config.{name}", told.get("value", told.get("default")),
                  {key: told[key] for key in SAID if key in told}, "config", True)
        for name, told in session.settings.get("config", {}).items()
    ]  # fmt: skip


def bounds(session: Session) -> Looked:
    """Look at the bounds of every numeric parameter of session.toml."""
    return _judged(session, bounds_fault, _numeric)


def units(session: Session) -> Looked:
    """Look at the unit of every numeric parameter of session.toml."""
    return _judged(session, unit_fault, lambda each: number(each.value) is not None)


def limits_and_defaults(session: Session) -> Looked:
    """Look at what every parameter defaults to, and at the limits."""
    judged = _judged(session, default_fault, lambda each: "default" in each.said)
    limits = [(symbol, name, value) for symbol, told in session.settings.get("limits", {}).items()
              for name, value in told.items()]  # fmt: skip
    breaches = [
        _breach(Parameter(name, f"session.toml limits.{symbol}.{name}", value),
                Fault(f"{name} {value}", "a limit", "the loss is bounded by the margin alone"))
        for symbol, name, value in limits if is_infinite(value)
    ]  # fmt: skip
    return Looked(judged.exercised + len(limits), (*judged.breaches, *breaches), judged.notes)


def _numeric(parameter: Parameter) -> bool:
    return number(parameter.value) is not None or is_infinite(parameter.value)


def _judged(
    session: Session, fault: Callable[[Parameter], Fault | None], looked_at: Callable[[Parameter], bool]
) -> Looked:
    known = _parameters(session)
    wanted = [each for each in known if looked_at(each)]
    found = [_breach(each, told) for each in wanted if (told := fault(each)) is not None]
    return Looked(len(wanted), tuple(found), () if known else (_NONE,))


def _breach(parameter: Parameter, fault: Fault) -> Breach:
    said = ", ".join(f"{name} {value}" for name, value in parameter.said.items())
    work = (f"{parameter.at}: value {parameter.value}{', ' if said else ''}{said}",)
    return Breach(parameter.name, (parameter.at,), 1, fault.was, fault.should, work, None, "", fault.cost)


# --- changes while running --------------------------------------------------------------------------------------------


def changes_while_running(session: Session) -> Looked:
    """Look at every change of a critical parameter that was taken: quotes paused, within bounds, hot_reload true."""
    events, known = session.table("config_events"), {each.name: each for each in _parameters(session)}
    names, new = events.words("name"), events.words("new")
    refused = ~events.whole("accepted").missing & (events.whole("accepted").values == 0)
    paused = ~events.whole("quotes_paused").missing & (events.whole("quotes_paused").values != 0)
    quoting = _quoting(session, events.whole("ts_local").values)
    exercised, groups = 0, dict[tuple[str, str], list[tuple[int, Fault]]]()
    for row in range(len(events)):
        parameter = known.get(names.text(row))
        if parameter is None or not parameter.said.get("critical"):
            continue
        exercised += 1
        if not refused[row]:
            for kind, fault in _changed(parameter, new.text(row), bool(quoting[row]), bool(paused[row])):
                groups.setdefault((parameter.name, kind), []).append((row, fault))
    breaches = [
        Breach(
            f"{name} {kind}", tuple(events.where(row) for row, _ in own[:_PLACES]), len(own), own[0][1].was,
            own[0][1].should, (_stated(known[name]), *(_event(events, row) for row, _ in own[:_PLACES])), None, "",
            own[0][1].cost,
        )
        for (name, kind), own in groups.items()
    ]  # fmt: skip
    return Looked(exercised, tuple(breaches), () if known else (_NONE,))


def _changed(parameter: Parameter, new: str, quoting: bool, paused: bool) -> Iterator[tuple[str, Fault]]:
    """Yield what a change of a critical parameter breaks."""
    said, value, name = parameter.said, number(new), parameter.name
    if quoting and not paused:
        yield "while quoting", Fault(f"{name} set to {new} while quoting", "a change once quotes are paused",
                                     "orders rest that were priced and sized by the old value")  # fmt: skip
    low, high = number(said.get("min")), number(said.get("max"))
    if is_infinite(new) or (
        value is not None and ((low is not None and value < low) or (high is not None and value > high))
    ):
        yield "out of bounds", Fault(f"{name} set to {new}", f"from {said.get('min')} to {said.get('max')}",
                                     "what a start would refuse went live by a reload")  # fmt: skip
    if said.get("hot_reload") is False:
        yield "no hot_reload", Fault(f"{name} set to {new} while running", "no change: hot_reload is false",
                                     "whatever was sized by the old value is still open")  # fmt: skip


def _stated(parameter: Parameter) -> str:
    said = ", ".join(f"{key} {parameter.said[key]}" for key in ("min", "max", "hot_reload") if key in parameter.said)
    return f"{parameter.at}: critical, {said}"


def _event(events: Table, row: int) -> str:
    old, paused = events.words("old").text(row), events.whole("quotes_paused")
    told = "not stated" if paused.missing[row] else "true" if paused.values[row] else "false"
    return f"{events.where(row)}: {old or 'unset'} -> {events.words('new').text(row)}, quotes_paused {told}"


def _quoting(session: Session, times: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return whether the newest quoting decision before each time quotes a side."""
    quotes = session.table("quotes", "ts_local", "state", "bid", "ask")
    order = np.argsort(quotes.whole("ts_local").values, kind="stable")
    out = ~quotes.words("state").is_("halted") & (quotes.decimals("bid").known | quotes.decimals("ask").known)
    before = np.searchsorted(quotes.whole("ts_local").values[order], times, side="left")
    known = before > 0
    return known & out[order[np.maximum(before - 1, 0)]] if len(quotes) else np.zeros(len(times), dtype=bool)


# --- secrets ----------------------------------------------------------------------------------------------------------


def secrets_in_evidence(session: Session) -> Looked:
    """Look for keys, secrets and tokens in session.toml and in every text of every table."""
    exercised, found = 0, dict[str, tuple[list[str], str]]()
    for at, text in _settings("session.toml", session.settings, ""):
        exercised += 1
        if kind := kind_of(text):
            found.setdefault(at, ([], kind))[0].append(at)
    for name in session.sources:
        for column, where, text in _texts(session, name):
            exercised += 1
            if kind := kind_of(text) or kind_of(f"{column} = {text}"):
                found.setdefault(f"{name} {column}", ([], kind))[0].append(where)
    return Looked(exercised, tuple(_leak(key, places, kind) for key, (places, kind) in found.items()))


def _leak(key: str, places: list[str], kind: str) -> Breach:
    work = (
        f"{places[0]} holds {kind}; it is not printed here",
        "Revoke it first, then take it out of what is recorded.",
    )
    return Breach(key, tuple(places[:_PLACES]), len(places), kind, "no secret in evidence", work, None, "",
                  "whoever is handed the session can trade the account")  # fmt: skip


def _texts(session: Session, name: str) -> Iterator[tuple[str, str, str]]:
    """Yield column, first place and text of each distinct text of a table."""
    table = session.table(name)
    for column, values in table.columns.items():
        if isinstance(values, Words):
            _, first = np.unique(values.codes[values.codes >= 0], return_index=True)
            rows = np.flatnonzero(values.codes >= 0)[first]
            for row, text in zip(rows, values.names, strict=False):
                yield column, table.where(int(row)), text


def _settings(at: str, value: Any, name: str) -> Iterator[tuple[str, str]]:
    """Yield each setting as ``NAME = VALUE``; the value of a [config.NAME] goes by that name."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _settings(f"{at} {key}", inner, name if key in ("value", "default") else key)
    elif isinstance(value, list):
        for inner in value:
            yield from _settings(at, inner, name)
    else:
        yield at, f"{name} = {value}"
