//! The harness. Start with [`site::Site`]: a database of one's own, and the servers on it.

pub mod ask;
pub mod cli;
pub mod cluster;
pub mod connect;
pub mod forge;
pub mod metrics;
pub mod place;
pub mod raw;
pub mod relay;
pub mod seed;
pub mod server;
pub mod settings;
pub mod site;
pub mod wait;
