"""The backend for IMAP4rev1 and IMAP4rev2 (RFC 3501, RFC 9051).

From the wire up:

- ``wire``: octets to responses and back. ``framing`` cuts the stream, ``protocol`` sends commands and receives their
  answers, ``tokens`` and ``responses`` read answers, ``arguments`` writes commands, ``status`` translates refusals.
- ``session``: ``login`` opens a connection, ``connection`` runs commands on it, ``selection`` is its selected folder,
  ``pool`` shares the connections of an account, ``access`` lends them to operations.
- ``folders``, ``lists``, ``messages``, ``search``, ``sync``, ``writes``: the operations.
- ``backend``: the port, made of the operations.
"""
