//! `sigid admin [-c F | --dir D] [--json] NOUN VERB`: what an operator does to tenants, clients, people, keys and tokens.
//!
//! It is a program of its own beside the server: it speaks to the database as the control plane's role, under
//! row-level security, and every node learns of the change by the feed. It decides nothing; the areas do.
//! With `--dir` it reads the configuration that `sigid dev` wrote, and no environment, as `sigid dev` does.
//!
//! Standard output holds the answer, a table or with `--json` one document; a secret appears there once and
//! nowhere else. Standard error holds one line for a refusal. Exit codes: 0 done, 1 refused, 64 usage, 69 the
//! database is unreachable, 78 configuration.
//!
//! "Now" is the database's clock, so that a mark written on a machine whose clock is wrong kills what it should.

mod client;
mod context;
mod fault;
mod key;
mod mail;
mod members;
mod print;
mod tenant;
mod tenant_brand;
mod tenant_methods;
mod token;
mod user;

use std::path::PathBuf;

use context::Context;
use fault::Fault;

use crate::cli::complain;

#[derive(clap::Args)]
pub struct Args {
    /// The configuration file.
    #[arg(short, long, value_name = "FILE", global = true, conflicts_with = "dir")]
    config: Option<PathBuf>,
    /// The directory of `sigid dev`; .sigid when neither is named.
    #[arg(long, value_name = "DIR", global = true)]
    dir: Option<PathBuf>,
    /// Print one JSON document.
    #[arg(long, global = true)]
    json: bool,
    /// Development only: shift the clock by the seconds in FILE, as the server does.
    #[arg(long, value_name = "FILE", global = true, hide = true)]
    clock_offset_file: Option<PathBuf>,
    /// Development only: fail points do what FILE says, as the server's do.
    #[arg(long, value_name = "FILE", global = true, hide = true)]
    fail_file: Option<PathBuf>,
    #[command(subcommand)]
    noun: Noun,
}

#[derive(clap::Subcommand)]
enum Noun {
    /// Tenants: who owns clients and memberships.
    #[command(subcommand)]
    Tenant(tenant::Verb),
    /// Clients: applications and resource servers.
    #[command(subcommand)]
    Client(client::Verb),
    /// People: accounts and memberships.
    #[command(subcommand)]
    User(Box<user::Verb>),
    /// Signing keys.
    #[command(subcommand)]
    Key(key::Verb),
    /// Letters.
    #[command(subcommand)]
    Mail(mail::Verb),
    /// Issued tokens.
    #[command(subcommand)]
    Token(token::Verb),
}

pub fn run(args: Args) -> u8 {
    match work(args) {
        Ok(()) => 0,
        Err(fault) => {
            complain(&fault);
            fault.exit_code()
        }
    }
}

fn work(args: Args) -> Result<(), Fault> {
    let Args { config, dir, json, clock_offset_file, fail_file, noun } = args;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|_| Fault::refused("a runtime could not be started"))?;
    runtime.block_on(async {
        let config = context::load(config, dir, fail_file.as_deref())?;
        let context = Context::open(config, clock_offset_file, json).await?;
        let done = match noun {
            Noun::Tenant(verb) => tenant::run(verb, &context).await,
            Noun::Client(verb) => client::run(verb, &context).await,
            Noun::User(verb) => user::run(*verb, &context).await,
            Noun::Key(verb) => key::run(verb, &context).await,
            Noun::Mail(verb) => mail::run(verb, &context).await,
            Noun::Token(verb) => token::run(verb, &context).await,
        };
        context.close().await;
        done
    })
}
