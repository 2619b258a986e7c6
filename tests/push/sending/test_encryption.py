"""Encryption for a device, held against the RFC's own example and what others wrote."""

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey

from service.push.model import DeviceKeys
from service.push.origins import endpoint_fault, origin_of
from service.push.sending.encryption import MAX_PLAINTEXT, encrypt, is_device_key, padding_of
from service.push.vapid import VapidKeys, derived
from tests.push.sending.made import KEYS
from tests.servers.push import Phone, PushDouble

DEVICE = Phone(PushDouble())


def octets(text: str) -> bytes:
    from base64 import urlsafe_b64decode

    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_the_example_of_rfc_8291() -> None:
    """Appendix A."""
    own = ec.derive_private_key(int.from_bytes(octets("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")), ec.SECP256R1())
    keys = DeviceKeys(
        octets("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"),
        octets("BTBZMqHH6r4Tts7J_aSIgg"),
    )
    body = encrypt(b"When I grow up, I want to be a watermelon", keys, own=own, salt=octets("DGv6ra1nlYgDCS1FRnbzlw"))
    assert body == octets(
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


@given(st.binary(max_size=MAX_PLAINTEXT))
@settings(max_examples=50, deadline=None)
def test_a_device_decrypts_what_is_padded_to_few_lengths(plaintext: bytes) -> None:
    numbers = DEVICE.key.public_key().public_numbers()
    keys = DeviceKeys(b"\4" + numbers.x.to_bytes(32) + numbers.y.to_bytes(32), DEVICE.auth)
    body = encrypt(plaintext, keys, padding=padding_of(plaintext))
    assert len(body) <= 4096
    assert (len(body) - 86 - 17) % 256 == 0 or len(body) == 4096
    assert http_ece.decrypt(body, private_key=DEVICE.key, auth_secret=DEVICE.auth, version="aes128gcm") == plaintext


@pytest.mark.parametrize("point", [b"", bytes(65), b"\4" + bytes(64), b"\4" + b"\1" * 64, b"\2" + bytes(32)])
def test_what_is_no_key_is_refused(point: bytes) -> None:
    assert not is_device_key(point)


def test_a_push_service_verifies_the_signature_which_is_made_once_for_each_origin() -> None:
    """RFC 8292, 2."""
    headers = {KEYS.authorization(KEYS.current.id, f"https://push.example.org/{path}") for path in "abc"}
    [header] = headers
    token, key = (part.split("=", 1)[1] for part in header.removeprefix("vapid ").split(", "))
    point = octets(key)
    public = ECKey.import_key({"kty": "EC", "crv": "P-256", "x": key_text(point[1:33]), "y": key_text(point[33:])})
    claims = jwt.decode(token, public).claims
    assert claims["aud"] == "https://push.example.org"
    assert claims["sub"] == "mailto:postmaster@example.org"
    import time

    assert 12 * 3600 < claims["exp"] - time.time() <= 24 * 3600


def key_text(octets_: bytes) -> str:
    from tests.servers.push import text

    return text(octets_)


def test_a_new_key_first_in_the_list_silences_nobody() -> None:
    rotated = VapidKeys([derived(b"new"), derived(b"first"), derived(b"second")])
    assert rotated.current.id != KEYS.current.id
    key = KEYS.authorization(KEYS.current.id, "https://push.example.org/").split("k=")[1]
    assert rotated.authorization(KEYS.current.id, "https://push.example.org/").split("k=")[1] == key
    assert VapidKeys([derived(b"first")]).current == KEYS.current


@pytest.mark.parametrize(
    ("url", "is_right"),
    [
        ("https://push.example.org/a?b=c", True),
        ("https://push.example.org:8443/a", True),
        ("https://[2001:db8::1]/a", True),
        ("http://192.0.2.7:8080/", True),
        ("ftp://push.example.org/", False),
        ("https://push.example.org:25/", False),
        ("https://push.example.org:993/", False),
        ("https://ann@push.example.org/", False),
        ("https://push.example.org/#a", False),
        ("https://push/", False),
        ("https://127.1/", False),
        ("https://0x7f000001/", False),
        ("https://push.example.org:99999/", False),
        ("https://push.example.org:0/", False),
        ("https://push.example.org/a b", False),
        ("https://push.example.org/\r\nX: y", False),
        ("https://" + "a" * 2000, False),
        ("", False),
    ],
)
def test_what_an_endpoint_may_be(url: str, is_right: bool) -> None:
    assert (endpoint_fault(url) is None) == is_right


def test_the_origin_of_an_endpoint_has_no_usual_port() -> None:
    assert origin_of("https://push.example.org:443/a") == "https://push.example.org"
    assert origin_of("https://push.example.org:8443/a") == "https://push.example.org:8443"
    assert origin_of("https://[2001:db8::1]/a") == "https://[2001:db8::1]"
