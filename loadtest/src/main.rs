//! SigID's load harness: what a server that answers RFC 7662 introspection costs, and how long its
//! callers wait, told so that a sceptic can repeat it.
//!
//! The load is an open loop by default: every request has a moment at which it is due, fixed before the
//! run, and its latency counts from there. A request that cannot be sent because the server holds all
//! streams waits, and its waiting is in the figures; coordinated omission has no place to happen.
//! Every answer is judged: a live token answered inactive, or a revoked one answered active, is an error.
//!
//! Knows nothing of SigID's inside: endpoints come from discovery (RFC 8414, OpenID Connect Discovery),
//! tokens from the target's own token endpoint, figures of the server's process from `/proc`.
//!
//! The way through the files: `args` -> `play` (a scenario as a whole) -> `setup` (tokens) -> `run` (one measured
//! load) -> `worker` (one generator thread: `line`, `schedule`, `link`, `scenario`) -> `record` -> `watch` ->
//! `report`, `html`.
#![forbid(unsafe_code)]

mod args;
mod auth;
mod bench;
mod client;
mod compare;
mod crew;
mod dealer;
mod discovery;
mod fault;
mod figures;
mod heads;
mod html;
mod http1;
mod issuer;
mod likeness;
mod line;
mod link;
mod metrics;
mod peers;
mod people;
mod play;
mod plot;
mod procfs;
mod progress;
mod quick;
mod record;
mod redact;
mod report;
mod rng;
mod run;
mod samples;
mod scenario;
mod schedule;
mod server;
mod setup;
mod timer;
mod verdict;
mod watch;
mod worker;
mod zipf;

use std::process::ExitCode;

fn main() -> ExitCode {
    let outcome = match args::parse() {
        Ok(args::Command::Compare { before, after }) => compare::print(&before, &after),
        Ok(args::Command::Load(settings)) => run::run(&settings),
        Ok(args::Command::Peers(args)) => peers::run(&args),
        Err(code) => return ExitCode::from(code),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(fault) => {
            progress::say(&format!("sigid-loadtest: {fault}"));
            ExitCode::from(fault.exit_code())
        }
    }
}
