-- What a tenant has decided about sign-in to its applications. Without a row it has decided nothing, and the operator's
-- way is its own.

create table control.tenant_sign_in (
  tenant_id  uuid primary key references control.tenants,
  -- Names of methods. Null: the operator's. None at all: the tenant is closed, which is said and never meant by accident.
  methods    text[] check (array_position(methods, null) is null),
  -- Whether somebody who was not invited becomes a member by coming.
  takes_new  boolean not null default true,
  updated_at timestamptz not null
);

alter table control.tenant_sign_in enable row level security;
alter table control.tenant_sign_in force row level security;
create policy tenant on control.tenant_sign_in using (tenant_id = (select public.app_tenant()));
create policy feed on control.tenant_sign_in for select using ((select public.app_scope()) = 'feed');
create policy admin on control.tenant_sign_in to sigid_control using ((select public.app_scope()) = 'admin');

grant select on control.tenant_sign_in to sigid_identity, sigid_auth, sigid_control, sigid_async;
grant insert, update on control.tenant_sign_in to sigid_control;
