"""What a name in a function stands for: classes and functions of the tree, names from outside.

By declared types of parameters and fields, else by the values that they are given, by what callers pass; through
imports, aliases, inheritance, and to every override of a method.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from mmverify.source.symbols import CALL, FUNCTION, MODULE, Class, Function, dotted, module_of, nodes_of, symbols, words
from mmverify.source.tree import File, Tree

if TYPE_CHECKING:
    from ast_grep_py import SgNode

Defined = TypeVar("Defined", Class, Function)

_DEEPEST = 12  # steps from a name to what it stands for; code that needs more is not resolved
_SELF = {"python": ("self", "cls"), "cpp": ("this",), "rust": ("self", "Self")}
_NAME = ("identifier", "type_identifier", "namespace_identifier", "field_identifier", "self", "this", "crate")
MEMBER = {
    "attribute": ("object", "attribute"),
    "field_expression": ("argument|value", "field"),
    "scoped_identifier": ("path", "name"),
    "qualified_identifier": ("scope", "name"),
    "scoped_type_identifier": ("path", "name"),
}
_INSIDE = (
    "parenthesized_expression", "await", "await_expression", "subscript", "subscript_expression", "index_expression",
    "try_expression", "reference_expression", "pointer_expression", "unary_expression", "generic_function",
    "template_function", "template_method", "dependent_name", "type_cast_expression", "as_pattern",
)  # fmt: skip
_MADE = ("__init__", "__post_init__", "__new__")


@dataclass
class Value:
    """What an expression may stand for: classes (or objects of them), functions of the tree, names from outside."""

    classes: list[Class] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.classes or self.functions or self.outside)

    def add(self, other: Value) -> Value:
        """Take in what another may stand for."""
        self.classes += [each for each in other.classes if each not in self.classes]
        self.functions += [each for each in other.functions if each not in self.functions]
        self.outside += [each for each in other.outside if each not in self.outside]
        return self


class Names:
    """Looks up the names of a tree."""

    def __init__(self, tree: Tree) -> None:
        self.known = symbols(tree)
        self._locals: dict[Function, dict[str, list[tuple[str, SgNode]]]] = {}

    def constructors(self, each: Class) -> list[Function]:
        """Return what makes an object of a class, its own or inherited."""
        names = (*_MADE, each.short)
        own = [function for name in names if name in each.methods for function in each.methods[name]]
        return own or [made for base in self._bases(each) for made in self.constructors(base)]

    def look(self, function: Function, node: SgNode, deep: int = 0) -> Value:
        """Return what an expression in a function may stand for."""
        kind = node.kind()
        if deep > _DEEPEST:
            return Value()
        if kind in _NAME:
            return self._name(function, node.text(), deep)
        if kind in MEMBER:
            before, name = (self._field(node, key) for key in MEMBER[kind])
            if name is None:
                return Value()
            if before is None:
                return self.look(function, name, deep + 1)
            if before.text() == "super()" and function.owner:
                bases = [base for own in self._classes(function.owner, function.file) for base in self._bases(own)]
                return self._member(Value(classes=bases), dotted(name.text()), function.file, deep)
            return self._path(self.look(function, before, deep + 1), dotted(name.text()), function.file, deep)
        if kind in ("call", "call_expression"):
            callee = node.field("function")
            return self._result(function, callee, deep) if callee is not None else Value()
        if kind in _INSIDE:
            inner = next((each for each in node.children() if each.is_named()), None)
            return self.look(function, inner, deep + 1) if inner is not None else Value()
        if kind in ("new_expression", "struct_expression"):
            told = node.field("type") or node.field("name")
            return self.type(told.text(), function.file) if told is not None else Value()
        return Value()

    def origins(self, function: Function, node: SgNode, deep: int = 0) -> list[SgNode]:
        """Return the expressions that a name was given, through names, fields and imports; an expression is its own."""
        file, text = function.file, node.text()
        if deep > _DEEPEST or node.kind() not in (*_NAME, *MEMBER):
            return [node]
        field_ = re.fullmatch(r"self\.(\w+)", text)
        if field_ and function.owner:
            given = [each for own in self._classes(function.owner, file) for each in own.values.get(field_[1], ())]
        else:
            local = [(value, function) for how, value in self._locals_of(function).get(text, ()) if how == "value"]
            given = local or self._module_values(self._full(dotted(text), file), file)
        return [each for value, where in given for each in self.origins(where, value, deep + 1)]

    def _module_values(self, full: str, file: File) -> list[tuple[SgNode, Function]]:
        """Return what a name of a module is assigned, and the code of that module."""
        space, dot, name = full.rpartition(".")
        own = self._module(space) if dot else file
        module = next((each for each in self.known.by_short[MODULE] if each.file is own), None)
        if module is None:
            return []
        return [(node, module) for how, node in self._locals_of(module).get(name, ()) if how == "value"]

    def type(self, text: str, file: File) -> Value:
        """Return what a type names: the classes of the tree, and of Python the names from outside."""
        value = Value()
        for word in words(text):
            classes = self._classes(self._full(word, file), file)
            value.classes.extend(each for each in classes if each not in value.classes)
            if not classes:
                value.outside.append(self._full(word, file))
        return Value(classes=value.classes) if value.classes else value

    @staticmethod
    def _field(node: SgNode, names: str) -> SgNode | None:
        return next((found for name in names.split("|") if (found := node.field(name)) is not None), None)

    def _path(self, value: Value, name: str, file: File, deep: int) -> Value:
        for part in name.split("."):
            value = self._member(value, part, file, deep)
        return value

    def _member(self, value: Value, name: str, file: File, deep: int) -> Value:
        found = Value()
        for each in value.classes:
            found.add(self._of_class(each, name, deep, set()))
        for outside in value.outside:
            full = f"{outside}.{name}"
            found.add(self._global(full, file) or Value(outside=[full]))
        for function in value.functions:
            returned = self._returned(function, deep)
            more = Value(returned.classes, [], returned.outside)
            found.add(self._member(more, name, file, deep + 1))
        return found

    def _of_class(self, each: Class, name: str, deep: int, seen: set[int]) -> Value:
        """Return a member: its own or an inherited one, and every override."""
        if id(each) in seen:
            return Value()
        seen.add(id(each))
        found = Value(functions=list(each.methods.get(name, ())))
        for text, file in each.types.get(name, ()):
            found.add(self.type(text, file))
        if not found.classes:
            for node, function in each.values.get(name, ()):
                found.add(self.look(function, node, deep + 1))
        if not found:
            for base in self._bases(each):
                found.add(self._of_class(base, name, deep, seen))
        for child in self._children.get(each.short, ()):
            if name in child.methods:
                found.add(Value(functions=child.methods[name]))
        return found

    def _bases(self, each: Class) -> list[Class]:
        return [base for name in each.bases for base in self._classes(self._full(name, each.file), each.file)
                if base is not each]  # fmt: skip

    @cached_property
    def _children(self) -> dict[str, list[Class]]:
        out: dict[str, list[Class]] = defaultdict(list)
        every = list(dict.fromkeys(each for found in self.known.classes.values() for each in found))
        for each in every:
            for base in each.bases:
                out[base.rpartition(".")[2]].append(each)
        return out

    def _name(self, function: Function, name: str, deep: int) -> Value:
        file, language = function.file, function.file.language
        if name in _SELF[language]:
            return Value(classes=self._classes(function.owner, file)) if function.owner else Value()
        local = self._locals_of(function).get(name)
        if local is not None:
            found = Value()
            for how, node in local:
                if how == "type":
                    found.add(self.type(node.text(), file))
                elif how == "value":
                    found.add(self.look(function, node, deep + 1))
            return found if found else self._given(function, name, deep)
        if language == "cpp" and function.owner:
            for own in self._classes(function.owner, file):
                if found := self._of_class(own, name, deep, set()):
                    return found
        full = self._full(name, file)
        return self._global(full, file) or self._module_value(name, file, deep) or Value(outside=[full])

    def _module_value(self, name: str, file: File, deep: int) -> Value:
        """Return what a name of a module's own is assigned."""
        module = next((each for each in self.known.by_short[MODULE] if each.file is file), None)
        found = Value()
        if module is not None:
            for how, node in self._locals_of(module).get(name, ()):
                found.add(self.look(module, node, deep + 1) if how == "value" else self.type(node.text(), file))
        return found

    def _full(self, name: str, file: File) -> str:
        """Write a name with what its first part was imported as."""
        first, dot, rest = name.partition(".")
        return self.known.aliases.get(file.path, {}).get(first, first) + dot + rest

    def _global(self, full: str, file: File) -> Value:
        """Return the class, function or value of the tree of a full name."""
        found = Value(classes=self._classes(full, file), functions=self._free(full, file))
        module, _, name = full.rpartition(".")
        own = self._module(module) if file.language == "python" and not found else None
        return self._module_value(name, own, 1) if own is not None else found

    def _classes(self, full: str, file: File) -> list[Class]:
        return self._defined(self.known.classes, full, file)

    def _free(self, full: str, file: File) -> list[Function]:
        return self._defined(self.known.free, full, file)

    def _defined(self, table: Mapping[str, list[Defined]], full: str, file: File, deep: int = 0) -> list[Defined]:
        """Return what a full name defines: of Python by its module, through what a package imports; else by name."""
        space, dot, name = full.rpartition(".")
        if file.language != "python":
            near = not dot or space.rpartition(".")[2] in self.known.spaces
            return [each for each in table.get(name, ()) if near and each.file.language == file.language]
        own = self._module(space) if dot else file
        if own is None or deep > _DEEPEST:
            return []
        imported = self.known.aliases[own.path].get(name) if dot else None
        return table.get(f"{module_of(own)}.{name}", []) or (
            self._defined(table, imported, own, deep + 1) if imported else []
        )

    def _module(self, name: str) -> File | None:
        """Return the file of a module, also where the tree keeps it below a source folder."""
        return self.known.modules.get(name) or self._short_modules.get(name)

    @cached_property
    def _short_modules(self) -> dict[str, File]:
        """The modules by each end of their names that no other has."""
        ends: dict[str, list[File]] = defaultdict(list)
        for name, file in self.known.modules.items():
            parts = name.split(".")
            for n in range(1, len(parts)):
                ends[".".join(parts[n:])].append(file)
        return {name: files[0] for name, files in ends.items() if len(files) == 1}

    # --- local names --------------------------------------------------------------------------------------------------

    def _locals_of(self, function: Function) -> dict[str, list[tuple[str, SgNode]]]:
        """Return what a function's parameters and variables are: declared types, and the values that they are given."""
        if function not in self._locals:
            names: dict[str, list[tuple[str, SgNode]]] = defaultdict(list)
            self._locals[function] = names
            for name, how, node in _bindings(function):
                names[name].append((how, node))
        return self._locals[function]

    def _given(self, function: Function, name: str, deep: int) -> Value:
        """Return what callers give a parameter that has no declared type."""
        found = Value()
        parameters = [each for each, how, _ in _parameters(function) if how != "self"]
        if name not in parameters:
            return found
        place = parameters.index(name)
        short = function.owner if function.short in _MADE else function.short
        for caller, node in self._sites.get(short, ()):
            callee = node.field("function")
            value = self.look(caller, callee, deep + 1) if callee is not None else Value()
            meant = [*value.functions, *(made for each in value.classes for made in self.constructors(each))]
            if function in meant and (argument := _argument(node, name, place)) is not None:
                found.add(self.look(caller, argument, deep + 1))
        return found

    @cached_property
    def _sites(self) -> dict[str, list[tuple[Function, SgNode]]]:
        """The calls of the tree, by the last part of what is called."""
        out: dict[str, list[tuple[Function, SgNode]]] = defaultdict(list)
        for function in self.known.functions:
            for node in nodes_of(function, CALL[function.file.language][:1]):
                if (callee := node.field("function")) is not None:
                    out[dotted(callee.text()).rpartition(".")[2]].append((function, node))
        return out

    def _result(self, function: Function, callee: SgNode, deep: int) -> Value:
        value = self.look(function, callee, deep + 1)
        found = Value(classes=list(value.classes), outside=list(value.outside))
        for each in value.functions:
            found.add(self._returned(each, deep))
        return found

    def _returned(self, function: Function, deep: int) -> Value:
        told = function.node.field("type" if function.file.language == "cpp" else "return_type")
        if told is None or deep > _DEEPEST:
            return Value()
        if function.owner and "Self" in words(told.text()):
            return Value(classes=self._classes(function.owner, function.file))
        return self.type(told.text(), function.file)


def _argument(call: SgNode, name: str, place: int) -> SgNode | None:
    """Return the argument of a call for a parameter, by name or by place."""
    arguments = call.field("arguments")
    given = [each for each in arguments.children() if each.is_named() and each.kind() != "comment"] if arguments else []
    for each in given:
        told = each.field("name") if each.kind() == "keyword_argument" else None
        if told is not None and told.text() == name:
            return each.field("value")
    placed = [each for each in given if each.kind() != "keyword_argument"]
    return placed[place] if place < len(placed) else None


def _parameters(function: Function) -> Iterator[tuple[str, str, SgNode]]:
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


def _bindings(function: Function) -> Iterator[tuple[str, str, SgNode]]:
    """Yield the parameters and variables of a function: name, ``type``, ``value`` or ``given``, and the node."""
    if function.short != MODULE:
        yield from (each for each in _parameters(function) if each[1] != "self")
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
