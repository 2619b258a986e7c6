"""The servers that cannot stand beside Debian 12's Dovecot, as kinds of the suite: `make servers` runs it on them."""

OTHERS = {
    "imap-cyrus": "cyrus",
    "imap-cyrus-alt": "cyrus_alt",
    "imap-courier": "courier",
    "imap-dovecot24": "dovecot24",
    "pop3-cyrus": "cyrus",
    "pop3-courier": "courier",
    "pop3-dovecot24": "dovecot24",
}
"""Each kind, and the fixture that has its server."""
KNOWN = {
    r"""test_a_folder_may_have_any_name\[imap-cyrus(-alt)?-(quote ' "|100 % \*|\{5\}|back)""": (
        "Cyrus 3.6 takes no folder with these characters in its name"
    ),
    r"(test_a_part_is_decoded_octet_for_octet|test_a_part_may_be_read_as_stored)\[imap-courier-message": (
        "Courier 5 counts half of the line break before a delimiter as part of an attached message"
    ),
    r"(test_previews_and_threads_come_if_they_are_requested"
    r"|test_a_conversation_is_read_from_all_folders)\[imap-cyrus-alt": (
        "Cyrus's conversations join only messages with the same subject"
    ),
    r"test_a_folder_may_have_any_name\[imap-courier-emoji": "Courier 5 takes no characters beyond the BMP in a name",
}
"""What a server, not its adapter, keeps a test from holding, and why."""
