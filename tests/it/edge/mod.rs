//! Introspection, client authentication, discovery and the rest of the hot path.

mod bench;
mod busy;
mod credentials;
mod discovery;
mod forms;
mod introspection;
mod life;
mod memory;
mod tokens;
