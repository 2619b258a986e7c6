"""From an address to its mail servers."""
