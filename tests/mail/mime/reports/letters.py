"""Bounces and receipts as mail servers and mail programs write them, with what they say. All of them are made up."""

from base64 import encodebytes
from dataclasses import dataclass

from service.mail.model import Report, ReportRecipient

ORIGINAL = "sent-1@example.org"
_RETURNED = (
    "Received: from laptop.example.org by mx.example.org; Thu, 01 Oct 2026 09:30:00 +0200\n"
    "Message-ID: <sent-1@example.org>\nFrom: Ann Example <ann@example.org>\nTo: ben@example.net\n"
    "Subject: Lunch\nDate: Thu, 01 Oct 2026 09:30:00 +0200\n"
)
_RFC822 = f"--b\nContent-Type: message/rfc822\n\n{_RETURNED}\nShall we?\n"
_HEADERS = f"--b\nContent-Type: text/rfc822-headers\n\n{_RETURNED}\n"


@dataclass(frozen=True)
class Returned:
    """A message, and what it reports."""

    name: str
    octets: bytes
    report: Report | None


def _bounce(
    name: str,
    header: str,
    text: str,
    notice: str,
    returned: str,
    *found: ReportRecipient,
    original: str | None = ORIGINAL,
) -> Returned:
    kind = "Content-Type: message/delivery-status\n\n"
    return _reported(name, header, text, kind + notice, returned, "delivery", found, original)


def _receipt(name: str, header: str, notice: str, *found: ReportRecipient, original: str | None = ORIGINAL) -> Returned:
    kind = "Content-Type: message/disposition-notification\n\n"
    return _reported(name, header, "It was read.", kind + notice, "", "disposition", found, original)


def _reported(
    name: str, header: str, text: str, notice: str, returned: str, kind: str, found: tuple[ReportRecipient, ...],
    original: str | None,
) -> Returned:  # fmt: skip
    report_type = "delivery-status" if kind == "delivery" else "disposition-notification"
    letter = (
        f"{header}To: ann@example.org\nDate: Thu, 01 Oct 2026 09:31:00 +0200\nMIME-Version: 1.0\n"
        f'Content-Type: multipart/report; report-type={report_type}; boundary="b"\n\n'
        f"--b\nContent-Type: text/plain; charset=us-ascii\n\n{text}\n--b\n{notice}\n{returned}--b--\n"
    )
    return Returned(name, wire(letter), Report(kind=kind, original_message_id=original, recipients=found))


def _plain(name: str, header: str, text: str, *found: ReportRecipient, original: str | None = ORIGINAL) -> Returned:
    letter = f"{header}To: ann@example.org\nDate: Thu, 01 Oct 2026 09:31:00 +0200\n\n{text}"
    report = Report(kind="delivery", original_message_id=original, recipients=found) if found else None
    return Returned(name, wire(letter), report)


def wire(text: str) -> bytes:
    """With the line ends of the wire."""
    return text.replace("\n", "\r\n").encode()


def _failed(email: str, status: str | None = None, diagnostic: str | None = None) -> ReportRecipient:
    return ReportRecipient(email=email, action="failed", status=status, diagnostic=diagnostic)


POSTFIX = _bounce(
    "postfix",
    "Return-Path: <>\nFrom: MAILER-DAEMON@mx.example.org (Mail Delivery System)\n"
    "Subject: Undelivered Mail Returned to Sender\nAuto-Submitted: auto-replied\n",
    "This is the mail system at host mx.example.org.\n\nI'm sorry to have to inform you that your message could not\n"
    "be delivered to one or more recipients.\n\n<ben@example.net>: host mx.example.net[192.0.2.1] said: 550 5.1.1\n"
    "    <ben@example.net>: Recipient address rejected (in reply to RCPT TO command)\n",
    "Reporting-MTA: dns; mx.example.org\nX-Postfix-Queue-ID: 4Xyz\nX-Postfix-Sender: rfc822; ann@example.org\n"
    "Arrival-Date: Thu,  1 Oct 2026 09:30:00 +0200 (CEST)\n\n"
    "Final-Recipient: rfc822; ben@example.net\nOriginal-Recipient: rfc822;ben@example.net\nAction: failed\n"
    "Status: 5.1.1\nRemote-MTA: dns; mx.example.net\nDiagnostic-Code: smtp; 550 5.1.1 <ben@example.net>: Recipient\n"
    "    address rejected: User unknown\n",
    _RFC822,
    _failed("ben@example.net", "5.1.1", "550 5.1.1 <ben@example.net>: Recipient address rejected: User unknown"),
)
LETTERS: tuple[Returned, ...] = (
    POSTFIX,
    _bounce(
        "postfix-delayed",
        "Return-Path: <>\nFrom: MAILER-DAEMON@mx.example.org (Mail Delivery System)\nSubject: Delayed Mail (still being"
        " retried)\n",
        "THIS IS A WARNING ONLY. YOU DO NOT NEED TO RESEND YOUR MESSAGE.\n",
        "Reporting-MTA: dns; mx.example.org\n\nFinal-Recipient: rfc822; ben@example.net\nAction: delayed\n"
        "Status: 4.4.1\nDiagnostic-Code: X-Postfix; connect to mx.example.net[192.0.2.1]:25: Connection timed out\n"
        "Will-Retry-Until: Tue,  6 Oct 2026 09:30:00 +0200 (CEST)\n",
        _HEADERS,
        ReportRecipient(
            email="ben@example.net",
            action="delayed",
            status="4.4.1",
            diagnostic="connect to mx.example.net[192.0.2.1]:25: Connection timed out",
        ),
    ),
    _bounce(
        "sendmail-alias",
        "From: Mail Delivery Subsystem <MAILER-DAEMON@mx.example.org>\nSubject: Returned mail: see transcript for details\n",
        "   ----- The following addresses had permanent fatal errors -----\n",
        "Reporting-MTA: dns; mx.example.org\nArrival-Date: Thu, 1 Oct 2026 09:30:00 +0200\n\n"
        "Original-Recipient: rfc822;sales@example.net\nFinal-Recipient: RFC822; ben@inner.example.net\nAction: failed (full)\n"
        "Status: 5.2.2\nLast-Attempt-Date: Thu, 1 Oct 2026 09:30:01 +0200\n\n\n"
        "Final-Recipient: RFC822; <cat@example.net>\nAction: relayed\nStatus: 2.1.9\n",
        _HEADERS,
        _failed("sales@example.net", "5.2.2"),
        ReportRecipient(email="cat@example.net", action="relayed", status="2.1.9"),
    ),
    _bounce(
        "exim",
        "Return-path: <>\nX-Failed-Recipients: ben@example.net,\n  cat@example.net\nAuto-Submitted: auto-replied\n"
        "From: Mail Delivery System <Mailer-Daemon@mx.example.org>\n"
        "Subject: Mail delivery failed: returning message to sender\nReferences: <sent-1@example.org>\n",
        "This message was created automatically by mail delivery software.\n",
        "Reporting-MTA: dns; mx.example.org\n\nAction: failed\nFinal-Recipient: rfc822;ben@example.net\nStatus: 5.0.0\n"
        "Remote-MTA: dns; mx.example.net\nDiagnostic-Code: smtp; 550 No such user\n\n"
        "Action: failed\nFinal-Recipient: rfc822;cat@example.net\nStatus: 5.0.0\n",
        _RFC822,
        _failed("ben@example.net", "5.0.0", "550 No such user"),
        _failed("cat@example.net", "5.0.0"),
    ),
    _bounce(
        "exchange",
        "From: <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.net>\nSubject: Undeliverable: Lunch\n"
        "In-Reply-To: <sent-1@example.org>\nReferences: <first@example.org> <sent-1@example.org>\nAuto-Submitted: auto-replied\n",
        "Your message to ben@example.net couldn't be delivered.\n",
        "Reporting-MTA: dns;AM0PR01.prod.example.net\nReceived-From-MTA: dns;mx.example.org\nArrival-Date: Thu, 1 Oct 2026"
        " 07:30:02 +0000\n\nFinal-Recipient: rfc822;ben@example.net\nAction: failed\nStatus: 5.1.10\n"
        "Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient ben@example.net not found by SMTP"
        " address lookup\n",
        "--b\nContent-Type: message/rfc822\n\nReceived: from a\nSubject: Lunch\n\nShall we?\n",
        _failed(
            "ben@example.net",
            "5.1.10",
            "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient ben@example.net not found by SMTP address lookup",
        ),
    ),
    _bounce(
        "gmail",
        "Return-Path: <>\nFrom: Mail Delivery Subsystem <mailer-daemon@googlemail.example>\nX-Failed-Recipients:"
        " ben@example.net\nIn-Reply-To: <other@example.org>\nSubject: Delivery Status Notification (Failure)\n",
        "** Address not found **\n\nYour message wasn't delivered to ben@example.net.\n",
        "Reporting-MTA: dns; googlemail.example\nReceived-From-MTA: dns; ann@example.org\n"
        "Arrival-Date: Thu, 01 Oct 2026 00:30:00 -0700 (PDT)\nX-Original-Message-ID: <sent-1@example.org>\n\n"
        "Final-Recipient: rfc822; ben@example.net\nAction: failed\nStatus: 5.1.1\n"
        "Remote-MTA: dns; mx.example.net. (192.0.2.1, the server for the domain example.net.)\n"
        "Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist.\n"
        " 550 5.1.1 https://support.example/mail a1\nLast-Attempt-Date: Thu, 01 Oct 2026 00:30:01 -0700 (PDT)\n",
        "",
        _failed(
            "ben@example.net",
            "5.1.1",
            "550-5.1.1 The email account that you tried to reach does not exist. 550 5.1.1 https://support.example/mail a1",
        ),
    ),
    _bounce(
        "opensmtpd",
        "From: Mailer Daemon <MAILER-DAEMON@mx.example.org>\nSubject: Delivery status notification: error\n",
        "Hi!\n",
        "Reporting-MTA: dns; mx.example.org\n\nFinal-Recipient: rfc822; ben@example.net\nAction: error\nStatus: 5.7.1\n",
        _HEADERS,
        _failed("ben@example.net", "5.7.1"),
    ),
    _bounce(
        "delivered",
        "From: postmaster@example.net\nSubject: Successful Mail Delivery Report\n",
        "It was delivered.\n",
        "Reporting-MTA: dns; mx.example.net\nOriginal-Envelope-Id: abc\n\nOriginal-Recipient: rfc822;ben@example.net\n"
        "Final-Recipient: rfc822;ben@mail.example.net\nAction: delivered\nStatus: 2.0.0\n",
        _HEADERS,
        ReportRecipient(email="ben@example.net", action="delivered", status="2.0.0"),
    ),
    _bounce(
        "one-group",
        "From: <>\nSubject: Bounce\n",
        "No.\n",
        "Reporting-MTA: dns; mx\nFinal-Recipient: <ben@example.net>\nStatus: 4.2.2 (mailbox full)\n",
        "",
        ReportRecipient(email="ben@example.net", action="delayed", status="4.2.2"),
        original=None,
    ),
    _bounce(
        "unicode",
        "From: postmaster@example.net\nSubject: failure notice\n",
        "No.\n",
        "Reporting-MTA: dns; mx.example.net\n\nFinal-Recipient: utf-8; j\\x{F6}rg@example.net\nAction: failed\n"
        "Status: 5.1.1\n\nFinal-Recipient: utf-8; 日本@example.net\nAction: failed\n",
        _HEADERS,
        _failed("jörg@example.net", "5.1.1"),
        _failed("日本@example.net"),
    ),
    _bounce(
        "nobody-named",
        "From: postmaster@example.net\nSubject: failure notice\n",
        "No.\n",
        "Reporting-MTA: dns; mx.example.net\n",
        _HEADERS,
    ),
    _reported(
        "base64",
        "From: postmaster@example.net\nSubject: failure notice\n",
        "No.\n",
        "Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\n"
        + encodebytes(b"Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822; ben@example.net\nAction: failed\n").decode(),
        _HEADERS,
        "delivery",
        (_failed("ben@example.net"),),
        ORIGINAL,
    ),
    _reported(
        "two-notices",
        "From: Mail Administrator <Postmaster@example.net>\nSubject: Mail System Error - Returned Mail\n",
        "No.\n",
        "Content-Type: message/delivery-status;\n\nThis Message was undeliverable due to the following reason:\n\n"
        "<ben@example.net> has restricted mail\n\nPlease reply to <Postmaster@example.net>\n--b\n"
        "Content-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\nFinal-Recipient: RFC822; <ben@example.net>\n"
        "Action: failed\nStatus: 5.3.0\n",
        _RFC822,
        "delivery",
        (_failed("ben@example.net", "5.3.0"),),
        ORIGINAL,
    ),
    _bounce(
        "a-group-in-base64",
        "From: MAILER-DAEMON@mx.example.org (Mail Delivery System)\nSubject: Undelivered Mail Returned to Sender\n",
        "No.\n",
        "Reporting-MTA: dns; mx.example.org\nContent-Transfer-Encoding: base64\nContent-length: 9\n\n"
        + encodebytes(b"Final-Recipient: rfc822; ben@example.net\nAction: failed\nStatus: 5.1.1\n").decode(),
        _HEADERS,
        _failed("ben@example.net", "5.1.1"),
    ),
    _receipt(
        "outlook-receipt",
        "From: Ben Example <ben@example.net>\nSubject: Read: Lunch\nIn-Reply-To: <sent-1@example.org>\n",
        "Reporting-UA: mail.example.net; Microsoft Office Outlook, Build 16\nFinal-recipient: RFC822; ben@example.net\n"
        "Disposition: automatic-action/MDN-sent-automatically; displayed\n",
        ReportRecipient(email="ben@example.net", action="displayed"),
    ),
    _receipt(
        "thunderbird-receipt",
        "From: Ben Example <ben@example.net>\nSubject: Return Receipt (displayed) - Lunch\n",
        "Reporting-UA: example.net; Mozilla/5.0\nFinal-Recipient: rfc822;ben@example.net\n"
        "Original-Message-ID: <sent-1@example.org>\nDisposition: manual-action/MDN-sent-manually; displayed\n",
        ReportRecipient(email="ben@example.net", action="displayed"),
    ),
    _receipt(
        "receipt-with-an-error",
        "From: Ben Example <ben@example.net>\nSubject: Not read: Lunch\n",
        "Original-Recipient: rfc822;sales@example.net\nFinal-Recipient: rfc822;ben@example.net\n"
        "Original-Message-ID: <sent-1@example.org>\n"
        "Disposition: automatic-action/MDN-sent-automatically; deleted/error\nError: the disk is full\n",
        ReportRecipient(email="sales@example.net", action="deleted", diagnostic="the disk is full"),
    ),
    _receipt(
        "receipt-without-a-recipient",
        "From: Ben Example <ben@example.net>\nSubject: Read\n",
        "Disposition: (by hand) processed\n",
        ReportRecipient(email="ben@example.net", action="processed"),
        original=None,
    ),
    _plain(
        "exim-plain",
        "Return-path: <>\nX-Failed-Recipients: ben@example.net\nFrom: Mail Delivery System <Mailer-Daemon@mx.example.org>\n"
        "Subject: Mail delivery failed: returning message to sender\n",
        "This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered"
        " to one or more of its\nrecipients. This is a permanent error.\n\n  ben@example.net\n    Unrouteable address\n\n"
        f"------ This is a copy of your message, including all the headers. ------\n\n{_RETURNED}\nShall we?\n",
        _failed("ben@example.net"),
    ),
    _plain(
        "qmail",
        "Return-Path: <>\nFrom: MAILER-DAEMON@mx.example.net\nSubject: failure notice\n",
        "Hi. This is the qmail-send program at mx.example.net.\nI'm afraid I wasn't able to deliver your message to the"
        " following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n"
        "<zoe@example.net>:\nThis address no longer accepts mail.\n\n<ben@example.net>:\nUser unknown.\n\n"
        f"--- Below this line is a copy of the message.\n\nReturn-Path: <ann@example.org>\n{_RETURNED}\nShall we?\n",
        _failed("zoe@example.net"),
        _failed("ben@example.net"),
    ),
    _plain(
        "old-exchange",
        "From: System Administrator <postmaster@example.net>\nSubject: Undeliverable: Lunch\n",
        "Your message\n\n  To:      ben@example.net\n  Subject: Lunch\n\ndid not reach the following recipient(s):\n\n"
        "ben@example.net on Thu, 1 Oct 2026 09:30:00 +0200\n    The recipient name is not recognized\n"
        "    MSEXCH:IMS:Example:Site:MX 0 (000C05A6) Unknown Recipient\n",
        _failed("ben@example.net"),
        original=None,
    ),
    _plain(
        "a-warning",
        "From: postmaster@example.net\nSubject: Delivery Status Notification (Delay)\n",
        "Delivery to the following recipient has been delayed:\n\n     ben@example.net\n\nMessage will be retried for 2 more"
        " day(s)\n",
        ReportRecipient(email="ben@example.net", action="delayed"),
        original=None,
    ),
    _plain(
        "out-of-office",
        "Return-Path: <>\nFrom: ben@example.net\nSubject: Out of office\nAuto-Submitted: auto-replied (vacation)\n",
        "I am away. Write to Cat, cat@example.net, in the meantime.\n",
    ),
    _plain(
        "ordinary",
        "From: ben@example.net\nSubject: Lunch\n",
        "Hi. This is the\n\n<ben@example.net>: my address. Cat, cat@example.net, too.\n",
    ),
)
BY_NAME = {letter.name: letter for letter in LETTERS}
