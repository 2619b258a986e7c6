"""The one search box: a text such as ``from:anna subject:"due date" -is:read larger:5M`` read as a filter tree.

What binds how closely: ``-`` and ``not``, then ``or``, then ``and``, which is the same as a mere space. So
``from:anna or from:bob has:attachment`` is mail of either with an attachment, which is how Google reads such a text
(AIP-160) and what it seems to say; Notmuch (Xapian) reads it the other way round. Parentheses decide, and a field may
have them too: ``subject:(invoice or bill)``.

Operators may be written in either case; in quotes they are words. A quotation mark within a word and a dash that stands
alone are ordinary characters. A word with a colon is a word if it names no field (``12:30``, ``Re:``,
``http://example.org``), but one close to a field's name (``form:anna``) is refused: found nothing would be no answer.

One pass from left to right, no recursion; ``MAX_CONDITIONS`` and ``MAX_DEPTH`` bound the tree.
"""
