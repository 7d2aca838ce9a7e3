"""6 in the source tree: its configuration files, classes of settings, code and history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from mmverify.checks import Breach, Looked
from mmverify.checks.s6_judged import Fault, bounds_fault, default_fault, unit_fault
from mmverify.source.evidence import Source
from mmverify.source.parameters import Parameter, number, parameters
from mmverify.source.rules import Hit, anywhere, rules
from mmverify.source.secrets import AWAY, declared, history, secrets

_PLACES = 3
_SECONDS = 20  # for the git history
_ITSELF = "states itself as a table {value, unit, min, max, default, critical, hot_reload}, or by a schema"


@lru_cache(maxsize=2)
def _parameters(source: Source) -> tuple[list[Parameter], list[str]]:
    return parameters(source.tree, source.graph.known)


def bounds_in_source(source: Source) -> Looked:
    """Look at the bounds of every numeric parameter."""
    return _judged(source, bounds_fault, _numeric)


def units_in_source(source: Source) -> Looked:
    """Look at the unit of every numeric parameter."""
    return _judged(source, unit_fault, _numeric)


def defaults_in_source(source: Source) -> Looked:
    """Look at what every parameter defaults to, and at what code falls back to where a key is missing."""
    judged = _judged(source, default_fault, lambda each: True)
    hits = [hit for rule in rules() if rule.item == "6.3" for hit in anywhere(rule, source.graph, source.functions)]
    breaches = [*judged.breaches, *_of_hits(hits)]
    return Looked(judged.exercised + len(source.functions), tuple(breaches), judged.notes)


def _numeric(parameter: Parameter) -> bool:
    return number(parameter.value) is not None or ("default" in parameter.said
                                                   and number(parameter.said["default"]) is not None)  # fmt: skip


def _judged(
    source: Source, fault: Callable[[Parameter], Fault | None], looked_at: Callable[[Parameter], bool]
) -> Looked:
    """Judge each parameter; what a file leaves out of every one is one breach of the file."""
    known, notes = _parameters(source)
    wanted = [each for each in known if looked_at(each)]
    found = [(each, told) for each in wanted if (told := fault(each)) is not None]
    groups: dict[str, list[tuple[Parameter, Fault]]] = {}
    for each, told in found:
        lacking = not each.itself and " without " in told.was
        groups.setdefault(f"{each.file}:" if lacking else f"{each.file}:{each.name}", []).append((each, told))
    return Looked(len(wanted), tuple(_breach(key.removesuffix(":"), own) for key, own in groups.items()), tuple(notes))


def _breach(key: str, own: Sequence[tuple[Parameter, Fault]]) -> Breach:
    told = own[0][1]
    work = tuple(f"{each.at}: {fault.was}" for each, fault in own[:_PLACES])
    more = (f"so are {len(own) - _PLACES} more of the file",) if len(own) > _PLACES else ()
    hint = (f"a parameter {_ITSELF}",) if " without " in told.was else ()
    return Breach(key, tuple(each.at for each, _ in own[:_PLACES]), len(own), told.was, told.should,
                  (*work, *more, *hint), None, "", told.cost)  # fmt: skip


def _of_hits(hits: Iterable[Hit]) -> list[Breach]:
    """Make one breach of the hits of a rule in a file."""
    groups: dict[tuple[str, str], list[Hit]] = {}
    for hit in hits:
        groups.setdefault((hit.rule.id, hit.function.file.path), []).append(hit)
    return [
        Breach(f"{rule}:{path}", tuple(hit.at for hit in own[:_PLACES]), len(own), own[0].code, own[0].rule.message,
               (*(f"{hit.at}: {hit.code}" for hit in own[:_PLACES]), own[0].rule.fix), None, "", own[0].rule.cost)
        for (rule, path), own in groups.items()
    ]  # fmt: skip


def secrets_in_source(source: Source) -> Looked:
    """Look for keys, secrets and tokens in every text of the tree, in what it logs, and in its git history."""
    out, aside = [], declared(source.tree)
    for file in source.tree.files:
        for seen in secrets(file.lines, strict=not AWAY.search(file.path), aside=aside):
            if AWAY.search(file.path) or not file.is_test(seen.line):
                out.append(_secret(file.at(seen.line), seen.kind))
    hits = [hit for rule in rules() if rule.item == "6.5" for hit in anywhere(rule, source.graph, source.functions)]
    old, note = history(source.tree.folder, _SECONDS, aside=aside)
    standing = {(place.key.partition(":")[0], place.was) for place in out}
    for commit, path, kind in old:
        if (path, kind) not in standing:
            out.append(_secret(f"{path}@{commit}", f"{kind}, in the git history"))
    notes = [note] if note else []
    if aside:
        notes.append(f".secrets.baseline declares {len(aside)} words to be no secrets; they were left out")
    if any(AWAY.search(file.path) for file in source.tree.files):
        notes.append("below folders of tests, examples and documents only keys of a known make count")
    return Looked(len(source.tree.files), (*out, *_of_hits(hits)), tuple(notes))


def _secret(at: str, kind: str) -> Breach:
    return Breach(
        at, (at,), 1, kind, "no secret in a file that is kept",
        (f"{at} holds {kind}; it is not printed here", "Revoke it first, then take it out, of the history too."),
        None, "", "whoever reads the repository, now or in its history, can trade the account",
    )  # fmt: skip
