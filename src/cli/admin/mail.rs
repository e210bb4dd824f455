//! `sigid admin mail`.

use serde_json::json;
use sigid_core::email::Address;
use sigid_platform::mail;

use super::context::Context;
use super::fault::Fault;

#[derive(clap::Subcommand)]
pub(super) enum Verb {
    /// Put a letter that says nothing but that it came through into the queue, to try the settings.
    Test {
        /// Who gets it.
        #[arg(long, value_name = "ADDRESS")]
        to: String,
    },
}

pub(super) async fn run(verb: Verb, context: &Context) -> Result<(), Fault> {
    let Verb::Test { to } = verb;
    let address = Address::parse(&to).map_err(|_| Fault::refused("--to is not an address of mail"))?;
    if context.config.email.settings.is_none() {
        return Err(Fault::refused("email.provider is not set, so nobody would send it; see sigid.example.toml"));
    }
    let mail_id = mail::enqueue_test(context.pool(), &address.shown, context.act().now_s).await?;
    context.print(
        || json!({ "mail_id": mail_id, "to": address.shown }),
        || format!("letter {mail_id} to {} is in the queue; a server of the async plane sends it", address.shown),
    );
    Ok(())
}
