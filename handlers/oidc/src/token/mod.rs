//! The token endpoint, RFC 6749 section 3.2: one grant, one module; the guard has authenticated the
//! client by its registered method before anything here runs.
//!
//! The password grant does not exist. A second identical request is another token.

pub(crate) mod client_credentials;

use sigid_edge::backend::Call;
use sigid_edge::fault::OAuthError;
use sigid_edge::feature::{Cors, FORM_BODY_BYTES_MAX, Feature, Guarded, Member, Route, Serve};
use sigid_edge::guard::{ASSERTION_ALGORITHMS, CONFIDENTIAL_METHODS, Client, Permit};
use sigid_io::backend::BoxFuture;
use sigid_io::http::Reply;
use sigid_io::settings::Plane;

pub const PATH: &str = "/oauth/token";

pub const FEATURE: Feature = Feature {
    name: "token",
    section: Some("jwt"),
    routes: &[Route {
        methods: &["POST"],
        path: PATH,
        plane: Plane::Auth,
        serve: Serve::Cold(Guarded::Client(token)),
        body_bytes_max: FORM_BODY_BYTES_MAX,
        cors: Cors::Clients,
        doc: "Token endpoint (RFC 6749): client_credentials",
    }],
    jobs: &[],
    events: &[],
    discovery: &[
        ("token_endpoint", Member::Path(PATH)),
        ("token_endpoint_auth_methods_supported", Member::Strings(CONFIDENTIAL_METHODS)),
        ("token_endpoint_auth_signing_alg_values_supported", Member::Strings(ASSERTION_ALGORITHMS)),
        ("grant_types_supported", Member::Strings(&[client_credentials::GRANT_TYPE])),
    ],
};

/// Why no token is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    GrantTypeMissing,
    GrantTypeUnsupported,
    GrantTypeNotRegistered,
    ScopeMalformed,
    ScopeNotRegistered,
    ResourceMalformed,
    ResourceNotRegistered,
    ResourcesTooMany,
    /// Already said as the wire says it.
    Said(OAuthError),
}

impl Fault {
    /// Whether news of the client could turn it.
    fn is_curable(self) -> bool {
        matches!(self, Self::GrantTypeNotRegistered | Self::ScopeNotRegistered | Self::ResourceNotRegistered)
    }

    pub fn error(self) -> OAuthError {
        match self {
            Self::GrantTypeMissing => OAuthError::invalid_request("The parameter grant_type is missing"),
            Self::GrantTypeUnsupported => {
                OAuthError::new(400, "unsupported_grant_type", "The grant type is not supported")
            }
            Self::GrantTypeNotRegistered => {
                OAuthError::new(400, "unauthorized_client", "The client is not registered for this grant type")
            }
            Self::ScopeMalformed => OAuthError::new(400, "invalid_scope", "The scope is malformed"),
            Self::ScopeNotRegistered => {
                OAuthError::new(400, "invalid_scope", "The scope exceeds what the client is registered for")
            }
            Self::ResourceMalformed => {
                OAuthError::new(400, "invalid_target", "A resource must be an absolute URI without a fragment")
            }
            Self::ResourceNotRegistered => {
                OAuthError::new(400, "invalid_target", "The client may not ask for this resource")
            }
            Self::ResourcesTooMany => OAuthError::new(400, "invalid_target", "The request names too many resources"),
            Self::Said(error) => error,
        }
    }
}

impl From<OAuthError> for Fault {
    fn from(error: OAuthError) -> Self {
        Self::Said(error)
    }
}

fn token(call: Call, client: Permit<Client>) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let mut outcome = grant(&call, &client).await;
        if matches!(&outcome, Err(fault) if fault.is_curable())
            && let Some(client) = read_again(&call, &client).await
        {
            outcome = grant(&call, &client).await;
        }
        outcome.unwrap_or_else(|fault| fault.error().reply())
    })
}

/// What an administrator registered a moment ago works at once: before a refusal by what is registered stands, the
/// client is read again, once.
async fn read_again(call: &Call, client: &Permit<Client>) -> Option<Permit<Client>> {
    if !call.may_read_again() || call.backend.feed.refresh().await.is_err() {
        return None;
    }
    client.renew(&call.backend.feed.tables())
}

async fn grant(call: &Call, client: &Permit<Client>) -> Result<Reply, Fault> {
    let form = call.form(&["resource"])?;
    let grant_type = form.find("grant_type").ok_or(Fault::GrantTypeMissing)?;
    match grant_type {
        client_credentials::GRANT_TYPE => client_credentials::grant(call, client, &form).await,
        _ => Err(Fault::GrantTypeUnsupported),
    }
}
