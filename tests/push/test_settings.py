"""Settings of pushes: what is wrong is named, and no secret is shown."""

from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import pytest
from joserfc.jwk import ECKey
from pydantic import ValidationError

from service.app import create_app
from service.settings.model import Settings
from service.settings.shown import effective

HOME = {"home": {"imap": {"host": "imap.example.org", "port": 993}}}
SECRET = "canary-hook-secret-4f1d-2b77"


@pytest.mark.parametrize(
    ("push", "place"),
    [
        ({"dovecot": {"secrets": "canary-short"}}, ("push", "dovecot", "secrets", 0)),
        ({"dovecot": {"secrets": f"{SECRET}/canary"}}, ("push", "dovecot", "secrets", 0)),
        ({"dovecot": {"secrets": []}}, ("push", "dovecot", "secrets")),
        ({"dovecot": {}}, ("push", "dovecot", "secrets")),
        ({"vapid_keys": token_urlsafe(31)}, ("push", "vapid_keys", 0)),
        ({"vapid_keys": "_" * 43}, ("push", "vapid_keys", 0)),
        ({"subject": "canary"}, ("push", "subject")),
        ({"networks": "canary"}, ("push", "networks", 0)),
        ({"fcm": {"service_account": "/canary"}}, ("push", "fcm", "service_account")),
        ({"apns": {"key_file": "/canary", "key_id": "a", "team_id": "b", "topic": "c"}}, ("push", "apns", "key_file")),
        ({"canary": 1}, ("push", "canary")),
    ],
)
def test_a_wrong_setting_is_named_and_not_shown(push: dict[str, Any], place: tuple[str | int, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(servers=HOME, push=push)
    errors = caught.value.errors(include_input=False, include_url=False)
    assert place in [error["loc"] for error in errors]
    assert not any("canary" in error["msg"] for error in errors)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "canary",
        '{"private_key": "canary"}',
        f"-----BEGIN {'PRIVATE'} KEY-----\ncanary",
    ],
)
def test_a_file_that_holds_no_key_is_named_and_not_shown(tmp_path: Path, content: str) -> None:
    file = tmp_path / "key"
    file.write_text(content)
    apns = {"key_file": file, "key_id": "a", "team_id": "b", "topic": "c"}
    for push in ({"fcm": {"service_account": file}}, {"apns": apns}):
        with pytest.raises(ValidationError) as caught:
            Settings(servers=HOME, push=push)
        assert "canary" not in str(caught.value)


def test_no_secret_is_shown() -> None:
    key = token_urlsafe(32)
    settings = Settings(servers=HOME, push={"dovecot": {"secrets": f"{SECRET},{SECRET}x"}, "vapid_keys": key})
    shown = effective(settings)
    assert shown["push.dovecot.secrets"] == ["**********"] * 2
    assert shown["push.vapid_keys"] == ["**********"]
    assert SECRET not in repr(settings)
    assert key not in repr(settings)


def test_the_operators_own_keys_come_first_and_apps_have_theirs(tmp_path: Path) -> None:
    key_file = tmp_path / "key.p8"
    key_file.write_bytes(ECKey.generate_key("P-256").as_pem(private=True))
    apns = {"key_file": key_file, "key_id": "KEY1234567", "team_id": "TEAM123456", "topic": "org.example.mail"}
    own, secret = token_urlsafe(32), token_urlsafe(32)
    plain = Settings(servers=HOME, secret_keys=secret, push={"dovecot": {"secrets": SECRET}, "apns": apns})
    first = create_app(plain).state.service.push
    again = create_app(plain).state.service.push
    rotated = create_app(plain.model_copy(update={"push": Settings(push={"vapid_keys": own}).push})).state.service.push
    assert first.kinds == ("webpush", "webhook", "apns")
    assert first.keys.current == again.keys.current
    assert rotated.keys.current.id != first.keys.current.id
    assert first.keys.current.id in rotated.keys
    assert rotated.kinds == ()
