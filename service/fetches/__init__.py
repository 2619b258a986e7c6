"""Standing fetches: new mail of another mailbox comes into an account, every few minutes.

``model`` has the words, for the routes. All else is imported only if the service has a store: every process is a
worker, which claims the fetches that are due. A run looks at what the source has and did not have before, copies it as
an import does, and then notes what the source has now. A run that fails notes what it has copied. A process that ends
in between leaves the note as it was: the next one finds the mail at the destination.
"""
