"""The sender of a message, and whether it looks like a mail server that reports."""

import re
from collections.abc import Iterable
from functools import cached_property

from service.mail.mime.headers.addresses import known_addresses, parse_addresses
from service.mail.mime.headers.fields import RawHeader, first, parse_message_ids
from service.mail.mime.headers.words import MAX_SHOWN, decode_words

MAX_FAILED = 100
"""Addresses that are read of X-Failed-Recipients."""
_DAEMONS = re.compile(
    r"(?:mailer-?daemon|mail-?daemon|postmaster|post\.?master|mdaemon|maildelivery|mail-?delivery(?:-?sub)?system"
    r"|double-bounce|bounces?|microsoftexchange[0-9a-f]{1,64})(?:[+=._-][^@]{0,200})?",
    re.IGNORECASE,
)
_SUBJECTS = re.compile(
    r"undeliver(?:able|ed)|delivery (?:status notification|failure|failed|has failed|report|error|problem)"
    r"|delivery[^a-z]{1,5}(?:failure|failed)|failure notice|mail delivery (?:failed|failure|system|error|subsystem)"
    r"|returned (?:mail|to sender)|return(?:ed)? to sender|non[- ]?delivery|not delivered|non remis"
    r"|could not (?:be )?deliver"
    r"|(?:message|mail) (?:delivery )?(?:delayed|undeliverable)|warning: (?:could not send|message)|delivery delayed"
    r"|unzustellbar|nicht zugestellt|no se (?:ha podido|pudo) entregar|mancata consegna|niet (?:be|af)geleverd"
    r"|non (?:ha potuto|recapitato)|não (?:foi )?entregue|olevererbar|kunne ikke leveres|не доставлено|недоставлен",
    re.IGNORECASE,
)
_REPLIES = re.compile(r"\s*auto-(?:replied|notified)", re.IGNORECASE)


class Origin:
    """What the header of a message says about its sender."""

    def __init__(self, fields: Iterable[RawHeader]) -> None:
        self._fields = tuple(fields)

    @cached_property
    def sender(self) -> str:
        """The address of the first author; empty if there is none."""
        return next((each.email for each in known_addresses(self._raw("From"), 1)), "")

    @cached_property
    def failed(self) -> tuple[str, ...]:
        """What Exim and Gmail say in X-Failed-Recipients."""
        raw = self._raw("X-Failed-Recipients")
        return tuple(each.email for each in parse_addresses(raw, MAX_FAILED)) if raw else ()

    @cached_property
    def mailer(self) -> str:
        """The program that wrote the message."""
        return decode_words(self._raw("X-Mailer")[:MAX_SHOWN])

    @cached_property
    def is_bounce(self) -> bool:
        """Whether the sender or the subject is one of mail servers."""
        local = self.sender.rpartition("@")[0] or self.sender
        is_daemon = _DAEMONS.fullmatch(local[:300]) is not None
        subject = decode_words(self._raw("Subject")[:MAX_SHOWN])
        return is_daemon or bool(self.failed) or _SUBJECTS.search(subject[:500]) is not None

    @property
    def may_be_bounce(self) -> bool:
        """As ``is_bounce``, or sent with an empty sender (RFC 5321, 4.5.5) and not as the reply of an absent person."""
        is_reply = _REPLIES.match(self._raw("Auto-Submitted").decode("latin-1")[:100]) is not None
        return self.is_bounce or (self._raw("Return-Path").strip() == b"<>" and not is_reply)

    @property
    def answers(self) -> str | None:
        """The message that this one says to be about."""
        for name, at in (("In-Reply-To", 0), ("References", -1)):
            if found := parse_message_ids(self._raw(name)):
                return found[at]
        return None

    def _raw(self, name: str) -> bytes:
        return first(self._fields, name) or b""
