"""Ids of blobs: of a whole Email, of a part of one, or of an upload. They say where the octets are, so no table maps
them."""

import re
from typing import NamedTuple

_PART = re.compile(r"[0-9_]{1,100}\Z")


class BlobId(NamedTuple):
    """``email`` is an Email's id, or ``staged`` that of the message of an upload. Without ``part`` the whole Email."""

    email: str | None = None
    part: str | None = None
    staged: str | None = None


def email_blob(email: str) -> str:
    return f"b-{email}"


def part_blob(email: str, part: str) -> str:
    return f"p-{part.replace('.', '_')}-{email}"


def upload_blob(staged: str) -> str:
    return f"u-{staged}"


def read_blob_id(text: str) -> BlobId | None:
    """None for anything else."""
    kind, rest = text[:2], text[2:]
    if not rest:
        return None
    if kind == "b-":
        return BlobId(email=rest)
    if kind == "u-":
        return BlobId(staged=rest)
    part, dash, email = rest.partition("-")
    if kind == "p-" and dash and email and _PART.match(part):
        return BlobId(email=email, part=part.replace("_", "."))
    return None
