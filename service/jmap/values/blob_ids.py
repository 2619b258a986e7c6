"""Ids of blobs: of a whole Email, of a part of one, of an upload, or of a part of a blob that is a message. They say
where the octets are, so no table maps them."""

import re
from typing import NamedTuple

_PART = re.compile(r"[0-9_]{1,100}\Z")


MAX_WITHIN = 4
"""Messages within messages."""


class BlobId(NamedTuple):
    """``email`` is an Email's id, ``staged`` that of the message of an upload, or ``within`` the id of a blob that is a
    message. Without ``part`` the whole Email."""

    email: str | None = None
    part: str | None = None
    staged: str | None = None
    within: str | None = None


def email_blob(email: str) -> str:
    return f"b-{email}"


def part_blob(email: str, part: str) -> str:
    return f"p-{part.replace('.', '_')}-{email}"


def upload_blob(staged: str) -> str:
    return f"u-{staged}"


def inner_blob(blob: str, part: str) -> str:
    return f"n-{part.replace('.', '_')}-{blob}"


def read_blob_id(text: str, levels: int = MAX_WITHIN) -> BlobId | None:
    """None for anything else."""
    kind, rest = text[:2], text[2:]
    if not rest:
        return None
    if kind == "b-":
        return BlobId(email=rest)
    if kind == "u-":
        return BlobId(staged=rest)
    part, _, whole = rest.partition("-")
    if not whole or not _PART.match(part):
        return None
    if kind == "p-":
        return BlobId(email=whole, part=part.replace("_", "."))
    if kind == "n-" and levels and read_blob_id(whole, levels - 1) is not None:
        return BlobId(within=whole, part=part.replace("_", "."))
    return None
