"""How names of the contract are written in an SDK: as openapi-generator does it."""

import re


def snake(name: str) -> str:
    """``listMessages`` and ``Idempotency-Key`` as ``list_messages`` and ``idempotency_key``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").lower()


def camel(name: str) -> str:
    """``NewDraft`` and ``Idempotency-Key`` as ``newDraft`` and ``idempotencyKey``."""
    first, *rest = name.split("-")
    return first[:1].lower() + first[1:] + "".join(each[:1].upper() + each[1:] for each in rest)
