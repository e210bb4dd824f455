-- Whoever follows a link to an address confirms the own registration of it: the newest of this browser.

create index registrations_email_key_idx on auth.registrations (email_key, browser);
