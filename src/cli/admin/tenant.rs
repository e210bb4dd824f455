//! `sigid admin tenant`.

use serde_json::{Value, json};
use sigid_tenant::tenants::{self, Slug, Tenant};

use super::context::Context;
use super::fault::Fault;
use super::{print, tenant_brand, tenant_methods};

#[derive(clap::Subcommand)]
pub(super) enum Verb {
    /// Create a tenant.
    Create {
        slug: Slug,
        /// The name shown to people; the slug when left out.
        #[arg(long, visible_alias = "display-name")]
        name: Option<String>,
    },
    /// List every tenant.
    List,
    /// Refuse every client of a tenant and kill its tokens.
    Disable { slug: Slug },
    /// Accept a tenant's clients again; its old tokens stay dead.
    Enable { slug: Slug },
    /// Show or change which ways of signing in count for a tenant, and whether it takes new people.
    Methods(tenant_methods::Args),
    /// How pages and letters of a tenant look.
    #[command(subcommand)]
    Brand(Box<tenant_brand::Verb>),
}

pub(super) async fn run(verb: Verb, context: &Context) -> Result<(), Fault> {
    let (pool, act, life_s) = (context.pool(), context.act(), context.token_life_max_s());
    match verb {
        Verb::Create { slug, name } => {
            print_one(context, &tenants::create(pool, &slug, name.as_deref(), act).await?);
        }
        Verb::List => print_all(context, &tenants::list(pool).await?),
        Verb::Disable { slug } => print_one(context, &tenants::disable(pool, &slug, life_s, act).await?),
        Verb::Enable { slug } => print_one(context, &tenants::enable(pool, &slug, life_s, act).await?),
        Verb::Brand(verb) => tenant_brand::run(*verb, context).await?,
        Verb::Methods(args) => tenant_methods::run(args, context).await?,
    }
    Ok(())
}

/// The tenant of that slug; without one, the only tenant there is.
pub(super) async fn choose(slug: Option<&Slug>, context: &Context) -> Result<Tenant, Fault> {
    if let Some(slug) = slug {
        return Ok(tenants::load(context.pool(), slug).await?);
    }
    match <[Tenant; 1]>::try_from(tenants::list(context.pool()).await?) {
        Ok([only]) => Ok(only),
        Err(tenants) if tenants.is_empty() => Err(Fault::refused("there is no tenant; create one first")),
        Err(_) => Err(Fault::refused("there is more than one tenant; name one with --tenant SLUG")),
    }
}

fn print_one(context: &Context, tenant: &Tenant) {
    context.print(
        || document(tenant),
        || format!("tenant {} ({}) is {}", tenant.slug, tenant.tenant_id, tenant.state.as_str()),
    );
}

fn print_all(context: &Context, tenants: &[Tenant]) {
    let row = |tenant: &Tenant| {
        [
            tenant.slug.to_string(),
            tenant.tenant_id.to_string(),
            tenant.state.as_str().to_owned(),
            print::time(tenant.created_s),
            tenant.display_name.clone(),
        ]
    };
    context.print(
        || tenants.iter().map(document).collect(),
        || print::table(["SLUG", "ID", "STATE", "CREATED", "NAME"], &tenants.iter().map(row).collect::<Vec<_>>()),
    );
}

fn document(tenant: &Tenant) -> Value {
    json!({
        "tenant_id": tenant.tenant_id.to_string(),
        "slug": tenant.slug.as_str(),
        "display_name": tenant.display_name,
        "state": tenant.state.as_str(),
        "created_at": tenant.created_s,
    })
}
