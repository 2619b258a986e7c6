"""A report, line by line."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the report."""

    text: str
    is_good: bool = True
