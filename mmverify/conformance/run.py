"""The run: vectors, generated inputs and histories, probes; each failure shrunk to its smallest case."""

from __future__ import annotations

import inspect
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, find, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException

from mmverify.checks import Breach, Check, Looked
from mmverify.conformance import histories, probes
from mmverify.conformance.faults import AHEAD, check, items_of, names
from mmverify.conformance.inputs import Case, Strategy, spoiled
from mmverify.conformance.judge import Failure, FunctionTest, Seen, Test, ahead
from mmverify.conformance.machines import MACHINES, every_event
from mmverify.conformance.specs import SPECS
from mmverify.conformance.target import KNOWN, RULES, Outcome, Target, load, quiet
from mmverify.errors import UsageError
from mmverify.vectors import load as load_vectors

_EXAMPLES, _AHEAD = 150, 60
_STAKE = "what the difference of this case costs on an order of 1 BTC at 60,000 USDT"
_NO_STAKE = "no amount of money is in this case alone"
#: What is not told apart from a plainer failure of the same name, where there is one of these.
_PLAINER = {
    "1.1.5": {"1.1.1", "1.1.4", "2.1.3"}, "5.1.5": {"2.1.3"}, "3.2.2": {"3.3.1"}, "1.3.4": {"1.3.1"},
    "5.1.2": {"1.4.3"}, "2.3.5": {"1.3.3"}, "3.1.6": {"3.1.2", "3.1.3"},
}  # fmt: skip
_INTS = ("first", "seq", "prev_seq", "depth", "ddof", "span", "limit", "weight", "periods_per_year")
_WORDS = ("side", "kind", "text", "asset", "currency", "init", "cost_basis", "event", "exec_id", "call", *KNOWN)


@dataclass(frozen=True)
class Conformed:
    """One check of an item on one name of a target.

    Attributes
    ----------
    target, item : str
        What was looked at, and for which item.
    check : Check
        Its name, and the words of its findings.
    looked : Looked
        How many cases exercised it, and the finding if one failed.
    test : str
        Code of the finding's regression test, empty without a finding.
    error : str
        What the check itself ended in, empty where it ran.
    """

    target: str
    item: str
    check: Check
    looked: Looked
    test: str = ""
    error: str = ""


@dataclass
class _Part:
    """One way to look at a name: a test, and the cases that it is tried with."""

    test: Test
    cases: Strategy
    examples: int = _EXAMPLES
    known: Sequence[Case] = ()
    only: str = ""


@dataclass
class _Found:
    """What the parts of a name came to."""

    exercised: Counter[str] = field(default_factory=Counter)
    failures: dict[str, tuple[Case, Failure]] = field(default_factory=dict)
    seen: dict[str, list[tuple[Case, Outcome]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    done: int = 0


def conform(
    target: str,
    *,
    names: Sequence[str] = (),
    budget: float = 60.0,
    seed: int = 0,
    step: Callable[[str], None] = lambda name: None,
) -> list[Conformed]:
    """Call a target's functions and objects, and compare them with the exact ones.

    Parameters
    ----------
    target : str
        ``pkg.module``, ``pkg.module:OBJECT`` or ``path/to/file.py``.
    names : sequence of str
        Names of the contract; all where empty.
    budget : float
        Time for all of them; a name whose share runs out says so. [s]
    seed : int
        The same seed gives the same cases, unless the budget cut them short.
    step : callable
        Told of each name once it is done.

    Returns
    -------
    list of Conformed
        One for each name that the target exposes and each item that the name serves, in the contract's order.

    Raises
    ------
    UsageError
        If the target cannot be imported, says of itself what it cannot mean, or a name is none of the contract's.
    """
    every = _known(names)
    loaded = load(target, every)
    todo = [name for name in every if name in loaded.exposed]
    end, out = time.monotonic() + budget, list[Conformed]()
    for n, name in enumerate(todo):
        now = time.monotonic()
        try:
            with quiet():
                found = _look(loaded, name, seed, now + max(end - now, 0.0) / (len(todo) - n))
            out += [_conformed(loaded, name, item, found) for item in items_of(name)]
        except Exception as error:  # whatever it is, it is ours, and the report says so
            words = f"{type(error).__name__}: {error}".splitlines()[0]
            out += [Conformed(target, item, check(item, name), Looked(0), error=words) for item in items_of(name)]
        step(name)
    return out


def again(target: str, name: str, item: str, case: Case) -> str:
    """Try one case of a finding again; for regression tests.

    Returns
    -------
    str
        What is still wrong, empty where the case is right.
    """
    loaded = load(target, [name])
    if name not in loaded.exposed:
        return f"{target} has no {name}"
    with quiet():
        part = next(part for part in _parts(loaded, name) if part.only in ("", item) or part.only != AHEAD)
        if item == AHEAD:
            part = next(part for part in _parts(loaded, name) if part.only == AHEAD)
        failure = part.test(case).failure
    return f"{failure.call} was {failure.was}, should be {failure.should}" if failure else ""


def _known(chosen: Sequence[str]) -> tuple[str, ...]:
    wrong = next((name for name in chosen if name not in names()), None)
    if wrong is not None:
        raise UsageError(f"--focus {wrong}: no name of the contract; should be one of {', '.join(names())}")
    return tuple(name for name in names() if name in chosen or not chosen)


def _parts(target: Target, name: str) -> list[_Part]:
    if name == "order_id":
        return [_Part(lambda case: probes.order_ids(target, case), st.just({}), 1)]
    if name == "on_book_update":
        return [
            _Part(lambda case: probes.book_update(target, case), st.just({}), 1, [{"item": i} for i in items_of(name)])
        ]
    if name in MACHINES:
        cases = histories.strategy(name, target.conventions)
        known = _vectors(target, name) + (every_event() if name == "Order" else [])
        return [_Part(lambda case: histories.replay(target, name, case), cases, 2 * _EXAMPLES, known)]
    spec = SPECS[name]
    test = FunctionTest(target, name, spec, _pinned(target, name), _taken(target, name))
    cases = spec.cases(target.conventions)
    parts = [
        _Part(test, cases | spoiled(cases, spec.spoils) if spec.spoils else cases, _EXAMPLES, _vectors(target, name))
    ]
    if spec.past:
        cut = st.tuples(cases, st.integers(0, 6)).map(lambda drawn: drawn[0] | {"cut": drawn[1]})
        parts.insert(0, _Part(ahead(test), cut, _AHEAD, only=AHEAD))
    return parts


def _taken(target: Target, name: str) -> frozenset[str] | None:
    """Return the parameters that a function takes by name, None where it does not say or takes any."""
    try:
        parameters = inspect.signature(target.exposed[name]).parameters
    except (TypeError, ValueError):
        return None
    return None if any(p.kind is p.VAR_KEYWORD for p in parameters.values()) else frozenset(parameters)


def _pinned(target: Target, name: str) -> Case:
    """Return the convention of a function that takes none: the stated one."""
    parameter, convention = SPECS[name].convention
    taken = _taken(target, name)
    stated = target.conventions.get(convention)
    return {parameter: stated} if stated and taken is not None and parameter not in taken else {}


# --- vectors ----------------------------------------------------------------------------------------------------------


def _vectors(target: Target, name: str) -> list[Case]:
    """Return the cases of the corpus that leave nothing open and suit what the target states."""
    cases = []
    for group in load_vectors(name)["groups"]:
        if all(_suits(target, name, key, word) for key, word in group["params"].items()):
            params = {key: value for key, value in group["params"].items() if key not in RULES}
            cases += [_case(name, params | test["inputs"]) for test in group["tests"] if test["result"] != "acceptable"]
    return cases


def _suits(target: Target, name: str, key: str, word: Any) -> bool:
    rule = {"init": "ema_init", "cost_basis": "cost_basis", "kind": "volatility"}.get(key, key)
    if rule == "volatility" and name not in ("returns", "volatility"):
        return True
    standard = {"ema_nan": "repeat", "maintenance_at": "liquidation"}.get(rule)
    stated = target.conventions.get(rule, standard)
    return rule not in KNOWN or stated in (None, word) or {stated, word} == {"mark", "liquidation"}


def _case(name: str, inputs: dict[str, Any]) -> Case:
    if name not in MACHINES:
        return {key: _number(key, value) for key, value in inputs.items()}
    given = {key: _number(key, value) for key, value in inputs.items() if key != "calls"}
    order = inspect.signature(MACHINES[name].model).parameters
    steps = []
    for call in inputs["calls"]:
        args = {key: _number(key, value) for key, value in call.items() if key != "call"}
        place = ("event",) if name == "Order" else tuple(args)
        steps.append(
            (call["call"], tuple(args[key] for key in place), {k: v for k, v in args.items() if k not in place})
        )
    return {"make": tuple(given[key] for key in order if key in given), "steps": steps}


def _number(key: str, value: Any) -> Any:
    """Read a number of the corpus as the contract passes it: quantities as Decimal, counts and times as int."""
    if isinstance(value, list):
        if key == "rates":
            return {(out, into): Decimal(rate) for out, into, rate in value}
        read = [_number(key, each) for each in value]
        return (
            tuple(read)
            if value and key.startswith("(")
            else [tuple(each) if isinstance(each, list) else each for each in read]
        )
    if value is None or key in _WORDS or not isinstance(value, str):
        return value
    whole = key in _INTS or key.endswith(("_ns", "_ts"))
    try:
        return int(value) if whole and value.lstrip("-").isdigit() else Decimal(value)
    except ArithmeticError:
        return value


# --- the search -------------------------------------------------------------------------------------------------------


def _look(target: Target, name: str, seed: int, end: float) -> _Found:
    found = _Found()
    for part in _parts(target, name):
        if found.failures.get(AHEAD) and part.only != AHEAD:
            found.notes.append(f"{name} looks ahead (3.3.4), so that its values were not judged")
            break
        hung = _try(part, found, name, seed, end)
        if hung:
            found.notes.append(f"{name} hangs; no further case was tried")
            break
    return found


def _try(part: _Part, found: _Found, name: str, seed: int, end: float) -> bool:
    """Run the cases of a part, known ones first; say whether the target hung."""
    state = {"hung": False, "late": False}

    def look(case: Case) -> Failure | None:
        if state["hung"] or state["late"] or time.monotonic() > end:
            state["late"] = not state["hung"]
            return None
        seen: Seen = part.test(case)
        found.done += 1
        found.exercised.update(seen.exercised)
        failure = seen.failure
        if failure and failure.outcome:
            found.seen.setdefault(failure.item, [])[30:] = []
            found.seen[failure.item].append((case, failure.outcome))
            if failure.outcome.kind == "hang":
                found.failures.setdefault(failure.item, (case, failure))
                state["hung"] = True
        return failure

    vectors: dict[str, tuple[Case, Failure]] = {}
    for case in part.known:
        failure = look(case)
        if failure:
            vectors.setdefault(failure.item, (case, failure))
    while not state["hung"]:
        wanted: list[str] = []
        hit: list[tuple[Case, Failure]] = []

        def condition(case: Case, wanted: list[str] = wanted, hit: list[tuple[Case, Failure]] = hit) -> bool:
            failure = look(case)
            if failure is None or failure.item in found.failures or wanted not in ([], [failure.item]):
                return False
            wanted[:], hit[:] = [failure.item], [(case, failure)]
            return True

        _search(part.cases, condition, part.examples, f"{seed}:{name}:{part.only}")
        if not hit:
            break
        found.failures[wanted[0]] = hit[0]
    for item, failed in vectors.items():
        found.failures.setdefault(item, failed)
    for item in _weaker(found):
        found.failures.pop(item, None)
    if state["late"]:
        found.notes.append(f"{name}: the budget ended after {found.done} cases; a larger one tries more")
    return state["hung"]


def _weaker(found: _Found) -> set[str]:
    return {item for item, plainer in _PLAINER.items() if plainer & set(found.failures)}


def _search(cases: Strategy, condition: Callable[[Case], bool], examples: int, seed: str) -> None:
    """Look for a case, and shrink it; what was found is what `condition` saw last."""
    rules = settings(
        max_examples=examples, deadline=None, database=None, derandomize=False, verbosity=Verbosity.quiet,
        phases=(Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    with suppress(HypothesisException):  # there is none, or the target's answers change: the last case seen stands
        find(cases, condition, settings=rules, random=Random(seed))


# --- findings ---------------------------------------------------------------------------------------------------------


def _conformed(target: Target, name: str, item: str, found: _Found) -> Conformed:
    this = check(item, name)
    exercised, notes = found.exercised[item], tuple(found.notes)
    if item not in found.failures:
        if (found.failures.get(AHEAD) and item != AHEAD) or item in _weaker(found):
            exercised = 0
        return Conformed(target.name, item, this, Looked(exercised, (), notes))
    case, failure = found.failures[item]
    cause = ""
    if name in SPECS and item != AHEAD and failure.outcome:
        test = FunctionTest(target, name, SPECS[name], _pinned(target, name), _taken(target, name))
        with quiet():
            cause = test.cause([(case, failure.outcome), *found.seen.get(item, ())])
    count = max(len(found.seen.get(item, ())), 1)
    amount = failure.amount
    breach = Breach(
        key=name, where=(failure.call,), count=count, was=f"{failure.call} was {failure.was}", should=failure.should,
        work=failure.work, amount=None if amount is None else Fraction(round(amount, 8)), currency="USDT",
        loss=_NO_STAKE if amount is None else _STAKE, cause=cause,
    )  # fmt: skip
    code = f"assert not again({target.name!r}, {name!r}, {item!r}, {case!r})"
    return Conformed(target.name, item, this, Looked(max(exercised, 1), (breach,), notes), code)
