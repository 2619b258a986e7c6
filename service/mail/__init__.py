"""The domain: the values of mail, and the port that every adapter implements. No I/O, no HTTP.

Read ``model`` (the values), ``backend`` (the port), ``errors`` (the tree of errors), ``search.filter`` (a search as
data), then ``mime`` (from octets of mail to values).

Words of this project, in the order in which a reader meets them. Words of the RFCs mean what they mean there.

====================  ================================================================================================
port                  The methods of ``Backend``: all that the API knows of a mailbox.
adapter               The code that implements the port for one protocol: IMAP, POP3 or Maildir.
backend               A signed-in mailbox of an adapter. All requests of its account share one.
account               A username on a configured server. Its id is the same on every replica.
credentials           A username with a password or an access token. Sealed into a session token, never stored.
server, endpoint      A name that the operator gives a mail server; its host, port and security.
capability            Something that a mailbox may be able to do beyond listing, reading and deleting.
folder, role          A mailbox of RFC 9051, named by its id or, if it has one, by its role such as ``inbox``.
id                    Says where a folder or message is, for its account only. Clients treat it as opaque.
key                   The octets in a message's id: folder, UIDVALIDITY and UID; a unique-id; a file's unique name.
summary, row          A message as a list shows it: the value ``MessageSummary``, and the same as JSON in octets.
page, cursor          A piece of a list; a string that names the start of the next page.
state, version        Strings that change with a folder, or with a message. Clients see them as ETags.
filter                The tree of conditions of a search. ``evaluated_by`` says who applied it.
part, entity          A node of a message's structure; the same with its position in the octets of the message.
safe HTML             The HTML of a message without anything that runs, loads or covers.
download, span        Octets on their way to a client; the range of them that it asked for.
spool                 A message on its way in or out, in memory or in a private file, so that slow clients hold nothing.
outcome               The result for one message of several.
sync token            The state of a folder, or of all, from which changes are computed later. No replica stores it.
watch                 Listens to the changes of a mailbox while a client does.
connection limit      How many connections this process opens to one mail server.
pool, lane            The IMAP connections of an account, and the kind of work that one is used for.
maildrop queue        The order in which requests use the one POP3 session of an account.
sandbox               A process with bounds, in which large messages are parsed.
upstream              The side of the mail server: ``Upstream...`` errors are its faults, or the network's.
====================  ================================================================================================
"""
