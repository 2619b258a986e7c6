"""Casella: one HTTP/JSON API in front of any mailbox.

Read in this order: ``mail`` (the words and the port), ``adapters`` (IMAP, POP3, Maildir behind the port), ``accounts``
and ``sessions`` (who is calling), ``api`` (the routes), ``app`` (where all of it meets), ``cli``.
"""

__version__ = "0.1.0"
