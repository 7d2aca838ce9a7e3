"""The names that a function binds: its parameters and variables, and what they are given."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from mmverify.source.symbols import FUNCTION, MODULE, Function

if TYPE_CHECKING:
    from ast_grep_py import Rule, SgNode


def argument_of(call: SgNode, name: str, place: int) -> SgNode | None:
    """Return the argument of a call for a parameter, by name or by place."""
    arguments = call.field("arguments")
    given = [each for each in arguments.children() if each.is_named() and each.kind() != "comment"] if arguments else []
    for each in given:
        told = each.field("name") if each.kind() == "keyword_argument" else None
        if told is not None and told.text() == name:
            return each.field("value")
    placed = [each for each in given if each.kind() != "keyword_argument"]
    return placed[place] if place < len(placed) else None


def parameters_of(function: Function) -> Iterator[tuple[str, str, SgNode]]:
    """Yield the parameters of a function: name, ``type``, ``given`` or ``self``, and the node of the type or name."""
    cpp = function.file.language == "cpp"
    node = function.node.find(kind="parameter_list") if cpp else function.node.field("parameters")
    first = bool(function.owner) and function.file.language == "python"
    for each in node.children() if node is not None else ():
        if not each.is_named() or each.kind() == "comment":
            continue
        told = each.field("name") or each.field("pattern") or each.field("declarator")
        bare = told or (each if each.kind() == "identifier" else each.child(0))
        kind = each.field("type")
        name = re.search(r"[A-Za-z_]\w*", bare.text()) if bare is not None else None
        if name is None:
            continue
        if first or each.kind() == "self_parameter":
            yield name[0], "self", each
        elif kind is not None:
            yield name[0], "type", kind
        else:
            yield name[0], "given", each
        first = False


def bindings(function: Function) -> Iterator[tuple[str, str, SgNode]]:
    """Yield the parameters and variables of a function: name, ``type``, ``value`` or ``given``, and the node."""
    if function.short != MODULE:
        yield from (each for each in parameters_of(function) if each[1] != "self")
    body = function.node if function.short == MODULE else function.node.field("body")
    if body is None:
        return
    for kind, (names, types, values) in _ASSIGNED[function.file.language].items():
        for node in body.find_all(kind=kind):
            if function.short == MODULE and any(e.kind() == FUNCTION[function.file.language] for e in node.ancestors()):
                continue
            told, type_, value = node.field(names), node.field(types), node.field(values)
            if told is not None and told.kind() == "init_declarator":
                value = told.field("value")
                told = told.field("declarator")
            name = re.fullmatch(r"[&*\s]*(?:mut\s+)?([A-Za-z_]\w*)", told.text()) if told is not None else None
            if name is None:
                continue
            if type_ is not None and type_.text() not in ("auto", "const auto"):
                yield name[1], "type", type_
            elif value is not None:
                yield name[1], "value", value


@lru_cache(maxsize=1)
def bound(function: Function) -> frozenset[str]:
    """Return every name that a function of C++ or Rust binds, in patterns and closures too."""
    kinds: list[Rule] = [{"kind": kind} for kind in _BINDING[function.file.language]]
    nodes = function.node.find_all({"rule": {"any": kinds}})
    told = [node.field("pattern") or node.field("declarator") or node for node in nodes]
    return frozenset(word for each in told for word in re.findall(r"[A-Za-z_]\w*", each.text()))


#: The nodes that bind names, of languages whose bare names may be functions of any file.
_BINDING = {
    "cpp": ("parameter_declaration", "optional_parameter_declaration", "declaration", "for_range_loop"),
    "rust": ("parameter", "closure_parameters", "let_declaration", "let_condition", "match_pattern", "for_expression"),
}
#: The nodes that name a variable: the fields of its name, its type and its value.
_ASSIGNED = {
    "python": {
        "assignment": ("left", "type", "right"), "named_expression": ("name", "type", "value"),
        "for_statement": ("left", "type", "right"), "as_pattern": ("alias", "type", "value"),
    },
    "cpp": {
        "declaration": ("declarator", "type", "value"), "for_range_loop": ("declarator", "type", "right"),
    },
    "rust": {
        "let_declaration": ("pattern", "type", "value"), "for_expression": ("pattern", "type", "value"),
    },
}  # fmt: skip
