def row_counts(server, name, snapshot):
    """Return {table: rows} of a database, as the snapshot sees it."""
    tables = server.ask(
        "select coalesce(json_agg(json_build_array(nspname, relname)), '[]') from pg_class c"
        " join pg_namespace n on n.oid = relnamespace where relkind = 'r' and relpersistence <> 't'"
        " and nspname <> 'information_schema' and nspname !~ '^pg_'",
        name,
    )
    if not tables:
        return {}
    counts = " union all ".join(
        f"select {literal(f'{schema}.{table}')}::text t, (select count(*) from {ident(schema)}.{ident(table)}) n"
        for schema, table in sorted(tables)
    )
    taken = f"set transaction snapshot {literal(snapshot)};" if snapshot else ""
    return json.loads(
        server.do(
            f"begin isolation level repeatable read;{taken}"
            f"select json_object_agg(t, n) from ({counts}) all_tables; commit;",
            name,
        )
    )


@contextlib.contextmanager
def one_snapshot(server, name):
    """Give the id of a snapshot that stays as long as the block: a dump and its counts then see the same."""
    session = server.popen(
        "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
        database=name, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        session.stdin.write(b"begin isolation level repeatable read read only; select pg_export_snapshot();\n")
        session.stdin.flush()
        snapshot = session.stdout.readline().decode().strip()
        if not snapshot:
            raise Refused(server.plain(session.communicate()[1]))
        yield snapshot
    finally:
        with contextlib.suppress(OSError):
            session.stdin.close()
        session.wait()


def keep(server, path, tool, *arguments, database="postgres"):
    """Write what a tool prints to a file that is on disk after; return its size and checksum."""
    with open(path, "wb") as stream:
        server.run(tool, *arguments, database=database, out=stream)
        os.fsync(stream.fileno())
    return {"file": os.path.basename(path), "bytes": os.path.getsize(path), "sha256": digest_of(path)}


def read_dumps(folder):
    """Return the manifest of a folder whose files are as they were written; Refused for any other."""
    try:
        with open(f"{folder}/manifest.json", encoding="utf-8") as stream:
            manifest = json.load(stream)
    except FileNotFoundError:
        raise Refused(f"there are no dumps in {folder}: run the backup procedure before a change") from None
    except ValueError:
        raise Refused(f"{folder}/manifest.json is damaged: it is no JSON") from None
    for entry in [manifest["globals"], *manifest["databases"].values(), *manifest.get("base", [])]:
        path = f"{folder}/{entry['file']}"
        if not os.path.exists(path) or digest_of(path) != entry["sha256"]:
            raise Refused(f"{path} is not as it was written (checksum): it cannot be used")
    return manifest


def dump(request):
    """Dump every database, its row counts beside it; all of it or nothing, once for each folder."""
    folder, server = request["folder"], local(request)
    if os.path.exists(folder):
        return {"changed": False, "databases": sorted(read_dumps(folder)["databases"])}
    there = {name: like for name, like in databases(server).items() if not re.search(OWN_NAMES, name)}
    if request["check"]:
        return {"changed": True, "databases": sorted(there)}
    scratch = folder + ".incomplete"
    shutil.rmtree(scratch, ignore_errors=True)
    os.makedirs(scratch, 0o700)
    manifest = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "version": server.ask("select to_json(current_setting('server_version'))"),
        "globals": keep(server, f"{scratch}/globals.sql", "pg_dumpall", "--globals-only"),
        "databases": {},
    }
    for number, (name, like) in enumerate(sorted(there.items())):
        with one_snapshot(server, name) as snapshot:
            kept = keep(
                server, f"{scratch}/{number}.dump", "pg_dump", "--format=custom", f"--snapshot={snapshot}",
                database=name,
            )  # fmt: skip
            manifest["databases"][name] = {**like, **kept, "tables": row_counts(server, name, snapshot)}
    if request["base"]:
        manifest["base"] = [
            keep(server, f"{scratch}/base.tar", "pg_basebackup", "--pgdata=-", "--format=tar",
                 "--wal-method=fetch", "--checkpoint=fast")
        ]  # fmt: skip
    write_whole(f"{scratch}/manifest.json", json.dumps(manifest, indent=1, sort_keys=True))
    os.sync()
    os.rename(scratch, folder)
    return {"changed": True, "databases": sorted(there)}


def globals_for(server, folder, manifest):
    """Return the SQL that makes roles as recorded; those that are there are only altered."""
    there = server.ask("select json_agg(quote_ident(rolname)) from pg_roles")
    with open(f"{folder}/{manifest['globals']['file']}", encoding="utf-8") as stream:
        lines = stream.read().splitlines()
    known = {f"CREATE ROLE {name};" for name in there}
    return "\n".join(line for line in lines if line not in known)


def load(server, folder, name, entry):
    """Load a dump beside the database and compare the row counts; Refused, and nothing is left, where they differ."""
    incoming = f"{name}.incoming"
    create_like(server, incoming, entry)
    try:
        with open(f"{folder}/{entry['file']}", "rb") as stream:
            process = server.popen(
                "pg_restore", "--exit-on-error", f"--dbname={incoming_name(incoming)}", stdin=stream, stdout=subprocess.PIPE
            )
            complaint = process.communicate()[1]
        if process.returncode != 0:
            raise Refused(f"the dump of {name!r} could not be loaded: {server.plain(complaint)}")
        counts = row_counts(server, incoming, "")
        if counts != entry["tables"]:
            differ = sorted(t for t in {*counts, *entry["tables"]} if counts.get(t) != entry["tables"].get(t))
            raise Refused(f"the dump of {name!r} has other row counts than were recorded: {', '.join(differ)}")
    except Refused:
        server.do(f"drop database if exists {ident(incoming)} with (force);")
        raise


def incoming_name(name):
    """Return a database's name as a connection string: a name with = or :// would be taken for one otherwise."""
    quoted = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"dbname='{quoted}'"


def restore(request):
    """Put databases and roles back as dumped; a database that is replaced is kept under another name."""
    folder, server = request["folder"], local(request)
    manifest = read_dumps(folder)
    chosen = request["databases"] or sorted(manifest["databases"])
    missing = [name for name in chosen if name not in manifest["databases"]]
    if missing:
        raise Refused(f"{folder} holds no dump of {', '.join(missing)}, but of {', '.join(manifest['databases'])}")
    there = databases(server)
    for name in chosen:
        if name in there and name != "postgres":
            refuse_if_used(server, name)
    if request["check"]:
        return {"changed": True, "restored": chosen}
    server.do(globals_for(server, folder, manifest))
    # postgres is where this program itself is connected to; it is nobody's data.
    wanted = [name for name in chosen if name != "postgres"]
    for name in wanted:
        load(server, folder, name, manifest["databases"][name])
    kept = {name: switch(server, name, request["id"]) for name in wanted}
    return {"changed": True, "restored": wanted, "kept": kept}


def undo(request):
    """Put databases back that a migration of this change replaced; what it made is kept under another name."""
    server, mark = local(request), f"of {request['id']},"
    there = databases(server)
    made = [name for name, like in there.items() if mark in (like["comment"] or "") and not re.search(OWN_NAMES, name)]
    if request["check"] or not made:
        return {"changed": bool(made), "undone": made}
    for name in made:
        kept = f"{name}.before.{short(request['id'])}"
        aside = f"{name}.undone.{short(request['id'])}"
        refuse_if_used(server, name)
        server.do(f"drop database if exists {ident(aside)};")
        back = f"alter database {ident(kept)} rename to {ident(name)};" if kept in there else ""
        server.do(f"begin; alter database {ident(name)} rename to {ident(aside)};{back}commit;")
    return {"changed": True, "undone": made}


VERBS = {"dump": dump, "restore": restore, "undo": undo}


def main(request):
    request = json.loads(request)
    answer(VERBS[request["verb"]], request)
