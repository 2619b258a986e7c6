"""Generates the duplicated parts of the chart: the table of its values, and in its schema the settings and what is required.

    python -m tests.deploy.generated        # rewrites helm/README.md and helm/values.schema.json

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
# What may be null, which takes the default away: without limits, or without a rolling update.
_REMOVABLE = {"resources.requests", "resources.limits", "strategy.rollingUpdate"}
_KEY = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z0-9_]+):")
_TABLE = re.compile(r"(?<=<!-- values -->\n).*(?=<!-- /values -->)", re.DOTALL)


class Value(NamedTuple):
    """A row: path, default, and description ("" if values.yaml has none)."""

    path: str
    default: Any
    sentence: str


def values() -> Iterator[Value]:
    """Yields the values with a comment above them, and the leaves that lack one."""
    defaults = yaml.safe_load(VALUES.read_text())
    comment: list[str] = []
    path: list[str] = []
    described: tuple[str, ...] = ()  # the last path with a comment; paths below it need none
    for line in VALUES.read_text().splitlines():
        if line.lstrip().startswith("# "):
            comment.append(line.lstrip()[2:])
            continue
        if match := _KEY.match(line):
            path[len(match["indent"]) // 2 :] = [match["key"]]
            if not described or tuple(path[: len(described)]) != described:
                default = reduce(getitem, path, defaults)
                if comment:
                    described = tuple(path)
                if comment or not (default and isinstance(default, dict)):
                    yield Value(".".join(path), default, " ".join(comment))
        comment = []


def settings_schema() -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the settings and the definitions they refer to, without secrets, which do not belong in a config map."""
    schema = _without_null(Settings.model_json_schema())
    schema["properties"] = {
        name: value for name, value in schema["properties"].items() if "writeOnly" not in json.dumps(value)
    }
    definitions = schema["$defs"]
    del definitions["IssuerSettings"]["properties"]["client_secret"]
    del definitions["PushSettings"]["properties"]["vapid_keys"]
    hook = definitions["DovecotSettings"]
    del hook["properties"]["secrets"], hook["required"]
    return schema, schema.pop("$defs")


def _without_null(schema: Any) -> Any:
    """Returns the schema without null: TOML has none, and a setting that is left out has its default."""
    if isinstance(schema, list):
        return [_without_null(each) for each in schema if each != {"type": "null"}]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _without_null(value) for key, value in schema.items() if (key, value) != ("default", None)}
    if len(kept.get("anyOf", ())) == 1:
        kept = kept.pop("anyOf")[0] | kept
    return kept


def _require(schema: dict[str, Any], defaults: Any, path: str = "") -> None:
    """Requires each key that values.yaml sets: null removes it, and then the schema says so before a template fails."""
    properties = schema.get("properties")
    if not properties or not isinstance(defaults, dict):
        return
    paths = {key: f"{path}.{key}".lstrip(".") for key in defaults}
    schema["required"] = [key for key in defaults if paths[key] not in _REMOVABLE]
    for key, default in defaults.items():
        _require(properties[key], default, paths[key])


def readme(text: str) -> str:
    """Returns ``text`` with the current table."""
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
    """Returns ``text`` with the current settings, and with all keys of values.yaml required."""
    whole = json.loads(text)
    settings, definitions = settings_schema()
    whole["properties"]["config"] = settings
    own = {name: value for name, value in whole["$defs"].items() if name[0].islower()}
    whole["$defs"] = own | definitions
    _require(whole, yaml.safe_load(VALUES.read_text()))
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    README.write_text(readme(README.read_text()))
    SCHEMA.write_text(schema(SCHEMA.read_text()))
