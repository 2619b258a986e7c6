"""Waking a phone that sleeps: subscriptions, and the pushes that say that a mailbox changed.

A push says that something changed, not what: the app then requests the changes.
"""
