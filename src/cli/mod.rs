//! The command line: one module a command, each with its arguments and one `run` that gives the exit code.
//!
//! 0 done, 1 refused, 64 usage, 69 a service is unreachable, 78 configuration.

mod admin;
mod check;
mod dev;
pub mod first_admin;
mod health;
mod migrate;
pub mod password;
mod serve;

use std::io::Write as _;

/// An auth server fast enough to sit in front of every request.
#[derive(clap::Parser)]
#[command(name = "sigid", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Run the server.
    Serve(serve::Args),
    /// Run the server on a private PostgreSQL with everything it needs, for development.
    Dev(dev::Args),
    /// Bring the database to the level of this program.
    Migrate(migrate::Args),
    /// Check a configuration and print the production checklist.
    Check(check::Args),
    /// Ask the local listener whether it is ready.
    Health(health::Args),
    /// Administer tenants, clients, people, keys and tokens.
    Admin(admin::Args),
}

impl Cli {
    pub fn run(self) -> u8 {
        match self.command {
            Command::Serve(args) => serve::run(args),
            Command::Dev(args) => dev::run(args),
            Command::Migrate(args) => migrate::run(args),
            Command::Check(args) => check::run(args),
            Command::Health(args) => health::run(args),
            Command::Admin(args) => admin::run(args),
        }
    }
}

/// Writes a line to standard output; a reader that has gone away is no reason to fail.
pub fn say(line: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

/// Writes a line to standard error.
pub fn complain(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
