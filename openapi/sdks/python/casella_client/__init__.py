"""A client of Casella: any mailbox over HTTP. Start with ``Casella``. All schemas of the contract are here too."""

from casella_client.casella import Answer as Answer
from casella_client.casella import Apis as Apis
from casella_client.casella import Casella as Casella
from casella_client.events import AccountEvent as AccountEvent
from casella_client.events import read_events as read_events
from casella_client.pages import items as items
from casella_client.pages import pages as pages
from casella_client.problem import ApiProblem as ApiProblem
from casella_client.push import Push as Push
from casella_client.push import PushKeys as PushKeys
from casella_client.push import Verification as Verification
from casella_client.push import read_push as read_push
from casella_client.push import verify_webhook as verify_webhook
from casella_client.retries import Retries as Retries
from casella_client.version import __version__ as __version__
