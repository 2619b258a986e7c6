"""The embedded mailboxes of ``casella demo``: a few hundred generated messages, by IMAP (pymap, in process) and by
POP3."""

DEMO_USER = "demo@example.org"
DEMO_PASSWORD = "demo"  # noqa: S105 - it is public: the demo prints it
