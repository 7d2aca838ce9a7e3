"""The run: vectors, generated inputs and histories, probes; each failure shrunk to its smallest case."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from random import Random

from hypothesis import HealthCheck, Phase, Verbosity, find, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException

from mmverify.checks import Breach, Check, Looked
from mmverify.conformance import histories, probes
from mmverify.conformance.conventions import Settled, settle
from mmverify.conformance.corpus import known_cases
from mmverify.conformance.faults import AHEAD, check, items_of, names
from mmverify.conformance.inputs import Case, Strategy, spoiled
from mmverify.conformance.judge import Failure, FunctionTest, Test, ahead
from mmverify.conformance.machines import MACHINES, every_event
from mmverify.conformance.specs import SPECS
from mmverify.conformance.target import Outcome, Target, left_out, load, quiet
from mmverify.errors import UsageError

_EXAMPLES, _AHEAD = 150, 60
_FOR_CAUSE = 30  # failing cases that a known mistake must reproduce
_ORDER = 60_000  # USDT: the order that a difference is expressed on
_STAKE = "{:.3g} % of an order of 1 BTC at 60,000 USDT, as this case is off by so much of {}"
_NO_STAKE = "no amount of money is in this case alone"
#: What is not told apart from a plainer failure of the same name, where there is one of these.
_PLAINER = {
    "1.1.5": {"1.1.1", "1.1.4", "2.1.3"}, "5.1.5": {"2.1.3"}, "3.2.2": {"3.3.1"}, "1.3.4": {"1.3.1"},
    "5.1.2": {"1.4.3"}, "2.3.5": {"1.3.3"}, "3.1.6": {"3.1.2", "3.1.3"},
}  # fmt: skip


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


class _Over(BaseException):
    """Nothing more of a name is tried; no exception that Hypothesis would take for the case's."""


@dataclass(frozen=True)
class _Part:
    """One way to look at a name: a test, the cases that it is tried with first, and how many are drawn after them."""

    test: Test
    known: Sequence[Case] = ()
    cases: Strategy | None = None
    examples: int = _EXAMPLES
    ahead: bool = False


@dataclass
class _Found:
    """What the parts of a name came to."""

    exercised: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    failures: dict[str, tuple[Case, Failure]] = field(default_factory=dict)
    known: dict[str, tuple[Case, Failure]] = field(default_factory=dict)
    for_cause: dict[str, list[tuple[Case, Outcome]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    done: int = 0
    vectors_done: bool = False


def conform(
    target: str,
    *,
    names: Sequence[str] = (),
    budget: float = 60.0,
    seed: int = 0,
    step: Callable[[str], None] = lambda name: None,
) -> list[Conformed]:
    """Call a target's functions and objects, and compare them with the exact ones.

    A convention that ``CONVENTIONS`` states is the only one tried. Where it is silent each is asked for; one that the
    target refuses in a plain case is left out, as an unknown convention must be refused, and a note says so. A function
    or constructor with no place for the parameter cannot be asked: it is held against the first convention that it fits
    (the contract's own if none), and a note names it. What it computes must fit that one throughout.

    Parameters
    ----------
    target : str
        ``pkg.module``, ``pkg.module:OBJECT`` or ``path/to/file.py``.
    names : sequence of str
        Names of the contract; all where empty.
    budget : float
        Time for all of them, shared out name by name; a call or two may overrun it. A name whose share is over says so,
        and its items are not assessed unless its vectors were through by then or it failed. [s]
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
        out += _of_name(loaded, name, seed, now + max(end - now, 0.0) / (len(todo) - n))
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
        parts = _parts(loaded, name, _settled(loaded, name))
        failure = next(part for part in parts if part.ahead is (item == AHEAD)).test(case).failure
    return f"{failure.call} was {failure.was}, should be {failure.should}" if failure else ""


def _known(chosen: Sequence[str]) -> tuple[str, ...]:
    wrong = next((name for name in chosen if name not in names()), None)
    if wrong is not None:
        raise UsageError(f"--focus {wrong}: no name of the contract; should be one of {', '.join(names())}")
    return tuple(name for name in names() if name in chosen or not chosen)


def _of_name(target: Target, name: str, seed: int, end: float) -> list[Conformed]:
    try:
        with quiet():
            settled = _settled(target, name)
            found = _look(target, name, settled, seed, end)
            return [_conformed(target, name, item, settled, found) for item in items_of(name)]
    except Exception as error:  # whatever it is, it is ours, and the report says so
        words = f"{type(error).__name__}: {error}".splitlines()[0]
        return [Conformed(target.name, item, check(item, name), Looked(0), error=words) for item in items_of(name)]


def _test(target: Target, name: str, held: str) -> Test:
    if name in MACHINES:
        return partial(histories.replay, target, name, held=held)
    return FunctionTest(target, name, SPECS[name], held)


def _settled(target: Target, name: str) -> Settled:
    if name not in MACHINES and name not in SPECS:
        return Settled()
    contract = MACHINES[name].model if name in MACHINES else SPECS[name].oracle
    return settle(target, name, left_out(target.exposed[name], contract), partial(_test, target, name))


def _parts(target: Target, name: str, settled: Settled) -> list[_Part]:
    if name == "order_id":
        return [_Part(partial(probes.order_ids, target), [{}])]
    if name == "on_book_update":
        return [_Part(partial(probes.book_update, target), [{"item": item} for item in items_of(name)])]
    test, known = _test(target, name, settled.held), known_cases(target, name, settled)
    if name in MACHINES:
        known += every_event() if name == "Order" else []
        return [_Part(test, known, histories.strategy(name, settled.tried), 2 * _EXAMPLES)]
    spec = SPECS[name]
    cases = spec.cases(settled.tried)
    parts = [_Part(test, known, cases | spoiled(cases, spec.spoils) if spec.spoils else cases)]
    if isinstance(test, FunctionTest) and spec.past:
        cut = st.tuples(cases, st.integers(0, 6)).map(lambda drawn: drawn[0] | {"cut": drawn[1]})
        parts.insert(0, _Part(ahead(test), (), cut, _AHEAD, ahead=True))
    return parts


# --- the search -------------------------------------------------------------------------------------------------------


def _look(target: Target, name: str, settled: Settled, seed: int, end: float) -> _Found:
    found = _Found(notes=[settled.note] if settled.note else [])
    try:
        for part in _parts(target, name, settled):
            if AHEAD in found.failures:
                raise _Over(f"{name} looks ahead ({AHEAD}), so that its values were not judged")
            _try(part, name, found, seed, end)
    except _Over as over:
        found.notes.append(str(over))
    for item, known in found.known.items():
        found.failures[item] = min(found.failures.get(item, known), known, key=lambda failed: len(failed[1].call))
    for item in [item for item, plainer in _PLAINER.items() if plainer & set(found.failures)]:
        found.failures.pop(item, None)
        found.exercised.pop(item, None)
    return found


def _try(part: _Part, name: str, found: _Found, seed: int, end: float) -> None:
    """Run the cases of a part, known ones first, then drawn ones until no item more fails."""

    def look(case: Case) -> Failure | None:
        if time.monotonic() > end:
            raise _Over(f"{name}: the budget ended after {found.done} cases; a larger one tries more")
        return _tried(part, name, found, case)

    for case in part.known:
        failure = look(case)
        if failure:
            found.known.setdefault(failure.item, (case, failure))
    found.vectors_done |= not part.ahead
    while part.cases is not None and _search(part.cases, part.examples, look, found, f"{seed}:{name}:{part.ahead}"):
        pass


def _tried(part: _Part, name: str, found: _Found, case: Case) -> Failure | None:
    seen = part.test(case)
    found.done += 1
    found.exercised.update(seen.exercised)
    found.notes += [seen.note] if seen.note and seen.note not in found.notes else []
    failure = seen.failure
    if failure:
        found.failed[failure.item] += 1
        kept = found.for_cause.setdefault(failure.item, [])
        if failure.outcome and len(kept) < _FOR_CAUSE:
            kept.append((case, failure.outcome))
        if failure.outcome and failure.outcome.kind == "hang":
            found.known.setdefault(failure.item, (case, failure))
            raise _Over(f"{name} hangs; no further case was tried")
    return failure


def _search(cases: Strategy, examples: int, look: Callable[[Case], Failure | None], found: _Found, seed: str) -> bool:
    """Look for a failure of one item more and shrink it; the last case that fails it stands, whatever ends this."""
    before, wanted = set(found.failures), set[str]()

    def condition(case: Case) -> bool:
        failure = look(case)
        if failure is None or failure.item in before or wanted - {failure.item}:
            return False
        wanted.add(failure.item)
        found.failures[failure.item] = (case, failure)
        return True

    rules = settings(
        max_examples=examples, deadline=None, database=None, derandomize=False, verbosity=Verbosity.quiet,
        phases=(Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    with suppress(HypothesisException):  # there is none, or the target's answers change
        find(cases, condition, settings=rules, random=Random(seed))
    return bool(wanted)


# --- findings ---------------------------------------------------------------------------------------------------------


def _conformed(target: Target, name: str, item: str, settled: Settled, found: _Found) -> Conformed:
    this, notes = check(item, name), tuple(found.notes)
    exercised = found.exercised[item] if found.vectors_done or item == AHEAD else 0
    if item not in found.failures:
        return Conformed(target.name, item, this, Looked(exercised, (), notes))
    case, failure = found.failures[item]
    if failure.steps is not None:
        case = case | {"steps": case["steps"][: failure.steps]}
    test, cause = _test(target, name, settled.held) if name in SPECS else None, ""
    if isinstance(test, FunctionTest) and failure.outcome:
        cause = test.cause([(case, failure.outcome), *found.for_cause[item]])
    amount = Fraction(round(failure.share * _ORDER, 2))
    breach = Breach(
        key=name, where=(failure.call,), count=found.failed[item], was=f"{failure.call} was {failure.was}",
        should=failure.should, work=failure.work, amount=amount or None, currency="USDT",
        loss=_STAKE.format(float(100 * failure.share), failure.of) if amount else _NO_STAKE, cause=cause,
    )  # fmt: skip
    code = f"assert not again({target.name!r}, {name!r}, {item!r}, {case!r})"
    return Conformed(target.name, item, this, Looked(max(exercised, 1), (breach,), notes), code)
