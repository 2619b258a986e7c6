"""Writing and sending mail: the values, and the port that the SMTP adapter implements (RFC 6409)."""
