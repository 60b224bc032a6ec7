"""A real name server on a port of this machine, which can misbehave."""

from __future__ import annotations

import contextlib
import socket
import threading

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.zone


class NameServer:
    """Answers for the zone over UDP and TCP; `mood` makes it misbehave."""

    def __init__(self, zone: dns.zone.Zone) -> None:
        self.zone = zone
        self.mood = ""
        self.asked: list[str] = []
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.port = self.udp.getsockname()[1]
        self.tcp = socket.create_server(("127.0.0.1", self.port))
        self.threads = [threading.Thread(target=run, daemon=True) for run in (self._udp, self._tcp)]
        for thread in self.threads:
            thread.start()

    def _udp(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                wire, sender = self.udp.recvfrom(4096)
                if not sender or self.mood == "silent":
                    continue
                self.udp.sendto(self._answer(wire, 512), sender)

    def _tcp(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.tcp.accept()
                with connection:
                    size = int.from_bytes(connection.recv(2), "big")
                    wire = self._answer(connection.recv(size), 65535)
                    connection.sendall(len(wire).to_bytes(2, "big") + wire)

    def _answer(self, wire: bytes, limit: int) -> bytes:
        query = dns.message.from_wire(wire)
        answer = dns.message.make_response(query)
        question = query.question[0]
        self.asked.append(f"{question.name} {'tcp' if limit > 512 else 'udp'}")
        if self.mood == "garbage":
            return wire[:2] + b"\xff" * 40
        if self.mood in {"SERVFAIL", "REFUSED"}:
            answer.set_rcode(dns.rcode.from_text(self.mood))
            return answer.to_wire()
        name = question.name
        node = self.zone.get_node(name)
        if node is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        while node is not None:
            for kind in {question.rdtype, dns.rdatatype.CNAME}:
                found = node.get_rdataset(question.rdclass, kind)
                if found is not None:
                    rrset = dns.rrset.from_rdata_list(name, found.ttl, list(found))
                    if rrset not in answer.answer:
                        answer.answer.append(rrset)
            alias = node.get_rdataset(question.rdclass, dns.rdatatype.CNAME)
            name = alias[0].target if alias and question.rdtype != dns.rdatatype.CNAME else None
            node = self.zone.get_node(name) if name else None
        try:
            return answer.to_wire(max_size=limit)
        except dns.exception.TooBig:
            short = dns.message.make_response(query)
            short.flags |= dns.flags.TC
            return short.to_wire()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.udp.shutdown(socket.SHUT_RDWR)
        self.udp.close()
        self.tcp.shutdown(socket.SHUT_RDWR)
        self.tcp.close()
        for thread in self.threads:
            thread.join(5)
