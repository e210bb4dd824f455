//! `client_credentials`, RFC 6749 section 4.4, with RFC 8707 `resource` and scope narrowing.
//!
//! Checks in order: grant registered, scope, resource. Without `scope` the client gets all it is
//! registered for that a machine can use; without `resource` the token is for the client's default
//! resource, or for the issuer itself when it has none. `sub` is the client id.

use super::Fault;
use crate::config::Jwt;
use crate::mint::{self, Grant};
use http::StatusCode;
use serde_json::json;
use sigid_core::form::Form;
use sigid_core::resource::{check_resource, same_resource};
use sigid_core::scope::Scope;
use sigid_core::token::{AUDIENCES_MAX, SubjectType};
use sigid_edge::backend::Call;
use sigid_edge::guard::{Client, Permit};
use sigid_edge::tables::{AuthMethod, ClientEntry};
use sigid_io::http::Reply;

pub(super) const GRANT_TYPE: &str = "client_credentials";

/// Where no setting was read; the default of `jwt.access_token_lifetime_agent_secs`.
const LIFETIME_S: i64 = 300;

/// Scopes that speak of a person or of a session; a machine has neither.
const PERSONAL_SCOPES: [&str; 6] = ["openid", "profile", "email", "phone", "address", "offline_access"];

pub(super) async fn grant(call: &Call, client: &Permit<Client>, form: &Form<'_>) -> Result<Reply, Fault> {
    let decided = decide(call, client, form)?;
    let scope = decided.scope.clone();
    let minted = mint::access_token(&call.backend, client, decided, call.now_s).await?;
    let mut body = json!({ "access_token": minted.token, "token_type": "Bearer", "expires_in": minted.expires_in_s });
    if !scope.is_empty()
        && let Some(members) = body.as_object_mut()
    {
        members.insert("scope".to_owned(), json!(scope));
    }
    Ok(Reply::no_store_json(StatusCode::OK, body.to_string()))
}

/// What the token that the client asks for may say.
pub(crate) fn decide(call: &Call, client: &Permit<Client>, form: &Form<'_>) -> Result<Grant, Fault> {
    check_registered(client)?;
    let scope = check_scope(client, form.find("scope"))?;
    let issuer = call.backend.feed.tables().issuer.clone();
    let audiences = check_resources(client, &issuer, form.all("resource"))?;
    let lifetime_s =
        call.backend.settings.find::<Jwt>().map_or(LIFETIME_S, |jwt| i64::from(jwt.access_token_lifetime_agent_secs));
    Ok(Grant {
        sub: client.client_id.to_string(),
        subject_type: SubjectType::Service,
        audiences,
        scope: scope.to_string(),
        lifetime_s,
    })
}

/// A client that cannot authenticate cannot vouch for itself, whatever it registered.
fn check_registered(client: &ClientEntry) -> Result<(), Fault> {
    let is_registered = client.grant_types.iter().any(|grant_type| grant_type == GRANT_TYPE);
    if is_registered && client.auth_method != AuthMethod::None { Ok(()) } else { Err(Fault::GrantTypeNotRegistered) }
}

fn check_scope(client: &ClientEntry, requested: Option<&str>) -> Result<Scope, Fault> {
    let usable = client.scope.iter().map(String::as_str).filter(|scope| !PERSONAL_SCOPES.contains(scope));
    let registered = Scope::from_tokens(usable).map_err(|_| Fault::ScopeMalformed)?;
    let Some(requested) = requested else { return Ok(registered) };
    let requested = Scope::parse(requested).map_err(|_| Fault::ScopeMalformed)?;
    if requested.is_subset(&registered) { Ok(requested) } else { Err(Fault::ScopeNotRegistered) }
}

/// The registered spelling of each resource asked for, each once.
fn check_resources<'a>(
    client: &ClientEntry,
    issuer: &str,
    requested: impl Iterator<Item = &'a str>,
) -> Result<Vec<String>, Fault> {
    let mut audiences: Vec<String> = Vec::new();
    for resource in requested {
        check_resource(resource).map_err(|_| Fault::ResourceMalformed)?;
        let registered =
            client.resources.iter().find(|known| same_resource(known, resource)).ok_or(Fault::ResourceNotRegistered)?;
        if !audiences.contains(registered) {
            audiences.push(registered.clone());
        }
    }
    if audiences.len() > AUDIENCES_MAX {
        return Err(Fault::ResourcesTooMany);
    }
    if audiences.is_empty() {
        audiences.push(client.resources.first().cloned().unwrap_or_else(|| issuer.to_owned()));
    }
    Ok(audiences)
}
