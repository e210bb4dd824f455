//! SigID's runtime: shards, TLS, HTTP/2, limits, PostgreSQL, clock and rng. Knows nothing of auth.
pub mod pg;
pub mod settings;
