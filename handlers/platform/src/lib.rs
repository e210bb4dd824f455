//! What the other areas stand on: the outbox today; mail, webhooks and jobs come here.

pub mod outbox;
