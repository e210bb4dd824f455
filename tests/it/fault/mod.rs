//! Faults: each await on the database, the feed and the pool fails, stalls or loses its connection once, and whole
//! processes are killed under load. The reply is clean, what was acknowledged is there, what was refused may be tried
//! again, and service returns without help.
//!
//! `points` has a row for each fail point of the program (`sigid_io::fail`); a point without one does not compile.
//! `sweep` needs no list: it lets the first await of a request fail, then the second, until the request meets no fault
//! any more; `people` does the same for what people do. `drill` is the whole-process part, which `./dev drill` runs at length.

mod admin;
mod admin_people;
mod admin_tenants;
#[allow(dead_code, reason = "tests run the short forms only")]
mod drill;
mod found;
mod people;
mod points;
mod points_file;
mod short;
mod start;
mod sweep;
mod world;
