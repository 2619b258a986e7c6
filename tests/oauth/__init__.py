"""Sign-in by OAuth 2.0 on an issuer written for tests, and a Dovecot that accepts what it gives."""
