"""Watches mailboxes whose servers report nothing by themselves, for as long as devices subscribe to them.

Imported only if the service has a store. Every process is a worker: it claims mailboxes from the store, watches each
as requests would, and pushes what changed since the mailbox's mark. The mark moves on once a push was handed over, so
nothing is missed if a process ends in between: the next one pushes again, which does no harm.
"""
