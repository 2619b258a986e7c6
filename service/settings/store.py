"""Settings of the database of standing work."""

from pydantic import BaseModel, ConfigDict, Field, model_validator

from service.settings.types import DatabaseUrl


class StoreSettings(BaseModel):
    """What keeps the mailboxes that are watched."""

    model_config = ConfigDict(extra="forbid")

    url: DatabaseUrl | None = Field(
        None,
        description="The database: `postgresql://…` for replicas, or `sqlite:////PATH` for a single process. Its tables"
        " are made and changed at the start.",
        examples=["postgresql://casella@db.example.org/casella"],
    )
    heartbeat_seconds: float = Field(
        3, ge=0.1, le=60, description="How often a process reports to the store that it is alive."
    )
    dead_seconds: float = Field(
        10,
        ge=0.3,
        le=600,
        description="After this time without a report, other processes take over the mailboxes that a process watches.",
    )
    logins_per_second: float = Field(
        40, gt=0, le=1000, description="How many watches a process begins in a second on one mail server."
    )

    @model_validator(mode="after")
    def _may_be_late(self) -> "StoreSettings":
        if self.dead_seconds < 3 * self.heartbeat_seconds:
            raise ValueError("dead_seconds is at least three times heartbeat_seconds")
        return self
