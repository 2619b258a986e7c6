"""Settings from a TOML file and the environment. Only ``app``, ``backends``, ``http`` and ``cli`` read them.

Every key can also be set in the environment, with the prefix ``CASELLA_`` and ``__`` between levels:
``CASELLA_SERVERS__HOME__IMAP__HOST=imap.example.org``. A list is separated by commas there.
"""

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
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
from service.discovery.providers import submission_of
from service.mail.model import Protocol
from service.oauth.issuer import Issuer
from service.settings.issuers import IssuerSettings
from service.settings.push import PushSettings
from service.settings.store import StoreSettings
from service.settings.types import KEY_OCTETS, Commas, Domain, Key, Origin, Proxy, Rate, StoreUrl, host_name

__all__ = [
    "KEY_OCTETS",
    "EndpointSettings",
    "ImapSettings",
    "Pop3Settings",
    "ServerSettings",
    "Settings",
    "SmtpSettings",
    "read_settings",
]
PREFIX, LEVEL = "CASELLA_", "__"


class EndpointSettings(BaseModel):
    """One listener of a mail server."""

    model_config = ConfigDict(extra="forbid")

    host: Annotated[str, AfterValidator(host_name)] = Field(min_length=1, max_length=253, examples=["imap.example.org"])
    port: int = Field(ge=1, le=65535, examples=[993])
    security: Security = Security.TLS
    ca_file: Path | None = Field(None, description="Authorities to trust instead of the system's.")

    def endpoint(self, server: str) -> Endpoint:
        return Endpoint(self.host, self.port, self.security, self.ca_file, server=server)


class ImapSettings(EndpointSettings):
    """A listener that speaks IMAP."""

    compress: bool | None = Field(
        None,
        description="Compress the connection if the server can (RFC 4978). By default all are, except on this machine.",
    )

    def endpoint(self, server: str) -> Endpoint:
        return replace(super().endpoint(server), compress=self.compress)


class Pop3Settings(EndpointSettings):
    """A listener that speaks POP3."""

    apop: bool = Field(False, description="Sign in by APOP (RFC 1939, 7), for servers that accept nothing else.")

    @model_validator(mode="after")
    def _has_a_challenge(self) -> "Pop3Settings":
        if self.apop and self.security is Security.STARTTLS:
            raise ValueError("apop cannot be combined with starttls: its challenge comes before TLS")
        return self

    def endpoint(self, server: str) -> Endpoint:
        return replace(super().endpoint(server), apop=self.apop)


class SmtpSettings(EndpointSettings):
    """A listener that sends messages by SMTP (RFC 6409), usually on port 465 with TLS or 587 with STARTTLS."""

    files_sent: bool | None = Field(
        None,
        description="Whether the provider itself puts a copy of each message into Sent. By default that is looked for.",
    )

    def endpoint(self, server: str) -> Endpoint:
        return replace(super().endpoint(server), files_sent=self.files_sent)


class MaildirSettings(BaseModel):
    """Mailboxes on this machine's disk."""

    model_config = ConfigDict(extra="forbid")

    path: str = Field(
        pattern=r"^(/[^{}]*)?/[^{}/]*\{user\}[^{}/]*(/[^{}]*)?$",
        description="The path of a user's Maildir: absolute, with `{user}` in place of the username.",
    )
    passwords: FilePath = Field(
        description="The users who may sign in: a file of lines `user:hash`, the hash by Argon2, as `doveadm pw -s"
        " ARGON2ID` writes it."
    )

    def disk(self) -> Disk:
        return Disk(self.path, self.passwords)


class ServerSettings(BaseModel):
    """A row of the server table."""

    model_config = ConfigDict(extra="forbid")

    domains: Annotated[frozenset[Domain], Commas] = Field(
        frozenset(),
        description="Domains of usernames that this server serves: exactly these, without their subdomains.",
        examples=["example.org", "example.net"],
    )
    oauth: str | None = Field(
        None,
        description="The name of the table `oauth` whose access tokens this server accepts.",
        examples=["google"],
    )
    imap: ImapSettings | None = None
    pop3: Pop3Settings | None = None
    smtp: SmtpSettings | None = None
    maildir: MaildirSettings | None = None

    @model_validator(mode="after")
    def _has_a_mailbox(self) -> "ServerSettings":
        if all(getattr(self, protocol) is None for protocol in Protocol):
            raise ValueError(f"a server needs one of {', '.join(Protocol)}")
        return self


class RateSettings(BaseModel):
    """Rate limits: `10/minute`, or `off`."""

    model_config = ConfigDict(extra="forbid")

    url: StoreUrl | None = Field(
        None,
        description="A Redis that replicas share, for rates and for ended sessions. Without it each replica counts by"
        " itself, and knows only the sessions that it ended itself.",
        examples=["redis://redis.example.org:6379"],
    )
    address: Rate = Field(None, description="Requests from one address.")
    account: Rate = Field(None, description="Requests for one account.")
    address_failures: Rate = Field("100/minute", description="Refused logins from one address.")
    account_failures: Rate = Field("10/minute", description="Refused logins of one account.")
    server_failures: Rate = Field("1000/minute", description="Refused logins on one mail server.")
    account_messages: Rate = Field("1000/day", description="Messages that one account may send.")
    account_recipients: Rate = Field("5000/day", description="Recipients that one account may send to.")
    account_subscriptions: Rate = Field("60/hour", description="Devices that one account may subscribe.")
    address_lookups: Rate = Field(
        "60/minute", description="Discoveries, and sign-ins begun by a device code, from one address."
    )

    def bounds(self) -> Bounds:
        return Bounds(**self.model_dump(exclude={"url"}))


class _Environment(EnvSettingsSource):
    """Lists and tables may be JSON. All other texts are left to validation, whose errors say what is valid."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
            with suppress(ValueError):
                return json.loads(value)
        return value


class Settings(BaseSettings):
    """All settings."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=LEVEL, extra="forbid", hide_input_in_errors=True
    )

    servers: dict[str, ServerSettings] = Field(
        default_factory=dict, description="The mail servers that may be reached."
    )
    default_server: str | None = Field(
        None,
        description="The server for usernames without a domain, or with one that no server claims. Without it they are"
        " refused, unless there is only one server and it states no domains.",
        examples=["home"],
    )
    any_server: bool = Field(
        False,
        description="Clients may name any public host as their server, on the ports of IMAP and POP3 and with TLS.",
    )
    any_server_networks: Annotated[tuple[IPvAnyNetwork, ...], Commas] = Field(
        (),
        description="Networks in which such a host may be, besides public addresses.",
        examples=["10.0.0.0/8", "2001:db8::/32"],
    )
    discovery_mx: bool = Field(
        False,
        description="Look up which provider receives the mail of a domain that no server claims. With `any_server` that"
        " and more is done anyway.",
    )
    oauth: dict[str, IssuerSettings] = Field(
        default_factory=dict, validate_default=True, description="The issuers of access tokens (OAuth 2.0)."
    )
    push: PushSettings = Field(default_factory=PushSettings, description="Waking phones that sleep.")
    secret_keys: Annotated[tuple[Key, ...], Commas] = Field(
        (), description="Keys of session tokens: base64url of 32 octets each. The first seals, all open."
    )
    session_seconds: int = Field(7 * 24 * 3600, ge=60, description="How long a session token lives.")
    account_idle_seconds: float = Field(120, ge=1, description="How long connections of an unused account are kept.")
    account_connections: int = Field(
        4, ge=1, le=100, description="Maximum IMAP connections of an account, in one process."
    )
    server_connections: int = Field(
        1000, ge=1, description="Maximum connections to one mail server from one process, of all accounts together."
    )
    cache_octets: int = Field(
        64 << 20,
        ge=0,
        description="Memory for cached rows of lists, of all accounts together, for each protocol; for messages that"
        " were opened, an eighth of it more.",
    )
    pop3_linger_seconds: float = Field(
        2, ge=0, le=60, description="How long a POP3 session waits for more work before it leaves the maildrop."
    )
    pop3_session_seconds: float = Field(
        5,
        ge=0,
        le=600,
        description="The age at which a POP3 session ends even in a burst: it does not see newer mail.",
    )
    pop3_wait_seconds: float = Field(
        20, ge=0, le=600, description="How long a request waits while another request of its account uses the maildrop."
    )
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s?#]+[^/\s?#]$",
        description="The address of the service for links in HTML. Default: the address of each request.",
        examples=["https://mail.example.org"],
    )
    max_message_octets: int = Field(35 << 20, ge=1024, description="The largest message that may be appended.")
    max_recipients: int = Field(100, ge=1, description="The most recipients that a message may have.")
    max_body_octets: int = Field(1 << 20, ge=1024, description="The largest JSON request.")
    max_connections: int = Field(
        10_000,
        ge=1,
        description="Maximum clients connected, or requests in progress, at once. Requests beyond it are answered 503."
        " At most a quarter of the open files that the process may have (`ulimit -n`).",
    )
    trusted_proxies: Annotated[tuple[Proxy, ...], Commas] = Field(
        (),
        description="Addresses and networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are trusted.",
        examples=["10.0.0.0/8", "192.0.2.7"],
    )
    rates: RateSettings = Field(default_factory=RateSettings, description="Rate limits.")
    store: StoreSettings = Field(
        default_factory=StoreSettings,
        validate_default=True,
        description="A database of the mailboxes that are watched for sleeping phones. Without it nothing is stored.",
    )
    allowed_origins: Annotated[tuple[Origin, ...], Commas] = Field(
        (),
        description="Origins of web pages that may call the API from a browser (CORS).",
        examples=["https://app.example.org", "https://beta.example.org"],
    )
    page: bool = Field(True, description="Serve mail in a browser at /app/.")
    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="Separate port for GET /metrics. Default: none. Each of several workers takes the next free port.",
    )
    metrics_host: str = Field("127.0.0.1", min_length=1, description="The address on which `metrics_port` listens.")
    metrics_public: bool = Field(False, description="Answer GET /metrics on the public port too, to every client.")
    drain_seconds: float = Field(
        5, ge=0, le=300, description="After SIGTERM, how long requests are still accepted while /readyz says 503."
    )
    log_level: str = Field(
        "INFO",
        pattern="^(DEBUG|INFO|WARNING|ERROR)$",
        description="The least severe lines that are logged: DEBUG, INFO, WARNING or ERROR.",
    )
    access_log: bool = Field(True, description="Log a line for each request, without query and identities.")

    @field_validator("servers")
    @classmethod
    def _claim_once(cls, servers: dict[str, ServerSettings]) -> dict[str, ServerSettings]:
        """A domain is in one server only, so that it does not depend on the order which server gets a password."""
        claims: dict[str, str] = {}
        for name, row in servers.items():
            for domain in sorted(row.domains):
                if (first := claims.setdefault(domain, name)) != name:
                    raise ValueError(f"the domain {domain} is in two servers, {first} and {name}: leave it in one")
        return servers

    @field_validator("oauth")
    @classmethod
    def _oauth_exists(cls, issuers: dict[str, IssuerSettings], info: ValidationInfo) -> dict[str, IssuerSettings]:
        for name, row in info.data.get("servers", {}).items():
            if row.oauth is not None and row.oauth not in issuers:
                raise ValueError(f"servers.{name}.oauth is the name of one of these tables")
        return issuers

    @field_validator("store")
    @classmethod
    def _store_is_sealed(cls, store: StoreSettings, info: ValidationInfo) -> StoreSettings:
        if store.url is not None and not info.data.get("secret_keys", [b""]):
            raise ValueError("a store needs secret_keys, which seal what is in it")
        return store

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
        """The environment takes precedence over the file, so that secrets can stay out of the file."""
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
                oauth=row.oauth,
            )
            for name, row in self.servers.items()
        }
        address_policy = AddressPolicy(self.any_server_networks) if self.any_server else None
        return ServerTable(servers, self.default_server, address_policy, submission_of)

    def issuers(self) -> list[Issuer]:
        return [row.issuer_named(name) for name, row in self.oauth.items()]


def read_settings(file: Path | None) -> Settings:
    """Read ``file`` and the environment. Raises FileNotFoundError, and pydantic.ValidationError without the values."""
    if file is None:
        return Settings()

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=file)

    if not file.is_file():
        raise FileNotFoundError(file)
    return FromFile()
