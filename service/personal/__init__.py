"""What follows the user over all devices: settings, identities, and the people whom the mailbox knows. On the port; the
mailbox itself is where it is stored."""
