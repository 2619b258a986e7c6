"""The heart: the words of mail and the port every adapter implements. No I/O, no HTTP.

Read ``model`` (the values), ``backend`` (the port), ``errors`` (what can go wrong), ``query`` (a search as data), then
``mime`` (bytes of mail to values).
"""
