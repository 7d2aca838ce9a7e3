"""Lists of calls, played on the target's object and on the reference side by side.

A case is ``{"make": arguments of the constructor, "steps": [(method, arguments, keyword arguments)]}``. After each step
what both came to and what both show is compared; the first difference ends the case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any

from hypothesis import strategies as st

from mmverify.conformance.faults import ERROR, UNDEFINED, items_of
from mmverify.conformance.inputs import Case, Conventions, Strategy
from mmverify.conformance.judge import Failure, Seen
from mmverify.conformance.machines import MACHINES, MISMADE, Machine, Moment, State, Step
from mmverify.conformance.precision import agrees
from mmverify.conformance.target import CARRIED, KNOWN, Outcome, Target, plain, shown
from mmverify.errors import IllegalTransition, Undefined


def strategy(name: str, tried: Conventions) -> Strategy:
    """Draw histories of an object, some with a constructor that must refuse."""
    bad: list[Case] = [{"make": make, "steps": []} for make in MISMADE[name]]
    cases = MACHINES[name].cases(tried)
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


def _differences(name: str, state: State, shows: State, scales: dict[str, Any]) -> list[str]:
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
    return ", ".join(f"{key} {_value(plain(state.get(key)))}" for key in keys)


def _value(value: Any) -> str:
    return value if isinstance(value, str) else shown(value)


def replay(target: Target, name: str, case: Case, held: str = "") -> Seen:
    """Play a history on the target's object and on the reference; the first difference is the failure.

    Parameters
    ----------
    target : Target
        The target.
    name : str
        The object.
    case : Case
        The history.
    held : str
        The last parameter of the constructor where the target has no place for it: it is judged by the case's.

    Returns
    -------
    Seen
    """
    make, own = target.given(case["make"]), items_of(name)
    if held and make[-1] not in KNOWN[CARRIED[name][1]]:
        return Seen(())
    made = target.watch(lambda: target.exposed[name](*make[: -1 if held else None]), read=lambda value: value)
    text = call_text(name, case, [])
    try:
        model = MACHINES[name].model(*make)
    except Undefined as error:
        item = {"error": ERROR, "hang": own[0]}.get(made.kind, UNDEFINED)
        failure = Failure(item, text, made.words or "an object", f"an error: {error}", outcome=made)
        return Seen(own[-2:], None if made.kind == "refused" else failure)
    if made.kind != "value":
        return Seen(own[:-2], Failure(own[0], text, made.words, "an object", outcome=made))
    return _play(target, name, case, made.value, model)


def _play(target: Target, name: str, case: Case, made: Any, model: Any) -> Seen:
    machine, own, exercised, booked = MACHINES[name], items_of(name), set[str](), list[Step]()
    scales = machine.scales(case["make"], case["steps"])
    before = _of_model(name, model)
    for n, step in enumerate(case["steps"]):
        if name == "Book" and step[1][0] == "snapshot" and model.newest > step[1][1]:
            break  # whether deltas that came before their snapshot are kept is not judged
        try:
            expected = _call(target, model, step)
        except (Undefined, IllegalTransition) as illegal:
            expected = illegal
        outcome, shows = target.watch(partial(_call, target, made, step)), _look(target, machine, made)
        repeated = _repeated(booked, step, name)
        moment = Moment(step, before, expected, _of_model(name, model), outcome, shows.value or {}, repeated)
        exercised.update(own[-2:] if moment.refused else own[:-2])
        item = _judge(name, machine, moment, shows, model, scales)
        if item:
            failure = _failure(item, machine, moment, outcome.words or shows.words)
            text = call_text(name, case, case["steps"][: n + 1])
            return Seen(tuple(exercised | {item}), replace(failure, call=text, steps=n + 1))
        booked += [] if moment.refused else [step]
        before = _of_model(name, model)
    return Seen(tuple(exercised))


def _call(target: Target, made: Any, step: Step) -> Any:
    method, args, kwargs = step
    return getattr(made, method)(*target.given(args), **target.given(kwargs))


def _look(target: Target, machine: Machine, made: Any) -> Outcome:
    """Read what an object shows, which may be computed and may hang too."""
    look = target.watch(lambda: {key: getattr(made, key) for key in machine.shows}, read=dict)
    return target.watch(partial(dict, look.value), read=_plain_state) if look.kind == "value" else look


def _failure(item: str, machine: Machine, moment: Moment, words: str) -> Failure:
    keys = moment.wrong or machine.shows
    was = words or _show(moment.shows, keys) or str(moment.outcome)
    should = f"refused ({moment.expected})" if moment.refused else _show(moment.after, keys) or shown(moment.expected)
    work = (f"before the last call: {_show(moment.before, machine.shows)}",) if machine.shows else ()
    return Failure(item, "", was, should, work, outcome=moment.outcome)


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
        moment.wrong = _differences(name, moment.after, moment.shows, scales)
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
    moment.wrong = _differences(name, moment.after, moment.shows, scales)
    if moment.wrong or (machine.result and outcome.value is not moment.expected):
        return machine.item(moment)
    return ""
