"""Failures below the mail protocol, as errors of the port."""

import socket
import ssl

import pytest

from service.adapters.shared.network_errors import network_errors
from service.mail.errors import UpstreamFailure, UpstreamTimeout, UpstreamTls, UpstreamUnavailable
from service.mail.model import Protocol

UNKNOWN_NAME = socket.gaierror(socket.EAI_NONAME, "unknown")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ssl.SSLCertVerificationError(), UpstreamTls),
        (ssl.SSLError(), UpstreamTls),
        (TimeoutError(), UpstreamTimeout),
        (ConnectionResetError(), UpstreamUnavailable),
        (UNKNOWN_NAME, UpstreamUnavailable),
        (UnicodeError(), UpstreamUnavailable),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_each_failure_has_its_error(error: Exception, expected: type[UpstreamFailure]) -> None:
    if isinstance(error, ssl.SSLCertVerificationError):
        error.verify_message = "self-signed certificate"
    with pytest.raises(expected) as caught, network_errors(Protocol.IMAP):
        raise error
    assert caught.value.protocol == "imap"
    assert caught.value.__cause__ is error


def test_only_a_server_that_cannot_be_reached_may_be_tried_again() -> None:
    with pytest.raises(UpstreamUnavailable) as unavailable, network_errors(Protocol.IMAP, retry_after=5):
        raise ConnectionRefusedError
    with pytest.raises(UpstreamTls) as insecure, network_errors(Protocol.IMAP, retry_after=5):
        raise ssl.SSLError
    assert (unavailable.value.retry_after, insecure.value.retry_after) == (5, None)


def test_other_errors_pass() -> None:
    with pytest.raises(KeyError), network_errors(Protocol.POP3):
        raise KeyError
