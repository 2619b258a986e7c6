"""By use: what the service does on Cyrus, Courier and Dovecot 2.4. For `make servers`."""
