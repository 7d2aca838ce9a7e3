"""4.2 in the source tree: what the declared hot path reaches, each fault with the chain of calls that reaches it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mmverify.checks import Breach, Looked
from mmverify.source.evidence import Source
from mmverify.source.loggers import Record, handlers, records
from mmverify.source.rules import Hit, on_path, rules
from mmverify.source.sanitizer import Violation, reports, violations
from mmverify.source.symbols import Function

_PLACES = 3
_EDGES = 5  # of the calls that cannot be resolved


def declared_path(source: Source) -> Looked:
    """Look whether review.toml declares a hot path, and each function of it is there."""
    declared = source.tree.settings.get("hot_path", ())
    missing = [name for name, found in source.entries.items() if not found]
    if declared and not missing:
        return Looked(len(declared), (), tuple(_unresolved(source)))
    if missing:
        was, should = ", ".join(missing), "functions that exist"
        work: tuple[str, ...] = tuple(f"{name}: no such function in the tree" for name in missing)
        cost = "the review of the hot path looks at nothing of it: what was added since goes live unseen"
    else:
        was, should = "no hot path in review.toml [source]", "the entries of the path"
        work = ("nothing says which functions lead from market data to order, so none of them was looked at",)
        cost = "whatever blocks, allocates or loops there goes live unseen"
    return Looked(max(len(declared), 1), (_breach("hot_path", (_declaration(source),), was, should, work, cost),))


def _declaration(source: Source) -> str:
    file = source.tree.by_path.get("review.toml")
    line = next((n for n, text in enumerate(file.lines, 1) if text.lstrip().startswith("hot_path")), 1) if file else 1
    return f"review.toml:{line}"


def _unresolved(source: Source) -> list[str]:
    edges = list(dict.fromkeys(source.graph.unresolved(source.hot)))
    if not edges:
        return []
    more = f" and {len(edges) - _EDGES} more" if len(edges) > _EDGES else ""
    return [f"of the hot path {len(edges)} calls could not be resolved and were not followed: "
            f"{', '.join(edges[:_EDGES])}{more}"]  # fmt: skip


def blocking_calls(source: Source) -> Looked:
    """Look for calls that wait for a file, the network, a lock, a process or a person."""
    return _looked(source, _hits(source, "4.2.2"))


def containers_and_texts(source: Source) -> Looked:
    """Look for containers and texts that are made on the path."""
    return _looked(source, _hits(source, "4.2.3"))


def loops_and_recursion(source: Source) -> Looked:
    """Look for loops without a bound, and for functions that come back to themselves."""
    return _looked(source, _hits(source, "4.2.4"), _recursions(source))


def synchronous_logging(source: Source) -> Looked:
    """Look for prints, and for records that the thread itself writes."""
    return _looked(source, _hits(source, "4.2.5"), _records(source))


def _hits(source: Source, item: str) -> list[Hit]:
    return [hit for rule in rules() if rule.item == item and rule.scope == "hot_path"
            for hit in on_path(rule, source.graph, source.hot)]  # fmt: skip


def _looked(source: Source, hits: Sequence[Hit], more: Iterable[Breach] = ()) -> Looked:
    """Make one breach of the hits of a rule in a function."""
    groups: dict[tuple[str, Function], list[Hit]] = {}
    for hit in hits:
        groups.setdefault((hit.rule.id, hit.function), []).append(hit)
    breaches = [
        _breach(
            f"{rule} in {function.called}", [hit.at for hit in own], own[0].code, own[0].rule.message,
            (f"the hot path reaches it by {own[0].chain}", *(f"{hit.at}: {hit.code}" for hit in own[:_PLACES]),
             own[0].rule.fix), own[0].rule.cost,
        )
        for (rule, function), own in groups.items()
    ]  # fmt: skip
    return Looked(len(source.hot), (*breaches, *more))


def _breach(key: str, where: Sequence[str], was: str, should: str, work: tuple[str, ...], cost: str) -> Breach:
    return Breach(key, tuple(where[:_PLACES]), len(where), was, should, work, None, "", cost)


def _recursions(source: Source) -> list[Breach]:
    """Return a breach for each ring of functions that call each other."""
    graph, seen, out = source.graph, set[Function](), []
    for each in source.hot:
        ring = () if each.function in seen else graph.ring(each.function)
        if ring:
            seen.update(ring)
            steps = [
                (step, next(call.line for call in graph.calls(step) if to in call.to))
                for step, to in zip(ring, (*ring[1:], ring[0]), strict=True)
            ]
            last, line = steps[-1]
            names = " -> ".join(step.called for step in (*ring, ring[0]))
            work = (f"the hot path reaches it by {each.words}", f"it comes back to itself by {names}",
                    "End the ring: decide first, then act once.")  # fmt: skip
            out.append(_breach(
                f"recursion of {each.function.called}", [step.file.at(n) for step, n in steps], _code(last, line),
                "no way back to itself on the hot path", work,
                "at the input that never ends it the stack runs out, with the quotes of before still resting",
            ))  # fmt: skip
    return out


def _records(source: Source) -> list[Breach]:
    """Return a breach for each logger of Python whose records the thread that trades writes itself."""
    attached, groups = handlers(source.graph), dict[str, list[Record]]()
    for record in records(source.graph, source.hot):
        if attached.writes(record.logger):
            groups.setdefault(record.logger, []).append(record)
    out = []
    for logger, own in groups.items():
        writer, first = attached.writes(logger), own[0]
        attaching = (writer,) if ":" in writer else ()
        work = (f"the hot path reaches it by {first.chain}",
                *(f"{each.at}: {_code(each.function, each.line)}" for each in own[:_PLACES]),
                f"its logger {logger or 'root'!r} has {'the handler attached at ' if attaching else ''}{writer}",
                "Attach a logging.handlers.QueueHandler alone, and let a QueueListener write.")  # fmt: skip
        out.append(_breach(
            f"logger {logger or 'root'}", (*attaching, *(each.at for each in own)), _code(first.function, first.line),
            "records that another thread writes", work,
            "the thread that trades writes each record itself, in the moments of most haste",
        ))  # fmt: skip
    return out


def _code(function: Function, line: int) -> str:
    return function.file.lines[line - 1].strip()


def sanitizer_calls(source: Source) -> Looked:
    """Look at what RealtimeSanitizer saw a compiled bot wait for."""
    return _seen_by_sanitizer(source, allocates=False)


def sanitizer_allocations(source: Source) -> Looked:
    """Look at what RealtimeSanitizer saw a compiled bot allocate."""
    return _seen_by_sanitizer(source, allocates=True)


def _seen_by_sanitizer(source: Source, *, allocates: bool) -> Looked:
    found, groups = reports(source.tree), dict[tuple[str, str], list[Violation]]()
    for report in found:
        for each in violations(source.tree, report):
            if each.allocates is allocates:
                groups.setdefault((each.call, each.at), []).append(each)
    should, cost = (
        ("no allocation on the real-time path", "the allocator's lock and its pages are paid for in the worst moment")
        if allocates
        else ("no call that may wait on the real-time path", "every quote behind it is late for as long as it waits")
    )
    breaches = [
        _breach(f"{call} at {at}", (at, *(each.report for each in own)), call, should,
                (f"{own[0].report}: RealtimeSanitizer stopped at `{call}`", *own[0].stack[:_PLACES]), cost)
        for (call, at), own in groups.items()
    ]  # fmt: skip
    return Looked(len(found), tuple(breaches))
