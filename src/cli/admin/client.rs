//! `sigid admin client`.

use serde_json::{Value, json};
use sigid_core::ids::{ClientId, TenantId};
use sigid_tenant::clients::{self, Client, Created, Document, NewClient, Registration};
use sigid_tenant::tenants::{self, Slug, Tenant};

use super::context::Context;
use super::fault::Fault;
use super::members::Members;
use super::{print, tenant};

#[derive(clap::Subcommand)]
pub(super) enum Verb {
    /// Register a client. The secret is printed once.
    Create {
        /// The tenant; the only one there is when left out.
        #[arg(long, value_name = "SLUG")]
        tenant: Option<Slug>,
        /// The identifier; a random one when left out.
        #[arg(long, value_name = "ID")]
        client_id: Option<ClientId>,
        #[command(flatten)]
        members: Members,
    },
    /// List clients.
    List {
        /// One tenant's only.
        #[arg(long, value_name = "SLUG")]
        tenant: Option<Slug>,
    },
    /// Show a client.
    Show {
        #[arg(value_name = "ID")]
        client_id: ClientId,
    },
    /// Replace the named members of a client's registration.
    Update {
        #[arg(value_name = "ID")]
        client_id: ClientId,
        #[command(flatten)]
        members: Members,
    },
    /// Refuse a client everywhere and kill its tokens.
    Disable {
        #[arg(value_name = "ID")]
        client_id: ClientId,
    },
    /// Accept a client again; its old tokens stay dead.
    Enable {
        #[arg(value_name = "ID")]
        client_id: ClientId,
    },
    /// Give a client a new secret, printed once. The old ones live on for a while.
    RotateSecret {
        #[arg(value_name = "ID")]
        client_id: ClientId,
        /// How long the old secrets live on.
        #[arg(long, value_name = "SECONDS", default_value_t = clients::GRACE_S, conflicts_with = "now")]
        grace: i64,
        /// The old secrets end now.
        #[arg(long)]
        now: bool,
    },
    /// Remove a client and kill its tokens.
    Delete {
        #[arg(value_name = "ID")]
        client_id: ClientId,
    },
}

pub(super) async fn run(verb: Verb, context: &Context) -> Result<(), Fault> {
    let (pool, act, life_s) = (context.pool(), context.act(), context.token_life_max_s());
    match verb {
        Verb::Create { tenant, client_id, members } => {
            let registration = Registration::check(&members.0).map_err(clients::Fault::from)?;
            let tenant = tenant::choose(tenant.as_ref(), context).await?.tenant_id;
            let new = NewClient { client_id, registration };
            print_created(context, &clients::create(pool, tenant, new, None, act).await?);
        }
        Verb::List { tenant } => list(tenant.as_ref(), context).await?,
        Verb::Show { client_id } => show(&client_id, context).await?,
        Verb::Update { client_id, members } => {
            if members.0.is_empty() {
                return Err(Fault::usage("name at least one member to change, see --help"));
            }
            let tenant = tenant_of(&client_id, context).await?;
            print_created(context, &clients::update(pool, tenant, &client_id, &members.0, act).await?);
        }
        Verb::Disable { client_id } => {
            let tenant = tenant_of(&client_id, context).await?;
            print_state(context, &clients::disable(pool, tenant, &client_id, life_s, act).await?);
        }
        Verb::Enable { client_id } => {
            let tenant = tenant_of(&client_id, context).await?;
            print_state(context, &clients::enable(pool, tenant, &client_id, life_s, act).await?);
        }
        Verb::RotateSecret { client_id, grace, now } => {
            let tenant = tenant_of(&client_id, context).await?;
            let grace_s = if now { 0 } else { grace };
            print_created(context, &clients::rotate_secret(pool, tenant, &client_id, grace_s, act).await?);
        }
        Verb::Delete { client_id } => {
            let tenant = tenant_of(&client_id, context).await?;
            clients::delete(pool, tenant, &client_id, life_s, act).await?;
            let document = || json!({ "client_id": client_id.as_str(), "state": "deleted" });
            context.print(document, || format!("client {client_id} is deleted"));
        }
    }
    Ok(())
}

/// An administrator names a client without its tenant.
pub(super) async fn tenant_of(client_id: &ClientId, context: &Context) -> Result<TenantId, Fault> {
    Ok(clients::find_tenant(context.pool(), client_id).await?.ok_or(clients::Fault::Unknown)?)
}

async fn list(tenant: Option<&Slug>, context: &Context) -> Result<(), Fault> {
    let tenants = match tenant {
        Some(slug) => vec![tenants::load(context.pool(), slug).await?],
        None => tenants::list(context.pool()).await?,
    };
    let mut all: Vec<(&Tenant, Client)> = Vec::new();
    for tenant in &tenants {
        let mut after = None;
        loop {
            let page = clients::list(context.pool(), tenant.tenant_id, after.as_ref(), clients::PAGE_MAX).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.client_id.clone());
            all.extend(page.into_iter().map(|client| (tenant, client)));
        }
    }
    context.print(
        || all.iter().map(|(_, client)| Value::Object(client.document())).collect(),
        || {
            print::table(
                ["CLIENT", "TENANT", "STATE", "METHOD", "GRANTS", "NAME"],
                &all.iter().map(row).collect::<Vec<_>>(),
            )
        },
    );
    Ok(())
}

fn row((tenant, client): &(&Tenant, Client)) -> [String; 6] {
    let registration = &client.registration;
    let grants: Vec<_> = registration.grant_types.iter().map(|grant| grant.as_str()).collect();
    [
        client.client_id.to_string(),
        tenant.slug.to_string(),
        client.state.as_str().to_owned(),
        registration.auth_method.as_str().to_owned(),
        if grants.is_empty() { "-".to_owned() } else { grants.join(",") },
        registration.client_name.clone().unwrap_or_default(),
    ]
}

async fn show(client_id: &ClientId, context: &Context) -> Result<(), Fault> {
    let tenant = tenant_of(client_id, context).await?;
    let client = clients::load(context.pool(), tenant, client_id).await?;
    let secrets = clients::load_secrets(context.pool(), tenant, client_id, context.act().now_s).await?;
    context.print(
        || Value::Object(client.document()),
        || {
            let ends = secrets.iter().map(|secret| match secret.expires_s {
                Some(end_s) => format!("secret of {}, until {}", print::time(secret.created_s), print::time(end_s)),
                None => format!("secret of {}", print::time(secret.created_s)),
            });
            let lines = [print::members(&client.document())].into_iter().chain(ends);
            lines.collect::<Vec<_>>().join("\n")
        },
    );
    Ok(())
}

/// RFC 7591 section 3.2.1. A secret does not expire by itself, which is written 0.
fn document(created: &Created) -> Document {
    let mut document = created.client.document();
    if let Some(secret) = &created.secret {
        document.insert("client_secret".into(), json!(secret.expose()));
        document.insert("client_secret_expires_at".into(), json!(0));
    }
    document
}

fn print_created(context: &Context, created: &Created) {
    context.print(|| Value::Object(document(created)), || print::members(&document(created)));
}

fn print_state(context: &Context, client: &Client) {
    context.print(
        || Value::Object(client.document()),
        || format!("client {} is {}", client.client_id, client.state.as_str()),
    );
}
