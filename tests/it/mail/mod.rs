//! Mail: letters in the queue, sent by a real process to a relay and to a provider of the test's own.

pub mod post;
mod provider;
mod sending;
