"""Mailboxes on the local disk: Maildir (https://cr.yp.to/proto/maildir.html) with folders by Maildir++.

From the disk upwards: ``disk`` (opens folders and files safely) and ``disk_threads`` (which run all of it), ``names``
(of files) and ``folder_names``, ``keywords`` (flags as letters), ``snapshot`` and ``folder`` (one folder),
``subscriptions`` and ``folders`` (the tree), ``delivery`` (a new message), ``sync_state`` (tokens) and ``content`` (of
a file). ``mailbox`` joins these. Above it are the operations: ``folder_changes``, then ``rows``, ``matching``,
``cursor`` and ``listing`` (lists), ``reads``, ``writes`` and ``changes``. ``passwords`` and ``sign_in`` decide who may
use a mailbox. ``backend`` is what the API sees.
"""
