//! `sigid admin token`.

use serde_json::json;
use sigid_core::ids::ClientId;
use sigid_login::admin::{self, Who};
use sigid_tenant::clients;
use sigid_tenant::tenants::{self, Slug};

use super::client::tenant_of;
use super::context::Context;
use super::fault::Fault;
use super::print;

#[derive(clap::Subcommand)]
pub(super) enum Verb {
    /// Kill every token issued up to now, or up to an earlier moment.
    RevokeBefore {
        #[command(flatten)]
        whose: Whose,
        /// Unix time in seconds; now when left out.
        #[arg(long, value_name = "UNIX")]
        at: Option<i64>,
    },
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Whose {
    /// Tokens issued to this client.
    #[arg(long, value_name = "ID")]
    client: Option<ClientId>,
    /// Tokens of this person, in every tenant.
    #[arg(long, value_name = "EMAIL|ID")]
    user: Option<String>,
    /// Every token of this tenant.
    #[arg(long, value_name = "SLUG")]
    tenant: Option<Slug>,
}

pub(super) async fn run(verb: Verb, context: &Context) -> Result<(), Fault> {
    let Verb::RevokeBefore { whose, at } = verb;
    let (pool, act, life_s) = (context.pool(), context.act(), context.token_life_max_s());
    let at_s = at.unwrap_or(act.now_s);
    let whose = match whose {
        Whose { client: Some(client_id), .. } => {
            let tenant = tenant_of(&client_id, context).await?;
            clients::revoke_before(pool, tenant, &client_id, at_s, life_s, act).await?;
            format!("client {client_id}")
        }
        Whose { tenant: Some(slug), .. } => {
            tenants::revoke_before(pool, &slug, at_s, life_s, act).await?;
            format!("tenant {slug}")
        }
        Whose { user, .. } => {
            let who = Who::parse(user.as_deref().unwrap_or_default())?;
            let user = admin::revoke_before(pool, &who, at_s, life_s, act).await?;
            format!("user {user}")
        }
    };
    context.print(
        || json!({ "revoked_before": at_s, "whose": whose }),
        || format!("tokens of {whose} issued up to {} are revoked", print::time(at_s)),
    );
    Ok(())
}
