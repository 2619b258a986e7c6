"""What every package says about itself, from `pyproject.toml` and the contract."""

import json
import tomllib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Product(NamedTuple):
    name: str
    version: str
    description: str
    licence: str
    url: str


def product() -> Product:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    info = json.loads((ROOT / "openapi" / "openapi.json").read_text())["info"]
    return Product(
        name=info["title"],
        version=info["version"],
        description=f"A client of {info['title']}: {info['summary'][0].lower()}{info['summary'][1:]}",
        licence=info["license"]["identifier"],
        url=project["urls"]["Homepage"],
    )
