-- The counters behind the limits of sign-in, shared by the nodes.
--
-- Each node counts in its own memory and adds here, at most once a second, what the others must know; a good sign-in
-- adds nothing. Unlogged: a counter lives minutes, and a server that crashed begins with what its nodes remember. A row
-- says neither whose it is nor what was tried: its name is a digest under a key that the database does not have.

create unlogged table auth.limit_counters (
  digest     bytea primary key check (length(digest) = 16),
  -- Which table of the nodes' memory it belongs to.
  name       text not null,
  -- What was counted until until_us; 0 for a budget, which is all in until_us.
  spent      bigint not null,
  -- A counter: end of its window or lock. A budget: when all that was spent has come back. Microseconds, Unix.
  until_us   bigint not null,
  -- The rule under which it is added to. unit_us: what one unit of a budget takes to come back, 0 for a counter.
  spent_max  bigint not null check (spent_max > 0),
  window_us  bigint not null,
  lock_us    bigint not null,
  unit_us    bigint not null,
  -- When it was last forgiven (Unix seconds); what was counted before does not count.
  cleared_s  bigint not null default 0,
  changed_at timestamptz not null
);
create index limit_counters_changed_at_idx on auth.limit_counters (changed_at);

alter table auth.limit_counters enable row level security;
alter table auth.limit_counters force row level security;
create policy accounts on auth.limit_counters to sigid_identity using ((select public.app_scope()) = 'accounts');
create policy admin on auth.limit_counters to sigid_control using ((select public.app_scope()) = 'admin');
create policy jobs on auth.limit_counters to sigid_async using ((select public.app_scope()) = 'jobs');

grant select, insert, update on auth.limit_counters to sigid_identity, sigid_control;
grant select, delete on auth.limit_counters to sigid_async;
