"""Counts words of the project's old style in what people read: ``python -m tests.english``.

Prints file and line of each finding in a scope that has more than tests/english.toml allows, and exits with 1. The
allowances can only go down: ``--lower`` records fewer. ``--all`` prints every finding.
"""

import ast
import io
import json
import re
import sys
import tokenize
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.markdown import GENERATED, ROOT

LIST = Path(__file__).with_name("english.toml")
_WORDS = (
    "told", "tells", "whoever", "whomever", "whom", "whatever", "wherever", "nobody", "somebody", "anybody", "everybody",
    "anew", "kin", "so many", "so much", "thereof", "hereof", "whereof", "wherein", "whereby", "thence", "hence", "lest",
    "till", "of late", "of old", "in vain", "in earnest", "but for", "save for", "taken for", "goes before", "of ours",
    "heard", "hears", "one may", "may one", "up to where", "in mid-\\w+", "not this way", "asked with", "put aside",
    "taken apart", "let go",
)  # fmt: skip
_PATTERNS = {
    "no": r"(?<!there )\b(?:is|are|was|were) no (?!longer\b|more\b)",
    "who": r"(?:\A|[.;:] |\b(?:to|of|for|by|with) )who (?![^.]*\?)",
    "only where": r"\b(?:none|nothing|only|more|fewer|again|empty) where\b",
    "where": r"(?<!\bfrom )(?<!\bto )(?<!\bplace )(?<!\bfile )(?<!\bfolder )(?<!\bpage )(?<!\bline )(?<!\bpoint )"
    r"(?<!\bis )(?<!\bsays )(?<!\bsay )(?<!\bknow )(?<!\bknows )(?<!\bshows )(?<!\bsee )(?<!\blook )(?<!\bof )(?<!\bstill )"
    r"\bwhere (?!to\b|in\b|on\b|(?:\w+ ){1,2}(?:lies?|lay|begins?|starts?|ends?|listens?|stands?|goes)\b)",
}
"""*Who* without a noun, and *where* that means *if*: not after a place or a verb of saying, not before its verb."""


_RULES = {word: rf"\b{word}\b" for word in _WORDS} | _PATTERNS
STYLE = re.compile("|".join(f"(?:{rule})" for rule in _RULES.values()).replace(" ", r"\s"), re.IGNORECASE)


class Text(NamedTuple):
    """A piece of prose and the line of ``file`` on which it begins."""

    file: Path
    line: int
    words: str


class Finding(NamedTuple):
    """An expression of the old style, with what surrounds it."""

    file: Path
    line: int
    words: str

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line}: {self.words}"


def find(text: Text, fine: tuple[str, ...]) -> Iterator[Finding]:
    """``fine`` are phrases that are right as they are."""
    words = re.sub(r"(?<=\n)[ \t]+", "", text.words)
    for found in STYLE.finditer(words):
        around = " ".join(words[max(0, found.start() - 40) : found.end() + 40].split())
        if not any(phrase in around for phrase in fine):
            yield Finding(text.file, text.line + words.count("\n", 0, found.start()), around)


def markdown(file: Path) -> Iterator[Text]:
    """Without code, which may name anything."""
    text = re.sub(
        r"^```.*?^```", lambda code: "\n" * code[0].count("\n"), file.read_text(), flags=re.MULTILINE | re.DOTALL
    )
    yield Text(file, 1, re.sub(r"`[^`\n]*`", "`", text))


def plain(file: Path) -> Iterator[Text]:
    yield Text(file, 1, re.sub(r"^\s*# ?", "", file.read_text(), flags=re.MULTILINE))


def contract(file: Path) -> Iterator[Text]:
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if found := re.fullmatch(r'\s*"(?:description|summary|title)": (".*"),?', line):
            yield Text(file, number, json.loads(found[1]))


def docstrings(file: Path) -> Iterator[Text]:
    """And comments."""
    source = file.read_text()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield Text(file, node.lineno, node.value.value)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield Text(file, token.start[0], token.string.lstrip("# "))


def messages(file: Path) -> Iterator[Text]:
    """Strings of three words or more that are no docstrings: errors, descriptions, what is printed."""
    tree = ast.parse(file.read_text())
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare:
            yield Text(file, node.lineno, node.value if len(node.value.split()) > 2 else "")


_NOT_READ = {ROOT / page for page in GENERATED} | {
    ROOT / f"service/demo/{name}.py" for name in ("forms", "messages", "words")
}
"""What is made of other files, and the mail of the demo, which is no prose of ours."""


def _files(*patterns: str) -> list[Path]:
    return [file for pattern in patterns for file in sorted(ROOT.glob(pattern)) if file not in _NOT_READ]


Reader = Callable[[Path], Iterator[Text]]
SCOPES: Mapping[str, list[tuple[Reader, tuple[str, ...]]]] = {
    "docs": [(markdown, ("README.md", "docs/*.md"))],
    "pages": [(markdown, ("SECURITY.md", "CHANGELOG.md"))],
    "site": [(docstrings, ("service/site/*.py",)), (messages, ("service/site/*.py",))],
    "contract": [(contract, ("openapi/openapi.json",))],
    "chart": [(markdown, ("helm/*.md",)), (plain, ("helm/*.yaml", "helm/templates/**/*.yaml", "helm/templates/*.t*"))],
    "docstrings": [(docstrings, ("service/**/*.py",))],
    "messages": [(messages, ("service/**/*.py",))],
}


def findings(scope: str, fine: tuple[str, ...]) -> list[Finding]:
    texts = (text for read, patterns in SCOPES[scope] for file in _files(*patterns) for text in read(file))
    return [one for text in texts for one in find(text, fine)]


def lowered(text: str, counts: Mapping[str, int]) -> str:
    """``text`` of tests/english.toml with what is allowed now, never more than before."""

    def lower(row: re.Match[str]) -> str:
        return f"{row[1]} = {min(int(row[2]), counts[row[1]])}"

    return re.sub(r"^(\w+) = (\d+)$", lower, text, flags=re.MULTILINE)


def main(arguments: list[str]) -> int:
    settings = tomllib.loads(LIST.read_text())
    allowed, fine = settings["allowed"], tuple(settings["fine"])
    found = {scope: findings(scope, fine) for scope in SCOPES}
    worse = [scope for scope in SCOPES if len(found[scope]) > allowed[scope]]
    for scope in SCOPES if "--all" in arguments else worse:
        print(*found[scope], sep="\n")
    if "--lower" in arguments:
        LIST.write_text(lowered(LIST.read_text(), {scope: len(one) for scope, one in found.items()}))
    print("Old style:", ", ".join(f"{scope} {len(found[scope])} of {allowed[scope]}" for scope in SCOPES))
    return bool(worse)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
