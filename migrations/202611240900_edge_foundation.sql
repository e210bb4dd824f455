-- The edge's foundation: tenants, clients, keys, marks, the feed and the outbox.
--
-- Schemas are the planes. Group roles (NOLOGIN) carry the grants; `sigid migrate` grants them to the
-- login roles named in the database URLs. Row-level security is forced on every table with a
-- tenant: a transaction says whose rows it means with app.tenant, or which system duty it has
-- with app.scope ('feed', 'jobs', 'authenticate', 'admin').

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
