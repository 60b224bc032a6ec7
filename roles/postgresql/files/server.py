"""What the programs of the role share: talking to PostgreSQL without a shell, and switching databases.

Each program is sent to the host's Python on standard input: this file, then the program's own, then one line
`main(REQUEST)`, so that what a request holds (passwords too) is never on a command line. The programs run as
root and start PostgreSQL's own tools as the account postgres.
"""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import re
import shutil
import subprocess
import sys
import time
import unicodedata

# The same text for the same value on both sides of a comparison, whatever a server's own settings are.
SESSION = {
    "standard_conforming_strings": "on",
    "client_min_messages": "warning",
    "timezone": "UTC",
    "datestyle": "ISO,YMD",
    "intervalstyle": "iso_8601",
    "extra_float_digits": "1",
    "bytea_output": "hex",
}
# Databases that the role itself makes beside those of others; they are never dumped.
AS_POSTGRES = {"user": "postgres", "group": "postgres", "extra_groups": (), "cwd": "/"}
OWN_NAMES = r"\.(incoming|(before|undone)\.[0-9a-f]{8})$"


class Refused(Exception):
    """Something that a person must read; what was there before is still there."""


def ident(name):
    """Return the name as an SQL identifier, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def literal(text):
    """Return the text as an SQL literal, whatever it holds."""
    return "'" + text.replace("'", "''") + "'"


def options(settings):
    """Return the settings as the variable PGOPTIONS takes them."""
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


class Server:
    """One PostgreSQL server, reached as postgres over its socket or as it is said."""

    def __init__(self, tools, port, host="", user="", password="", sslmode="prefer"):
        self.tools = tools
        self.secret = password
        self.environment = {
            "PATH": f"{tools}:/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "PGPORT": str(port),
            "PGCONNECT_TIMEOUT": "10",
            "PGCLIENTENCODING": "UTF8",
            "PGPASSFILE": "/dev/null",
            "PGSSLMODE": sslmode,
            "PGAPPNAME": "wavegate",
        }
        given = {"PGHOST": host, "PGUSER": user, "PGPASSWORD": password}
        self.environment.update({name: value for name, value in given.items() if value})

    def popen(self, tool, *arguments, database="postgres", settings=None, **pipes):
        """Start a tool of PostgreSQL; where it connects to is in its environment, which others cannot read."""
        session = options({**SESSION, **(settings or {})})
        return subprocess.Popen(
            [f"{self.tools}/{tool}", *arguments],
            env={**self.environment, "PGDATABASE": database, "PGOPTIONS": session},
            stderr=subprocess.PIPE,
            **AS_POSTGRES,
            **pipes,
        )

    def run(self, tool, *arguments, given=b"", database="postgres", settings=None, out=subprocess.PIPE):
        """Run a tool and return what it printed; Refused with what it complained about."""
        process = self.popen(
            tool, *arguments, database=database, settings=settings, stdin=subprocess.PIPE, stdout=out
        )
        printed, complaint = process.communicate(given)
        if process.returncode != 0:
            raise Refused(self.plain(complaint))
        return printed

    def plain(self, complaint):
        """Return what a tool complained about, without the secret."""
        text = complaint.decode(errors="replace").strip()
        return text.replace(self.secret, "(secret)") if self.secret else text

    def do(self, sql, database="postgres", settings=None):
        """Run SQL and return what it printed."""
        arguments = ("-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1")
        return self.run(
            "psql", *arguments, given=sql.encode(), database=database, settings=settings
        ).decode()

    def ask(self, sql, database="postgres"):
        """Return the one JSON value that the query gives."""
        return json.loads(self.do(sql, database) or "null")


def local(request):
    """Return the server of the host itself, on the port that it has now: a new one may be written already."""
    port = request["port"]
    with contextlib.suppress(OSError, ValueError, IndexError):
        with open(f"{request['data']}/postmaster.pid", encoding="utf-8") as stream:
            port = int(stream.read().splitlines()[3])
    return Server(request["tools"], port)


def await_answer(server, seconds):
    """Return what the server says of itself as soon as it takes queries."""
    until = time.monotonic() + seconds
    while True:
        try:
            return server.ask(
                "select json_build_object('version', current_setting('server_version'),"
                " 'data', current_setting('data_directory'), 'recovering', pg_is_in_recovery())"
            )
        except Refused as refusal:
            if time.monotonic() > until:
                raise Refused(f"no answer within {seconds} seconds: {refusal}") from None
            time.sleep(0.2)


def digest_of(path):
    """Return the SHA-256 of a file."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_whole(path, text):
    """Write a file that is complete or not there, for root only."""
    with open(path + ".new", "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    os.rename(path + ".new", path)


def short(identity):
    """Return the id of a change in eight characters: names of databases are short."""
    return hashlib.sha256(identity.encode()).hexdigest()[:8]


def databases(server):
    """Return {name: what has to be known to make it anew} of all databases but the templates."""
    return (
        server.ask(
            "select json_object_agg(datname, json_build_object("
            " 'owner', pg_get_userbyid(datdba), 'encoding', pg_encoding_to_char(encoding),"
            " 'collate', datcollate, 'ctype', datctype, 'provider', datlocprovider,"
            " 'locale', coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale'),"
            " 'comment', shobj_description(d.oid, 'pg_database'), 'bytes', pg_database_size(d.oid),"
            " 'limit', datconnlimit,"
            " 'settings', (select coalesce(json_agg(s), '[]') from pg_db_role_setting r,"
            "   unnest(setconfig) s where r.setdatabase = d.oid and r.setrole = 0),"
            " 'acl', (select json_agg(json_build_array("
            "     case grantee when 0 then null else pg_get_userbyid(grantee) end, privilege_type,"
            "     is_grantable)) from aclexplode(coalesce(datacl, acldefault('d', datdba))))"
            ")) from pg_database d where not datistemplate and datallowconn"
        )
        or {}
    )


def create_like(server, name, like):
    """Make an empty database with the properties of another; one of the same name is dropped first."""
    locale = f"lc_collate {literal(like['collate'])} lc_ctype {literal(like['ctype'])}"
    if like.get("provider", "c") == "i":
        locale += f" locale_provider icu icu_locale {literal(like['locale'])}"
    elif like.get("provider", "c") == "b":
        locale += f" locale_provider builtin builtin_locale {literal(like['locale'])}"
    server.do(f"drop database if exists {ident(name)} with (force);")
    server.do(
        f"create database {ident(name)} template template0 owner {ident(like['owner'])}"
        f" encoding {literal(like['encoding'])} {locale} connection limit {int(like.get('limit', -1))};"
    )
    statements = []
    for setting in like.get("settings", []):
        key, _, value = setting.partition("=")
        # Lists are kept as they are written (quoted already); everything else is one value.
        many = key in ("search_path", "session_preload_libraries", "local_preload_libraries", "temp_tablespaces")
        statements.append(f"alter database {ident(name)} set {ident(key)} to {value if many else literal(value)};")
    if "acl" in like:
        statements.append(f"revoke all on database {ident(name)} from public, {ident(like['owner'])};")
        for grantee, privilege, grantable in like["acl"] or []:
            whom = "public" if grantee is None else ident(grantee)
            may = " with grant option" if grantable else ""
            statements.append(f"grant {privilege} on database {ident(name)} to {whom}{may};")
    if like.get("comment"):
        statements.append(f"comment on database {ident(name)} is {literal(like['comment'])};")
    server.do("".join(statements) or "select;")


def sessions(server, name):
    """Return who is connected to a database, a line for each."""
    return server.ask(
        "select coalesce(json_agg(format('%s (process %s, %s)', usename, pid,"
        " coalesce(nullif(application_name, ''), 'no name'))), '[]') from pg_stat_activity"
        f" where datname = {literal(name)} and pid <> pg_backend_pid() and usesysid is not null"
    )


def refuse_if_used(server, name, seconds=10):
    """Refuse while somebody is connected; a session of ours that is just ending gets a moment."""
    until = time.monotonic() + seconds
    while found := sessions(server, name):
        if time.monotonic() > until:
            raise Refused(
                f"the database {name!r} is still in use by {', '.join(found)}: stop what is connected to it"
            )
        time.sleep(0.2)


def switch(server, name, identity, also=""):
    """Put the incoming database in the place of `name`; what was there is kept, and only the first of an id."""
    there = databases(server)
    kept = f"{name}.before.{short(identity)}"
    statements = []
    if name in there:
        refuse_if_used(server, name)
        aside = kept if kept not in there else f"{name}.undone.{short(identity)}"
        if aside != kept:
            server.do(f"drop database if exists {ident(aside)};")
        statements.append(f"alter database {ident(name)} rename to {ident(aside)};")
    statements.append(f"alter database {ident(name + '.incoming')} rename to {ident(name)};")
    # One transaction: at every moment there is a database of this name, the old one or the new one.
    server.do("begin;" + "".join(statements) + also + "commit;")
    if name in there and aside != kept:
        server.do(f"drop database {ident(aside)};")
    return kept if name in there else None


def answer(work, request):
    """Print the answer as JSON, or end with what a person must read."""
    os.umask(0o077)
    try:
        print(json.dumps(work(request)))
    except (Refused, OSError) as error:
        sys.exit(f"{error}")
