"""Which mail server an address belongs to: the operator's table, known providers, and what the domain itself says.

No port is probed, no parent domain is read, and no name is guessed but those that the standards give.
"""
