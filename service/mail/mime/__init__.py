"""Reads mail: from octets that strangers wrote to values that are safe to show.

Nothing here raises on any input, does I/O, or takes more than linear time. Each limit stands in the file it guards.
"""
