"""``follow.py URL AUTHORIZATION`` prints each event as a line of JSON, and the problem that ended it."""

import json
import sys
from urllib.error import HTTPError

from casella_client.events import events

url, authorization = sys.argv[1:]
try:
    for event in events(url, {"Authorization": authorization}, wait=0):
        print(json.dumps(event._asdict()))
except HTTPError as error:
    print(json.dumps(json.load(error)))
