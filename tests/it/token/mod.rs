//! The token endpoint.

pub mod assertion;
mod client_credentials;
