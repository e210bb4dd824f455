//! `sigid serve -c FILE`: the server, with nothing assumed.

use crate::boot::{self, Budgets, ServeOptions};
use crate::cli::{complain, say};
use crate::config;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    /// The configuration file.
    #[arg(short, long, value_name = "FILE", default_value = "sigid.toml")]
    config: PathBuf,
    #[command(flatten)]
    development: Development,
}

/// What only development may ask for.
#[derive(clap::Args)]
pub struct Development {
    /// What slows down guessing; `off` is for load and timing runs.
    #[arg(long, value_name = "on|off", default_value = "on")]
    pub budgets: Budgets,
    /// Give honest work on request: /bench/hash, /bench/mint, /bench/clients. For load runs.
    #[arg(long)]
    pub bench: bool,
    /// Shift the wall clock by the seconds in FILE, read each second.
    #[arg(long, value_name = "FILE")]
    pub clock_offset_file: Option<PathBuf>,
    /// Make awaits on the database fail, stall or break as FILE says (tests; see sigid_io::fail).
    #[arg(long, value_name = "FILE", hide = true)]
    pub fail_file: Option<PathBuf>,
}

impl Development {
    pub fn options(&self, exclusive_port: bool) -> ServeOptions {
        ServeOptions {
            clock_offset_file: self.clock_offset_file.clone(),
            fail_file: self.fail_file.clone(),
            budgets: self.budgets,
            bench: self.bench,
            exclusive_port,
        }
    }
}

const EXIT_CONFIGURATION: u8 = 78;

pub fn run(args: Args) -> u8 {
    match config::load(&args.config, &crate::environment) {
        Ok(config) => boot::serve(config, args.development.options(false), |ready| {
            say(format!("sigid: serving {} on {}", ready.issuer, ready.address));
        }),
        Err(problems) => {
            complain(problems);
            EXIT_CONFIGURATION
        }
    }
}
