-- A shop that has grown: names with blanks, addresses in any case or missing, a table with an odd name.
set role mover;
create table customer (id serial primary key, full_name text, mail text, note text);
create table "order" (
    id bigserial primary key, customer int not null references customer, amount numeric(10, 3), at timestamptz
);
create table "it's ""odd""" (k text primary key, v bytea, f double precision);
create table session (token text);
insert into customer (full_name, mail, note)
    select '  Person ' || n || E' \t', case when n % 2000 = 0 then null else 'P' || n || '@Example.org' end,
        case n % 3 when 0 then null when 1 then '' else E'it''s "odd"\\\n, 50%' end
    from generate_series(1, 20000) n;
insert into "order" (customer, amount, at)
    select 1 + (n * 7919) % 1999 + 2000 * (n % 10), n / 8.0, '2020-01-01 00:00Z'::timestamptz + n * interval '7 minutes'
    from generate_series(1, 200000) n;
insert into "it's ""odd""" select 'k' || n, decode(md5(n::text), 'hex'), 1.0 / n from generate_series(1, 1000) n;
insert into session values ('of no use');
