"""Mailboxes on the local disk: Maildir (https://cr.yp.to/proto/maildir.html) with folders by Maildir++.

Read from the disk upwards: ``disk`` (folders and files opened safely), ``names`` (of files), ``keywords`` (flags as
letters), ``box`` (one folder), ``draft`` (a message on its way in), ``subscriptions``, ``folders`` (the tree),
``content`` (what a file holds), ``cursor`` and ``listing`` (lists), ``history`` (what changed), ``passwords`` and
``door`` (who may sign in), and ``backend``, which is what the API sees.
"""
