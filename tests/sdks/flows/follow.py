"""``follow.py URL AUTHORIZATION`` prints each event as a line of JSON, and the problem that ended it."""

import json
import sys

import urllib3
from casella_client import ApiProblem, Retries, read_events

url, authorization = sys.argv[1:]
pool = urllib3.PoolManager(retries=False)


def opened(headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
    return pool.request("GET", url, headers={**headers, "Authorization": authorization}, preload_content=False)


try:
    for event in read_events(opened, retries=Retries(first_wait=0)):
        print(json.dumps(event._asdict()))
except ApiProblem as problem:
    print(problem.problem.to_json())
