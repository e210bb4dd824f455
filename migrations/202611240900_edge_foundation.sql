-- The edge's foundation: tenants, clients, keys, marks, the feed and the outbox.
--
-- Schemas are the planes. Group roles (NOLOGIN) carry the grants; `sigid migrate` makes them, and grants
-- them to the login roles named in the database URLs. Row-level security is forced on every table that has
-- rows of a tenant or of the whole system. A transaction says whose rows it means with app.tenant, or which
-- duty of the system it has with app.scope; with neither it sees nothing:
--
--   feed          load the tables of the hot path                      every role
--   authenticate  find a client before its tenant is known             sigid_auth, sigid_control
--   admin         the operator's command line and management           sigid_control
--   jobs          rotation, retention, delivery of the outbox          sigid_async
--
-- A duty is bound to the roles that have it, so that a statement smuggled into one plane cannot take up
-- another's. Partitions are reached through their parents only: no grant names one.

create schema identity;
create schema auth;
create schema control;
create schema async;

create function public.app_tenant() returns uuid language sql stable parallel safe
  return nullif(current_setting('app.tenant', true), '')::uuid;
create function public.app_scope() returns text language sql stable parallel safe
  return coalesce(current_setting('app.scope', true), '');

create table control.tenants (
  tenant_id    uuid primary key,
  slug         text not null unique check (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  display_name text not null,
  state        text not null default 'active' check (state in ('active', 'disabled')),
  created_at   timestamptz not null,
  updated_at   timestamptz not null
);

create table control.clients (
  client_id    text primary key check (length(client_id) between 1 and 128),
  tenant_id    uuid not null references control.tenants,
  client_name  text not null,
  state        text not null default 'active' check (state in ('active', 'disabled')),
  token_endpoint_auth_method text not null
    check (token_endpoint_auth_method in ('client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none')),
  grant_types  text[] not null,
  scope        text[] not null,
  -- What the client may ask for (RFC 8707), the first being the default.
  resources    text[] not null default '{}',
  redirect_uris text[] not null default '{}',
  post_logout_redirect_uris text[] not null default '{}',
  jwks         jsonb,
  -- The other RFC 7591 members, as registered.
  metadata     jsonb not null default '{}',
  created_at   timestamptz not null,
  updated_at   timestamptz not null
);
create index on control.clients (tenant_id, client_id);

-- The resource servers: which client is the audience a token names. Unique in its tenant.
create table control.client_audiences (
  tenant_id    uuid not null references control.tenants,
  audience     text not null,
  client_id    text not null references control.clients on delete cascade,
  primary key (tenant_id, audience)
);
create index on control.client_audiences (client_id);

-- Several secrets live at once, so that they rotate without downtime.
create table control.client_secrets (
  secret_id    uuid primary key,
  tenant_id    uuid not null references control.tenants,
  client_id    text not null references control.clients on delete cascade,
  digest       bytea not null check (length(digest) = 32),
  created_at   timestamptz not null,
  expires_at   timestamptz
);
create index on control.client_secrets (client_id);

create table auth.signing_keys (
  kid          text primary key,
  alg          text not null check (alg in ('ES256', 'EdDSA')),
  public_jwk   jsonb not null,
  -- AES-256-GCM under the root key, bound to the kid; null once destroyed.
  sealed_private bytea,
  -- The fingerprint of that root key: whoever seals with another one is refused.
  sealed_by    text,
  state        text not null check (state in ('next', 'active', 'retired', 'revoked')),
  published_at timestamptz not null,
  activated_at timestamptz,
  retired_at   timestamptz,
  -- When the key leaves the JWKS: retirement plus the longest token life.
  removed_at   timestamptz,
  revoked_at   timestamptz
);
create unique index signing_keys_one_next on auth.signing_keys (alg) where state = 'next';

-- "Dead if issued at or before at_s." Kept until nothing it could concern is alive.
create table auth.marks (
  mark_key     bytea not null check (length(mark_key) = 16),
  tenant_id    uuid not null,
  at_s         bigint not null,
  expires_at   timestamptz not null,
  primary key (mark_key, at_s, expires_at)
) partition by range (expires_at);
create table auth.marks_default partition of auth.marks default;

-- Assertions already presented (RFC 7523 jti), by digest.
create table auth.assertion_replays (
  digest       bytea not null check (length(digest) = 32),
  expires_at   timestamptz not null,
  primary key (digest, expires_at)
) partition by range (expires_at);
create table auth.assertion_replays_default partition of auth.assertion_replays default;

-- What every node's tables must learn. Read by window: `xid >= last_xmin`, applied idempotently.
create table async.feed (
  id           bigint generated always as identity,
  xid          xid8 not null default pg_current_xact_id(),
  kind         smallint not null,
  ref          text not null,
  tenant_id    uuid,
  at_s         bigint,
  expires_s    bigint,
  created_at   timestamptz not null,
  primary key (id, created_at)
) partition by range (created_at);
create index on async.feed (xid, id);
create table async.feed_default partition of async.feed default;

-- The outbox: one row for each security-relevant change, in the change's own transaction.
create table async.events (
  event_id     uuid not null,
  tenant_id    uuid,
  event_type   text not null,
  actor        text not null,
  subject      text not null,
  data         jsonb not null default '{}',
  created_at   timestamptz not null,
  primary key (event_id, created_at)
) partition by range (created_at);
create index on async.events (tenant_id, created_at);
create table async.events_default partition of async.events default;

-- Row-level security -------------------------------------------------------------------------------------

alter table control.tenants enable row level security;
alter table control.tenants force row level security;
create policy tenant on control.tenants using (tenant_id = (select public.app_tenant()));
create policy feed on control.tenants for select using ((select public.app_scope()) = 'feed');
create policy authenticate on control.tenants for select to sigid_auth, sigid_control
  using ((select public.app_scope()) = 'authenticate');
create policy jobs on control.tenants for select to sigid_async using ((select public.app_scope()) = 'jobs');
create policy admin on control.tenants to sigid_control using ((select public.app_scope()) = 'admin');

alter table control.clients enable row level security;
alter table control.clients force row level security;
create policy tenant on control.clients using (tenant_id = (select public.app_tenant()));
create policy feed on control.clients for select using ((select public.app_scope()) = 'feed');
create policy authenticate on control.clients for select to sigid_auth, sigid_control
  using ((select public.app_scope()) = 'authenticate');
create policy jobs on control.clients for select to sigid_async using ((select public.app_scope()) = 'jobs');
create policy admin on control.clients to sigid_control using ((select public.app_scope()) = 'admin');

alter table control.client_audiences enable row level security;
alter table control.client_audiences force row level security;
create policy tenant on control.client_audiences using (tenant_id = (select public.app_tenant()));
create policy feed on control.client_audiences for select using ((select public.app_scope()) = 'feed');
create policy authenticate on control.client_audiences for select to sigid_auth, sigid_control
  using ((select public.app_scope()) = 'authenticate');
create policy admin on control.client_audiences to sigid_control using ((select public.app_scope()) = 'admin');

alter table control.client_secrets enable row level security;
alter table control.client_secrets force row level security;
create policy tenant on control.client_secrets using (tenant_id = (select public.app_tenant()));
create policy feed on control.client_secrets for select using ((select public.app_scope()) = 'feed');
create policy authenticate on control.client_secrets for select to sigid_auth, sigid_control
  using ((select public.app_scope()) = 'authenticate');
create policy admin on control.client_secrets to sigid_control using ((select public.app_scope()) = 'admin');

-- Keys belong to the issuer. Whoever signs or verifies for a tenant reads them; grants keep the sealed half
-- from the plane that never signs.
alter table auth.signing_keys enable row level security;
alter table auth.signing_keys force row level security;
create policy tenant on auth.signing_keys for select using ((select public.app_tenant()) is not null);
create policy feed on auth.signing_keys for select using ((select public.app_scope()) = 'feed');
create policy authenticate on auth.signing_keys for select to sigid_auth, sigid_control
  using ((select public.app_scope()) = 'authenticate');
create policy jobs on auth.signing_keys to sigid_async using ((select public.app_scope()) = 'jobs');
create policy admin on auth.signing_keys to sigid_control using ((select public.app_scope()) = 'admin');

alter table auth.marks enable row level security;
alter table auth.marks force row level security;
create policy tenant on auth.marks using (tenant_id = (select public.app_tenant()));
create policy feed on auth.marks for select using ((select public.app_scope()) = 'feed');
create policy admin on auth.marks to sigid_control using ((select public.app_scope()) = 'admin');

-- The digest covers the client, so a tenant can meet only its own.
alter table auth.assertion_replays enable row level security;
alter table auth.assertion_replays force row level security;
create policy tenant on auth.assertion_replays using ((select public.app_tenant()) is not null);
create policy authenticate on auth.assertion_replays to sigid_auth, sigid_control
  using ((select public.app_scope()) = 'authenticate');

alter table async.feed enable row level security;
alter table async.feed force row level security;
create policy tenant on async.feed for insert with check (tenant_id = (select public.app_tenant()));
create policy feed on async.feed for select using ((select public.app_scope()) = 'feed');
create policy jobs on async.feed to sigid_async using ((select public.app_scope()) = 'jobs');
create policy admin on async.feed to sigid_control using ((select public.app_scope()) = 'admin');

alter table async.events enable row level security;
alter table async.events force row level security;
create policy tenant on async.events using (tenant_id = (select public.app_tenant()));
create policy jobs on async.events to sigid_async using ((select public.app_scope()) = 'jobs');
create policy admin on async.events to sigid_control using ((select public.app_scope()) = 'admin');

-- Partitions of their own accord show nothing; only the retention function reaches the default ones.
alter table auth.marks_default enable row level security;
alter table auth.marks_default force row level security;
create policy jobs on auth.marks_default using ((select public.app_scope()) = 'jobs');
alter table auth.assertion_replays_default enable row level security;
alter table auth.assertion_replays_default force row level security;
create policy jobs on auth.assertion_replays_default using ((select public.app_scope()) = 'jobs');
alter table async.feed_default enable row level security;
alter table async.feed_default force row level security;
create policy jobs on async.feed_default using ((select public.app_scope()) = 'jobs');
alter table async.events_default enable row level security;
alter table async.events_default force row level security;
create policy jobs on async.events_default using ((select public.app_scope()) = 'jobs');

-- Retention ----------------------------------------------------------------------------------------------

-- Makes the partition of one day: 'created', 'present', 'full' or 'locked'. What the default partition already
-- holds of that day moves along; too much to move, or a lock that is not free at once, is left for the next run.
create function async.create_day_partition(space text, parent text, clock text, day date) returns text
  language plpgsql set search_path = pg_catalog, pg_temp as
$$
declare
  name     text := parent || '_p' || to_char(day, 'YYYYMMDD');
  stray    text := parent || '_default';
  lower    timestamptz := day::timestamptz;
  upper    timestamptz := (day + 1)::timestamptz;
  moving   bigint;
begin
  if to_regclass(format('%I.%I', space, name)) is not null then
    return 'present';
  end if;
  -- The parent first: a row that is already on its way to the default partition would be refused there, once the
  -- default no longer takes its day.
  execute format('lock table %I.%I in share row exclusive mode', space, parent);
  execute format('lock table %I.%I in access exclusive mode', space, stray);
  execute format('select count(*) from (select from %I.%I where %I >= $1 and %I < $2 limit 50001) as overlapping',
                 space, stray, clock, clock) into moving using lower, upper;
  if moving > 50000 then
    return 'full';
  end if;
  execute format('create table %I.%I (like %I.%I including defaults including constraints)', space, name, space, parent);
  if moving > 0 then
    execute format('with moved as (delete from %I.%I where %I >= $1 and %I < $2 returning *) '
                   'insert into %I.%I select * from moved', space, stray, clock, clock, space, name) using lower, upper;
  end if;
  execute format('alter table %I.%I enable row level security, force row level security', space, name);
  execute format('alter table %I.%I attach partition %I.%I for values from (%L) to (%L)',
                 space, parent, space, name, lower, upper);
  return 'created';
exception when lock_not_available then
  return 'locked';
end
$$;

-- Removes a batch of what the default partition holds from before `horizon`; then drops the partitions of days
-- that ended before it, oldest first, until one is in use.
create function async.drop_day_partitions(space text, parent text, clock text, horizon timestamptz) returns int
  language plpgsql set search_path = pg_catalog, pg_temp as
$$
declare
  name    text;
  dropped int := 0;
begin
  execute format('delete from %1$I.%2$I where ctid = any (array(select ctid from %1$I.%2$I where %3$I < $1 limit 10000))',
                 space, parent || '_default', clock) using horizon;
  for name in
    select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = format('%I.%I', space, parent)::regclass and c.relname ~ '_p[0-9]{8}$'
      and (to_date(right(c.relname, 8), 'YYYYMMDD') + 1)::timestamptz <= horizon
    order by c.relname
  loop
    begin
      execute format('drop table %I.%I', space, name);
    exception when lock_not_available then
      exit;
    end;
    dropped := dropped + 1;
  end loop;
  return dropped;
end
$$;

-- Day partitions for today and the two days after it, and the end of those that are over: feed two days,
-- marks and replays at their expiry, events after `events_kept` (at least 30 days). What ends is also held
-- against the server's own clock: no caller can wish away the audit log, a revocation or a used assertion, by
-- intent or by a clock that is ahead. Runs as the owner; one run at a time.
--
-- Its locks shut readers out until the transaction ends. So a caller names one `family` in each transaction
-- ('marks', 'assertion_replays', 'feed' or 'events'; without a name, all of them), a run either makes partitions
-- of a family or drops some, and a lock that is not free within 200 ms is left for the next run.
create function async.maintain_partitions(
  now timestamptz, family text default null, events_kept interval default '400 days',
  out created int, out dropped int, out skipped int
)
  language plpgsql security definer
  set search_path = pg_catalog, pg_temp
  set timezone = 'UTC'
  set lock_timeout = '200ms' as
$$
declare
  today   constant date := now::date;
  present constant timestamptz := least(now, clock_timestamp());
  scope   constant text := public.app_scope();
  chosen  record;
  outcome text;
  made    int;
begin
  created := 0;
  dropped := 0;
  skipped := 0;
  if not pg_try_advisory_xact_lock(7240115938461) then
    return;
  end if;
  -- Not in the head of the function: only a superuser may name a setting there that no extension declares.
  perform set_config('app.scope', 'jobs', true);
  for chosen in
    select * from (values
      ('auth', 'marks', 'expires_at', present),
      ('auth', 'assertion_replays', 'expires_at', present),
      ('async', 'feed', 'created_at', present - interval '2 days'),
      ('async', 'events', 'created_at', present - greatest(events_kept, interval '30 days'))
    ) as families (space, parent, clock, horizon)
    where family is null or parent = family
  loop
    made := 0;
    for ahead in 0..2 loop
      outcome := async.create_day_partition(chosen.space, chosen.parent, chosen.clock, today + ahead);
      made := made + (outcome = 'created')::int;
      skipped := skipped + (outcome in ('full', 'locked'))::int;
      exit when outcome = 'locked';
    end loop;
    created := created + made;
    -- What this transaction holds already must not be held while it waits again.
    continue when made > 0 or outcome = 'locked';
    dropped := dropped + async.drop_day_partitions(chosen.space, chosen.parent, chosen.clock, chosen.horizon);
  end loop;
  if not found then
    raise exception 'no such family of partitions: %', family using errcode = 'invalid_parameter_value';
  end if;
  perform set_config('app.scope', scope, true);
end
$$;

revoke execute on function async.create_day_partition(text, text, text, date) from public;
revoke execute on function async.drop_day_partitions(text, text, text, timestamptz) from public;
revoke execute on function async.maintain_partitions(timestamptz, text, interval) from public;

-- Grants: what each plane does, and no more ---------------------------------------------------------------

grant usage on schema auth, async to sigid_identity, sigid_auth, sigid_control, sigid_async;
grant usage on schema control to sigid_auth, sigid_control, sigid_async;
grant usage on schema identity to sigid_identity;

-- The feed's reader, in whichever plane the process runs.
grant select on async.feed, auth.marks to sigid_identity, sigid_auth, sigid_control, sigid_async;
grant select on control.tenants, control.clients, control.client_audiences, control.client_secrets
  to sigid_auth, sigid_control, sigid_async;

grant select on auth.signing_keys to sigid_auth;
grant insert on auth.marks, async.feed, async.events to sigid_auth;
grant select, insert on auth.assertion_replays to sigid_auth;

grant insert, update, delete on control.tenants, control.clients, control.client_audiences, control.client_secrets
  to sigid_control;
grant select (kid, alg, public_jwk, sealed_by, state, published_at, activated_at, retired_at, removed_at, revoked_at)
  on auth.signing_keys to sigid_control;
grant insert, update, delete on auth.signing_keys to sigid_control;
grant insert on auth.marks, async.feed, async.events to sigid_control;
grant select on async.events to sigid_control;

grant select, insert, update, delete on auth.signing_keys to sigid_async;
grant insert on async.feed, async.events to sigid_async;
grant select on async.events to sigid_async;
grant execute on function async.maintain_partitions(timestamptz, text, interval) to sigid_async;
