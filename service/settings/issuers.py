"""Settings of an issuer of access tokens."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from service.oauth.issuer import Issuer
from service.oauth.urls import is_endpoint
from service.settings.types import Commas


def _endpoint(url: str) -> str:
    if not is_endpoint(url):
        raise ValueError("it is an https URL without a fragment, or http to this machine")
    return url


EndpointUrl = Annotated[str, AfterValidator(_endpoint)]


class IssuerSettings(BaseModel):
    """An issuer of access tokens (OAuth 2.0), with the client that the operator registered there."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    issuer: EndpointUrl | None = Field(
        None,
        description="The address at which the issuer describes itself (RFC 8414, OpenID Connect Discovery).",
        examples=["https://accounts.google.com"],
    )
    authorization_endpoint: EndpointUrl | None = Field(
        None, description="In place of `issuer`: the page on which users agree."
    )
    token_endpoint: EndpointUrl | None = Field(None, description="In place of `issuer`: the endpoint for tokens.")
    device_endpoint: EndpointUrl | None = Field(
        None, description="In place of `issuer`: the endpoint for device codes."
    )
    client_id: str = Field(min_length=1, max_length=1000, description="The client that is registered there.")
    client_secret: SecretStr | None = Field(None, description="The client's secret, if it has one.")
    scopes: Annotated[tuple[str, ...], Commas] = Field(
        (), description="What apps ask for.", examples=["https://mail.google.com/"]
    )
    ca_file: Path | None = Field(None, description="Authorities to trust instead of the system's.")

    @model_validator(mode="after")
    def _is_whole(self) -> "IssuerSettings":
        if (self.issuer is None) == (self.token_endpoint is None):
            raise ValueError("give either issuer, or token_endpoint with the other endpoints")
        if self.issuer is not None and (self.authorization_endpoint or self.device_endpoint):
            raise ValueError("issuer names all endpoints: leave the others out")
        if find_spec("authlib") is None or find_spec("httpx2") is None:
            raise ValueError("OAuth 2.0 needs an extra: pip install 'casella[oauth]'")
        return self

    def issuer_named(self, name: str) -> Issuer:
        secret = self.client_secret.get_secret_value() if self.client_secret else None
        return Issuer(
            name,
            self.client_id,
            secret,
            self.scopes,
            self.issuer,
            self.authorization_endpoint,
            self.token_endpoint,
            self.device_endpoint,
            self.ca_file,
        )
