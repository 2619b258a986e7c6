"""``steady.py URL`` calls a service that fails in turn (tests/sdks/flaky.py), and prints what came of it as JSON."""

import json
import sys

from casella_client import ApiProblem, Casella, NewFolder, Retries

tokens: list[str] = []
casella = Casella(sys.argv[1], "one", on_token=tokens.append, retries=Retries(first_wait=0.01))


def refused() -> ApiProblem:
    try:
        casella.accounts.get_account("me")
    except ApiProblem as problem:
        return problem
    raise AssertionError("it was not refused")


created = casella.folders.create_folder("me", NewFolder(name="Work"))
account = casella.accounts.get_account("me")
status = refused().status
proxy = refused()
told = {"created": created.id, "account": account.username, "tokens": tokens, "refused": status}
print(json.dumps({**told, "proxy": [proxy.type, proxy.status]}))
