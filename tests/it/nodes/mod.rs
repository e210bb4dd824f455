//! Several processes on one database, and one that loses it.

mod feed;
mod lost;
mod people;

use std::time::Duration;

/// The default staleness bound, and what a loaded machine may add.
const BOUND: Duration = Duration::from_secs(2 + 1);
