"""What every mailbox keeps, whatever is behind it."""
