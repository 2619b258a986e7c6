"""Maildir beside other programs, hostile disks, and who may sign in."""
