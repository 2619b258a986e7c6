"""Waking phones: subscriptions, and what mail servers report."""
