"""A mail server that reports deliveries by itself: the subscriptions lie sealed in the mailbox's METADATA, and the
server returns them with each delivery. Nothing is stored here."""
