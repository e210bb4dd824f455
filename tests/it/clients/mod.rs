//! What docs/CLIENTS.md promises: its snippets are cut out of the page and run.
//!
//! A snippet is a fenced block whose info string has a file name as its second word. Client snippets get a token
//! from a real server by the program they are for; proxy recipes are started, and let clients in. Where a program
//! or a library is not installed, its snippet cannot run, and [`roll`] names it in the runner's output, so that what
//! was not tried does not pass for tried. `./dev test` fetches the libraries that it can get into a cache and names
//! that in `SIGID_CLIENT_LIBRARIES`; the tests themselves never go to the network.

mod page;
mod program;
mod proxies;
mod roll;
mod snippets;
