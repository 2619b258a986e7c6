"""Writing and sending mail, on the port of any mailbox and a Submitter: composing, answering, the outbox."""
