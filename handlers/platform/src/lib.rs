//! What the other areas stand on: the outbox, the feed's reader, replay marks, jobs, mail; webhooks
//! come here.

#![forbid(unsafe_code)]

pub mod bench;
pub mod feed;
pub mod jobs;
pub mod mail;
pub mod outbox;
pub mod replay;
