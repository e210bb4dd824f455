-- People: accounts, memberships, sessions, links, and the mail that goes to them.
--
-- A person has one global account; a tenant sees its own view of it, the membership with a subject of its own. What
-- lives a short time is partitioned by the day it was made, and dropped whole. Nothing here holds a credential in the
-- clear: passwords are hashes, sessions and links are digests.
--
-- Scopes: 'accounts' is sign-in, registration and recovery, before it is known who asks; app.user is a person at the
-- own account, and sees no other; 'jobs' and 'admin' as elsewhere; a tenant reads the accounts of its members.

create function public.app_user() returns uuid language sql stable parallel safe
  return nullif(current_setting('app.user', true), '')::uuid;

-- Accounts -------------------------------------------------------------------------------------------------

create table identity.users (
  user_id             uuid primary key,
  -- As its owner wrote it.
  email               text not null check (length(email) between 3 and 320),
  -- As it is looked up: one spelling for all ways to write the address.
  email_key           text not null unique check (length(email_key) between 3 and 320),
  email_verified_at   timestamptz,
  password_hash       text check (length(password_hash) <= 1024),
  password_changed_at timestamptz,
  state               text not null default 'active' check (state in ('active', 'disabled', 'deleting')),
  -- The standard claims of OpenID Connect Core 5.1 but sub, email and their kin.
  claims              jsonb not null default '{}',
  locale              text,
  deletes_at          timestamptz check ((deletes_at is not null) = (state = 'deleting')),
  created_at          timestamptz not null,
  updated_at          timestamptz not null
);
create index users_deletes_at_idx on identity.users (deletes_at) where deletes_at is not null;

create table identity.memberships (
  tenant_id  uuid not null references control.tenants,
  sub        text not null check (length(sub) between 16 and 255),
  -- Null once the account is erased: the subject is never given to somebody else.
  user_id    uuid references identity.users on delete set null,
  state      text not null check (state in ('invited', 'active', 'suspended', 'removed')),
  -- What the person lets this tenant see beside the subject.
  consented  text[] not null default '{}',
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, sub)
);
create unique index memberships_user_id_tenant_id_key on identity.memberships (user_id, tenant_id);

-- Sessions -------------------------------------------------------------------------------------------------

create table auth.sessions (
  -- Version 7: its time is created_at, so that an id finds its partition.
  session_id      uuid not null,
  created_at      timestamptz not null,
  digest          bytea not null check (length(digest) = 32),
  user_id         uuid not null,
  -- Who vouched, how, when: [{"method":"pwd","authority":"account","at":1700000000}]
  authentications jsonb not null,
  acr             text not null,
  seen_at         timestamptz not null,
  expires_at      timestamptz not null,
  user_agent      text not null default '' check (length(user_agent) <= 512),
  address         text not null default '' check (length(address) <= 64),
  -- Set when the session may only be used from where it was made.
  binding         bytea check (length(binding) = 32),
  ended_at        timestamptz,
  primary key (session_id, created_at)
) partition by range (created_at);
create table auth.sessions_default partition of auth.sessions default;
create index sessions_user_id_idx on auth.sessions (user_id);

-- What was handed to an application in a session: whose marks die with it.
create table auth.session_clients (
  session_id  uuid not null,
  created_at  timestamptz not null,
  client_id   text not null,
  tenant_id   uuid not null,
  sub         text not null,
  primary key (session_id, client_id, created_at)
) partition by range (created_at);
create table auth.session_clients_default partition of auth.session_clients default;

-- Registrations and links ----------------------------------------------------------------------------------

-- Asked for, not yet an account: that begins when the address is proven.
create table auth.registrations (
  registration_id uuid not null,
  created_at      timestamptz not null,
  expires_at      timestamptz not null,
  email           text not null,
  email_key       text not null,
  password_hash   text not null,
  display_name    text not null,
  locale          text,
  -- Where the person was going.
  next            text not null default '',
  -- Of the browser that asked: another one must show that it knows the password.
  browser         bytea not null check (length(browser) = 32),
  used_at         timestamptz,
  primary key (registration_id, created_at)
) partition by range (created_at);
create table auth.registrations_default partition of auth.registrations default;

-- Single-use links. The value is made again from its key and link_id whenever the mail is sent again.
create table auth.links (
  digest     bytea not null check (length(digest) = 32),
  created_at timestamptz not null,
  expires_at timestamptz not null,
  purpose    text not null,
  user_id    uuid,
  -- Registration, new address, old address: what the purpose needs.
  data       jsonb not null default '{}',
  used_at    timestamptz,
  primary key (digest, created_at)
) partition by range (created_at);
create table auth.links_default partition of auth.links default;
create index links_user_id_idx on auth.links (user_id);

-- Mail -----------------------------------------------------------------------------------------------------

create table async.mail (
  -- Also the Message-ID, however often it is sent.
  mail_id    uuid not null,
  created_at timestamptz not null,
  tenant_id  uuid,
  template   text not null,
  locale     text not null,
  recipient  text not null,
  -- One spelling of it, for how many letters of one kind somebody got.
  recipient_key text not null default '',
  data       jsonb not null default '{}',
  state      text not null default 'queued' check (state in ('queued', 'sent', 'dropped', 'dead')),
  attempts   int not null default 0,
  next_at    timestamptz not null,
  sent_at    timestamptz,
  -- A word for the operator, never what a server said.
  fault      text,
  primary key (mail_id, created_at)
) partition by range (created_at);
create table async.mail_default partition of async.mail default;
create index mail_next_at_idx on async.mail (next_at) where state = 'queued';
create index mail_recipient_key_idx on async.mail (recipient_key, template, created_at);

-- Row-level security ---------------------------------------------------------------------------------------

alter table identity.users enable row level security;
alter table identity.users force row level security;
create policy accounts on identity.users to sigid_identity using ((select public.app_scope()) = 'accounts');
create policy person on identity.users to sigid_identity using (user_id = (select public.app_user()));
create policy jobs on identity.users to sigid_async using ((select public.app_scope()) = 'jobs');
create policy admin on identity.users to sigid_control using ((select public.app_scope()) = 'admin');
create policy tenant on identity.users for select to sigid_identity, sigid_control, sigid_auth
  using ((select public.app_tenant()) is not null and exists (
    select from identity.memberships m where m.user_id = users.user_id and m.tenant_id = (select public.app_tenant())));

alter table identity.memberships enable row level security;
alter table identity.memberships force row level security;
create policy accounts on identity.memberships to sigid_identity using ((select public.app_scope()) = 'accounts');
create policy person on identity.memberships to sigid_identity using (user_id = (select public.app_user()));
create policy jobs on identity.memberships to sigid_async using ((select public.app_scope()) = 'jobs');
create policy admin on identity.memberships to sigid_control using ((select public.app_scope()) = 'admin');
create policy tenant on identity.memberships using (tenant_id = (select public.app_tenant()));

alter table auth.sessions enable row level security;
alter table auth.sessions force row level security;
create policy accounts on auth.sessions to sigid_identity using ((select public.app_scope()) = 'accounts');
create policy person on auth.sessions to sigid_identity using (user_id = (select public.app_user()));
create policy jobs on auth.sessions to sigid_async using ((select public.app_scope()) = 'jobs');
create policy admin on auth.sessions to sigid_control using ((select public.app_scope()) = 'admin');
alter table auth.sessions_default enable row level security;
alter table auth.sessions_default force row level security;
create policy jobs on auth.sessions_default using ((select public.app_scope()) = 'jobs');

alter table auth.session_clients enable row level security;
alter table auth.session_clients force row level security;
create policy accounts on auth.session_clients to sigid_identity using ((select public.app_scope()) = 'accounts');
-- Rows of the person's own sessions: the sessions' policy decides.
create policy person on auth.session_clients to sigid_identity
  using ((select public.app_user()) is not null and exists (
    select from auth.sessions s where s.session_id = session_clients.session_id and s.created_at = session_clients.created_at));
create policy jobs on auth.session_clients to sigid_async using ((select public.app_scope()) = 'jobs');
create policy admin on auth.session_clients to sigid_control using ((select public.app_scope()) = 'admin');
alter table auth.session_clients_default enable row level security;
alter table auth.session_clients_default force row level security;
create policy jobs on auth.session_clients_default using ((select public.app_scope()) = 'jobs');

alter table auth.registrations enable row level security;
alter table auth.registrations force row level security;
create policy accounts on auth.registrations to sigid_identity using ((select public.app_scope()) = 'accounts');
create policy jobs on auth.registrations to sigid_async using ((select public.app_scope()) = 'jobs');
alter table auth.registrations_default enable row level security;
alter table auth.registrations_default force row level security;
create policy jobs on auth.registrations_default using ((select public.app_scope()) = 'jobs');

alter table auth.links enable row level security;
alter table auth.links force row level security;
create policy accounts on auth.links to sigid_identity using ((select public.app_scope()) = 'accounts');
create policy person on auth.links to sigid_identity using (user_id = (select public.app_user()));
create policy jobs on auth.links to sigid_async using ((select public.app_scope()) = 'jobs');
create policy admin on auth.links to sigid_control using ((select public.app_scope()) = 'admin');
alter table auth.links_default enable row level security;
alter table auth.links_default force row level security;
create policy jobs on auth.links_default using ((select public.app_scope()) = 'jobs');

alter table async.mail enable row level security;
alter table async.mail force row level security;
create policy accounts on async.mail for insert to sigid_identity
  with check ((select public.app_scope()) = 'accounts' or (select public.app_user()) is not null);
create policy tenant on async.mail for insert with check (tenant_id = (select public.app_tenant()));
create policy jobs on async.mail to sigid_async using ((select public.app_scope()) = 'jobs');
create policy admin on async.mail to sigid_control using ((select public.app_scope()) = 'admin');
alter table async.mail_default enable row level security;
alter table async.mail_default force row level security;
create policy jobs on async.mail_default using ((select public.app_scope()) = 'jobs');

-- What sign-in and self-service write beside their own rows.
create policy accounts on async.events for insert to sigid_identity
  with check ((select public.app_scope()) = 'accounts' or (select public.app_user()) is not null);
create policy accounts on async.feed for insert to sigid_identity
  with check ((select public.app_scope()) = 'accounts' or (select public.app_user()) is not null);
create policy accounts on auth.marks for insert to sigid_identity
  with check ((select public.app_scope()) = 'accounts' or (select public.app_user()) is not null);
create policy jobs on auth.marks for insert to sigid_async with check ((select public.app_scope()) = 'jobs');
create policy accounts on control.tenants for select to sigid_identity using ((select public.app_scope()) = 'accounts');

-- Retention ------------------------------------------------------------------------------------------------

-- As before, with the families of this migration: sessions outlive the longest lifetime that can be configured (90
-- days), links the longest of theirs (7 days), registrations a day.
create or replace function async.maintain_partitions(
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
      ('auth', 'sessions', 'created_at', present - interval '91 days'),
      ('auth', 'session_clients', 'created_at', present - interval '91 days'),
      ('auth', 'registrations', 'created_at', present - interval '2 days'),
      ('auth', 'links', 'created_at', present - interval '8 days'),
      ('async', 'mail', 'created_at', present - interval '30 days'),
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

-- Grants ---------------------------------------------------------------------------------------------------

grant usage on schema identity to sigid_auth, sigid_control, sigid_async;
grant usage on schema control to sigid_identity;

grant select, insert, update on identity.users, identity.memberships to sigid_identity;
grant select, insert, update on auth.sessions, auth.session_clients, auth.registrations, auth.links to sigid_identity;
grant select on auth.marks, control.tenants to sigid_identity;
grant insert on auth.marks, async.feed, async.events, async.mail to sigid_identity;

-- Administration sees no password hash, and may set one.
grant select (user_id, email, email_key, email_verified_at, password_changed_at, state, claims, locale, deletes_at,
              created_at, updated_at) on identity.users to sigid_control;
grant insert, update, delete on identity.users to sigid_control;
grant select, insert, update, delete on identity.memberships to sigid_control;
grant select, update on auth.sessions to sigid_control;
grant select on auth.session_clients to sigid_control;
grant select, insert, update on auth.links to sigid_control;
grant insert, select on async.mail to sigid_control;

grant select, update, delete on identity.users to sigid_async;
grant select, update on identity.memberships to sigid_async;
grant select, update on auth.sessions to sigid_async;
grant select on auth.session_clients, auth.registrations to sigid_async;
grant select, insert, update on auth.links to sigid_async;
grant select, insert, update on async.mail to sigid_async;
grant insert on auth.marks to sigid_async;
