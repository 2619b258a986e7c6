"""A DNS server for tests: it answers from a table, by UDP, and remembers what it was asked.

with DnsServer({("example.org", "MX"): ["10 mx.example.net."]}) as server:
    server.resolver()        # asks this server and no other one
"""

import socket
import threading
from collections.abc import Mapping, Sequence

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset

from tests.servers.process import HOST, Started


class DnsServer(Started):
    """Names without a row do not exist. ``is_silent``: it never answers."""

    def __init__(self, table: Mapping[tuple[str, str], Sequence[str]], *, is_silent: bool = False) -> None:
        self._table = table
        self._is_silent = is_silent
        self.asked: list[tuple[str, str]] = []

    def start(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HOST, 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", (HOST, self.port))

    def resolver(self) -> dns.resolver.Resolver:
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = [HOST], self.port
        return resolver

    def _serve(self) -> None:
        with self._socket:
            while True:
                octets, peer = self._socket.recvfrom(4096)
                if not octets:
                    return
                if not self._is_silent:
                    self._socket.sendto(self._answer(dns.message.from_wire(octets)).to_wire(), peer)

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        [question] = query.question
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        texts = self._table.get((name, kind))
        if texts is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        else:
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *texts))
        return answer
