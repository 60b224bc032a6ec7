def running_program(request):
    """Return the program that runs as the server, None where none does."""
    try:
        with open(f"{request['data']}/postmaster.pid", encoding="utf-8") as stream:
            link = f"/proc/{int(stream.readline())}/exe"
    except (OSError, ValueError):
        return None
    # Asked as postgres: in a container, root may not look at the processes of others.
    done = subprocess.run(["readlink", link], capture_output=True, text=True, check=False, **AS_POSTGRES)
    return done.stdout.strip() or None


def look(request):
    """Return what a precheck asks: whether there is a cluster, whether it answers, how much it holds."""
    found = {
        "cluster": os.path.exists(f"{request['configuration']}/postgresql.conf"),
        "program": running_program(request),
        "clusters": sorted(
            f"{major}/{name}"
            for major in (os.listdir("/etc/postgresql") if os.path.isdir("/etc/postgresql") else [])
            for name in os.listdir(f"/etc/postgresql/{major}")
        ),
        "port": 0,
        "answers": False,
        "bytes": 0,
    }
    if found["program"]:
        with contextlib.suppress(Refused):
            server = local(request)
            found["port"] = int(server.environment["PGPORT"])
            found["bytes"] = server.ask("select sum(pg_database_size(oid)) from pg_database")
            found["answers"] = True
    return found


def healthy(request):
    """Await the server; it must be the program that is installed, and take writes."""
    said = await_answer(local(request), request["seconds"])
    program = running_program(request) or ""
    if program != f"{request['tools']}/postgres":
        raise Refused(f"the server that runs is not the one that is installed ({program}): restart it")
    if said["recovering"]:
        raise Refused("the server is in recovery and takes no writes")
    return {"changed": False, **said}


def settings(request):
    """Return what the files say and the server does not do yet, and whether that takes a restart."""
    found = local(request).ask(
        "select json_build_object("
        " 'invalid', (select coalesce(json_agg(format('%s line %s: %s: %s', f.sourcefile, f.sourceline, f.name,"
        "    f.error)), '[]') from pg_file_settings f left join pg_settings s using (name)"
        "    where f.error is not null and s.context is distinct from 'postmaster'),"
        " 'restart', (select coalesce(json_agg(distinct f.name), '[]') from pg_file_settings f"
        "    join pg_settings s using (name)"
        "    where s.pending_restart or (f.error is not null and s.context = 'postmaster')),"
        " 'rules', (select coalesce(json_agg(format('line %s: %s', line_number, error)), '[]')"
        "    from pg_hba_file_rules where error is not null),"
        " 'file', (select coalesce(json_object_agg(name, setting order by seqno), '{}') from pg_file_settings"
        f"    where sourcefile = {literal(request['file'])}))"
    )
    wanted = request["wanted"]
    found["differ"] = sorted(name for name in {*wanted, *found["file"]} if wanted.get(name) != found["file"].get(name))
    return {**found, "changed": False}


def scram(password, salt, rounds):
    """Return what PostgreSQL keeps of a password: it cannot be turned back, and no log ever holds the password."""
    plain = unicodedata.normalize("NFKC", password).encode()
    salted = hashlib.pbkdf2_hmac("sha256", plain, salt, rounds)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    shown = [base64.b64encode(part).decode() for part in (salt, stored, hmac.digest(salted, b"Server Key", "sha256"))]
    return f"SCRAM-SHA-256${rounds}:{shown[0]}${shown[1]}:{shown[2]}"


def is_password(password, kept):
    """Return whether what the server keeps is this password."""
    found = re.match(r"SCRAM-SHA-256\$(\d+):([^$]+)\$", kept or "")
    return bool(found) and scram(password, base64.b64decode(found[2]), int(found[1])) == kept


FLAGS = {"login": True, "createdb": False, "createrole": False, "replication": False, "superuser": False}


def user_statements(user, found):
    """Yield (what it is for, SQL) for all that a role of the server lacks."""
    name, there = user["name"], found.get(user["name"])
    if there is None:
        yield f"create user {name}", f"create role {ident(name)}"
        there = {flag: flag == "inherit" for flag in FLAGS} | {"password": None, "member_of": []}
    for flag, default in FLAGS.items():
        want = user.get(flag, default)
        if there[flag] != want:
            yield f"{flag} of {name}: {want}", f"alter role {ident(name)} {'' if want else 'no'}{flag}"
    password = user.get("password")
    if password and not is_password(password, there["password"]):
        verifier = scram(password, os.urandom(16), 4096)
        yield f"password of {name}", f"alter role {ident(name)} password {literal(verifier)}"
    for group in user.get("member_of", []):
        if group not in there["member_of"]:
            yield f"{name} becomes member of {group}", f"grant {ident(group)} to {ident(name)}"


def objects(request):
    """Await the server; make users and databases as declared, or (in check mode) say what there is to do."""
    healthy(request)
    server = local(request)
    found = server.ask(
        "select json_object_agg(rolname, json_build_object('login', rolcanlogin, 'createdb', rolcreatedb,"
        " 'createrole', rolcreaterole, 'replication', rolreplication, 'superuser', rolsuper,"
        " 'password', rolpassword, 'member_of', (select coalesce(json_agg(pg_get_userbyid(m.roleid)), '[]')"
        "  from pg_auth_members m where m.member = a.oid))) from pg_authid a"
    )
    todo = [step for user in request["users"] for step in user_statements(user, found)]
    changes = [what for what, _ in todo]
    if todo and not request["check"]:
        server.do("begin;" + "".join(f"{sql};" for _, sql in todo) + "commit;")
    there = databases(server)
    for database in request["databases"]:
        name, owner = database["name"], database.get("owner", "postgres")
        if name not in there:
            changes.append(f"create database {name}")
            if not request["check"]:
                locale = database.get("locale", "C.UTF-8")
                encoding = database.get("encoding", "UTF8")
                create_like(
                    server, name, {"owner": owner, "encoding": encoding, "collate": locale, "ctype": locale}
                )
        elif there[name]["owner"] != owner:
            changes.append(f"owner of database {name}: {owner}")
            if not request["check"]:
                server.do(f"alter database {ident(name)} owner to {ident(owner)};")
        wanted = database.get("extensions", [])
        if name in there or not request["check"]:
            held = server.ask("select json_agg(extname) from pg_extension", name)
            for extension in [extension for extension in wanted if extension not in held]:
                changes.append(f"extension {extension} in {name}")
                if not request["check"]:
                    server.do(f"create extension {ident(extension)};", name)
    return {"changed": bool(changes), "changes": changes}


def measure(request):
    """Return everything in which the server is not as declared; change nothing."""
    todo = objects({**request, "check": True})["changes"]
    return {**settings(request), "todo": todo}


VERBS = {"look": look, "healthy": healthy, "settings": settings, "objects": objects, "measure": measure}


def main(request):
    request = json.loads(request)
    answer(VERBS[request["verb"]], request)
