//! `sigid migrate`: brings the database to the level of this program. A step of its own, with the owner's
//! connection; the server refuses to start on a database that is behind.
//!
//! Exit codes: 0 done, or nothing to do; 1 refused; 69 the database cannot be reached; 78 configuration.

use std::path::PathBuf;

use sigid_io::migrate::{MigrateFault, Migrator};
use sigid_io::pg::PgFault;

use crate::cli::{complain, say};
use crate::config::{self, Config};
use crate::migrations;

#[derive(clap::Args)]
pub struct Args {
    /// The configuration file.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// Print what would be done: statements, tables and their rows, locks. Change nothing.
    #[arg(long)]
    plan: bool,
}

pub fn run(args: Args) -> u8 {
    let config = match config::load(&args.config, &crate::environment) {
        Ok(config) => config,
        Err(problems) => {
            complain(problems);
            return EXIT_CONFIGURATION;
        }
    };
    match migrate(&migrator(&config), args.plan) {
        Ok(()) => 0,
        Err(fault) => {
            complain(format!("sigid migrate: {fault}"));
            exit_code(&fault)
        }
    }
}

/// Applies what is pending, or says what that would be; blocks until it is done.
fn migrate(migrator: &Migrator, plan: bool) -> Result<(), MigrateFault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| MigrateFault::Configuration(format!("no runtime: {error}")))?;
    runtime.block_on(migrator.run(migrations::ALL, plan, &mut |line| say(line))).map(|_| ())
}

/// The owner's connection string, and the role of each plane that a process of this configuration runs: the
/// strings of the others are not its own.
fn migrator(config: &Config) -> Migrator {
    let database = &config.database;
    let owner = database.migration_url.as_ref().or(database.maintenance_url.as_ref());
    let planes = config.deployment.planes().into_iter();
    Migrator {
        url: owner.unwrap_or(&database.pg.control.url).clone(),
        planes: planes.map(|plane| (plane, database.pg.target(plane).url.clone())).collect(),
        connect_timeout: database.pg.connect_timeout,
        require_ssl: database.pg.require_ssl,
        ca_pem_path: database.pg.ca_pem_path.clone(),
    }
}

fn exit_code(fault: &MigrateFault) -> u8 {
    match fault {
        MigrateFault::Configuration(_) | MigrateFault::Database(PgFault::Settings(_)) => EXIT_CONFIGURATION,
        MigrateFault::Database(PgFault::Unreachable(_) | PgFault::Timeout) | MigrateFault::Busy => EXIT_UNREACHABLE,
        MigrateFault::Level(_) | MigrateFault::Refused { .. } | MigrateFault::Database(_) => EXIT_REFUSED,
    }
}

const EXIT_REFUSED: u8 = 1;
const EXIT_UNREACHABLE: u8 = 69;
const EXIT_CONFIGURATION: u8 = 78;
