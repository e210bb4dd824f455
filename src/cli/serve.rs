//! `sigid serve -c FILE`: the server, with nothing assumed.

use crate::boot::{self, ServeOptions};
use crate::cli::{complain, say};
use crate::config;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    /// The configuration file.
    #[arg(short, long, value_name = "FILE", default_value = "sigid.toml")]
    config: PathBuf,
}

const EXIT_CONFIGURATION: u8 = 78;

pub fn run(args: Args) -> u8 {
    match config::load(&args.config, &crate::environment) {
        Ok(config) => boot::serve(config, ServeOptions::default(), |ready| say(format!("sigid: serving {} on {}", ready.issuer, ready.address))),
        Err(problems) => {
            complain(problems);
            EXIT_CONFIGURATION
        }
    }
}
