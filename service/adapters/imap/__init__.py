"""IMAP4rev1/rev2 behind the port (RFC 3501, RFC 9051).

From the wire up: ``framing`` (octets to responses), ``protocol`` (commands and their answers on aioimaplib),
``connection`` (TLS, login, the selected folder), ``tokens`` and ``responses`` (answers to values), ``arguments``
(values to commands), ``pool`` (which connection for whom), ``backend`` (the port).
"""
