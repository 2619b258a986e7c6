"""Settings from a TOML file and the environment. Read by ``app`` and ``cli`` alone.

Every key can be set by the environment too, with the prefix ``CASELLA_`` and ``__`` between levels:
``CASELLA_SERVERS__HOME__IMAP__HOST=imap.example.org``.
"""

from base64 import urlsafe_b64decode
from binascii import Error
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from limits import parse
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FilePath,
    IPvAnyNetwork,
    SecretBytes,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from service.mail.model import Protocol
from service.rates import Bounds
from service.reach import Reach
from service.servers import Disk, Endpoint, MailServer, Security, ServerTable

KEY_OCTETS = 32


class EndpointSettings(BaseModel):
    """One listener of a mail server."""

    model_config = ConfigDict(extra="forbid")

    host: str = Field(min_length=1, max_length=253)
    port: int = Field(ge=1, le=65535)
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

    domains: frozenset[str] = Field(frozenset(), description="Domains of usernames that this server serves.")
    imap: EndpointSettings | None = None
    pop3: Pop3Settings | None = None
    smtp: EndpointSettings | None = None
    maildir: MaildirSettings | None = None

    @model_validator(mode="after")
    def _has_a_mailbox(self) -> "ServerSettings":
        if all(getattr(self, protocol) is None for protocol in Protocol):
            raise ValueError(f"a server needs one of {', '.join(Protocol)}")
        return self


def _rate(value: str) -> str | None:
    """As `limits` reads it: ``10/minute``, ``100 per 5 minutes``; or ``off``."""
    if value == "off":
        return None
    parse(value)
    return value


Rate = Annotated[str, AfterValidator(_rate)] | None


class RateSettings(BaseModel):
    """How often: `10/minute`, or `off`."""

    model_config = ConfigDict(extra="forbid")

    url: SecretStr | None = Field(None, description="A Redis that replicas share; else each counts for itself.")
    address: Rate = Field(None, description="Requests of one address.")
    account: Rate = Field(None, description="Requests for one account.")
    address_failures: Rate = Field("100/minute", description="Refused logins of one address.")
    account_failures: Rate = Field("10/minute", description="Refused logins of one account.")
    server_failures: Rate = Field("1000/minute", description="Refused logins on one mail server.")

    def bounds(self) -> Bounds:
        return Bounds(**self.model_dump(exclude={"url"}))


class Settings(BaseSettings):
    """All there is to set."""

    model_config = SettingsConfigDict(
        env_prefix="CASELLA_", env_nested_delimiter="__", extra="forbid", hide_input_in_errors=True
    )

    default_server: str | None = Field(None, description="The server for usernames whose domain no server claims.")
    servers: dict[str, ServerSettings] = Field(
        default_factory=dict, description="The mail servers that may be reached."
    )
    any_server: bool = Field(
        False,
        description="Callers may name any public host as their server, on the ports of mailboxes and with TLS.",
    )
    any_server_networks: tuple[IPvAnyNetwork, ...] = Field(
        (), description="Networks in which such a host may lie, besides public addresses."
    )
    secret_keys: Annotated[tuple[SecretBytes, ...], NoDecode] = Field(
        (),
        description="Keys of session tokens: base64url of 32 octets, separated by commas. The first seals, all open.",
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
    trusted_proxies: tuple[str, ...] = Field(
        (), description="Addresses and networks of proxies whose X-Forwarded-For and X-Forwarded-Proto count."
    )
    rates: RateSettings = Field(default_factory=RateSettings, description="How often.")
    allowed_origins: tuple[str, ...] = Field(
        (), description="Web pages of these origins may call the API from a browser (CORS)."
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

    @field_validator("secret_keys", mode="before")
    @classmethod
    def _read_keys(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(_key(word.strip()) for word in value.split(",") if word.strip())

    @model_validator(mode="after")
    def _default_exists(self) -> "Settings":
        if self.default_server is not None and self.default_server not in self.servers:
            raise ValueError("default_server names no server of the table")
        return self

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
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

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
        reach = Reach(self.any_server_networks) if self.any_server else None
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


def _key(word: str) -> SecretBytes:
    try:
        octets = urlsafe_b64decode(word + "=" * (-len(word) % 4))
    except Error:
        octets = b""
    if len(octets) != KEY_OCTETS:
        raise ValueError(
            "a key is base64url of 32 octets: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    return SecretBytes(octets)
