"""Filters of a /query (RFC 8620, 5.5)."""

from typing import Any

from service.jmap.core.errors import MethodError


def check_size(tree: Any, most: int) -> None:
    """Raises unsupportedFilter for a filter that is read or evaluated too long: members of its objects count."""
    pending, left = [tree], most
    while pending:
        node = pending.pop()
        left -= len(node) if isinstance(node, dict) else 1
        inner = node.get("conditions") if isinstance(node, dict) else None
        pending.extend(inner if isinstance(inner, list) else ())
        if left < len(pending):
            raise MethodError("unsupportedFilter", f"A filter has at most {most} conditions.")
