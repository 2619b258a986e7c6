"""A domain's own description of its mail servers, in the form that mail programs have read for fifteen years."""

from collections.abc import Iterable
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException, ElementTree

from service.accounts.address_policy import is_name
from service.accounts.servers import Security
from service.discovery.model import Auth, Candidate, Listener, LoginForm, Origin

PLACES = (("autoconfig.{}", "/mail/config-v1.1.xml"), ("{}", "/.well-known/autoconfig/mail/config-v1.1.xml"))
"""Host and path, in the order in which they are read. The address itself is never sent."""
PORTS = {
    "imap": {993: Security.TLS, 143: Security.STARTTLS},
    "pop3": {995: Security.TLS, 110: Security.STARTTLS},
    "smtp": {465: Security.TLS, 587: Security.STARTTLS},
}
"""The usual ports, which are the only ones that a domain may name."""
_SECURITY = {"SSL": Security.TLS, "STARTTLS": Security.STARTTLS}
_AUTH = {"OAuth2": Auth.OAUTH2, "password-cleartext": Auth.PASSWORD, "password-encrypted": Auth.PASSWORD}
_AUTH |= {"plain": Auth.PASSWORD, "secure": Auth.PASSWORD, "NTLM": Auth.PASSWORD, "GSSAPI": Auth.PASSWORD}
_MAX_SERVERS = 20


def read(document: bytes, domain: str) -> Candidate | None:
    """Returns the first server of each kind that has TLS and a usual port; None if there is no mailbox among them, or
    the document cannot be read. A document type is refused: its entities grow without bound."""
    try:
        root = ElementTree.fromstring(document, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        return None
    incoming = root.findall("emailProvider/incomingServer")[:_MAX_SERVERS]
    outgoing = root.findall("emailProvider/outgoingServer")[:_MAX_SERVERS]
    imap, pop3 = _first("imap", incoming, domain), _first("pop3", incoming, domain)
    mailbox = imap or pop3
    if mailbox is None:
        return None
    places = [found[0] if found else None for found in (imap, pop3, _first("smtp", outgoing, domain))]
    login = LoginForm.LOCALPART if _text(mailbox[1], "username") == "%EMAILLOCALPART%" else LoginForm.ADDRESS
    return Candidate(Origin.AUTOCONFIG, None, None, places[0], places[1], places[2], login, _auth(mailbox[1]))


def _first(kind: str, servers: Iterable[Element], domain: str) -> tuple[Listener, Element] | None:
    """TLS from the start is better than STARTTLS."""
    usable = [
        (listener, server)
        for server in servers
        if server.get("type") == kind and (listener := _listener(server, kind, domain))
    ]
    return min(usable, key=lambda found: found[0].security is not Security.TLS, default=None)


def _listener(server: Element, kind: str, domain: str) -> Listener | None:
    host = _text(server, "hostname").replace("%EMAILDOMAIN%", domain).lower()
    port, security = _text(server, "port"), _SECURITY.get(_text(server, "socketType"))
    known = next((number for number in PORTS[kind] if str(number) == port), None)
    if known is None or PORTS[kind][known] is not security or not is_name(host):
        return None
    return Listener(host, known, security)


def _auth(server: Element) -> tuple[Auth, ...]:
    named = [_AUTH.get((each.text or "").strip()) for each in server.findall("authentication")[:_MAX_SERVERS]]
    return tuple(dict.fromkeys(auth for auth in named if auth)) or (Auth.PASSWORD,)


def _text(server: Element, name: str) -> str:
    return (server.findtext(name) or "").strip()[:300]
