//! The listener: TLS, HTTP/2, limits, drain.

mod abuse;
mod answered;
mod cors;
mod drain;
mod http;
mod peer;
mod planes;
mod sweep;
mod tls;
