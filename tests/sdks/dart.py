"""What a parser of Dart says of a package: no registry that developers reach has a compiler."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

_PLATFORM = {
    *("bool", "double", "dynamic", "int", "void", "DateTime", "Duration", "Exception", "Future", "FormatException"),
    *(
        "Function",
        "List",
        "Map",
        "num",
        "Object",
        "Random",
        "RegExp",
        "Stream",
        "String",
        "TimeoutException",
        "Uint8List",
    ),
    *("Utf8Decoder", "LineSplitter"),
}
"""Types of `dart:core` and the other libraries that the package imports."""


@cache
def _parser() -> "Parser":
    """Of a package that `make sdks` alone installs."""
    import tree_sitter_dart_orchard
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_dart_orchard.language()))


def nodes(text: str) -> "Iterator[Node]":
    waiting = [_parser().parse(text.encode()).root_node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node.children


def text_of(node: "Node") -> str:
    return (node.text or b"").decode()


def syntax_errors(text: str) -> list[str]:
    return [
        f"line {node.start_point.row + 1}: {text_of(node)[:60]}"
        for node in nodes(text)
        if node.is_error or node.is_missing
    ]


def faults(package: Path) -> list[str]:
    """Errors of syntax; files of the library that are not there, or that belong to none; names that nobody declares."""
    main = package / "lib" / "casella_client.dart"
    files = {file: file.read_text() for file in sorted((package / "lib").rglob("*.dart"))}
    parts = [(main.parent / uri).resolve() for uri in _uris(files[main], "part_directive")]
    found = [f"{file.name} {error}" for file, text in files.items() for error in syntax_errors(text)]
    found += [f"missing: {part.name}" for part in parts if not part.exists()]
    found += [f"twice: {part.name}" for part in set(parts) if parts.count(part) > 1]
    found += [f"in no library: {file.name}" for file in files if file != main and file.resolve() not in parts]
    for file, text in files.items():
        owners = [(file.parent / uri).resolve() for uri in _uris(text, "part_of_directive")]
        found += [f"of another library: {file.name}"] if owners != ([] if file == main else [main.resolve()]) else []
    return found + _undeclared(files)


def _uris(text: str, kind: str) -> list[str]:
    return [re.sub(r"^[^'\"]*['\"]|['\"].*$", "", text_of(node)) for node in nodes(text) if node.type == kind]


def _undeclared(files: dict[Path, str]) -> list[str]:
    """Types, and private names, of which there is no declaration."""
    every = {file: list(nodes(text)) for file, text in files.items()}
    declared = {text_of(node) for found in every.values() for node in found if _is_declaration(node)}
    private = re.compile(r"^_[a-zA-Z]")
    return [
        f"{file.name}: {text_of(node)}"
        for file, found in every.items()
        for node in found
        if (node.type == "type_identifier" and text_of(node) not in declared | _PLATFORM and not _is_prefixed(node))
        or (node.type == "identifier" and private.match(text_of(node)) and text_of(node) not in declared)
    ]


_DECLARING = {
    *("class_definition", "type_alias", "type_parameter", "function_signature", "getter_signature", "formal_parameter"),
    *("initialized_identifier", "static_final_declaration", "constant_constructor_signature", "constructor_signature"),
    *("initialized_variable_definition", "factory_constructor_signature", "mixin_declaration", "constructor_param"),
}


def _is_declaration(node: "Node") -> bool:
    return node.type in {"identifier", "type_identifier"} and node.parent is not None and node.parent.type in _DECLARING


def _is_prefixed(node: "Node") -> bool:
    """Of `http.Client`: it belongs to the library that is imported as `http`."""
    before = node.prev_sibling
    return before is not None and before.type in {".", "type_identifier"}
