-- What was dropped is no letter: a flood of those is not read again for each that comes.

drop index async.mail_recipient_key_idx;
create index mail_recipient_key_idx on async.mail (recipient_key, template, created_at) where state <> 'dropped';
