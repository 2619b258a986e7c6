"""Mail from one mailbox into another, on the port: imports in bursts, and copies of single messages.

The destination is the state. Each burst compares what is there with what the source has, so an import can be broken
off at any moment, by any process, and begun again: nothing is copied twice. What a token holds of the progress only
saves time.
"""
