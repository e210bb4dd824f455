//! SigID's runtime: shards, TLS, HTTP/2, limits, PostgreSQL, clock and rng. Knows nothing of auth.
//!
//! The only package that names monoio, rustls, h2 and tokio-postgres. `unsafe` is denied by default
//! and allowed block by block, each with its reason.

pub mod backend;
pub mod clock;
mod h2;
pub mod http;
pub mod metrics;
pub mod migrate;
pub mod pg;
pub mod probe;
mod proxy_protocol;
pub mod rng;
pub mod settings;
pub mod shard;
pub mod signer;
pub mod telemetry_http;
pub mod tls;
mod tls_io;
