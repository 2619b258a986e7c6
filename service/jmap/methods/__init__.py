"""The methods by name, with the capability that each belongs to and the arguments it has."""

from collections.abc import Iterable

from service.jmap.account.account import Account
from service.jmap.core.arguments import Arguments
from service.jmap.core.dispatch import Answer, Method, Run
from service.jmap.core.paging import QUERY
from service.jmap.core.records import CHANGES, GET, SET
from service.jmap.core.session import BLOB, CORE, MAIL, QUOTA, SUBMISSION
from service.jmap.methods import blobs, identities, pushes, quotas, snippets, submissions, threads
from service.jmap.methods.email import changes as email_changes
from service.jmap.methods.email import get as email_get
from service.jmap.methods.email import query as email_query
from service.jmap.methods.email import write as email_write
from service.jmap.methods.mailbox import read as mailbox_read
from service.jmap.methods.mailbox import write as mailbox_write

_QUERY_CHANGES = frozenset({"filter", "sort", "sinceQueryState", "maxChanges", "upToId", "calculateTotal"})


async def echo(_: Account, arguments: Arguments) -> Answer:
    """Core/echo: the arguments as they came."""
    return dict(arguments)


def _method(capability: str, run: Run[Account], *arguments: Iterable[str]) -> Method:
    return Method(capability, run, frozenset(name for names in arguments for name in names))


METHODS = {
    "Core/echo": Method(CORE, echo, None),
    "Blob/copy": _method(CORE, blobs.copy, {"fromAccountId", "blobIds"}),
    "PushSubscription/get": _method(CORE, pushes.get, GET),
    "PushSubscription/set": _method(CORE, pushes.set_subscriptions, SET),
    "Blob/get": _method(BLOB, blobs.get, GET, {"offset", "length"}),
    "Blob/upload": _method(BLOB, blobs.upload, {"create"}),
    "Blob/lookup": _method(BLOB, blobs.lookup, {"ids", "typeNames"}),
    "Mailbox/get": _method(MAIL, mailbox_read.get, GET),
    "Mailbox/changes": _method(MAIL, mailbox_read.changes, CHANGES),
    "Mailbox/query": _method(MAIL, mailbox_read.query, QUERY, {"sortAsTree", "filterAsTree"}),
    "Mailbox/queryChanges": _method(MAIL, mailbox_read.query_changes, _QUERY_CHANGES, {"sortAsTree", "filterAsTree"}),
    "Mailbox/set": _method(MAIL, mailbox_write.set_mailboxes, SET, {"onDestroyRemoveEmails"}),
    "Thread/get": _method(MAIL, threads.get, GET),
    "Thread/changes": _method(MAIL, threads.changes, CHANGES),
    "Email/get": _method(MAIL, email_get.get, email_get.OF_GET),
    "Email/changes": _method(MAIL, email_changes.changes, CHANGES),
    "Email/query": _method(MAIL, email_query.query, QUERY, {"collapseThreads"}),
    "Email/queryChanges": _method(MAIL, email_query.query_changes, _QUERY_CHANGES, {"collapseThreads"}),
    "Email/set": _method(MAIL, email_write.set_emails, SET),
    "Email/copy": _method(
        MAIL,
        email_write.copy,
        {"fromAccountId", "ifFromInState", "ifInState", "create", "onSuccessDestroyOriginal", "destroyFromIfInState"},
    ),
    "Email/import": _method(MAIL, email_write.import_emails, {"ifInState", "emails"}),
    "Email/parse": _method(MAIL, email_get.parse, email_get.OF_PARSE),
    "SearchSnippet/get": _method(MAIL, snippets.get, {"filter", "emailIds"}),
    "Identity/get": _method(SUBMISSION, identities.get, GET),
    "Identity/changes": _method(SUBMISSION, identities.changes, CHANGES),
    "Identity/set": _method(SUBMISSION, identities.set_identities, SET),
    "EmailSubmission/get": _method(SUBMISSION, submissions.get, GET),
    "EmailSubmission/changes": _method(SUBMISSION, submissions.changes, CHANGES),
    "EmailSubmission/query": _method(SUBMISSION, submissions.query, QUERY),
    "EmailSubmission/queryChanges": _method(SUBMISSION, submissions.query_changes, _QUERY_CHANGES),
    "EmailSubmission/set": _method(
        SUBMISSION, submissions.set_submissions, SET, {"onSuccessUpdateEmail", "onSuccessDestroyEmail"}
    ),
    "Quota/get": _method(QUOTA, quotas.get, GET),
    "Quota/changes": _method(QUOTA, quotas.changes, CHANGES),
    "Quota/query": _method(QUOTA, quotas.query, QUERY),
    "Quota/queryChanges": _method(QUOTA, quotas.query_changes, _QUERY_CHANGES),
}
