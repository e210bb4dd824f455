//! SigID's runtime: shards, TLS, HTTP/2, limits, PostgreSQL, clock and rng. Knows nothing of auth.
//!
//! The only package that names monoio, rustls, h2 and tokio-postgres. `unsafe` is denied by default
//! and allowed block by block, each with its reason.

#![allow(
    clippy::disallowed_methods,
    reason = "this package owns the clock, the threads, the tasks and the random numbers"
)]

mod affinity;
pub mod backend;
pub mod clock;
pub mod fail;
pub mod fetch;
pub mod h2;
pub mod hash_pool;
pub mod http;
pub mod mail;
pub mod metrics;
pub mod migrate;
pub mod pg;
mod plain;
pub mod probe;
pub mod proxy_protocol;
pub mod rng;
pub mod settings;
pub mod shard;
mod shard_metrics;
pub mod signer;
pub mod telemetry_http;
pub mod tls;
pub mod tls_io;
