"""A line of the report of ``casella check``."""

from dataclasses import dataclass
from typing import Literal

Mark = Literal["✓", "!", "✗"]
"""As it should be; to be known; failed."""


@dataclass(frozen=True, slots=True)
class Line:
    """One that begins with spaces belongs to the line before it, and has no mark."""

    text: str
    mark: Mark = "✓"

    @property
    def is_good(self) -> bool:
        return self.mark != "✗"

    def __str__(self) -> str:
        return self.text if self.text.startswith(" ") else f"{self.mark} {self.text}"
