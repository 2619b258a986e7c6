"""The settings of an account, as octets, and the text that says which ones they are."""

from hashlib import blake2s

MAX_SETTINGS = 64 << 10
"""Octets of the settings as they are stored."""
NO_SETTINGS = "none"
"""The version of settings that were never stored."""


def settings_version(settings: bytes | None) -> str:
    """The version of settings. The same octets have the same version on every kind of mailbox."""
    return NO_SETTINGS if settings is None else blake2s(settings, digest_size=16).hexdigest()
