"""Gmail, Outlook and Yahoo as public documents and reports describe their IMAP: enough of each to list, select, fetch,
search, store, copy and move, with what is odd about it."""
