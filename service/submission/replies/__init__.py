"""Answers to a message as drafts: their recipients, subject, thread, quote and attachments.

Nothing here does I/O. Every recipient is one that the header of the message names.
"""
