//! Introspection, client authentication, discovery and the rest of the hot path.

mod credentials;
mod discovery;
mod forms;
mod introspection;
mod life;
mod tokens;
