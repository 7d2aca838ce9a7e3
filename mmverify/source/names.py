"""What a name in a function stands for: classes and functions of the tree, names from outside.

By declared types of parameters and fields, else by the values that they are given, by what callers pass; through
imports, aliases, inheritance, and to every override of a method.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from mmverify.source.bindings import argument_of, bindings, parameters_of
from mmverify.source.imports import dotted, module_of
from mmverify.source.symbols import CALL, MODULE, Class, Function, nodes_of, symbols, words
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
_STAR = re.compile(r"(\w+)::\*")
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

    def _inherited(self, each: Class, name: str) -> list[Function]:
        """Return the method that ``super()`` leads to: of a class or of those above it, of none below."""
        own = each.methods.get(name)
        return list(own) if own else [found for base in self._bases(each) for found in self._inherited(base, name)]

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
                return Value(functions=[each for base in bases for each in self._inherited(base, dotted(name.text()))])
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
        found = Value(functions=_inherent(each.methods.get(name, ())))
        for text, file in each.types.get(name, ()):
            found.add(self.type(text, file))
        if not found.classes:
            for node, function in each.values.get(name, ()):
                found.add(self.look(function, node, deep + 1))
        if not found:
            for base in self._bases(each):
                found.add(self._of_class(base, name, deep, seen))
        declared = each.file.language == "python" or name in each.methods or name in each.types
        for child in self._children.get(each.short, ()) if declared else ():
            if name in child.methods:
                found.add(Value(functions=child.methods[name]))
        return found or Value(outside=[f"{base}.{name}" for base in self._foreign(each)])

    def _foreign(self, each: Class) -> list[str]:
        """Return the bases of a class of Python that are of a library."""
        full = [self._full(base, each.file) for base in each.bases] if each.file.language == "python" else []
        return [base for base in full if "." in base and base.partition(".")[0] not in self._tops]

    @cached_property
    def _tops(self) -> frozenset[str]:
        """The first parts of the names of the tree's modules, also below a source folder."""
        return frozenset(part for name in self.known.modules for part in name.split(".")[:-1] or [name])

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
            last = space.rpartition(".")[2]
            near = not dot or last in self.known.spaces
            known = [each for each in table.get(name, ()) if near and each.file.language == file.language]
            if file.language == "rust" and table is self.known.free:
                return _of(known, space) if dot else [each for each in known if _in_scope(each.file, file)]
            return known
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
            for name, how, node in bindings(function):
                names[name].append((how, node))
        return self._locals[function]

    def _given(self, function: Function, name: str, deep: int) -> Value:
        """Return what callers give a parameter that has no declared type."""
        found = Value()
        parameters = [each for each, how, _ in parameters_of(function) if how != "self"]
        if name not in parameters:
            return found
        place = parameters.index(name)
        short = function.owner if function.short in _MADE else function.short
        for caller, node in self._sites.get(short, ()):
            callee = node.field("function")
            value = self.look(caller, callee, deep + 1) if callee is not None else Value()
            meant = [*value.functions, *(made for each in value.classes for made in self.constructors(each))]
            if function in meant and (argument := argument_of(node, name, place)) is not None:
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


def _inherent(methods: Iterable[Function]) -> list[Function]:
    """Return the methods of a type of Rust that are no trait's, where it has such of one name; else all of them."""
    found = list(methods)
    own = [each for each in found if each.file.language != "rust" or not _is_of_trait(each)]
    return own or found


def _is_of_trait(function: Function) -> bool:
    item = next((each for each in function.node.ancestors() if each.kind() == "impl_item"), None)
    return item is not None and item.field("trait") is not None


def _in_scope(defined: File, file: File) -> bool:
    """Say whether a function of Rust may be called by its bare name: of the same file, or brought in by a ``*``."""
    stem, folder = defined.path.removesuffix(".rs").removesuffix("/mod"), file.path.rpartition("/")[0]
    stars = set(_STAR.findall(file.text)) if defined is not file else set()
    return defined is file or stem.rpartition("/")[2] in stars or (
        bool(stars & {"super", "crate", "self"}) and defined.path.rpartition("/")[0] == folder
    )  # fmt: skip


def _of(known: list[Defined], space: str) -> list[Defined]:
    """Return what the files define whose paths end most like a module of Rust, or that hold a module of its name."""
    parts = space.split(".")
    if parts[-1] in ("crate", "self", "super"):
        return known
    ends = {
        id(each): _alike(parts, each.file.path.removesuffix(".rs").removesuffix("/mod").split("/")) for each in known
    }
    most = max(ends.values(), default=0)
    within = re.compile(rf"\bmod {re.escape(parts[-1])}\b")
    return [each for each in known if (ends[id(each)] == most if most else within.search(each.file.text))]


def _alike(left: list[str], right: list[str]) -> int:
    """Return how many parts at their ends are the same."""
    pairs = enumerate(zip(reversed(left), reversed(right), strict=False))
    return next((n for n, (one, other) in pairs if one != other), min(len(left), len(right)))
