"""Mail between this mailbox and another one."""
