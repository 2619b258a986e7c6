"""Signing in: from an address to the mail server, sessions, and device codes of providers."""
