"""Settings of what wakes phones."""

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.jwk import ECKey, RSAKey
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FilePath, IPvAnyNetwork, SecretStr, model_validator

from service.settings.types import Commas, Key

_HOOK = re.compile(r"[A-Za-z0-9_-]{24,200}")
_EXTRA = "pip install 'casella[push]'"


def _vapid(key: Key) -> Key:
    try:
        ec.derive_private_key(int.from_bytes(key.get_secret_value()), ec.SECP256R1())
    except ValueError:
        raise ValueError("it is a private key of P-256, as base64url of 32 octets") from None
    return key


def _hook(secret: SecretStr) -> SecretStr:
    if not _HOOK.fullmatch(secret.get_secret_value()):
        raise ValueError("it has 24 to 200 letters, digits, - and _")
    return secret


HookSecret = Annotated[SecretStr, AfterValidator(_hook)]
VapidKey = Annotated[Key, AfterValidator(_vapid)]


def _service_account(file: Path) -> Path:
    try:
        values = json.loads(file.read_text())
        RSAKey.import_key(values["private_key"])
        is_whole = all(values[name] for name in ("project_id", "client_email", "private_key_id"))
    except Exception:  # of many kinds, and their texts may hold the key
        is_whole = False
    if not is_whole:
        raise ValueError("it is the JSON file of a service account's key")
    return file


def _team_key(file: Path) -> Path:
    try:
        is_key = ECKey.import_key(file.read_text()).is_private
    except Exception:  # of many kinds, and their texts may hold the key
        is_key = False
    if not is_key:
        raise ValueError("it is a .p8 file with a private key")
    return file


class DovecotSettings(BaseModel):
    """Deliveries that Dovecot reports."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    secrets: Annotated[tuple[HookSecret, ...], Commas] = Field(
        min_length=1,
        description="What the address of the hook ends with: 24 letters and digits or more. Several, so that they can"
        " be replaced: all are accepted.",
    )
    servers: Annotated[tuple[str, ...], Commas] = Field(
        (),
        description="The servers that report deliveries. Default: all of `servers` that have METADATA.",
        examples=["home"],
    )


class FcmSettings(BaseModel):
    """Firebase Cloud Messaging, for the operator's own Android app."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    service_account: Annotated[FilePath, AfterValidator(_service_account)] = Field(
        description="The JSON file of a service account's key."
    )


class ApnsSettings(BaseModel):
    """Apple's push service, for the operator's own app."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    key_file: Annotated[FilePath, AfterValidator(_team_key)] = Field(description="The .p8 file of a key for tokens.")
    key_id: str = Field(min_length=1, max_length=40, description="The id of the key.")
    team_id: str = Field(min_length=1, max_length=40, description="The id of the team.")
    topic: str = Field(
        min_length=1, max_length=200, description="The bundle id of the app.", examples=["org.example.mail"]
    )
    sandbox: bool = Field(False, description="Use Apple's servers for apps in development.")


class PushSettings(BaseModel):
    """What wakes phones: each of the tables switches something on."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    dovecot: DovecotSettings | None = None
    vapid_keys: Annotated[tuple[VapidKey, ...], Commas] = Field(
        (),
        description="Private keys of Web Push (VAPID): base64url of 32 octets each. The first signs for new"
        " subscriptions, the others for those that were made with them. Default: made from `secret_keys`.",
    )
    subject: str | None = Field(
        None,
        pattern=r"^(mailto:[^\s@]+@[^\s@]+|https://\S+)$",
        max_length=500,
        description="The address at which push services reach the operator. Apple's demands it.",
        examples=["mailto:postmaster@example.org"],
    )
    networks: Annotated[tuple[IPvAnyNetwork, ...], Commas] = Field(
        (),
        description="Networks in which push services and back ends may be, besides public addresses. Only to these http"
        " is allowed too.",
        examples=["10.0.0.0/8"],
    )
    fcm: FcmSettings | None = None
    apns: ApnsSettings | None = None

    @model_validator(mode="after")
    def _can_send(self) -> "PushSettings":
        is_used = self.dovecot or self.fcm or self.apns
        if is_used and (find_spec("httpcore2") is None or find_spec("h2") is None):
            raise ValueError(f"pushes need an extra: {_EXTRA}")
        return self
