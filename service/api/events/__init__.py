"""Event streams: of one account, and of several on one connection."""
