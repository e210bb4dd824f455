//! `POST /bench/clients`: many clients at once, for load runs ([`sigid_platform::bench`] says why and when).
//!
//! They are clients of the caller's tenant, registered by [`clients::create_many`] in one transaction with their
//! events and news; their secrets are random and told to nobody. When the answer leaves, every shard of this process
//! knows them.
//!
//! Limits: [`CLIENT_COUNT_MAX`] clients a call.

use crate::clients::{self, Registration};
use http::StatusCode;
use serde_json::json;
use sigid_edge::backend::Call;
use sigid_edge::fault;
use sigid_edge::feature::{Cors, FORM_BODY_BYTES_MAX, Feature, Guarded, Route, Serve};
use sigid_edge::guard::{Client, Permit};
use sigid_io::backend::BoxFuture;
use sigid_io::http::Reply;
use sigid_io::settings::Plane;
use sigid_platform::bench::{Fault, check_confidential, read_number};
use sigid_platform::outbox::Act;

pub const FEATURE: Feature = Feature {
    name: "bench",
    section: None,
    routes: &[Route {
        methods: &["POST"],
        path: "/bench/clients",
        plane: Plane::Control,
        serve: Serve::Cold(Guarded::Client(create)),
        body_bytes_max: FORM_BODY_BYTES_MAX,
        cors: Cors::None,
        doc: "Many clients in the caller's tenant at once; only with --bench",
    }],
    jobs: &[],
    events: &[],
    discovery: &[],
};

/// The most clients of one call.
pub const CLIENT_COUNT_MAX: usize = 10_000;

fn create(call: Call, client: Permit<Client>) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        match create_clients(&call, &client).await {
            Ok(created) => Reply::no_store_json(StatusCode::OK, json!({ "created": created }).to_string()),
            Err(fault) => fault.error().reply(),
        }
    })
}

async fn create_clients(call: &Call, client: &Permit<Client>) -> Result<usize, Fault> {
    check_confidential(client)?;
    let form = call.form(&[])?;
    let count = read_number(&form, "count", None, 1, CLIENT_COUNT_MAX)?;
    let act = Act { actor: client.client_id.as_str(), now_s: call.now_s };
    let pool = call.backend.pools.pool(Plane::Control);
    let registration = Registration::check(&document()).map_err(clients::Fault::Registration).map_err(refused)?;
    clients::create_many(pool, client.tenant_id, registration, count, act).await.map_err(refused)?;
    call.backend.feed.refresh().await.map_err(|_| fault::UNAVAILABLE)?;
    Ok(count)
}

/// A service that could get tokens, as most clients of a large tenant are.
fn document() -> clients::Document {
    let members = [
        ("client_name", json!("Bench client")),
        ("token_endpoint_auth_method", json!("client_secret_basic")),
        ("grant_types", json!(["client_credentials"])),
        ("scope", json!("bench")),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn refused(fault: clients::Fault) -> Fault {
    tracing::error!(%fault, "clients could not be registered");
    match fault {
        clients::Fault::Database(_) => Fault::Said(fault::UNAVAILABLE),
        _ => Fault::Said(fault::SERVER_ERROR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_registered_in_bulk_is_a_legal_registration() {
        assert!(Registration::check(&document()).is_ok());
    }
}
