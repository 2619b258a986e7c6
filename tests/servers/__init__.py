"""Mail servers for tests: a throwaway Dovecot, and one that says whatever a test wants said."""
