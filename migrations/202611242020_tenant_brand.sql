-- How a tenant looks to people: name, one colour, logo, addresses of its privacy notice and terms.
--
-- The brand is a row beside the tenant's, so that what everybody reads of tenants stays small, and so that a tenant
-- without one has the operator's. A logo is kept under its digest, which its address is made of; letters that were sent
-- name it, so older ones of a tenant stay for a while.

create table control.tenant_brands (
  tenant_id    uuid primary key references control.tenants,
  name         text not null check (octet_length(name) between 1 and 200),
  accent       text check (accent ~ '^#[0-9a-f]{6}$'),
  logo_digest  bytea check (octet_length(logo_digest) = 32),
  privacy_uri  text check (octet_length(privacy_uri) between 1 and 2048),
  terms_uri    text check (octet_length(terms_uri) between 1 and 2048),
  -- Also the brand of pages that no application asked for: one tenant's at most.
  is_operator  boolean not null default false,
  updated_at   timestamptz not null
);
create unique index tenant_brands_one_operator on control.tenant_brands (is_operator) where is_operator;

create table control.tenant_logos (
  tenant_id    uuid not null references control.tenants,
  digest       bytea not null check (octet_length(digest) = 32),
  media_type   text not null check (media_type in ('image/png', 'image/jpeg', 'image/webp')),
  width        integer not null,
  height       integer not null,
  content      bytea not null check (octet_length(content) between 1 and 262144),
  created_at   timestamptz not null,
  primary key (digest, tenant_id)
);
create index on control.tenant_logos (tenant_id, created_at);

alter table control.tenant_brands enable row level security;
alter table control.tenant_brands force row level security;
create policy tenant on control.tenant_brands using (tenant_id = (select public.app_tenant()));
create policy feed on control.tenant_brands for select using ((select public.app_scope()) = 'feed');
create policy admin on control.tenant_brands to sigid_control using ((select public.app_scope()) = 'admin');

-- A browser names a logo by its digest alone.
alter table control.tenant_logos enable row level security;
alter table control.tenant_logos force row level security;
create policy tenant on control.tenant_logos using (tenant_id = (select public.app_tenant()));
create policy authenticate on control.tenant_logos for select to sigid_auth
  using ((select public.app_scope()) = 'authenticate');
create policy admin on control.tenant_logos to sigid_control using ((select public.app_scope()) = 'admin');

grant select on control.tenant_brands to sigid_auth, sigid_control, sigid_async;
grant insert, update, delete on control.tenant_brands to sigid_control;
grant select on control.tenant_logos to sigid_auth, sigid_control;
grant insert, update, delete on control.tenant_logos to sigid_control;
