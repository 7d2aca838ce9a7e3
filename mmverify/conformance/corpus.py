"""The vectors as cases: those that leave nothing open and suit what a target is tried with."""

from __future__ import annotations

import inspect
from decimal import Decimal
from typing import Any

from mmverify.conformance.conventions import Settled
from mmverify.conformance.inputs import Case
from mmverify.conformance.machines import MACHINES, Step
from mmverify.conformance.target import CARRIED, KNOWN, RULES, Target
from mmverify.vectors import load

_INTS = ("first", "seq", "prev_seq", "depth", "ddof", "span", "limit", "weight", "periods_per_year")
_WORDS = ("side", "kind", "text", "asset", "currency", "init", "cost_basis", "event", "exec_id", "call", *KNOWN)
#: The corpus' words for the contract's own rule, where no argument carries it.
_OWN = {"ema_nan": "repeat", "maintenance_at": "liquidation"}


def known_cases(target: Target, name: str, settled: Settled) -> list[Case]:
    """Return the vectors of a name as cases."""
    cases = []
    for group in load(name)["groups"]:
        params = group["params"]
        if all(_suits(target, name, settled, key, word) for key, word in params.items()):
            given = {key: value for key, value in params.items() if key not in RULES}
            cases += [_case(name, given | test["inputs"]) for test in group["tests"] if test["result"] != "acceptable"]
    return cases


def _suits(target: Target, name: str, settled: Settled, key: str, word: Any) -> bool:
    if key in _OWN:
        stated = target.conventions.get(key, _OWN[key])
        return word == stated or {stated, word} == {"mark", "liquidation"}
    parameter, convention = CARRIED.get(name, ("", ""))
    if key != parameter:
        return True
    return word in settled.tried[convention] or (word not in KNOWN[convention] and not settled.held)


def _case(name: str, inputs: dict[str, Any]) -> Case:
    if name not in MACHINES:
        return {key: _number(key, value) for key, value in inputs.items()}
    given = {key: _number(key, value) for key, value in inputs.items() if key != "calls"}
    order = inspect.signature(MACHINES[name].model).parameters
    make = tuple(given[key] for key in order if key in given)
    return {"make": make, "steps": [_step(name, call) for call in inputs["calls"]]}


def _step(name: str, call: dict[str, Any]) -> Step:
    args = {key: _number(key, value) for key, value in call.items() if key != "call"}
    place = ("event",) if name == "Order" else tuple(args)
    return call["call"], tuple(args[key] for key in place), {k: v for k, v in args.items() if k not in place}


def _number(key: str, value: Any) -> Any:
    """Read a number of the corpus as the contract passes it: quantities as Decimal, counts and times as int."""
    if isinstance(value, list):
        if key == "rates":
            return {(out, into): Decimal(rate) for out, into, rate in value}
        read = [_number(key, each) for each in value]
        return [tuple(each) if isinstance(each, list) else each for each in read]
    if value is None or key in _WORDS or not isinstance(value, str):
        return value
    whole = key in _INTS or key.endswith(("_ns", "_ts"))
    try:
        return int(value) if whole and value.lstrip("-").isdigit() else Decimal(value)
    except ArithmeticError:
        return value
