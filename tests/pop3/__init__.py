"""POP3 on a server that holds messages and, where told, lies."""
