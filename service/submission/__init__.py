"""Drafts and sending, on the port of any mailbox: the draft is the outbox.

Read ``outbox`` (one message leaves, once), ``claims`` (how processes that know nothing of each other agree on that),
``repeats`` (how a request that was made before is recognised), ``assembly`` (from a draft's pieces to a message), then
``drafts``.
"""
