"""A mail server that sends messages, reached by SMTP submission (RFC 6409, RFC 5321).

Read from the wire upwards: ``wire/replies`` (what an answer is), ``wire/errors`` (what a refusal means),
``wire/dot_stuffing`` (how a message is written), ``wire/commands`` (addresses and parameters), ``wire/protocol``
(octets both ways, on aiosmtplib), ``session/connection`` (one conversation), ``session/login``,
``session/transaction`` (one message), ``session/pool`` (what stays open for the next message), and ``submitter``, which
is the port.
"""
