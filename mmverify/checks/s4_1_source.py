"""4.1.1 in the source tree: local time that names no zone."""

from __future__ import annotations

from mmverify.checks import Breach, Looked
from mmverify.source.evidence import Source
from mmverify.source.rules import Hit, anywhere, rules

_PLACES = 3


def naive_local_time(source: Source) -> Looked:
    """Look at every function for a time that is taken or read without its zone."""
    hits = [hit for rule in rules() if rule.item == "4.1.1" for hit in anywhere(rule, source.graph, source.functions)]
    groups: dict[str, list[Hit]] = {}
    for hit in hits:
        groups.setdefault(hit.function.file.path, []).append(hit)
    return Looked(len(source.functions), tuple(_breach(path, own) for path, own in groups.items()))


def _breach(path: str, own: list[Hit]) -> Breach:
    first = own[0]
    more = (f"so do {len(own) - _PLACES} more of the file",) if len(own) > _PLACES else ()
    return Breach(
        path, tuple(hit.at for hit in own[:_PLACES]), len(own), first.code, first.rule.message,
        (*(f"{hit.at}: {hit.code}" for hit in own[:_PLACES]), *more, first.rule.fix), None, "", first.rule.cost,
    )  # fmt: skip
