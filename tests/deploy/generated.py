"""What the chart says twice: its values in a table, and the settings in its schema.

    python -m tests.deploy.generated        # writes helm/README.md and helm/values.schema.json anew

The sentences of the table are the comments of values.yaml and the descriptions of the settings.
"""

import json
import re
from collections.abc import Iterator
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from service.settings.model import Settings

CHART = Path(__file__).parents[2] / "helm"
README, SCHEMA, VALUES = CHART / "README.md", CHART / "values.schema.json", CHART / "values.yaml"
_KEY = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z0-9_]+):")
_TABLE = re.compile(r"(?<=<!-- values -->\n).*(?=<!-- /values -->)", re.DOTALL)


class Value(NamedTuple):
    """A row: where it is, what it is unless set, and its sentence ("" where values.yaml has none)."""

    path: str
    default: Any
    sentence: str


def values() -> Iterator[Value]:
    """What has a sentence above it, and what should have: leaves below no sentence."""
    defaults = yaml.safe_load(VALUES.read_text())
    comment: list[str] = []
    path: list[str] = []
    told: tuple[str, ...] = ()  # the last path with a sentence; what is below needs none
    for line in VALUES.read_text().splitlines():
        if line.lstrip().startswith("# "):
            comment.append(line.lstrip()[2:])
            continue
        if match := _KEY.match(line):
            path[len(match["indent"]) // 2 :] = [match["key"]]
            if not told or tuple(path[: len(told)]) != told:
                default = reduce(getitem, path, defaults)
                if comment:
                    told = tuple(path)
                if comment or not (default and isinstance(default, dict)):
                    yield Value(".".join(path), default, " ".join(comment))
        comment = []


def settings_schema() -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings and what they refer to, without secrets: those have no place in a config map."""
    schema = Settings.model_json_schema()
    schema["properties"] = {
        name: value for name, value in schema["properties"].items() if "writeOnly" not in json.dumps(value)
    }
    return schema, schema.pop("$defs")


def readme(text: str) -> str:
    """``text`` with the table as it should be."""
    settings, _ = settings_schema()
    rows = []
    for value in values():
        rows.append(value)
        if value.path == "config.servers":
            rows += [
                Value(f"config.{name}", row.get("default"), row.get("description", ""))
                for name, row in settings["properties"].items()
                if name != "servers"
            ]
    lines = ["| value | default | what it is |", "|---|---|---|"]
    for path, default, sentence in rows:
        shown = "" if default in (None, "") else f"`{json.dumps(default, ensure_ascii=False)}`"
        lines.append(f"| `{path}` | {shown} | {sentence} |".replace("  ", " "))
    return _TABLE.sub(lambda _: "\n".join(lines) + "\n", text)


def schema(text: str) -> str:
    """``text`` with the settings as they are."""
    whole = json.loads(text)
    settings, definitions = settings_schema()
    whole["properties"]["config"] = settings
    own = {name: value for name, value in whole["$defs"].items() if name[0].islower()}
    whole["$defs"] = own | definitions
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    README.write_text(readme(README.read_text()))
    SCHEMA.write_text(schema(SCHEMA.read_text()))
