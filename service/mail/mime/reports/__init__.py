"""What comes back for mail that was sent: bounces and receipts; and how to leave a mailing list.

All of it is what strangers claim. A bounce is easy to forge, so nothing here should change an address book by itself.
"""
