//! `sigid admin user`.
//!
//! A person is named by address, in any spelling, or by id. A password is read from standard input, never from the
//! command line, where every other user of the machine could read it; who gets none is given a set-up link, printed
//! once.

mod export;
mod import;
mod progress;
mod text;

use std::io::{BufRead as _, Read as _};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use sigid_core::email::Address;
use sigid_core::json::json_object_strict;
use sigid_core::secret::Secret;
use sigid_login::accounts::Membership;
use sigid_login::admin::{self, LimitsKey, NewPerson, Person, Standing, Who};
use sigid_login::keys::Keys;
use sigid_tenant::tenants::Slug;

use super::context::Context;
use super::fault::Fault;
use super::{print, tenant};
use crate::cli::password::Hasher;
use crate::people;

#[derive(clap::Subcommand)]
pub(super) enum Verb {
    /// Make an account. Without a password a one-time set-up link is printed.
    Create(Create),
    /// Show an account, where it is a member, and how many sessions are alive.
    Show {
        #[arg(value_name = "EMAIL|ID")]
        who: String,
    },
    /// Refuse a person everywhere and end everything that came of a sign-in.
    Disable {
        #[arg(value_name = "EMAIL|ID")]
        who: String,
    },
    /// Accept a person again; what ended stays ended.
    Enable {
        #[arg(value_name = "EMAIL|ID")]
        who: String,
    },
    /// Set a password, read from standard input, and end every session.
    SetPassword {
        #[arg(value_name = "EMAIL|ID")]
        who: String,
    },
    /// Print a link under which a password can be set, once, within a day.
    SetupLink {
        #[arg(value_name = "EMAIL|ID")]
        who: String,
    },
    /// Forgive failed sign-ins, so that whom strangers have locked out gets in.
    Unlock {
        #[arg(value_name = "EMAIL|ID")]
        who: String,
    },
    /// Erase an account now.
    Delete {
        #[arg(value_name = "EMAIL|ID")]
        who: String,
    },
    /// Keep a person out of one tenant.
    Suspend(Member),
    /// Let a suspended person in again.
    Activate(Member),
    /// End a membership for good.
    Remove(Member),
    /// Bring people in from a file.
    Import(import::Args),
    /// Write a tenant's members to standard output. Password hashes are left out: this role cannot read them.
    Export {
        /// The tenant; the only one there is when left out.
        #[arg(long, value_name = "SLUG")]
        tenant: Option<Slug>,
        #[arg(long, value_name = "FORMAT", default_value = "jsonl")]
        format: Format,
    },
}

#[derive(clap::Args)]
pub(super) struct Create {
    #[arg(long, value_name = "EMAIL")]
    email: String,
    /// Read the password from the first line of standard input.
    #[arg(long)]
    password_stdin: bool,
    /// Make the person an active member of this tenant.
    #[arg(long, value_name = "SLUG")]
    tenant: Option<Slug>,
    /// You vouch that the address is the person's.
    #[arg(long)]
    email_verified: bool,
    /// What the person is called, the claim `name`; whoever uses the set-up link may write another.
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Standard claims (OpenID Connect Core, section 5.1).
    #[arg(long, value_name = "JSON", value_parser = parse_claims)]
    claims: Option<Claims>,
}

#[derive(clap::Args)]
pub(super) struct Member {
    #[arg(value_name = "EMAIL|ID")]
    who: String,
    /// The tenant; the only one there is when left out.
    #[arg(long, value_name = "SLUG")]
    tenant: Option<Slug>,
}

/// The form of a file of people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// A JSON object a line.
    Jsonl,
    /// Comma-separated values under a line of names.
    Csv,
}

/// One value to clap, which would take a bare map for many.
#[derive(Clone)]
pub(super) struct Claims(Map<String, Value>);

pub(super) async fn run(verb: Verb, context: &Context) -> Result<(), Fault> {
    let (pool, clock, act) = (context.pool(), context.clock(), context.act());
    match verb {
        Verb::Create(asked) => create(asked, context).await?,
        Verb::Show { who } => show(&Who::parse(&who)?, context).await?,
        Verb::Disable { who } => {
            let person = admin::disable(pool, keys(context)?.as_ref(), &Who::parse(&who)?, clock, act).await?;
            print_state(context, &person);
        }
        Verb::Enable { who } => {
            let person = admin::enable(pool, keys(context)?.as_ref(), &Who::parse(&who)?, clock, act).await?;
            print_state(context, &person);
        }
        Verb::SetPassword { who } => set_password(&Who::parse(&who)?, context).await?,
        Verb::SetupLink { who } => print_link(context, &Who::parse(&who)?).await?,
        Verb::Unlock { who } => {
            let person = admin::unlock(pool, &limits_key(context)?, &Who::parse(&who)?, act).await?;
            let line = || format!("failed sign-ins of {} are forgiven", person.email);
            context.print(|| Value::Object(document(&person, &[])), line);
        }
        Verb::Delete { who } => {
            let person = admin::delete(pool, keys(context)?.as_ref(), &Who::parse(&who)?, clock, act).await?;
            let document = || json!({ "user_id": person.user_id.to_string(), "state": "deleted" });
            context.print(document, || format!("user {} ({}) is deleted", person.email, person.user_id));
        }
        Verb::Suspend(member) => move_member(Move::Suspend, &member, context).await?,
        Verb::Activate(member) => move_member(Move::Activate, &member, context).await?,
        Verb::Remove(member) => move_member(Move::Remove, &member, context).await?,
        Verb::Import(args) => import::run(args, context).await?,
        Verb::Export { tenant, format } => export::run(tenant.as_ref(), format, context).await?,
    }
    Ok(())
}

async fn create(asked: Create, context: &Context) -> Result<(), Fault> {
    let email = Address::parse(&asked.email).map_err(admin::Fault::from)?;
    let mut claims = asked.claims.map(|claims| claims.0).unwrap_or_default();
    if let Some(name) = asked.name {
        claims.insert("name".to_owned(), json!(name));
    }
    let tenant = match &asked.tenant {
        Some(slug) => Some(tenant::choose(Some(slug), context).await?.tenant_id),
        None => None,
    };
    let password_hash = if asked.password_stdin { Some(hash_password(&email, context).await?) } else { None };
    let is_waiting = password_hash.is_none();
    // Before the account is made, so that it is not left without its link.
    let keys = keys(context)?;
    let new = NewPerson { email, is_email_verified: asked.email_verified, claims, password_hash, tenant };
    let person = admin::create(context.pool(), &new, context.act()).await?;
    let who = Who::Id(person.user_id);
    let link = if is_waiting { Some(setup_link(context, &keys, &who).await?.1) } else { None };
    let (_, standings, _) = admin::load(context.pool(), &who, context.act().now_s).await?;
    let document = || {
        let mut document = document(&person, &standings);
        if let Some(link) = &link {
            document.insert("setup_link".to_owned(), json!(link.expose()));
        }
        document
    };
    context.print(|| Value::Object(document()), || print::members(&document()));
    Ok(())
}

async fn show(who: &Who, context: &Context) -> Result<(), Fault> {
    let (person, standings, sessions) = admin::load(context.pool(), who, context.act().now_s).await?;
    let document = || {
        let mut document = document(&person, &standings);
        document.insert("sessions".to_owned(), json!(sessions));
        document
    };
    context.print(|| Value::Object(document()), || text::person(&person, &standings, sessions));
    Ok(())
}

async fn set_password(who: &Who, context: &Context) -> Result<(), Fault> {
    let person = admin::find(context.pool(), who).await?.ok_or(admin::Fault::Unknown)?;
    let email = Address::parse(&person.email).map_err(admin::Fault::from)?;
    let hash = hash_password(&email, context).await?;
    let who = Who::Id(person.user_id);
    let (keys, limits_key) = (keys(context)?, limits_key(context)?);
    let (clock, act) = (context.clock(), context.act());
    let person = admin::set_password(context.pool(), &keys, &limits_key, &who, &hash, clock, act).await?;
    let line = || format!("user {} has a new password; every session is ended", person.email);
    context.print(|| Value::Object(document(&person, &[])), line);
    Ok(())
}

async fn print_link(context: &Context, who: &Who) -> Result<(), Fault> {
    let (person, link) = setup_link(context, keys(context)?.as_ref(), who).await?;
    let document =
        || json!({ "user_id": person.user_id.to_string(), "email": person.email, "setup_link": link.expose() });
    context.print(document, || link.expose().clone());
    Ok(())
}

async fn setup_link(context: &Context, keys: &Keys, who: &Who) -> Result<(Person, Secret<String>), Fault> {
    Ok(admin::setup_link(context.pool(), keys, &context.config.oidc.issuer, who, context.act()).await?)
}

/// Which way a membership goes.
#[derive(Clone, Copy)]
enum Move {
    Suspend,
    Activate,
    Remove,
}

async fn move_member(asked: Move, member: &Member, context: &Context) -> Result<(), Fault> {
    let (pool, life_s, clock) = (context.pool(), context.token_life_max_s(), context.clock());
    let who = Who::parse(&member.who)?;
    let tenant = tenant::choose(member.tenant.as_ref(), context).await?;
    let (id, act) = (tenant.tenant_id, context.act());
    let moved: Membership = match asked {
        Move::Suspend => admin::suspend(pool, id, &who, life_s, clock, act).await?,
        Move::Activate => admin::activate(pool, id, &who, life_s, clock, act).await?,
        Move::Remove => admin::remove(pool, id, &who, life_s, clock, act).await?,
    };
    let document = || json!({ "tenant": tenant.slug.as_str(), "sub": moved.sub, "state": moved.state.as_str() });
    let line = || format!("membership of {} in {} is {}", member.who, tenant.slug, moved.state.as_str());
    context.print(document, line);
    Ok(())
}

/// The keys of sign-in, made from the root key: what ends a session's cookies, and what links are made under.
fn keys(context: &Context) -> Result<Arc<Keys>, Fault> {
    Ok(people::keys(&context.root_key()?))
}

/// What the nodes count failures under.
fn limits_key(context: &Context) -> Result<LimitsKey, Fault> {
    Ok(context.root_key()?.derive("limits"))
}

/// What is stored of the password on standard input.
async fn hash_password(email: &Address, context: &Context) -> Result<Secret<String>, Fault> {
    let password = read_password()?;
    Ok(Hasher::start(&context.config)?.hash(&password, email).await?)
}

/// The first line of standard input.
fn read_password() -> Result<Secret<String>, Fault> {
    // Room for the whole, so that no half-read copy is left behind by growing.
    let mut text = String::with_capacity(PASSWORD_LINE_BYTES_MAX);
    let mut input = std::io::stdin().lock().take(PASSWORD_LINE_BYTES_MAX as u64);
    let read = input.read_line(&mut text);
    let line = Secret::new(text);
    read.map_err(|_| Fault::refused("the password on standard input cannot be read as one line of UTF-8"))?;
    let password = line.expose().trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(Fault::refused("there is no password on standard input"));
    }
    Ok(Secret::new(password.to_owned()))
}

fn parse_claims(text: &str) -> Result<Claims, &'static str> {
    json_object_strict(text.as_bytes()).map(Claims).map_err(|_| "not a JSON object")
}

fn print_state(context: &Context, person: &Person) {
    let line = || format!("user {} ({}) is {}", person.email, person.user_id, person.state.as_str());
    context.print(|| Value::Object(document(person, &[])), line);
}

/// Times are Unix seconds; there is no hash.
fn document(person: &Person, standings: &[Standing]) -> Map<String, Value> {
    let mut document = Map::new();
    for (name, value) in [
        ("user_id", json!(person.user_id.to_string())),
        ("email", json!(person.email)),
        ("email_verified", json!(person.email_verified_s.is_some())),
        ("email_verified_at", json!(person.email_verified_s)),
        ("password_changed_at", json!(person.password_changed_s)),
        ("state", json!(person.state.as_str())),
        ("claims", json!(person.claims)),
        ("locale", json!(person.locale)),
        ("deletes_at", json!(person.deletes_s)),
        ("created_at", json!(person.created_s)),
        ("updated_at", json!(person.updated_s)),
        ("memberships", standings.iter().map(standing).collect()),
    ] {
        document.insert(name.to_owned(), value);
    }
    document
}

fn standing(standing: &Standing) -> Value {
    json!({
        "tenant": standing.slug,
        "tenant_id": standing.tenant_id.to_string(),
        "sub": standing.sub,
        "state": standing.state.as_str(),
        "consented": standing.consented,
        "created_at": standing.since_s,
    })
}

/// The path of a file beside another: its name with an ending more.
fn beside(file: &std::path::Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// A password and its line's end.
const PASSWORD_LINE_BYTES_MAX: usize = 8 * 1024;
