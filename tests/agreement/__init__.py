"""The same mail by IMAP, POP3 and Maildir."""
