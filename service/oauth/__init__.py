"""Sign-in by OAuth 2.0 (RFC 6749): from what an app brings to access tokens, for as long as the grant lasts.

The refresh token lies in the session token, so that any replica goes on with it and none stores it.
"""
