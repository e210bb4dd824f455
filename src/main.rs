//! SigID: arguments -> command. Each command is a module of `cli`; the server itself is `boot`.

#![forbid(unsafe_code)]

mod boot;
mod cli;
mod config;
mod features;
mod log;
mod migrations;
mod people;

use clap::Parser;
use std::process::ExitCode;

/// Least memory per idle connection of the allocators tried (docs/PERFORMANCE.md).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const EXIT_USAGE: u8 = 64;

fn main() -> ExitCode {
    match cli::Cli::try_parse() {
        Ok(cli) => ExitCode::from(cli.run()),
        Err(error) => {
            let code = if error.use_stderr() { EXIT_USAGE } else { 0 };
            let _ = error.print();
            ExitCode::from(code)
        }
    }
}

/// An environment variable; the one place that reads the environment.
#[allow(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn environment(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}
