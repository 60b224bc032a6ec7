"""The probe `dns`: asks a name server, and holds its answer against what is wanted.

With `server`, that server is what is measured: whatever it does or fails to do is bad. Without it, those of
this machine are only the means: where they do not answer, nothing was measured. That a name does not exist is
an answer, and bad.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.resolver
import dns.reversename

from wavegate.adapters.probes.kinds import EachTarget
from wavegate.adapters.probes.network import UnresolvableError, resolve, show_address
from wavegate.adapters.probes.settings import (
    UnusableSettingsError,
    read_number,
    read_text,
    read_texts,
    read_whole,
)
from wavegate.core.judgement import Judgement, Trouble, judge_trouble, seconds_text
from wavegate.core.judgement_dns import DnsAnswer, judge_dns
from wavegate.core.outcomes import Reading
from wavegate.extensions import Occasion


async def probe_dns(occasion: Occasion) -> Judgement:
    """Ask once; retries within the timeout are the resolver's own. The value is the latency in seconds."""
    settings = occasion.settings
    record = _read_type(str(settings.get("type") or "A"))
    name = _read_name(read_text(settings, "name"), record)
    wanted = [_normalize(text, record) for text in read_texts(settings, "answers")]
    max_latency = read_number(settings, "max_latency")
    asked = f"{name.to_text(omit_final_dot=True)} {dns.rdatatype.to_text(record)}"
    server = str(settings.get("server") or "").strip()
    try:
        resolver = await _make_resolver(server, read_whole({"port": 53, **settings}, "port", 1, 65535))
    except UnresolvableError as error:
        return judge_trouble(Trouble.UNRESOLVED, server, str(error))
    except dns.resolver.NoResolverConfiguration:
        return judge_trouble(Trouble.OWN_LIMIT, "a name server", "/etc/resolv.conf names none")
    start = time.perf_counter()
    try:
        answer = await resolver.resolve(name, record, lifetime=occasion.timeout, search=False)
    except dns.exception.DNSException as error:
        return _judge_failure(error, asked, server, resolver, occasion.timeout)
    seconds = time.perf_counter() - start
    records = [_show(rdata) for rdata in answer]
    return judge_dns(DnsAnswer(asked=asked, records=records, seconds=seconds), wanted, max_latency)


async def _make_resolver(server: str, port: int) -> dns.asyncresolver.Resolver:
    if not server:
        return dns.asyncresolver.Resolver()
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = [place[0] for _, place in await resolve(server, port)]
    resolver.port = port
    return resolver


def _judge_failure(
    error: dns.exception.DNSException, asked: str, server: str, resolver: Any, timeout: float
) -> Judgement:
    if isinstance(error, dns.resolver.NXDOMAIN):
        return Judgement(Reading.BAD, f"{asked}: there is no such name")
    if isinstance(error, dns.resolver.NoAnswer):
        return Judgement(Reading.BAD, f"{asked}: the name has no such record")
    where = show_address(server, resolver.port) if server else "the name server of this machine"
    reading = Reading.BAD if server else Reading.ERROR
    if isinstance(error, dns.resolver.LifetimeTimeout):
        said = _said(error.kwargs)
        sentence = f"{where} gave no answer within {seconds_text(timeout)}"
        return Judgement(reading, f"{asked}: {sentence}{f' ({said})' if said else ''}")
    said = _said(getattr(error, "kwargs", {})) or str(error)
    return Judgement(reading, f"{asked}: {where} gives no answer: {said}")


def _said(details: Mapping[str, Any]) -> str:
    """Return what the servers did, of the resolver's list of tries."""
    reasons = [str(entry[3]) for entry in details.get("errors") or () if str(entry[3])]
    return ", ".join(dict.fromkeys(reason for reason in reasons if "timed out" not in reason))


def _read_type(text: str) -> dns.rdatatype.RdataType:
    try:
        return dns.rdatatype.from_text(text)
    except (dns.exception.DNSException, ValueError):
        raise UnusableSettingsError(f'type "{text}" is no type of records') from None


def _read_name(text: str, record: dns.rdatatype.RdataType) -> dns.name.Name:
    try:
        if record == dns.rdatatype.PTR and (text.replace(".", "").isdecimal() or ":" in text):
            return dns.reversename.from_address(text)
        return dns.name.from_text(text)
    except (dns.exception.DNSException, UnicodeError, ValueError):
        raise UnusableSettingsError(f'name "{text}" is not a proper name') from None


def _normalize(text: str, record: dns.rdatatype.RdataType) -> str:
    """Return a wanted record as `_show` writes it, so that `1.2.3.04` and upper case make no difference."""
    if record == dns.rdatatype.TXT:
        return text
    try:
        return _show(dns.rdata.from_text(dns.rdataclass.IN, record, text, origin=dns.name.root))
    except (dns.exception.DNSException, ValueError):
        kind = dns.rdatatype.to_text(record)
        raise UnusableSettingsError(f'answers: "{text}" is no record of type {kind}') from None


def _show(rdata: dns.rdata.Rdata) -> str:
    strings: Sequence[bytes] | None = getattr(rdata, "strings", None)
    if strings is not None:
        return b"".join(strings).decode(errors="replace")
    words = rdata.to_text().lower().split(" ")
    return " ".join(word.rstrip(".") or "." for word in words)


KIND = EachTarget(probe_dns)
