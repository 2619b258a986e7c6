"""Settings from a TOML file and the environment. Read by ``app`` and ``cli`` alone.

Every key can be set by the environment too, with the prefix ``CASELLA_`` and ``__`` between levels:
``CASELLA_SERVERS__HOME__IMAP__HOST=imap.example.org``. A list is separated by commas there.
"""

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FilePath,
    IPvAnyNetwork,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from service.accounts.address_policy import AddressPolicy
from service.accounts.rates import Bounds
from service.accounts.servers import Disk, Endpoint, MailServer, Security, ServerTable
from service.mail.model import Protocol
from service.settings.types import KEY_OCTETS, Commas, Domain, Key, Origin, Proxy, Rate, StoreUrl

__all__ = ["KEY_OCTETS", "EndpointSettings", "Pop3Settings", "ServerSettings", "Settings", "read_settings"]
PREFIX, LEVEL = "CASELLA_", "__"


class EndpointSettings(BaseModel):
    """One listener of a mail server."""

    model_config = ConfigDict(extra="forbid")

    host: str = Field(min_length=1, max_length=253, examples=["imap.example.org"])
    port: int = Field(ge=1, le=65535, examples=[993])
    security: Security = Security.TLS
    ca_file: Path | None = Field(None, description="Authorities to trust instead of the system's.")

    def endpoint(self, server: str) -> Endpoint:
        return Endpoint(self.host, self.port, self.security, self.ca_file, server=server)


class Pop3Settings(EndpointSettings):
    """A listener that speaks POP3."""

    apop: bool = Field(False, description="Sign in by APOP (RFC 1939, 7), for servers that take nothing else.")

    @model_validator(mode="after")
    def _has_a_challenge(self) -> "Pop3Settings":
        if self.apop and self.security is Security.STARTTLS:
            raise ValueError("apop does not go with starttls: its challenge comes before there is TLS")
        return self

    def endpoint(self, server: str) -> Endpoint:
        return replace(super().endpoint(server), apop=self.apop)


class MaildirSettings(BaseModel):
    """Mailboxes on this machine's disk."""

    model_config = ConfigDict(extra="forbid")

    path: str = Field(
        pattern=r"^(/[^{}]*)?/[^{}/]*\{user\}[^{}/]*(/[^{}]*)?$",
        description="Where a user's Maildir is: absolute, with `{user}` where the username goes.",
    )
    passwords: FilePath = Field(
        description="Who may sign in: lines `user:hash`, the hash by Argon2, as `doveadm pw -s ARGON2ID` writes it."
    )

    def disk(self) -> Disk:
        return Disk(self.path, self.passwords)


class ServerSettings(BaseModel):
    """A row of the server table."""

    model_config = ConfigDict(extra="forbid")

    domains: Annotated[frozenset[Domain], Commas] = Field(
        frozenset(),
        description="Domains of usernames that this server serves: exactly these, without what lies beneath them.",
        examples=["example.org", "example.net"],
    )
    imap: EndpointSettings | None = None
    pop3: Pop3Settings | None = None
    smtp: EndpointSettings | None = None
    maildir: MaildirSettings | None = None

    @model_validator(mode="after")
    def _has_a_mailbox(self) -> "ServerSettings":
        if all(getattr(self, protocol) is None for protocol in Protocol):
            raise ValueError(f"a server needs one of {', '.join(Protocol)}")
        return self


class RateSettings(BaseModel):
    """How often: `10/minute`, or `off`."""

    model_config = ConfigDict(extra="forbid")

    url: StoreUrl | None = Field(
        None,
        description="A Redis that replicas share, for rates and for sessions that were ended; without it each replica"
        " counts for itself and knows only those that it ended itself.",
        examples=["redis://redis.example.org:6379"],
    )
    address: Rate = Field(None, description="Requests of one address.")
    account: Rate = Field(None, description="Requests for one account.")
    address_failures: Rate = Field("100/minute", description="Refused logins of one address.")
    account_failures: Rate = Field("10/minute", description="Refused logins of one account.")
    server_failures: Rate = Field("1000/minute", description="Refused logins on one mail server.")

    def bounds(self) -> Bounds:
        return Bounds(**self.model_dump(exclude={"url"}))


class _Environment(EnvSettingsSource):
    """Lists and tables may be JSON. Whatever else they are is left to validation, which says what they should be."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
            with suppress(ValueError):
                return json.loads(value)
        return value


class Settings(BaseSettings):
    """All there is to set."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=LEVEL, extra="forbid", hide_input_in_errors=True
    )

    servers: dict[str, ServerSettings] = Field(
        default_factory=dict, description="The mail servers that may be reached."
    )
    default_server: str | None = Field(
        None,
        description="The server for usernames without a domain, or with one that no server claims. Without it they are"
        " refused, unless there is one server only and that one states no domains.",
        examples=["home"],
    )
    any_server: bool = Field(
        False,
        description="Callers may name any public host as their server, on the ports of mailboxes and with TLS.",
    )
    any_server_networks: Annotated[tuple[IPvAnyNetwork, ...], Commas] = Field(
        (),
        description="Networks in which such a host may lie, besides public addresses.",
        examples=["10.0.0.0/8", "2001:db8::/32"],
    )
    secret_keys: Annotated[tuple[Key, ...], Commas] = Field(
        (), description="Keys of session tokens: base64url of 32 octets each. The first seals, all open."
    )
    session_seconds: int = Field(7 * 24 * 3600, ge=60, description="How long a session token lives.")
    account_idle_seconds: float = Field(120, ge=1, description="How long connections of an unused account are kept.")
    account_connections: int = Field(
        4, ge=1, le=100, description="IMAP connections an account may have, in one process."
    )
    server_connections: int = Field(
        1000, ge=1, description="Connections one mail server gets from one process, of all accounts together."
    )
    cache_octets: int = Field(
        64 << 20,
        ge=0,
        description="Memory for rows of lists that were read before, of all accounts together, for each protocol.",
    )
    pop3_linger_seconds: float = Field(
        2, ge=0, le=60, description="How long a POP3 session waits for more work before it leaves the maildrop."
    )
    pop3_session_seconds: float = Field(
        5, ge=0, le=600, description="The age at which a POP3 session ends even in a burst: it sees no newer mail."
    )
    pop3_wait_seconds: float = Field(
        20, ge=0, le=600, description="How long a request waits while others of its account are in the maildrop."
    )
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s?#]+[^/\s?#]$",
        description="Where clients reach the service, for links in HTML; without it, where a request came to.",
    )
    max_message_octets: int = Field(35 << 20, ge=1024, description="The largest message that may be appended.")
    max_body_octets: int = Field(1 << 20, ge=1024, description="The largest JSON request.")
    max_connections: int = Field(
        10_000,
        ge=1,
        description="Clients connected, or requests under way, at once; what is more is answered 503. At most a"
        " quarter of the open files that the process is granted (`ulimit -n`).",
    )
    trusted_proxies: Annotated[tuple[Proxy, ...], Commas] = Field(
        (),
        description="Addresses and networks of proxies whose X-Forwarded-For and X-Forwarded-Proto count.",
        examples=["10.0.0.0/8", "192.0.2.7"],
    )
    rates: RateSettings = Field(default_factory=RateSettings, description="How often.")
    allowed_origins: Annotated[tuple[Origin, ...], Commas] = Field(
        (),
        description="Web pages of these origins may call the API from a browser (CORS).",
        examples=["https://app.example.org", "https://beta.example.org"],
    )
    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="A port of its own for GET /metrics; without it there is none. Each of several workers takes the"
        " next free one.",
    )
    metrics_host: str = Field("127.0.0.1", min_length=1, description="The address on which `metrics_port` listens.")
    metrics_public: bool = Field(
        False, description="GET /metrics is answered on the public port too, to everybody who reaches it."
    )
    drain_seconds: float = Field(
        5, ge=0, le=300, description="After SIGTERM, how long requests are still taken while /readyz says 503."
    )
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    access_log: bool = Field(True, description="A line of log for each request, without query and identities.")

    @field_validator("servers")
    @classmethod
    def _claim_once(cls, servers: dict[str, ServerSettings]) -> dict[str, ServerSettings]:
        """A password goes to one server only, and not to whichever was read last."""
        claims: dict[str, str] = {}
        for name, row in servers.items():
            for domain in sorted(row.domains):
                if (first := claims.setdefault(domain, name)) != name:
                    raise ValueError(f"the domain {domain} is in two servers, {first} and {name}: leave it in one")
        return servers

    @field_validator("default_server")
    @classmethod
    def _default_exists(cls, name: str | None, info: ValidationInfo) -> str | None:
        if name is not None and name not in info.data.get("servers", {name: ()}):
            raise ValueError("it is the name of one of the servers")
        return name

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment goes before the file, so that a secret need not be in it."""
        return init_settings, _Environment(settings_cls), TomlConfigSettingsSource(settings_cls)

    def server_table(self) -> ServerTable:
        servers = {
            name: MailServer(
                name,
                row.domains,
                **{
                    listener: settings.endpoint(name)
                    for listener in ("imap", "pop3", "smtp")
                    if (settings := getattr(row, listener))
                },
                maildir=row.maildir.disk() if row.maildir else None,
            )
            for name, row in self.servers.items()
        }
        reach = AddressPolicy(self.any_server_networks) if self.any_server else None
        return ServerTable(servers, self.default_server, reach)


def read_settings(file: Path | None) -> Settings:
    """From ``file`` and the environment; pydantic.ValidationError says what is wrong, without the values."""
    if file is None:
        return Settings()

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=file)

    if not file.is_file():
        raise FileNotFoundError(file)
    return FromFile()
