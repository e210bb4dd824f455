//! The pages as people have them: a real Chromium, a real `sigid`, real letters.
//!
//! [`newcomer`] walks from the printed address to the end of an account, [`account`] through one, [`keyboard`] without a
//! mouse, [`guard`] through a real Caddy into an application; [`first`] looks at the page that comes first. What every page
//! is held to is said once, in [`audit`]. Chromium is Debian's, found where that puts it or by `SIGID_CHROMIUM`;
//! `./dev test` gets it.

mod account;
mod audit;
mod chromium;
mod dev;
mod first;
mod guard;
mod keyboard;
mod newcomer;
mod tab;
mod walk;

use crate::support::place;
use crate::support::server::Server;
use chromium::World;

/// The browser of somebody who trusts this server. Its names are those of the test's own address.
fn site_world(server: &Server) -> World {
    World { keys: vec![server.directory.join("server.key")], names: format!("MAP localhost {}", place::address()) }
}
