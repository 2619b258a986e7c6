"""Writes mail: from a draft to octets and references to octets, and from a stored message to the octets that are sent.

``composing.compose`` makes the pieces of a message from a ``NewDraft`` and its attachments (``values``). The caller
fetches the ``Copied`` and ``Uploaded`` ones and encodes those that are not stored as they are sent (``base64_lines``).
``drafts.read_draft`` is the way back. ``outgoing.Outgoing`` takes from a stored message what no recipient may see, and
``envelope.envelope_of`` reads the sender and the recipients from its header.

All lines end in CRLF and have at most 998 octets; those of headers have 78 if their words allow it (RFC 5322, 2.1.1).
What a user gives is refused with InvalidRequest if it cannot be written exactly; what another message says of its parts
is left out instead, so that no message of a stranger can make a forward fail. Nothing here does I/O.
"""
