"""Casella: one HTTP/JSON API in front of any mailbox.

Read the packages in this order: ``mail`` (the model, and the port ``Backend``), ``adapters`` (the port by IMAP, by POP3
and on Maildirs), ``accounts`` (credentials, session tokens, mail servers), ``api`` (the routes), ``app`` (joins all of
them), ``http`` (serves the app) and ``cli``.
"""

__version__ = "0.1.0"
