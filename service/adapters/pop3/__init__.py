"""A mailbox reached by POP3 (RFC 1939).

Read from the wire upwards: ``unstuff`` (where a message ends), ``wire`` (octets and TLS), ``replies`` (what an answer
means), ``connection`` (commands), ``login``, ``drop`` (UIDL and LIST), ``session`` (one login), ``entry`` (how to get
in), ``door`` (who may be in when), ``source`` (a fetched message), ``cursor`` and ``listing`` (lists),
and ``backend``, which is what the API sees.
"""
