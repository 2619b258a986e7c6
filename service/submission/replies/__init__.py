"""Answers to a message as drafts: to whom, under which subject, in which thread, with what of it quoted.

Nothing here does I/O or addresses anybody who is not in the header of the message.
"""
