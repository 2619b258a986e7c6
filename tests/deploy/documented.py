"""Reads docs/operator.md for the tests that compare it with the code."""

import re
from pathlib import Path

OPERATOR = Path(__file__).parents[2] / "docs" / "operator.md"


def table(name: str) -> list[list[str]]:
    """The cells of its rows, without head."""
    text = OPERATOR.read_text()
    rows = text.partition(f"<!-- {name} -->\n")[2].partition(f"<!-- /{name} -->")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def metrics() -> dict[str, set[str]]:
    """Casella's metrics, each with its labels."""
    return {name.strip("`"): set(re.findall(r"`(\w+)`", labels)) for name, labels, _ in table("metrics")}


def alerts() -> list[str]:
    return [name.strip("`") for name, *_ in table("alerts")]


def blocks(language: str) -> list[str]:
    """Its blocks of code in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```", OPERATOR.read_text(), re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """Lines of its blocks of shell."""
    return [line for block in blocks("sh") for line in block.splitlines()]


def settings() -> str:
    """Its file of settings."""
    block, *_ = blocks("toml")
    return block
