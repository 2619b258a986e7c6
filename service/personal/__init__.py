"""What follows the user over all devices: settings, identities, and the people that the mailbox knows. On the port: all
of it is stored in the mailbox itself."""
