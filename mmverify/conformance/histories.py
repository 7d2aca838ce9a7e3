"""Lists of calls, played on the target's object and on the reference side by side.

A case is ``{"make": arguments of the constructor, "steps": [(method, arguments, keyword arguments)]}``. After each step
what both came to and what both show is compared; the first difference ends the case.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any

from hypothesis import strategies as st

from mmverify.conformance.faults import ERROR, UNDEFINED, items_of
from mmverify.conformance.inputs import Case, Conventions, Strategy
from mmverify.conformance.judge import Failure, Seen, agrees
from mmverify.conformance.machines import MACHINES, MISMADE, Machine, Moment, State, Step
from mmverify.conformance.target import Outcome, Target, plain, shown
from mmverify.errors import IllegalTransition, Undefined


def strategy(name: str, stated: Conventions) -> Strategy:
    """Draw histories of an object, some with a constructor that must refuse."""
    bad: list[Case] = [{"make": make, "steps": []} for make in MISMADE[name]]
    cases = MACHINES[name].cases(stated)
    return cases | st.sampled_from(bad) if bad else cases


def _of_model(name: str, model: Any) -> State:
    state = {key: getattr(model, key) for key in MACHINES[name].shows}
    if name == "Book":
        bid, ask = model.best()
        crossed = bid is not None and ask is not None and bid > ask
        state |= {"seq": model.seq, "whole": model.valid or crossed, "depth": model.depth}
        state |= {"every": (model.all.bids[: model.depth], model.all.asks[: model.depth])}
        state |= {"whole_book": (model.all.bids, model.all.asks)}
    return state


def _differences(name: str, model: Any, state: State, shows: State, scales: dict[str, Any]) -> list[str]:
    if name == "Book":
        if shows["valid"] is not state["valid"]:
            return ["valid"]
        got, kept = [shows["bids"], shows["asks"]], [(state["bids"], state["asks"]), state["every"]]
        return [] if not state["valid"] or any(agrees(list(each), got) for each in kept) else ["bids", "asks"]
    wrong = []
    for key, should in state.items():
        was = shows[key]
        if key == "avg_px" and should is None:
            fine = was is None or (isinstance(was, int | float | Decimal | Fraction) and was == 0)
        else:
            fine = agrees(should, was, scale=scales.get(key), direct=key in ("qty", "fees", "cum_qty", "leaves_qty"))
        if not fine:
            wrong.append(key)
    return wrong


def call_text(name: str, case: Case, steps: Sequence[Step]) -> str:
    """Write a history as the calls that it is."""
    lines = [f"{name}({', '.join(map(shown, case['make']))})"]
    for method, args, kwargs in steps:
        lines.append(
            f"{method}({', '.join([*map(shown, args), *(f'{key}={shown(value)}' for key, value in kwargs.items())])})"
        )
    return "; ".join(lines)


def _show(state: State, keys: Sequence[str]) -> str:
    return ", ".join(f"{key} {_value(state.get(key))}" for key in keys)


def _value(value: Any) -> str:
    return value if isinstance(value, str) else shown(value)


def replay(target: Target, name: str, case: Case) -> Seen:
    """Play a history on the target's object and on the reference; the first difference is the failure."""
    machine, own = MACHINES[name], items_of(name)
    given = target.given(case["make"])
    made = target.watch(lambda: target.exposed[name](*given), read=lambda value: value)
    try:
        model = machine.model(*given)
    except Undefined as error:
        if made.kind == "refused":
            return Seen((UNDEFINED, ERROR))
        item = ERROR if made.kind == "error" else own[0] if made.kind == "hang" else UNDEFINED
        was = "an object" if made.kind == "value" else made.words
        return Seen(
            (UNDEFINED, ERROR), Failure(item, call_text(name, case, []), was, f"an error: {error}", outcome=made)
        )
    if made.kind != "value":
        return Seen(own[:-2], Failure(own[0], call_text(name, case, []), made.words, "an object", outcome=made))
    made_object, exercised, before = made.value, set[str](), _of_model(name, model)
    booked: list[Step] = []
    scales = {key: _scale for key, _scale in machine.scales(case["make"], case["steps"]).items()}
    if name == "Order":
        scales = dict.fromkeys(("cum_qty", "leaves_qty"), 30) | {"avg_px": 1000}
    for n, step in enumerate(case["steps"]):
        method, args, kwargs = step
        if name == "Book" and args[0] == "snapshot" and model.newest_early > args[1]:
            break  # whether deltas that came before their snapshot are kept is not judged
        try:
            expected = getattr(model, method)(*target.given(args), **target.given(kwargs))
        except (Undefined, IllegalTransition) as illegal:
            expected = illegal
        outcome = target.watch(partial(_call, target, made_object, step))
        after = _of_model(name, model)
        look = target.watch(lambda: {key: getattr(made_object, key) for key in machine.shows}, read=dict)
        shows = target.watch(partial(dict, look.value or {}), read=_plain_state)
        moment = Moment(
            step,
            before,
            expected,
            after,
            outcome,
            shows.value or {},
            _repeated(booked, step, name),
        )
        exercised |= {UNDEFINED, ERROR} if moment.refused else set(own[:-2])
        item = _judge(name, machine, moment, look if look.kind != "value" else shows, model, scales)
        if item:
            keys = moment.wrong or machine.shows
            was = outcome.words or _show(moment.shows, keys) or str(outcome)
            should = f"refused ({expected})" if moment.refused else _show(after, keys) or shown(expected)
            work = (f"before the last call: {_show(before, machine.shows)}",) if machine.shows else ()
            failure = Failure(item, call_text(name, case, case["steps"][: n + 1]), was, should, work, outcome=outcome)
            return Seen(tuple(sorted(exercised | {item})), failure)
        booked += [] if moment.refused else [step]
        before = _of_model(name, model)
    return Seen(tuple(sorted(exercised)))


def _call(target: Target, made: Any, step: Step) -> Any:
    method, args, kwargs = step
    return getattr(made, method)(*target.given(args), **target.given(kwargs))


def _plain_state(state: State) -> State:
    return {key: plain(value) for key, value in state.items()}


def _repeated(booked: Sequence[Step], step: Step, name: str) -> bool:
    """Say whether the execution of a step was booked before."""
    exec_id = step[1][0] if name == "Position" else step[2].get("exec_id")
    booked_ids = {args[0] if name == "Position" else kwargs.get("exec_id") for _, args, kwargs in booked}
    return name in ("Position", "Order") and exec_id is not None and exec_id in booked_ids


def _judge(name: str, machine: Machine, moment: Moment, shows: Outcome, model: Any, scales: dict[str, Any]) -> str:
    """Return the item that a step fails, empty where it is as it should be."""
    outcome = moment.outcome
    if outcome.kind == "hang" or shows.kind != "value":
        return items_of(name)[0]
    if moment.refused:
        moment.wrong = _differences(name, model, moment.after, moment.shows, scales)
        if outcome.kind == "error":
            return ERROR
        silent = outcome.kind == "value" and (name == "Order" or (machine.result and outcome.value is not None))
        return machine.item(moment) if moment.wrong or silent else ""
    early = name == "Breaker" and moment.step[0] == "reset" and outcome.kind == "refused"
    if outcome.kind != "value" and not early:
        return machine.item(moment)
    if name == "Order" and moment.step[1][0] == "partial_fill" and moment.shows.get("state") == "PARTIALLY_FILLED":
        pending = moment.before["state"] in ("PENDING_CANCEL", "PENDING_REPLACE")
        if pending and moment.after["state"] == moment.before["state"]:
            model.state = moment.after["state"] = "PARTIALLY_FILLED"  # the map leaves it open
    moment.wrong = _differences(name, model, moment.after, moment.shows, scales)
    if moment.wrong or (machine.result and outcome.value is not moment.expected):
        return machine.item(moment)
    return ""
