//! Several processes on one database, and one that loses it.

mod feed;
mod lost;
