CREATE SCHEMA async;

CREATE SCHEMA auth;

CREATE SCHEMA control;

CREATE SCHEMA identity;

CREATE FUNCTION async.create_day_partition(space text, parent text, clock text, day date) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
$_$;

CREATE FUNCTION async.drop_day_partitions(space text, parent text, clock text, horizon timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
$_$;

CREATE FUNCTION async.maintain_partitions(now timestamp with time zone, family text DEFAULT NULL::text, events_kept interval DEFAULT '400 days'::interval, OUT created integer, OUT dropped integer, OUT skipped integer) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    SET lock_timeout TO '200ms'
    AS $$
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

CREATE FUNCTION public.app_scope() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN COALESCE(current_setting('app.scope'::text, true), ''::text);

CREATE FUNCTION public.app_tenant() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid;

CREATE FUNCTION public.app_user() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (NULLIF(current_setting('app.user'::text, true), ''::text))::uuid;

CREATE TABLE async.events (
    event_id uuid NOT NULL,
    tenant_id uuid,
    event_type text NOT NULL,
    actor text NOT NULL,
    subject text NOT NULL,
    data jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL
)
PARTITION BY RANGE (created_at);

ALTER TABLE ONLY async.events FORCE ROW LEVEL SECURITY;

CREATE TABLE async.events_default (
    event_id uuid NOT NULL,
    tenant_id uuid,
    event_type text NOT NULL,
    actor text NOT NULL,
    subject text NOT NULL,
    data jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL
);

ALTER TABLE ONLY async.events_default FORCE ROW LEVEL SECURITY;

CREATE TABLE async.feed (
    id bigint NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    kind smallint NOT NULL,
    ref text NOT NULL,
    tenant_id uuid,
    at_s bigint,
    expires_s bigint,
    created_at timestamp with time zone NOT NULL
)
PARTITION BY RANGE (created_at);

ALTER TABLE ONLY async.feed FORCE ROW LEVEL SECURITY;

CREATE TABLE async.feed_default (
    id bigint NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    kind smallint NOT NULL,
    ref text NOT NULL,
    tenant_id uuid,
    at_s bigint,
    expires_s bigint,
    created_at timestamp with time zone NOT NULL
);

ALTER TABLE ONLY async.feed_default FORCE ROW LEVEL SECURITY;

ALTER TABLE async.feed ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME async.feed_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE async.mail (
    mail_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    tenant_id uuid,
    template text NOT NULL,
    locale text NOT NULL,
    recipient text NOT NULL,
    recipient_key text DEFAULT ''::text NOT NULL,
    data jsonb DEFAULT '{}'::jsonb NOT NULL,
    state text DEFAULT 'queued'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    next_at timestamp with time zone NOT NULL,
    sent_at timestamp with time zone,
    fault text,
    CONSTRAINT mail_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'sent'::text, 'dropped'::text, 'dead'::text])))
)
PARTITION BY RANGE (created_at);

ALTER TABLE ONLY async.mail FORCE ROW LEVEL SECURITY;

CREATE TABLE async.mail_default (
    mail_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    tenant_id uuid,
    template text NOT NULL,
    locale text NOT NULL,
    recipient text NOT NULL,
    recipient_key text DEFAULT ''::text NOT NULL,
    data jsonb DEFAULT '{}'::jsonb NOT NULL,
    state text DEFAULT 'queued'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    next_at timestamp with time zone NOT NULL,
    sent_at timestamp with time zone,
    fault text,
    CONSTRAINT mail_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'sent'::text, 'dropped'::text, 'dead'::text])))
);

ALTER TABLE ONLY async.mail_default FORCE ROW LEVEL SECURITY;

CREATE TABLE auth.assertion_replays (
    digest bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT assertion_replays_digest_check CHECK ((length(digest) = 32))
)
PARTITION BY RANGE (expires_at);

ALTER TABLE ONLY auth.assertion_replays FORCE ROW LEVEL SECURITY;

CREATE TABLE auth.assertion_replays_default (
    digest bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT assertion_replays_digest_check CHECK ((length(digest) = 32))
);

ALTER TABLE ONLY auth.assertion_replays_default FORCE ROW LEVEL SECURITY;

CREATE UNLOGGED TABLE auth.limit_counters (
    digest bytea NOT NULL,
    name text NOT NULL,
    spent bigint NOT NULL,
    until_us bigint NOT NULL,
    spent_max bigint NOT NULL,
    window_us bigint NOT NULL,
    lock_us bigint NOT NULL,
    unit_us bigint NOT NULL,
    cleared_s bigint DEFAULT 0 NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT limit_counters_digest_check CHECK ((length(digest) = 16)),
    CONSTRAINT limit_counters_spent_max_check CHECK ((spent_max > 0))
);

ALTER TABLE ONLY auth.limit_counters FORCE ROW LEVEL SECURITY;

CREATE TABLE auth.links (
    digest bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    purpose text NOT NULL,
    user_id uuid,
    data jsonb DEFAULT '{}'::jsonb NOT NULL,
    used_at timestamp with time zone,
    CONSTRAINT links_digest_check CHECK ((length(digest) = 32))
)
PARTITION BY RANGE (created_at);

ALTER TABLE ONLY auth.links FORCE ROW LEVEL SECURITY;

CREATE TABLE auth.links_default (
    digest bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    purpose text NOT NULL,
    user_id uuid,
    data jsonb DEFAULT '{}'::jsonb NOT NULL,
    used_at timestamp with time zone,
    CONSTRAINT links_digest_check CHECK ((length(digest) = 32))
);

ALTER TABLE ONLY auth.links_default FORCE ROW LEVEL SECURITY;

CREATE TABLE auth.marks (
    mark_key bytea NOT NULL,
    tenant_id uuid NOT NULL,
    at_s bigint NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT marks_mark_key_check CHECK ((length(mark_key) = 16))
)
PARTITION BY RANGE (expires_at);

ALTER TABLE ONLY auth.marks FORCE ROW LEVEL SECURITY;

CREATE TABLE auth.marks_default (
    mark_key bytea NOT NULL,
    tenant_id uuid NOT NULL,
    at_s bigint NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT marks_mark_key_check CHECK ((length(mark_key) = 16))
);

ALTER TABLE ONLY auth.marks_default FORCE ROW LEVEL SECURITY;

CREATE TABLE auth.registrations (
    registration_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    email text NOT NULL,
    email_key text NOT NULL,
    password_hash text NOT NULL,
    display_name text NOT NULL,
    locale text,
    next text DEFAULT ''::text NOT NULL,
    browser bytea NOT NULL,
    used_at timestamp with time zone,
    CONSTRAINT registrations_browser_check CHECK ((length(browser) = 32))
)
PARTITION BY RANGE (created_at);

ALTER TABLE ONLY auth.registrations FORCE ROW LEVEL SECURITY;

CREATE TABLE auth.registrations_default (
    registration_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    email text NOT NULL,
    email_key text NOT NULL,
    password_hash text NOT NULL,
    display_name text NOT NULL,
    locale text,
    next text DEFAULT ''::text NOT NULL,
    browser bytea NOT NULL,
    used_at timestamp with time zone,
    CONSTRAINT registrations_browser_check CHECK ((length(browser) = 32))
);

ALTER TABLE ONLY auth.registrations_default FORCE ROW LEVEL SECURITY;

CREATE TABLE auth.session_clients (
    session_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    client_id text NOT NULL,
    tenant_id uuid NOT NULL,
    sub text NOT NULL
)
PARTITION BY RANGE (created_at);

ALTER TABLE ONLY auth.session_clients FORCE ROW LEVEL SECURITY;

CREATE TABLE auth.session_clients_default (
    session_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    client_id text NOT NULL,
    tenant_id uuid NOT NULL,
    sub text NOT NULL
);

ALTER TABLE ONLY auth.session_clients_default FORCE ROW LEVEL SECURITY;

CREATE TABLE auth.sessions (
    session_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    digest bytea NOT NULL,
    user_id uuid NOT NULL,
    authentications jsonb NOT NULL,
    acr text NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    user_agent text DEFAULT ''::text NOT NULL,
    address text DEFAULT ''::text NOT NULL,
    binding bytea,
    ended_at timestamp with time zone,
    CONSTRAINT sessions_address_check CHECK ((length(address) <= 64)),
    CONSTRAINT sessions_binding_check CHECK ((length(binding) = 32)),
    CONSTRAINT sessions_digest_check CHECK ((length(digest) = 32)),
    CONSTRAINT sessions_user_agent_check CHECK ((length(user_agent) <= 512))
)
PARTITION BY RANGE (created_at);

ALTER TABLE ONLY auth.sessions FORCE ROW LEVEL SECURITY;

CREATE TABLE auth.sessions_default (
    session_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    digest bytea NOT NULL,
    user_id uuid NOT NULL,
    authentications jsonb NOT NULL,
    acr text NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    user_agent text DEFAULT ''::text NOT NULL,
    address text DEFAULT ''::text NOT NULL,
    binding bytea,
    ended_at timestamp with time zone,
    CONSTRAINT sessions_address_check CHECK ((length(address) <= 64)),
    CONSTRAINT sessions_binding_check CHECK ((length(binding) = 32)),
    CONSTRAINT sessions_digest_check CHECK ((length(digest) = 32)),
    CONSTRAINT sessions_user_agent_check CHECK ((length(user_agent) <= 512))
);

ALTER TABLE ONLY auth.sessions_default FORCE ROW LEVEL SECURITY;

CREATE TABLE auth.signing_keys (
    kid text NOT NULL,
    alg text NOT NULL,
    public_jwk jsonb NOT NULL,
    sealed_private bytea,
    sealed_by text,
    state text NOT NULL,
    published_at timestamp with time zone NOT NULL,
    activated_at timestamp with time zone,
    retired_at timestamp with time zone,
    removed_at timestamp with time zone,
    revoked_at timestamp with time zone,
    CONSTRAINT signing_keys_alg_check CHECK ((alg = ANY (ARRAY['ES256'::text, 'EdDSA'::text]))),
    CONSTRAINT signing_keys_state_check CHECK ((state = ANY (ARRAY['next'::text, 'active'::text, 'retired'::text, 'revoked'::text])))
);

ALTER TABLE ONLY auth.signing_keys FORCE ROW LEVEL SECURITY;

CREATE TABLE control.client_audiences (
    tenant_id uuid NOT NULL,
    audience text NOT NULL,
    client_id text NOT NULL
);

ALTER TABLE ONLY control.client_audiences FORCE ROW LEVEL SECURITY;

CREATE TABLE control.client_secrets (
    secret_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    client_id text NOT NULL,
    digest bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    CONSTRAINT client_secrets_digest_check CHECK ((length(digest) = 32))
);

ALTER TABLE ONLY control.client_secrets FORCE ROW LEVEL SECURITY;

CREATE TABLE control.clients (
    client_id text NOT NULL,
    tenant_id uuid NOT NULL,
    client_name text NOT NULL,
    state text DEFAULT 'active'::text NOT NULL,
    token_endpoint_auth_method text NOT NULL,
    grant_types text[] NOT NULL,
    scope text[] NOT NULL,
    resources text[] DEFAULT '{}'::text[] NOT NULL,
    redirect_uris text[] DEFAULT '{}'::text[] NOT NULL,
    post_logout_redirect_uris text[] DEFAULT '{}'::text[] NOT NULL,
    jwks jsonb,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT clients_client_id_check CHECK (((length(client_id) >= 1) AND (length(client_id) <= 128))),
    CONSTRAINT clients_state_check CHECK ((state = ANY (ARRAY['active'::text, 'disabled'::text]))),
    CONSTRAINT clients_token_endpoint_auth_method_check CHECK ((token_endpoint_auth_method = ANY (ARRAY['client_secret_basic'::text, 'client_secret_post'::text, 'private_key_jwt'::text, 'none'::text])))
);

ALTER TABLE ONLY control.clients FORCE ROW LEVEL SECURITY;

CREATE TABLE control.tenant_brands (
    tenant_id uuid NOT NULL,
    name text NOT NULL,
    accent text,
    logo_digest bytea,
    privacy_uri text,
    terms_uri text,
    is_operator boolean DEFAULT false NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT tenant_brands_accent_check CHECK ((accent ~ '^#[0-9a-f]{6}$'::text)),
    CONSTRAINT tenant_brands_logo_digest_check CHECK ((octet_length(logo_digest) = 32)),
    CONSTRAINT tenant_brands_name_check CHECK (((octet_length(name) >= 1) AND (octet_length(name) <= 200))),
    CONSTRAINT tenant_brands_privacy_uri_check CHECK (((octet_length(privacy_uri) >= 1) AND (octet_length(privacy_uri) <= 2048))),
    CONSTRAINT tenant_brands_terms_uri_check CHECK (((octet_length(terms_uri) >= 1) AND (octet_length(terms_uri) <= 2048)))
);

ALTER TABLE ONLY control.tenant_brands FORCE ROW LEVEL SECURITY;

CREATE TABLE control.tenant_logos (
    tenant_id uuid NOT NULL,
    digest bytea NOT NULL,
    media_type text NOT NULL,
    width integer NOT NULL,
    height integer NOT NULL,
    content bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT tenant_logos_content_check CHECK (((octet_length(content) >= 1) AND (octet_length(content) <= 262144))),
    CONSTRAINT tenant_logos_digest_check CHECK ((octet_length(digest) = 32)),
    CONSTRAINT tenant_logos_media_type_check CHECK ((media_type = ANY (ARRAY['image/png'::text, 'image/jpeg'::text, 'image/webp'::text])))
);

ALTER TABLE ONLY control.tenant_logos FORCE ROW LEVEL SECURITY;

CREATE TABLE control.tenant_sign_in (
    tenant_id uuid NOT NULL,
    methods text[],
    takes_new boolean DEFAULT true NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT tenant_sign_in_methods_check CHECK ((array_position(methods, NULL::text) IS NULL))
);

ALTER TABLE ONLY control.tenant_sign_in FORCE ROW LEVEL SECURITY;

CREATE TABLE control.tenants (
    tenant_id uuid NOT NULL,
    slug text NOT NULL,
    display_name text NOT NULL,
    state text DEFAULT 'active'::text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT tenants_slug_check CHECK ((slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'::text)),
    CONSTRAINT tenants_state_check CHECK ((state = ANY (ARRAY['active'::text, 'disabled'::text])))
);

ALTER TABLE ONLY control.tenants FORCE ROW LEVEL SECURITY;

CREATE TABLE identity.memberships (
    tenant_id uuid NOT NULL,
    sub text NOT NULL,
    user_id uuid,
    state text NOT NULL,
    consented text[] DEFAULT '{}'::text[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT memberships_state_check CHECK ((state = ANY (ARRAY['invited'::text, 'active'::text, 'suspended'::text, 'removed'::text]))),
    CONSTRAINT memberships_sub_check CHECK (((length(sub) >= 16) AND (length(sub) <= 255)))
);

ALTER TABLE ONLY identity.memberships FORCE ROW LEVEL SECURITY;

CREATE TABLE identity.users (
    user_id uuid NOT NULL,
    email text NOT NULL,
    email_key text NOT NULL,
    email_verified_at timestamp with time zone,
    password_hash text,
    password_changed_at timestamp with time zone,
    state text DEFAULT 'active'::text NOT NULL,
    claims jsonb DEFAULT '{}'::jsonb NOT NULL,
    locale text,
    deletes_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT users_check CHECK (((deletes_at IS NOT NULL) = (state = 'deleting'::text))),
    CONSTRAINT users_email_check CHECK (((length(email) >= 3) AND (length(email) <= 320))),
    CONSTRAINT users_email_key_check CHECK (((length(email_key) >= 3) AND (length(email_key) <= 320))),
    CONSTRAINT users_password_hash_check CHECK ((length(password_hash) <= 1024)),
    CONSTRAINT users_state_check CHECK ((state = ANY (ARRAY['active'::text, 'disabled'::text, 'deleting'::text])))
);

ALTER TABLE ONLY identity.users FORCE ROW LEVEL SECURITY;

CREATE TABLE public.sigid_migrations (
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ONLY async.events ATTACH PARTITION async.events_default DEFAULT;

ALTER TABLE ONLY async.feed ATTACH PARTITION async.feed_default DEFAULT;

ALTER TABLE ONLY async.mail ATTACH PARTITION async.mail_default DEFAULT;

ALTER TABLE ONLY auth.assertion_replays ATTACH PARTITION auth.assertion_replays_default DEFAULT;

ALTER TABLE ONLY auth.links ATTACH PARTITION auth.links_default DEFAULT;

ALTER TABLE ONLY auth.marks ATTACH PARTITION auth.marks_default DEFAULT;

ALTER TABLE ONLY auth.registrations ATTACH PARTITION auth.registrations_default DEFAULT;

ALTER TABLE ONLY auth.session_clients ATTACH PARTITION auth.session_clients_default DEFAULT;

ALTER TABLE ONLY auth.sessions ATTACH PARTITION auth.sessions_default DEFAULT;

ALTER TABLE ONLY async.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (event_id, created_at);

ALTER TABLE ONLY async.events_default
    ADD CONSTRAINT events_default_pkey PRIMARY KEY (event_id, created_at);

ALTER TABLE ONLY async.feed
    ADD CONSTRAINT feed_pkey PRIMARY KEY (id, created_at);

ALTER TABLE ONLY async.feed_default
    ADD CONSTRAINT feed_default_pkey PRIMARY KEY (id, created_at);

ALTER TABLE ONLY async.mail
    ADD CONSTRAINT mail_pkey PRIMARY KEY (mail_id, created_at);

ALTER TABLE ONLY async.mail_default
    ADD CONSTRAINT mail_default_pkey PRIMARY KEY (mail_id, created_at);

ALTER TABLE ONLY auth.assertion_replays
    ADD CONSTRAINT assertion_replays_pkey PRIMARY KEY (digest, expires_at);

ALTER TABLE ONLY auth.assertion_replays_default
    ADD CONSTRAINT assertion_replays_default_pkey PRIMARY KEY (digest, expires_at);

ALTER TABLE ONLY auth.limit_counters
    ADD CONSTRAINT limit_counters_pkey PRIMARY KEY (digest);

ALTER TABLE ONLY auth.links
    ADD CONSTRAINT links_pkey PRIMARY KEY (digest, created_at);

ALTER TABLE ONLY auth.links_default
    ADD CONSTRAINT links_default_pkey PRIMARY KEY (digest, created_at);

ALTER TABLE ONLY auth.marks
    ADD CONSTRAINT marks_pkey PRIMARY KEY (mark_key, at_s, expires_at);

ALTER TABLE ONLY auth.marks_default
    ADD CONSTRAINT marks_default_pkey PRIMARY KEY (mark_key, at_s, expires_at);

ALTER TABLE ONLY auth.registrations
    ADD CONSTRAINT registrations_pkey PRIMARY KEY (registration_id, created_at);

ALTER TABLE ONLY auth.registrations_default
    ADD CONSTRAINT registrations_default_pkey PRIMARY KEY (registration_id, created_at);

ALTER TABLE ONLY auth.session_clients
    ADD CONSTRAINT session_clients_pkey PRIMARY KEY (session_id, client_id, created_at);

ALTER TABLE ONLY auth.session_clients_default
    ADD CONSTRAINT session_clients_default_pkey PRIMARY KEY (session_id, client_id, created_at);

ALTER TABLE ONLY auth.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (session_id, created_at);

ALTER TABLE ONLY auth.sessions_default
    ADD CONSTRAINT sessions_default_pkey PRIMARY KEY (session_id, created_at);

ALTER TABLE ONLY auth.signing_keys
    ADD CONSTRAINT signing_keys_pkey PRIMARY KEY (kid);

ALTER TABLE ONLY control.client_audiences
    ADD CONSTRAINT client_audiences_pkey PRIMARY KEY (tenant_id, audience);

ALTER TABLE ONLY control.client_secrets
    ADD CONSTRAINT client_secrets_pkey PRIMARY KEY (secret_id);

ALTER TABLE ONLY control.clients
    ADD CONSTRAINT clients_pkey PRIMARY KEY (client_id);

ALTER TABLE ONLY control.tenant_brands
    ADD CONSTRAINT tenant_brands_pkey PRIMARY KEY (tenant_id);

ALTER TABLE ONLY control.tenant_logos
    ADD CONSTRAINT tenant_logos_pkey PRIMARY KEY (digest, tenant_id);

ALTER TABLE ONLY control.tenant_sign_in
    ADD CONSTRAINT tenant_sign_in_pkey PRIMARY KEY (tenant_id);

ALTER TABLE ONLY control.tenants
    ADD CONSTRAINT tenants_pkey PRIMARY KEY (tenant_id);

ALTER TABLE ONLY control.tenants
    ADD CONSTRAINT tenants_slug_key UNIQUE (slug);

ALTER TABLE ONLY identity.memberships
    ADD CONSTRAINT memberships_pkey PRIMARY KEY (tenant_id, sub);

ALTER TABLE ONLY identity.users
    ADD CONSTRAINT users_email_key_key UNIQUE (email_key);

ALTER TABLE ONLY identity.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (user_id);

ALTER TABLE ONLY public.sigid_migrations
    ADD CONSTRAINT sigid_migrations_pkey PRIMARY KEY (name);

CREATE INDEX events_tenant_id_created_at_idx ON ONLY async.events USING btree (tenant_id, created_at);

CREATE INDEX events_default_tenant_id_created_at_idx ON async.events_default USING btree (tenant_id, created_at);

CREATE INDEX feed_xid_id_idx ON ONLY async.feed USING btree (xid, id);

CREATE INDEX feed_default_xid_id_idx ON async.feed_default USING btree (xid, id);

CREATE INDEX mail_next_at_idx ON ONLY async.mail USING btree (next_at) WHERE (state = 'queued'::text);

CREATE INDEX mail_default_next_at_idx ON async.mail_default USING btree (next_at) WHERE (state = 'queued'::text);

CREATE INDEX mail_recipient_key_idx ON ONLY async.mail USING btree (recipient_key, template, created_at) WHERE (state <> 'dropped'::text);

CREATE INDEX mail_default_recipient_key_template_created_at_idx ON async.mail_default USING btree (recipient_key, template, created_at) WHERE (state <> 'dropped'::text);

CREATE INDEX limit_counters_changed_at_idx ON auth.limit_counters USING btree (changed_at);

CREATE INDEX links_user_id_idx ON ONLY auth.links USING btree (user_id);

CREATE INDEX links_default_user_id_idx ON auth.links_default USING btree (user_id);

CREATE INDEX registrations_email_key_idx ON ONLY auth.registrations USING btree (email_key, browser);

CREATE INDEX registrations_default_email_key_browser_idx ON auth.registrations_default USING btree (email_key, browser);

CREATE INDEX sessions_user_id_idx ON ONLY auth.sessions USING btree (user_id);

CREATE INDEX sessions_default_user_id_idx ON auth.sessions_default USING btree (user_id);

CREATE UNIQUE INDEX signing_keys_one_next ON auth.signing_keys USING btree (alg) WHERE (state = 'next'::text);

CREATE INDEX client_audiences_client_id_idx ON control.client_audiences USING btree (client_id);

CREATE INDEX client_secrets_client_id_idx ON control.client_secrets USING btree (client_id);

CREATE INDEX clients_tenant_id_client_id_idx ON control.clients USING btree (tenant_id, client_id);

CREATE UNIQUE INDEX tenant_brands_one_operator ON control.tenant_brands USING btree (is_operator) WHERE is_operator;

CREATE INDEX tenant_logos_tenant_id_created_at_idx ON control.tenant_logos USING btree (tenant_id, created_at);

CREATE UNIQUE INDEX memberships_user_id_tenant_id_key ON identity.memberships USING btree (user_id, tenant_id);

CREATE INDEX users_deletes_at_idx ON identity.users USING btree (deletes_at) WHERE (deletes_at IS NOT NULL);

ALTER INDEX async.events_pkey ATTACH PARTITION async.events_default_pkey;

ALTER INDEX async.events_tenant_id_created_at_idx ATTACH PARTITION async.events_default_tenant_id_created_at_idx;

ALTER INDEX async.feed_pkey ATTACH PARTITION async.feed_default_pkey;

ALTER INDEX async.feed_xid_id_idx ATTACH PARTITION async.feed_default_xid_id_idx;

ALTER INDEX async.mail_next_at_idx ATTACH PARTITION async.mail_default_next_at_idx;

ALTER INDEX async.mail_pkey ATTACH PARTITION async.mail_default_pkey;

ALTER INDEX async.mail_recipient_key_idx ATTACH PARTITION async.mail_default_recipient_key_template_created_at_idx;

ALTER INDEX auth.assertion_replays_pkey ATTACH PARTITION auth.assertion_replays_default_pkey;

ALTER INDEX auth.links_pkey ATTACH PARTITION auth.links_default_pkey;

ALTER INDEX auth.links_user_id_idx ATTACH PARTITION auth.links_default_user_id_idx;

ALTER INDEX auth.marks_pkey ATTACH PARTITION auth.marks_default_pkey;

ALTER INDEX auth.registrations_email_key_idx ATTACH PARTITION auth.registrations_default_email_key_browser_idx;

ALTER INDEX auth.registrations_pkey ATTACH PARTITION auth.registrations_default_pkey;

ALTER INDEX auth.session_clients_pkey ATTACH PARTITION auth.session_clients_default_pkey;

ALTER INDEX auth.sessions_pkey ATTACH PARTITION auth.sessions_default_pkey;

ALTER INDEX auth.sessions_user_id_idx ATTACH PARTITION auth.sessions_default_user_id_idx;

ALTER TABLE ONLY control.client_audiences
    ADD CONSTRAINT client_audiences_client_id_fkey FOREIGN KEY (client_id) REFERENCES control.clients(client_id) ON DELETE CASCADE;

ALTER TABLE ONLY control.client_audiences
    ADD CONSTRAINT client_audiences_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES control.tenants(tenant_id);

ALTER TABLE ONLY control.client_secrets
    ADD CONSTRAINT client_secrets_client_id_fkey FOREIGN KEY (client_id) REFERENCES control.clients(client_id) ON DELETE CASCADE;

ALTER TABLE ONLY control.client_secrets
    ADD CONSTRAINT client_secrets_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES control.tenants(tenant_id);

ALTER TABLE ONLY control.clients
    ADD CONSTRAINT clients_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES control.tenants(tenant_id);

ALTER TABLE ONLY control.tenant_brands
    ADD CONSTRAINT tenant_brands_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES control.tenants(tenant_id);

ALTER TABLE ONLY control.tenant_logos
    ADD CONSTRAINT tenant_logos_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES control.tenants(tenant_id);

ALTER TABLE ONLY control.tenant_sign_in
    ADD CONSTRAINT tenant_sign_in_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES control.tenants(tenant_id);

ALTER TABLE ONLY identity.memberships
    ADD CONSTRAINT memberships_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES control.tenants(tenant_id);

ALTER TABLE ONLY identity.memberships
    ADD CONSTRAINT memberships_user_id_fkey FOREIGN KEY (user_id) REFERENCES identity.users(user_id) ON DELETE SET NULL;

CREATE POLICY accounts ON async.events FOR INSERT TO sigid_identity WITH CHECK (((( SELECT public.app_scope() AS app_scope) = 'accounts'::text) OR (( SELECT public.app_user() AS app_user) IS NOT NULL)));

CREATE POLICY accounts ON async.feed FOR INSERT TO sigid_identity WITH CHECK (((( SELECT public.app_scope() AS app_scope) = 'accounts'::text) OR (( SELECT public.app_user() AS app_user) IS NOT NULL)));

CREATE POLICY accounts ON async.mail FOR INSERT TO sigid_identity WITH CHECK (((( SELECT public.app_scope() AS app_scope) = 'accounts'::text) OR (( SELECT public.app_user() AS app_user) IS NOT NULL)));

CREATE POLICY admin ON async.events TO sigid_control USING ((( SELECT public.app_scope() AS app_scope) = 'admin'::text));

CREATE POLICY admin ON async.feed TO sigid_control USING ((( SELECT public.app_scope() AS app_scope) = 'admin'::text));

CREATE POLICY admin ON async.mail TO sigid_control USING ((( SELECT public.app_scope() AS app_scope) = 'admin'::text));

ALTER TABLE async.events ENABLE ROW LEVEL SECURITY;

ALTER TABLE async.events_default ENABLE ROW LEVEL SECURITY;

ALTER TABLE async.feed ENABLE ROW LEVEL SECURITY;

CREATE POLICY feed ON async.feed FOR SELECT USING ((( SELECT public.app_scope() AS app_scope) = 'feed'::text));

ALTER TABLE async.feed_default ENABLE ROW LEVEL SECURITY;

CREATE POLICY jobs ON async.events TO sigid_async USING ((( SELECT public.app_scope() AS app_scope) = 'jobs'::text));

CREATE POLICY jobs ON async.events_default USING ((( SELECT public.app_scope() AS app_scope) = 'jobs'::text));

CREATE POLICY jobs ON async.feed TO sigid_async USING ((( SELECT public.app_scope() AS app_scope) = 'jobs'::text));

CREATE POLICY jobs ON async.feed_default USING ((( SELECT public.app_scope() AS app_scope) = 'jobs'::text));

CREATE POLICY jobs ON async.mail TO sigid_async USING ((( SELECT public.app_scope() AS app_scope) = 'jobs'::text));

CREATE POLICY jobs ON async.mail_default USING ((( SELECT public.app_scope() AS app_scope) = 'jobs'::text));

ALTER TABLE async.mail ENABLE ROW LEVEL SECURITY;

ALTER TABLE async.mail_default ENABLE ROW LEVEL SECURITY;

CREATE POLICY tenant ON async.events USING ((tenant_id = ( SELECT public.app_tenant() AS app_tenant)));

CREATE POLICY tenant ON async.feed FOR INSERT WITH CHECK ((tenant_id = ( SELECT public.app_tenant() AS app_tenant)));

CREATE POLICY tenant ON async.mail FOR INSERT WITH CHECK ((tenant_id = ( SELECT public.app_tenant() AS app_tenant)));

CREATE POLICY accounts ON auth.limit_counters TO sigid_identity USING ((( SELECT public.app_scope() AS app_scope) = 'accounts'::text));

CREATE POLICY accounts ON auth.links TO sigid_identity USING ((( SELECT public.app_scope() AS app_scope) = 'accounts'::text));

CREATE POLICY accounts ON auth.marks FOR INSERT TO sigid_identity WITH CHECK (((( SELECT public.app_scope() AS app_scope) = 'accounts'::text) OR (( SELECT public.app_user() AS app_user) IS NOT NULL)));

CREATE POLICY accounts ON auth.registrations TO sigid_identity USING ((( SELECT public.app_scope() AS app_scope) = 'accounts'::text));

CREATE POLICY accounts ON auth.session_clients TO sigid_identity USING ((( SELECT public.app_scope() AS app_scope) = 'accounts'::text));

CREATE POLICY accounts ON auth.sessions TO sigid_identity USING ((( SELECT public.app_scope() AS app_scope) = 'accounts'::text));

CREATE POLICY admin ON auth.limit_counters TO sigid_control USING ((( SELECT public.app_scope() AS app_scope) = 'admin'::text));

CREATE POLICY admin ON auth.links TO sigid_control USING ((( SELECT public.app_scope() AS app_scope) = 'admin'::text));

CREATE POLICY admin ON auth.marks TO sigid_control USING ((( SELECT public.app_scope() AS app_scope) = 'admin'::text));

CREATE POLICY admin ON auth.session_clients TO sigid_control USING ((( SELECT public.app_scope() AS app_scope) = 'admin'::text));

CREATE POLICY admin ON auth.sessions TO sigid_control USING ((( SELECT public.app_scope() AS app_scope) = 'admin'::text));

CREATE POLICY admin ON auth.signing_keys TO sigid_control USING ((( SELECT public.app_scope() AS app_scope) = 'admin'::text));

ALTER TABLE auth.assertion_replays ENABLE ROW LEVEL SECURITY;

ALTER TABLE auth.assertion_replays_default ENABLE ROW LEVEL SECURITY;

CREATE POLICY authenticate ON auth.assertion_replays TO sigid_auth, sigid_control USING ((( SELECT public.app_scope() AS app_scope) = 'authenticate'::text));

CREATE POLICY authenticate ON auth.signing_keys FOR SELECT TO sigid_auth, sigid_control USING ((( SELECT public.app_scope() AS app_scope) = 'authenticate'::text));

CREATE POLICY feed ON auth.marks FOR SELECT USING ((( SELECT public.app_scope() AS app_scope) = 'feed'::text));

CREATE POLICY feed ON auth.signing_keys FOR SELECT USING ((( SELECT public.app_scope() AS app_scope) = 'feed'::text));

CREATE POLICY jobs ON auth.assertion_replays_default USING ((( SELECT public.app_scope() AS app_scope) = 'jobs'::text));

CREATE POLICY jobs ON auth.limit_counters TO sigid_async USING ((( SELECT public.app_scope() AS app_scope) = 'jobs'::text));

CREATE POLICY jobs ON auth.links TO sigid_async USING ((( SELECT public.app_scope() AS app_scope) = 'jobs'::text));

CREATE POLICY jobs ON auth.links_default USING ((( SELECT public.app_scope() AS app_scope) = 'jobs'::text));

CREATE POLICY jobs ON auth.marks FOR INSERT TO sigid_async WITH CHECK ((( SELECT public.app_scope() AS app_scope) = 'jobs'::text));

CREATE POLICY jobs ON auth.marks_default USING ((( SELECT public.app_scope() AS app_scope) = 'jobs'::text));

CREATE POLICY jobs ON auth.registrations TO sigid_async USING ((( SELECT public.app_scope() AS app_scope) = 'jobs'::text));

CREATE POLICY jobs ON auth.registrations_default USING ((( SELECT public.app_scope() AS app_scope) = 'jobs'::text));

CREATE POLICY jobs ON auth.session_clients TO sigid_async USING ((( SELECT public.app_scope() AS app_scope) = 'jobs'::text));

CREATE POLICY jobs ON auth.session_clients_default USING ((( SELECT public.app_scope() AS app_scope) = 'jobs'::text));

CREATE POLICY jobs ON auth.sessions TO sigid_async USING ((( SELECT public.app_scope() AS app_scope) = 'jobs'::text));

CREATE POLICY jobs ON auth.sessions_default USING ((( SELECT public.app_scope() AS app_scope) = 'jobs'::text));

CREATE POLICY jobs ON auth.signing_keys TO sigid_async USING ((( SELECT public.app_scope() AS app_scope) = 'jobs'::text));

ALTER TABLE auth.limit_counters ENABLE ROW LEVEL SECURITY;

ALTER TABLE auth.links ENABLE ROW LEVEL SECURITY;

ALTER TABLE auth.links_default ENABLE ROW LEVEL SECURITY;

ALTER TABLE auth.marks ENABLE ROW LEVEL SECURITY;

ALTER TABLE auth.marks_default ENABLE ROW LEVEL SECURITY;

CREATE POLICY person ON auth.links TO sigid_identity USING ((user_id = ( SELECT public.app_user() AS app_user)));

CREATE POLICY person ON auth.session_clients TO sigid_identity USING (((( SELECT public.app_user() AS app_user) IS NOT NULL) AND (EXISTS ( SELECT
   FROM auth.sessions s
  WHERE ((s.session_id = session_clients.session_id) AND (s.created_at = session_clients.created_at))))));

CREATE POLICY person ON auth.sessions TO sigid_identity USING ((user_id = ( SELECT public.app_user() AS app_user)));

ALTER TABLE auth.registrations ENABLE ROW LEVEL SECURITY;

ALTER TABLE auth.registrations_default ENABLE ROW LEVEL SECURITY;

ALTER TABLE auth.session_clients ENABLE ROW LEVEL SECURITY;

ALTER TABLE auth.session_clients_default ENABLE ROW LEVEL SECURITY;

ALTER TABLE auth.sessions ENABLE ROW LEVEL SECURITY;

ALTER TABLE auth.sessions_default ENABLE ROW LEVEL SECURITY;

ALTER TABLE auth.signing_keys ENABLE ROW LEVEL SECURITY;

CREATE POLICY tenant ON auth.assertion_replays USING ((( SELECT public.app_tenant() AS app_tenant) IS NOT NULL));

CREATE POLICY tenant ON auth.marks USING ((tenant_id = ( SELECT public.app_tenant() AS app_tenant)));

CREATE POLICY tenant ON auth.signing_keys FOR SELECT USING ((( SELECT public.app_tenant() AS app_tenant) IS NOT NULL));

CREATE POLICY accounts ON control.tenants FOR SELECT TO sigid_identity USING ((( SELECT public.app_scope() AS app_scope) = 'accounts'::text));

CREATE POLICY admin ON control.client_audiences TO sigid_control USING ((( SELECT public.app_scope() AS app_scope) = 'admin'::text));

CREATE POLICY admin ON control.client_secrets TO sigid_control USING ((( SELECT public.app_scope() AS app_scope) = 'admin'::text));

CREATE POLICY admin ON control.clients TO sigid_control USING ((( SELECT public.app_scope() AS app_scope) = 'admin'::text));

CREATE POLICY admin ON control.tenant_brands TO sigid_control USING ((( SELECT public.app_scope() AS app_scope) = 'admin'::text));

CREATE POLICY admin ON control.tenant_logos TO sigid_control USING ((( SELECT public.app_scope() AS app_scope) = 'admin'::text));

CREATE POLICY admin ON control.tenant_sign_in TO sigid_control USING ((( SELECT public.app_scope() AS app_scope) = 'admin'::text));

CREATE POLICY admin ON control.tenants TO sigid_control USING ((( SELECT public.app_scope() AS app_scope) = 'admin'::text));

CREATE POLICY authenticate ON control.client_audiences FOR SELECT TO sigid_auth, sigid_control USING ((( SELECT public.app_scope() AS app_scope) = 'authenticate'::text));

CREATE POLICY authenticate ON control.client_secrets FOR SELECT TO sigid_auth, sigid_control USING ((( SELECT public.app_scope() AS app_scope) = 'authenticate'::text));

CREATE POLICY authenticate ON control.clients FOR SELECT TO sigid_auth, sigid_control USING ((( SELECT public.app_scope() AS app_scope) = 'authenticate'::text));

CREATE POLICY authenticate ON control.tenant_logos FOR SELECT TO sigid_auth USING ((( SELECT public.app_scope() AS app_scope) = 'authenticate'::text));

CREATE POLICY authenticate ON control.tenants FOR SELECT TO sigid_auth, sigid_control USING ((( SELECT public.app_scope() AS app_scope) = 'authenticate'::text));

ALTER TABLE control.client_audiences ENABLE ROW LEVEL SECURITY;

ALTER TABLE control.client_secrets ENABLE ROW LEVEL SECURITY;

ALTER TABLE control.clients ENABLE ROW LEVEL SECURITY;

CREATE POLICY feed ON control.client_audiences FOR SELECT USING ((( SELECT public.app_scope() AS app_scope) = 'feed'::text));

CREATE POLICY feed ON control.client_secrets FOR SELECT USING ((( SELECT public.app_scope() AS app_scope) = 'feed'::text));

CREATE POLICY feed ON control.clients FOR SELECT USING ((( SELECT public.app_scope() AS app_scope) = 'feed'::text));

CREATE POLICY feed ON control.tenant_brands FOR SELECT USING ((( SELECT public.app_scope() AS app_scope) = 'feed'::text));

CREATE POLICY feed ON control.tenant_sign_in FOR SELECT USING ((( SELECT public.app_scope() AS app_scope) = 'feed'::text));

CREATE POLICY feed ON control.tenants FOR SELECT USING ((( SELECT public.app_scope() AS app_scope) = 'feed'::text));

CREATE POLICY jobs ON control.clients FOR SELECT TO sigid_async USING ((( SELECT public.app_scope() AS app_scope) = 'jobs'::text));

CREATE POLICY jobs ON control.tenants FOR SELECT TO sigid_async USING ((( SELECT public.app_scope() AS app_scope) = 'jobs'::text));

CREATE POLICY tenant ON control.client_audiences USING ((tenant_id = ( SELECT public.app_tenant() AS app_tenant)));

CREATE POLICY tenant ON control.client_secrets USING ((tenant_id = ( SELECT public.app_tenant() AS app_tenant)));

CREATE POLICY tenant ON control.clients USING ((tenant_id = ( SELECT public.app_tenant() AS app_tenant)));

CREATE POLICY tenant ON control.tenant_brands USING ((tenant_id = ( SELECT public.app_tenant() AS app_tenant)));

CREATE POLICY tenant ON control.tenant_logos USING ((tenant_id = ( SELECT public.app_tenant() AS app_tenant)));

CREATE POLICY tenant ON control.tenant_sign_in USING ((tenant_id = ( SELECT public.app_tenant() AS app_tenant)));

CREATE POLICY tenant ON control.tenants USING ((tenant_id = ( SELECT public.app_tenant() AS app_tenant)));

ALTER TABLE control.tenant_brands ENABLE ROW LEVEL SECURITY;

ALTER TABLE control.tenant_logos ENABLE ROW LEVEL SECURITY;

ALTER TABLE control.tenant_sign_in ENABLE ROW LEVEL SECURITY;

ALTER TABLE control.tenants ENABLE ROW LEVEL SECURITY;

CREATE POLICY accounts ON identity.memberships TO sigid_identity USING ((( SELECT public.app_scope() AS app_scope) = 'accounts'::text));

CREATE POLICY accounts ON identity.users TO sigid_identity USING ((( SELECT public.app_scope() AS app_scope) = 'accounts'::text));

CREATE POLICY admin ON identity.memberships TO sigid_control USING ((( SELECT public.app_scope() AS app_scope) = 'admin'::text));

CREATE POLICY admin ON identity.users TO sigid_control USING ((( SELECT public.app_scope() AS app_scope) = 'admin'::text));

CREATE POLICY jobs ON identity.memberships TO sigid_async USING ((( SELECT public.app_scope() AS app_scope) = 'jobs'::text));

CREATE POLICY jobs ON identity.users TO sigid_async USING ((( SELECT public.app_scope() AS app_scope) = 'jobs'::text));

ALTER TABLE identity.memberships ENABLE ROW LEVEL SECURITY;

CREATE POLICY person ON identity.memberships TO sigid_identity USING ((user_id = ( SELECT public.app_user() AS app_user)));

CREATE POLICY person ON identity.users TO sigid_identity USING ((user_id = ( SELECT public.app_user() AS app_user)));

CREATE POLICY tenant ON identity.memberships USING ((tenant_id = ( SELECT public.app_tenant() AS app_tenant)));

CREATE POLICY tenant ON identity.users FOR SELECT TO sigid_identity, sigid_auth, sigid_control USING (((( SELECT public.app_tenant() AS app_tenant) IS NOT NULL) AND (EXISTS ( SELECT
   FROM identity.memberships m
  WHERE ((m.user_id = users.user_id) AND (m.tenant_id = ( SELECT public.app_tenant() AS app_tenant)))))));

ALTER TABLE identity.users ENABLE ROW LEVEL SECURITY;

GRANT USAGE ON SCHEMA async TO sigid_identity;
GRANT USAGE ON SCHEMA async TO sigid_auth;
GRANT USAGE ON SCHEMA async TO sigid_control;
GRANT USAGE ON SCHEMA async TO sigid_async;

GRANT USAGE ON SCHEMA auth TO sigid_identity;
GRANT USAGE ON SCHEMA auth TO sigid_auth;
GRANT USAGE ON SCHEMA auth TO sigid_control;
GRANT USAGE ON SCHEMA auth TO sigid_async;

GRANT USAGE ON SCHEMA control TO sigid_auth;
GRANT USAGE ON SCHEMA control TO sigid_control;
GRANT USAGE ON SCHEMA control TO sigid_async;
GRANT USAGE ON SCHEMA control TO sigid_identity;

GRANT USAGE ON SCHEMA identity TO sigid_identity;
GRANT USAGE ON SCHEMA identity TO sigid_auth;
GRANT USAGE ON SCHEMA identity TO sigid_control;
GRANT USAGE ON SCHEMA identity TO sigid_async;

REVOKE ALL ON FUNCTION async.create_day_partition(space text, parent text, clock text, day date) FROM PUBLIC;

REVOKE ALL ON FUNCTION async.drop_day_partitions(space text, parent text, clock text, horizon timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION async.maintain_partitions(now timestamp with time zone, family text, events_kept interval, OUT created integer, OUT dropped integer, OUT skipped integer) FROM PUBLIC;
GRANT ALL ON FUNCTION async.maintain_partitions(now timestamp with time zone, family text, events_kept interval, OUT created integer, OUT dropped integer, OUT skipped integer) TO sigid_async;

GRANT INSERT ON TABLE async.events TO sigid_auth;
GRANT SELECT,INSERT ON TABLE async.events TO sigid_control;
GRANT SELECT,INSERT ON TABLE async.events TO sigid_async;
GRANT INSERT ON TABLE async.events TO sigid_identity;

GRANT SELECT,INSERT ON TABLE async.feed TO sigid_identity;
GRANT SELECT,INSERT ON TABLE async.feed TO sigid_auth;
GRANT SELECT,INSERT ON TABLE async.feed TO sigid_control;
GRANT SELECT,INSERT ON TABLE async.feed TO sigid_async;

GRANT INSERT ON TABLE async.mail TO sigid_identity;
GRANT SELECT,INSERT ON TABLE async.mail TO sigid_control;
GRANT SELECT,INSERT,UPDATE ON TABLE async.mail TO sigid_async;

GRANT SELECT,INSERT ON TABLE auth.assertion_replays TO sigid_auth;

GRANT SELECT,INSERT,UPDATE ON TABLE auth.limit_counters TO sigid_identity;
GRANT SELECT,INSERT,UPDATE ON TABLE auth.limit_counters TO sigid_control;
GRANT SELECT,DELETE ON TABLE auth.limit_counters TO sigid_async;

GRANT SELECT,INSERT,UPDATE ON TABLE auth.links TO sigid_identity;
GRANT SELECT,INSERT,UPDATE ON TABLE auth.links TO sigid_control;
GRANT SELECT,INSERT,UPDATE ON TABLE auth.links TO sigid_async;

GRANT SELECT,INSERT ON TABLE auth.marks TO sigid_identity;
GRANT SELECT,INSERT ON TABLE auth.marks TO sigid_auth;
GRANT SELECT,INSERT ON TABLE auth.marks TO sigid_control;
GRANT SELECT,INSERT ON TABLE auth.marks TO sigid_async;

GRANT SELECT,INSERT,UPDATE ON TABLE auth.registrations TO sigid_identity;
GRANT SELECT ON TABLE auth.registrations TO sigid_async;

GRANT SELECT,INSERT,UPDATE ON TABLE auth.session_clients TO sigid_identity;
GRANT SELECT ON TABLE auth.session_clients TO sigid_control;
GRANT SELECT ON TABLE auth.session_clients TO sigid_async;

GRANT SELECT,INSERT,UPDATE ON TABLE auth.sessions TO sigid_identity;
GRANT SELECT,UPDATE ON TABLE auth.sessions TO sigid_control;
GRANT SELECT,UPDATE ON TABLE auth.sessions TO sigid_async;

GRANT SELECT ON TABLE auth.signing_keys TO sigid_auth;
GRANT INSERT,DELETE,UPDATE ON TABLE auth.signing_keys TO sigid_control;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.signing_keys TO sigid_async;

GRANT SELECT(kid) ON TABLE auth.signing_keys TO sigid_control;

GRANT SELECT(alg) ON TABLE auth.signing_keys TO sigid_control;

GRANT SELECT(public_jwk) ON TABLE auth.signing_keys TO sigid_control;

GRANT SELECT(sealed_by) ON TABLE auth.signing_keys TO sigid_control;

GRANT SELECT(state) ON TABLE auth.signing_keys TO sigid_control;

GRANT SELECT(published_at) ON TABLE auth.signing_keys TO sigid_control;

GRANT SELECT(activated_at) ON TABLE auth.signing_keys TO sigid_control;

GRANT SELECT(retired_at) ON TABLE auth.signing_keys TO sigid_control;

GRANT SELECT(removed_at) ON TABLE auth.signing_keys TO sigid_control;

GRANT SELECT(revoked_at) ON TABLE auth.signing_keys TO sigid_control;

GRANT SELECT ON TABLE control.client_audiences TO sigid_auth;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE control.client_audiences TO sigid_control;
GRANT SELECT ON TABLE control.client_audiences TO sigid_async;

GRANT SELECT ON TABLE control.client_secrets TO sigid_auth;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE control.client_secrets TO sigid_control;
GRANT SELECT ON TABLE control.client_secrets TO sigid_async;

GRANT SELECT ON TABLE control.clients TO sigid_auth;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE control.clients TO sigid_control;
GRANT SELECT ON TABLE control.clients TO sigid_async;

GRANT SELECT ON TABLE control.tenant_brands TO sigid_auth;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE control.tenant_brands TO sigid_control;
GRANT SELECT ON TABLE control.tenant_brands TO sigid_async;

GRANT SELECT ON TABLE control.tenant_logos TO sigid_auth;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE control.tenant_logos TO sigid_control;

GRANT SELECT ON TABLE control.tenant_sign_in TO sigid_identity;
GRANT SELECT ON TABLE control.tenant_sign_in TO sigid_auth;
GRANT SELECT,INSERT,UPDATE ON TABLE control.tenant_sign_in TO sigid_control;
GRANT SELECT ON TABLE control.tenant_sign_in TO sigid_async;

GRANT SELECT ON TABLE control.tenants TO sigid_auth;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE control.tenants TO sigid_control;
GRANT SELECT ON TABLE control.tenants TO sigid_async;
GRANT SELECT ON TABLE control.tenants TO sigid_identity;

GRANT SELECT,INSERT,UPDATE ON TABLE identity.memberships TO sigid_identity;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE identity.memberships TO sigid_control;
GRANT SELECT,UPDATE ON TABLE identity.memberships TO sigid_async;

GRANT SELECT,INSERT,UPDATE ON TABLE identity.users TO sigid_identity;
GRANT INSERT,DELETE,UPDATE ON TABLE identity.users TO sigid_control;
GRANT SELECT,DELETE,UPDATE ON TABLE identity.users TO sigid_async;

GRANT SELECT(user_id) ON TABLE identity.users TO sigid_control;

GRANT SELECT(email) ON TABLE identity.users TO sigid_control;

GRANT SELECT(email_key) ON TABLE identity.users TO sigid_control;

GRANT SELECT(email_verified_at) ON TABLE identity.users TO sigid_control;

GRANT SELECT(password_changed_at) ON TABLE identity.users TO sigid_control;

GRANT SELECT(state) ON TABLE identity.users TO sigid_control;

GRANT SELECT(claims) ON TABLE identity.users TO sigid_control;

GRANT SELECT(locale) ON TABLE identity.users TO sigid_control;

GRANT SELECT(deletes_at) ON TABLE identity.users TO sigid_control;

GRANT SELECT(created_at) ON TABLE identity.users TO sigid_control;

GRANT SELECT(updated_at) ON TABLE identity.users TO sigid_control;

GRANT SELECT ON TABLE public.sigid_migrations TO sigid_identity;
GRANT SELECT ON TABLE public.sigid_migrations TO sigid_auth;
GRANT SELECT ON TABLE public.sigid_migrations TO sigid_control;
GRANT SELECT ON TABLE public.sigid_migrations TO sigid_async;

