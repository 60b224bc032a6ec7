# Which program made a database, for which change, from which declaration: kept as the database's comment.
MARK = "wavegate: migration {name} of {id}, {digest}"

INVENTORY = """
select json_build_object(
 'version', current_setting('server_version'),
 'bytes', pg_database_size(current_database()),
 'tables', (select coalesce(json_agg(json_build_object('schema', nspname, 'name', relname, 'columns',
    (select coalesce(json_agg(json_build_object('name', attname, 'generated', attgenerated <> '',
        'type', case typtype when 'e' then 'text' when 'd' then format_type(typbasetype, typtypmod)
                else format_type(atttypid, -1) end) order by attnum), '[]')
     from pg_attribute join pg_type t on t.oid = atttypid
     where attrelid = c.oid and attnum > 0 and not attisdropped)) order by nspname, relname), '[]')
  from pg_class c join pg_namespace n on n.oid = relnamespace
  where relkind in ('r', 'p') and not relispartition and relpersistence <> 't' and {own}),
 'keys', (select coalesce(json_agg(json_build_object('name', conname, 'valid', convalidated,
    'from', format('%s.%s', n.nspname, c.relname), 'to', format('%s.%s', fn.nspname, f.relname),
    'columns', (select json_agg(attname order by k.place) from unnest(conkey) with ordinality k(number, place)
      join pg_attribute on attrelid = conrelid and attnum = k.number),
    'others', (select json_agg(attname order by k.place) from unnest(confkey) with ordinality k(number, place)
      join pg_attribute on attrelid = confrelid and attnum = k.number)) order by conname), '[]')
  from pg_constraint join pg_class c on c.oid = conrelid join pg_namespace n on n.oid = c.relnamespace
  join pg_class f on f.oid = confrelid join pg_namespace fn on fn.oid = f.relnamespace
  where contype = 'f' and conparentid = 0 and {own}),
 'sequences', (select coalesce(json_agg(json_build_object('schema', n.nspname, 'name', c.relname,
    'table', format('%s.%s', tn.nspname, t.relname), 'column', attname)
    order by n.nspname, c.relname), '[]')
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  left join pg_depend d on d.objid = c.oid and d.classid = 'pg_class'::regclass
    and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
  left join pg_class t on t.oid = d.refobjid left join pg_namespace tn on tn.oid = t.relnamespace
  left join pg_attribute on attrelid = d.refobjid and attnum = d.refobjsubid
  where c.relkind = 'S' and {own}))
""".replace("{own}", "n.nspname <> 'information_schema' and n.nspname !~ '^pg_'")


def full(table):
    """Return schema.name of what the inventory describes."""
    return f"{table['schema']}.{table['name']}"


def quoted(name):
    """Return schema.name as SQL."""
    schema, _, table = name.partition(".")
    return f"{ident(schema)}.{ident(table)}"


class Plan:
    """Which rows of which table become which rows of which, and what is wrong with the declaration."""

    def __init__(self, declared, source, target):
        self.declared, self.source, self.target = declared, source, target
        self.problems, self.tables = [], []
        self.leave = {kind: set(names) for kind, names in declared.get("leave", {}).items()}
        self.theirs = {full(table): table for table in source["tables"]}
        self.ours = {full(table): table for table in target["tables"]}
        self.map_tables()
        self.keys = self.map_keys()
        self.sequences = self.map_sequences()

    def map_tables(self):
        mapped = {entry["from"]: entry for entry in self.declared.get("tables", [])}
        for name in sorted({*mapped, *self.leave.get("tables", ())} - set(self.theirs)):
            self.problems.append(f"The source has no table {name}.")
        for name, table in self.theirs.items():
            if name in mapped and name in self.leave.get("tables", ()):
                self.problems.append(f"{name} is both mapped and left behind.")
            elif name not in self.leave.get("tables", ()):
                self.map_table(table, mapped.get(name, {"from": name}))
        goals = [table["to"] for table in self.tables]
        for name in sorted({goal for goal in goals if goals.count(goal) > 1}):
            self.problems.append(f"Two tables of the source go to {name}.")

    def map_table(self, table, entry):
        name = full(table)
        goal = entry.get("to", name)
        if goal not in self.ours:
            self.problems.append(f"{name} goes to {goal}, which the target does not have; map it, or leave it.")
            return
        fields = [column["name"] for column in table["columns"]]
        types = {c["name"]: c["type"] for c in self.ours[goal]["columns"] if not c["generated"]}
        computed = {c["name"] for c in self.ours[goal]["columns"] if c["generated"]}
        rules = {field: ident(field) for field in fields if field in types}
        rules.update({column: str(rule) for column, rule in entry.get("columns", {}).items()})
        for column in sorted(set(rules) - set(types)):
            self.problems.append(f"{goal} has no column {column} that can be written.")
        left = set(entry.get("leave", ())) | computed
        text = " ".join(rules.values())
        for field in [field for field in fields if field not in left]:
            if not re.search(rf"(?<!\w){re.escape(field)}(?!\w)", text):
                self.problems.append(f"{name}.{field} goes nowhere; map it, or leave it.")
        self.tables.append(
            {
                "from": name,
                "to": goal,
                "rules": {column: (rules[column], types[column]) for column in sorted(rules) if column in types},
                "where": entry.get("where", "true"),
                "rejects": int(entry.get("rejects", 0)),
            }
        )

    def plain_columns(self):
        """Return {(source table, column): (target table, column)} where a column is taken as it is."""
        return {
            (table["from"], rule.strip('"')): (table["to"], column)
            for table in self.tables
            for column, (rule, _) in table["rules"].items()
            if re.fullmatch(r'"?\w+"?', rule)
        }

    def map_keys(self):
        """Return the foreign keys that the target must have because the source has them."""
        plain, wanted = self.plain_columns(), []
        goals = {table["from"] for table in self.tables}
        for key in self.source["keys"]:
            if key["name"] in self.leave.get("foreign_keys", ()) or not {key["from"], key["to"]} <= goals:
                continue
            ends = [plain.get((key["from"], column)) for column in key["columns"]]
            others = [plain.get((key["to"], column)) for column in key["others"]]
            same = [
                found for found in self.target["keys"]
                if [(found["from"], column) for column in found["columns"]] == ends
                and [(found["to"], column) for column in found["others"]] == others
            ]  # fmt: skip
            if same:
                wanted.append({"source": key["name"], "target": same[0]["name"]})
            else:
                self.problems.append(
                    f"The foreign key {key['name']} of {key['from']} has no partner in the target; make it there,"
                    " or leave it."
                )
        return wanted

    def map_sequences(self):
        """Return the pairs of sequences whose values must be the same."""
        plain, pairs = self.plain_columns(), []
        owned = {(one["table"], one["column"]): full(one) for one in self.target["sequences"] if one["column"]}
        named = {full(one) for one in self.target["sequences"]}
        gone = {name for name in self.theirs if name in self.leave.get("tables", ())}
        for one in self.source["sequences"]:
            if full(one) in self.leave.get("sequences", ()) or one["table"] in gone:
                continue
            goal = owned.get(plain.get((one["table"], one["column"])))
            goal = goal or (full(one) if full(one) in named else None)
            if goal:
                pairs.append({"from": full(one), "to": goal})
            else:
                self.problems.append(f"The sequence {full(one)} has no partner in the target; make it, or leave it.")
        return pairs


def chosen(table):
    """Return the columns of a table's rows as the target will hold them, from a row of the source."""
    return ", ".join(f"({rule})::{kind} as {ident(name)}" for name, (rule, kind) in table["rules"].items())


def sums(columns, rows):
    """Return a query of row count, checksum of all rows in any order, and a checksum of each column."""

    def checksum(text):
        return f"coalesce(sum(('x' || left(md5(convert_to({text}, 'UTF8')), 16))::bit(64)::bigint::numeric), 0)::text"

    each = ", ".join(f"{literal(name)}, {checksum(f'coalesce({ident(name)}::text, $wg$null$wg$)')}" for name in columns)
    row = ", ".join(ident(name) for name in columns)
    return (
        f"select json_build_object('rows', count(*), 'checksum', {checksum(f'row({row})::text')},"
        f" 'columns', json_build_object({each})) from ({rows}) compared"
    )


def measure(server, database, queries):
    """Return the answers to the queries, all of one moment."""
    together = ", ".join(f"{literal(name)}, ({query})" for name, query in queries.items())
    sql = f"begin isolation level repeatable read read only; select json_build_object({together}); commit;"
    return json.loads(server.do(sql, database)) if queries else {}


def copy_table(source, place, target, incoming, table):
    """Copy the rows of one table through a pipe; what the target cannot take is refused by it."""
    sql = f"copy (select {chosen(table)} from {quoted(table['from'])} where ({table['where']})) to stdout;"
    names = ", ".join(ident(name) for name in table["rules"])
    out = source.popen(
        "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1",
        database=place, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    # Neither triggers nor the order of tables matter while loading; foreign keys are checked afterwards.
    into = target.popen(
        "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", f"copy {quoted(table['to'])} ({names}) from stdin",
        database=incoming, settings={"session_replication_role": "replica"},
        stdin=out.stdout, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    out.stdout.close()
    out.stdin.write(sql.encode())
    out.stdin.close()
    complaints = [into.stderr.read(), out.stderr.read()]
    if into.wait() or out.wait():
        said = " ".join(source.plain(complaint) for complaint in complaints)
        raise Refused(f"{table['from']} could not be copied to {table['to']}: {said}")


def keep_rejects(source, place, table, path):
    """Write the rows that a rule rejects to a file: they are nowhere else in the new database."""
    sql = f"copy (select * from {quoted(table['from'])} where ({table['where']}) is not true) to stdout csv header;"
    with open(path, "wb") as stream:
        source.run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", given=sql.encode(), database=place, out=stream)
        os.fsync(stream.fileno())


def orphans(key):
    """Return a query of how many rows have no partner over a foreign key."""
    pairs = list(zip(key["columns"], key["others"], strict=True))
    there = " and ".join(f"one.{ident(column)} is not null" for column, _ in pairs)
    same = " and ".join(f"one.{ident(column)} = other.{ident(other)}" for column, other in pairs)
    return (
        f"select count(*) from {quoted(key['from'])} one where {there}"
        f" and not exists (select from {quoted(key['to'])} other where {same})"
    )


def last_value(name):
    """Return a query of where a sequence stands."""
    return f"select json_build_array(last_value, is_called) from {quoted(name)}"


class Migration:
    """One declared migration, from another server (or database) into a new database of this one."""

    def __init__(self, request):
        self.request, self.declared = request, request["migration"]
        self.target = local(request)
        given = self.declared["source"]
        self.place = given["database"]
        self.source = Server(
            request["tools"], given.get("port", 5432), given.get("host", ""), given.get("user", ""),
            given.get("password", ""), given.get("sslmode", "prefer"),
        )  # fmt: skip
        self.name = self.declared["database"]
        self.incoming = f"{self.name}.incoming"
        shown = {**self.declared, "source": {**given, "password": ""}}
        digest = hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()[:16]
        self.mark = MARK.format(name=self.declared["name"], id=request["id"], digest=digest)
        self.report = {"migration": self.declared["name"], "database": self.name, "refused": []}

    def done_before(self, there):
        """Return whether this declaration was migrated already, by this change or by another."""
        said = (there.get(self.name) or {}).get("comment") or ""
        begin, _, digest = self.mark.rpartition(", ")
        return said.startswith(begin.rpartition(" of ")[0] + " of ") and said.endswith(f", {digest}")

    def refuse_what_would_be_lost(self, there):
        """Refuse where the target holds something already, or one of the two is in use."""
        if self.name in there:
            held = self.target.ask(
                "select json_agg(format('%s.%s', nspname, relname)) from pg_class c join pg_namespace n on"
                " n.oid = relnamespace where relkind in ('r', 'p') and nspname <> 'information_schema'"
                " and nspname !~ '^pg_'",
                self.name,
            )
            if held and not self.declared.get("replace", False):
                raise Refused(
                    f"the database {self.name!r} has tables already ({', '.join(held[:5])}): say replace: true to put"
                    " the migrated one in its place (it is kept under another name), or choose another database"
                )
            refuse_if_used(self.target, self.name)
        refuse_if_used(self.source_asked(), self.place)

    def source_asked(self):
        """Return the source as something whose sessions can be asked for: connected to its own database."""
        server, place = self.source, self.place
        asked = Server.__new__(Server)
        asked.ask = lambda sql, database=place: server.ask(sql, database)
        return asked

    def make_schema(self, there, found):
        """Make the incoming database with its tables: the declared ones, or the source's own."""
        owner = self.declared.get("owner") or (there.get(self.name) or {}).get("owner", "postgres")
        like = there.get(self.name) or {"encoding": "UTF8", "collate": "C.UTF-8", "ctype": "C.UTF-8"}
        create_like(self.target, self.incoming, {**like, "owner": owner, "comment": None})
        schema = self.declared.get("schema") or self.source.run(
            "pg_dump", "--schema-only", "--no-owner", "--no-privileges", database=self.place
        ).decode()
        self.target.do(f"set role {ident(owner)};\n{schema}", self.incoming)

    def compare(self, plan):
        """Compare source and target as they are now, and write what was found into the report."""
        theirs = {
            table["from"]: sums(
                table["rules"], f"select {chosen(table)} from {quoted(table['from'])} where ({table['where']})"
            )
            for table in plan.tables
        }
        rejected = {
            f"rejected {table['from']}":
                f"select count(*) from {quoted(table['from'])} where ({table['where']}) is not true"
            for table in plan.tables
        }  # fmt: skip
        ours = {
            table["to"]: sums(
                table["rules"],
                "select " + ", ".join(f"{ident(column)}::{kind} as {ident(column)}"
                                      for column, (_, kind) in table["rules"].items())
                + f" from {quoted(table['to'])}",
            )
            for table in plan.tables
        }  # fmt: skip
        stand = {f"sequence {pair['from']}": last_value(pair["from"]) for pair in plan.sequences}
        stands = {f"sequence {pair['to']}": last_value(pair["to"]) for pair in plan.sequences}
        alone = {f"orphans {key['name']}": orphans(key) for key in plan.target["keys"]}
        checks = {f"check {check['name']}": check["holds"] for check in self.declared.get("checks", [])}
        source = measure(self.source, self.place, {**theirs, **rejected, **stand})
        target = measure(
            self.target, self.incoming,
            {**ours, **stands, **alone, **{name: f"select ({sql})" for name, sql in checks.items()}},
        )  # fmt: skip
        refused = self.report["refused"]
        self.report["tables"] = [
            self.compare_table(table, source[table["from"]], target[table["to"]], source[f"rejected {table['from']}"])
            for table in plan.tables
        ]
        self.report["sequences"] = []
        for pair in plan.sequences:
            stood, stands_at = source[f"sequence {pair['from']}"], target[f"sequence {pair['to']}"]
            self.report["sequences"].append({**pair, "source": stood[0], "target": stands_at[0]})
            if stood != stands_at:
                refused.append(f"The sequence {pair['to']} stands at {stands_at[0]}, its source at {stood[0]}.")
        self.report["foreign_keys"] = [
            {"name": key["name"], "from": key["from"], "to": key["to"], "orphans": target[f"orphans {key['name']}"]}
            for key in plan.target["keys"]
        ]
        for key in plan.target["keys"]:
            if target[f"orphans {key['name']}"]:
                refused.append(
                    f"{target['orphans ' + key['name']]} rows of {key['from']} point to no row of {key['to']}"
                    f" ({key['name']})."
                )
            if not key["valid"]:
                refused.append(f"The foreign key {key['name']} is not validated.")
        self.report["checks"] = {name[6:]: target[name] for name in checks}
        refused += [f"The check {name!r} does not hold." for name, held in self.report["checks"].items() if held is not True]

    def compare_table(self, table, theirs, ours, rejected):
        """Return the line of the report about one table; add to the refusals what does not match."""
        refused, differ = self.report["refused"], []
        if theirs["rows"] != ours["rows"]:
            refused.append(f"{table['to']} has {ours['rows']} rows, {table['from']} gives {theirs['rows']}.")
        elif theirs["checksum"] != ours["checksum"]:
            differ = [name for name in table["rules"] if theirs["columns"][name] != ours["columns"][name]]
            refused.append(
                f"{table['to']} does not hold what {table['from']} gives; different: {', '.join(differ) or 'the rows'}."
            )
        if rejected > table["rejects"]:
            refused.append(
                f"{rejected} rows of {table['from']} do not satisfy {table['where']!r}, and rejects allows"
                f" {table['rejects']}."
            )
        return {
            "from": table["from"], "to": table["to"], "rows": ours["rows"], "source_rows": theirs["rows"],
            "rejected": rejected, "checksum": ours["checksum"], "source_checksum": theirs["checksum"],
            "different_columns": differ,
        }  # fmt: skip

    def set_sequences(self, plan):
        """Set every sequence of the target: as its source stands, or past the rows that are there."""
        source = measure(self.source, self.place, {pair["to"]: last_value(pair["from"]) for pair in plan.sequences})
        statements = [
            f"select setval({literal(quoted(name))}, {int(value)}, {'true' if called else 'false'});"
            for name, (value, called) in source.items()
        ]
        for one in plan.target["sequences"]:
            if full(one) not in source and one["column"]:
                top = f"(select max({ident(one['column'])}) from {quoted(one['table'])})"
                statements.append(
                    f"select setval({literal(quoted(full(one)))}, coalesce({top}, 1), {top} is not null);"
                )
        self.target.do("".join(statements) or "select;", self.incoming)

    def keep_report(self):
        """Write the report beside the records of this change."""
        os.makedirs(self.request["folder"], 0o700, exist_ok=True)
        self.report["at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        path = f"{self.request['folder']}/{self.declared['name']}.json"
        write_whole(path, json.dumps(self.report, indent=1))
        return path

    def refuse_with_report(self, problems):
        """Refuse with all problems at once; the report says the same."""
        self.report["refused"] = problems
        path = self.keep_report()
        raise Refused(f"migration {self.declared['name']}: {' '.join(problems)} Report: {path}.")

    def go(self):
        """Load beside the target, compare, and only then switch."""
        there = databases(self.target)
        if self.done_before(there):
            return {"changed": False, "done_before": True}
        self.refuse_what_would_be_lost(there)
        found = self.source.ask(INVENTORY, self.place)
        self.refuse_too_little_room(found["bytes"])
        if self.request["check"]:
            return {"changed": True, "would_read": found["bytes"]}
        began = time.monotonic()
        self.make_schema(there, found)
        try:
            plan = Plan(self.declared, found, self.target.ask(INVENTORY, self.incoming))
            if plan.problems:
                self.refuse_with_report(plan.problems)
            os.makedirs(self.request["folder"], 0o700, exist_ok=True)
            for table in plan.tables:
                copy_table(self.source, self.place, self.target, self.incoming, table)
                if table["where"] != "true":
                    kept = f"{self.request['folder']}/{self.declared['name']}-rejected-{table['from']}.csv"
                    keep_rejects(self.source, self.place, table, kept.replace("\n", " "))
            self.set_sequences(plan)
            # Both sides are read anew: what was written to the source meanwhile is found here.
            self.compare(plan)
            if self.report["refused"]:
                self.refuse_with_report(self.report["refused"])
            self.target.do("analyze;", self.incoming)
        except Refused:
            self.target.do(f"drop database if exists {ident(self.incoming)} with (force);")
            raise
        marked = f"comment on database {ident(self.name)} is {literal(self.mark)};"
        kept = switch(self.target, self.name, self.request["id"], marked)
        self.report.update({"kept": kept, "seconds": round(time.monotonic() - began, 1), "version": found["version"]})
        return {"changed": True, "report": self.keep_report(), "kept": kept}

    def refuse_too_little_room(self, wanted):
        """Refuse where the new database would not find room, with a quarter more for its indexes and logs."""
        free = shutil.disk_usage(self.request["data"]).free
        if free < wanted * 1.25:
            raise Refused(f"the source holds {wanted} bytes, and {self.request['data']} has only {free} free: make room")


@contextlib.contextmanager
def alone(server, name):
    """Hold a lock as long as the block, so that no two migrations of a database are at work; it ends with us."""
    holder = server.popen("psql", "-X", "-q", "-A", "-t", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        holder.stdin.write(f"select pg_try_advisory_lock(hashtext({literal('wavegate ' + name)}));\n".encode())
        holder.stdin.flush()
        if holder.stdout.readline().strip() != b"t":
            raise Refused(f"another migration of the database {name!r} is at work on this host: wait until it ends")
        yield
    finally:
        with contextlib.suppress(OSError):
            holder.stdin.close()
        holder.wait()


def migrate(request):
    migration = Migration(request)
    with alone(migration.target, migration.name):
        return migration.go()


def main(request):
    answer(migrate, json.loads(request))
