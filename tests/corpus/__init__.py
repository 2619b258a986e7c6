"""Mail to read: letters written for these tests, and a folder of public mail where there is one.

    LETTERS                 # ours, by name
    PUBLIC, needs_public    # the public mail's folder, which is no part of this repository

Ours hold every case by themselves. Without the public mail its own tests are skipped, and say what to set.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.corpus.described import DESCRIBED
from tests.corpus.headers import HEADERS
from tests.corpus.hostile import HOSTILE
from tests.corpus.letter import Letter
from tests.corpus.structures import STRUCTURES
from tests.corpus.texts import TEXTS

WRITTEN: tuple[Letter, ...] = (*STRUCTURES, *TEXTS, *HEADERS, *DESCRIBED, *HOSTILE)
LETTERS: dict[str, Letter] = {letter.name: letter for letter in WRITTEN}
PUBLIC = Path(os.environ.get("CASELLA_CORPUS") or Path(__file__).parents[3] / "shared" / "corpus").resolve()
WITHOUT_PUBLIC = "there is no public mail here: set CASELLA_CORPUS to a folder of it"
needs_public = pytest.mark.skipif(not PUBLIC.is_dir(), reason=WITHOUT_PUBLIC)
_RESULTS = {"LICENSE", "NOTICE", "COPYING", ".gitattributes"}
_MAIL = {".eml", ".msg", ".txt", ".mbox", ""}


def own_mail() -> list[bytes]:
    """All letters of ours."""
    return [letter.octets for letter in LETTERS.values()]


def public_files() -> list[bytes]:
    """Whatever lies in the folder of public mail."""
    return [path.read_bytes() for path in sorted(PUBLIC.rglob("*")) if path.is_file()]


def public_mail() -> list[bytes]:
    """Those that are mail, as the ends of their names say; expected results lie beside them."""
    return [
        path.read_bytes()
        for path in sorted(PUBLIC.rglob("*"))
        if path.is_file() and path.suffix in _MAIL and "_decoded" not in path.name and path.name not in _RESULTS
    ]


def either(public: Callable[[], Sequence[bytes]]) -> pytest.MarkDecorator:
    """Runs a test with our letters, and once more with the public ones: its argument ``corpus`` reads them."""
    return pytest.mark.parametrize(
        "corpus", [pytest.param(own_mail, id="own"), pytest.param(public, id="public", marks=needs_public)]
    )
