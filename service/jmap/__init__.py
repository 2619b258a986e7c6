"""JMAP (RFC 8620, 8621) on the port of any mailbox: no copy of the mail, no store, any replica.

Read ``routes``, then ``core/dispatch`` (how method calls run), ``account/account`` (what the calls of one request
share), and ``methods``, one room or module for each data type.
"""
