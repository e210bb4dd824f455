//! Who asks: proofs that a guard ran, and the authentication of clients (RFC 6749 section 2.3).
//!
//! A confidential client authenticates with the one method it registered, a public client by its id
//! alone. The decision is a function of the tables and the request, used on the shard and behind it
//! alike; the difference is what an unknown credential means. On the shard it may be news, so the
//! request goes cold (budgeted by address). In the backend the tables are read again and then the
//! answer stands.
//!
//! Attacks considered: secrets are compared as SHA-256 digests in constant time; a request with two
//! methods is refused; an unknown client and a wrong secret look the same; an assertion is accepted
//! once, its `jti` kept in the database that all nodes share.

use crate::session::{Csrf, Session, Visit};
use crate::tables::{AuthMethod, ClientEntry, Tables};
use http::{HeaderMap, header};
use sigid_core::assertion::{self, ASSERTION_TYPE, AssertionFault};
use sigid_core::basic;
use sigid_core::form::Form;
use sigid_core::secret::Digest32;
use std::ops::Deref;
use std::sync::Arc;

/// Proof that the guard of a route ran; only guards make one.
pub struct Permit<K>(K);

/// Nothing was asked for.
pub struct Anyone;

/// An authenticated client.
pub struct Client(Arc<ClientEntry>);

/// A page for anybody: its forms are ours, and the session was asked for.
pub struct Page(Visit);

/// A page for a person who has signed in, and whose forms are ours.
pub struct Person {
    pub session: Session,
    pub csrf: Csrf,
}

impl Permit<Anyone> {
    pub(crate) const fn anyone() -> Self {
        Self(Anyone)
    }
}

impl Permit<Page> {
    pub(crate) const fn page(visit: Visit) -> Self {
        Self(Page(visit))
    }
}

impl Deref for Permit<Page> {
    type Target = Visit;

    fn deref(&self) -> &Visit {
        &self.0.0
    }
}

impl Permit<Person> {
    pub(crate) const fn person(session: Session, csrf: Csrf) -> Self {
        Self(Person { session, csrf })
    }
}

impl Deref for Permit<Person> {
    type Target = Person;

    fn deref(&self) -> &Person {
        &self.0
    }
}

impl Permit<Client> {
    fn client(entry: Arc<ClientEntry>) -> Self {
        Self(Client(entry))
    }
}

impl Permit<Client> {
    /// The same client as newer tables have it, if it is still there and active.
    pub fn renew(&self, tables: &Tables) -> Option<Self> {
        let entry = tables.find_client(self.client_id.as_str())?;
        check_active(tables, entry).is_ok().then(|| Self::client(entry.clone()))
    }
}

impl Deref for Permit<Client> {
    type Target = Arc<ClientEntry>;

    fn deref(&self) -> &Arc<ClientEntry> {
        &self.0.0
    }
}

/// Methods of clients that hold a credential, as discovery lists them.
pub const CONFIDENTIAL_METHODS: &[&str] = &["client_secret_basic", "client_secret_post", "private_key_jwt"];
/// Algorithms of client assertions, as discovery lists them.
pub const ASSERTION_ALGORITHMS: &[&str] = &["ES256", "EdDSA", "Ed25519", "RS256", "PS256", "ES384"];

/// The label of an assertion that was used before.
pub const ASSERTION_REPLAYED: &str = "assertion_replayed";

/// How a request authenticates.
pub enum Credentials<'a> {
    Basic {
        client_id: &'a str,
        secret: &'a str,
    },
    Post {
        client_id: &'a str,
        secret: &'a str,
    },
    /// `client_id` is optional (RFC 7521 section 4.2); the assertion names the client anyway.
    Assertion {
        client_id: Option<&'a str>,
        assertion: &'a str,
    },
    Public {
        client_id: &'a str,
    },
}

/// Why a client is not authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthFault {
    /// No credential at all.
    Missing,
    /// The header or the parameters are not what their scheme says.
    Malformed,
    /// More than one method in a request.
    Several,
    Unknown,
    WrongSecret,
    /// Another method than the registered one.
    WrongMethod,
    Disabled,
    Assertion(AssertionFault),
}

impl AuthFault {
    /// Whether news could turn it: then the tables are read again before it stands.
    pub fn is_curable(self) -> bool {
        matches!(
            self,
            Self::Unknown
                | Self::WrongSecret
                | Self::WrongMethod
                | Self::Disabled
                | Self::Assertion(AssertionFault::UnknownKey | AssertionFault::BadSignature)
        )
    }

    /// Every label, with that of an assertion presented again.
    pub const LABELS: [&'static str; 9] = [
        "missing",
        "malformed",
        "several",
        "unknown",
        "wrong_secret",
        "wrong_method",
        "disabled",
        "assertion",
        ASSERTION_REPLAYED,
    ];

    /// The label of metrics and logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Several => "several",
            Self::Unknown => "unknown",
            Self::WrongSecret => "wrong_secret",
            Self::WrongMethod => "wrong_method",
            Self::Disabled => "disabled",
            Self::Assertion(_) => "assertion",
        }
    }

    /// What the wire says; the same for all that an attacker could learn from.
    pub fn error(self) -> crate::fault::OAuthError {
        use crate::fault::OAuthError;
        match self {
            Self::Several => OAuthError::invalid_request("The request uses more than one client authentication method"),
            Self::Missing
            | Self::Malformed
            | Self::Unknown
            | Self::WrongSecret
            | Self::WrongMethod
            | Self::Disabled
            | Self::Assertion(_) => OAuthError::invalid_client("The client could not be authenticated"),
        }
    }
}

/// What was authenticated, and until when the credential that did it is good.
pub struct Authenticated {
    pub permit: Permit<Client>,
    /// When the secret that matched stops being one.
    pub expires_s: Option<i64>,
    /// An assertion to be marked as used before the permit counts.
    pub assertion: Option<assertion::VerifiedAssertion>,
}

impl<'a> Credentials<'a> {
    /// Reads the credentials of a request. `scratch` holds the decoded Basic header.
    pub fn read(
        headers: &HeaderMap,
        form: &'a Form<'_>,
        scratch: &'a mut [u8; basic::BASIC_BYTES_MAX],
    ) -> Result<Self, AuthFault> {
        let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
        let authorization = authorizations.next();
        if authorizations.next().is_some() {
            return Err(AuthFault::Several);
        }
        let (client_id, secret) = (form.find("client_id"), form.find("client_secret"));
        let assertion = (form.find("client_assertion"), form.find("client_assertion_type"));
        match (authorization, secret, assertion) {
            (Some(header), None, (None, None)) => {
                let (id, secret) = basic::decode_basic(header.as_bytes(), scratch).map_err(|_| AuthFault::Malformed)?;
                // A `client_id` parameter beside the header must name the same client.
                if client_id.is_some_and(|other| other != id) {
                    return Err(AuthFault::Several);
                }
                Ok(Self::Basic { client_id: id, secret })
            }
            (None, Some(secret), (None, None)) => {
                Ok(Self::Post { client_id: client_id.ok_or(AuthFault::Malformed)?, secret })
            }
            (None, None, (Some(assertion), Some(ASSERTION_TYPE))) => Ok(Self::Assertion { client_id, assertion }),
            (None, None, (None, None)) => {
                client_id.map(|client_id| Self::Public { client_id }).ok_or(AuthFault::Missing)
            }
            (None, None, _) => Err(AuthFault::Malformed),
            _ => Err(AuthFault::Several),
        }
    }
}

/// The audiences that a client assertion may name: the issuer, the token endpoint, the endpoint called.
pub fn assertion_audiences(issuer: &str, endpoint_path: &str) -> [String; 3] {
    [issuer.to_owned(), format!("{issuer}/oauth/token"), format!("{issuer}{endpoint_path}")]
}

/// Authenticates against the tables as they are.
pub fn authenticate(
    tables: &Tables,
    credentials: &Credentials<'_>,
    endpoint_path: &str,
    now_s: i64,
) -> Result<Authenticated, AuthFault> {
    let named;
    let (client_id, used) = match credentials {
        Credentials::Basic { client_id, .. } => (*client_id, AuthMethod::ClientSecretBasic),
        Credentials::Post { client_id, .. } => (*client_id, AuthMethod::ClientSecretPost),
        Credentials::Assertion { client_id: Some(client_id), .. } => (*client_id, AuthMethod::PrivateKeyJwt),
        Credentials::Assertion { client_id: None, assertion } => {
            named = assertion::claimed_client(assertion.as_bytes()).map_err(AuthFault::Assertion)?;
            (named.as_str(), AuthMethod::PrivateKeyJwt)
        }
        Credentials::Public { client_id } => (*client_id, AuthMethod::None),
    };
    let client = tables.find_client(client_id).ok_or(AuthFault::Unknown)?;
    let mut authenticated = Authenticated { permit: Permit::client(client.clone()), expires_s: None, assertion: None };
    match credentials {
        Credentials::Basic { secret, .. } | Credentials::Post { secret, .. } => {
            authenticated.expires_s = check_secret(client, secret, now_s)?;
        }
        Credentials::Assertion { assertion, .. } => {
            authenticated.assertion = Some(check_assertion(tables, client, assertion, endpoint_path, now_s)?);
        }
        Credentials::Public { .. } => {}
    }
    if client.auth_method != used {
        return Err(AuthFault::WrongMethod);
    }
    check_active(tables, client)?;
    Ok(authenticated)
}

fn check_assertion(
    tables: &Tables,
    client: &ClientEntry,
    assertion: &str,
    endpoint_path: &str,
    now_s: i64,
) -> Result<assertion::VerifiedAssertion, AuthFault> {
    let keys = client.jwks.as_ref().ok_or(AuthFault::WrongMethod)?;
    let audiences = assertion_audiences(&tables.issuer, endpoint_path);
    let audiences: Vec<&str> = audiences.iter().map(String::as_str).collect();
    if client.assertion_alg.is_some_and(|alg| assertion::claimed_alg(assertion.as_bytes()) != Ok(alg)) {
        return Err(AuthFault::Assertion(AssertionFault::UnsupportedAlg));
    }
    assertion::verify(assertion.as_bytes(), &client.client_id, keys, &audiences, now_s).map_err(AuthFault::Assertion)
}

/// Client and tenant are active.
pub fn check_active(tables: &Tables, client: &ClientEntry) -> Result<(), AuthFault> {
    let is_tenant_active = tables.find_tenant(client.tenant_id).is_some_and(|tenant| tenant.is_active);
    if client.is_active && is_tenant_active { Ok(()) } else { Err(AuthFault::Disabled) }
}

/// Compares with every live secret, in constant time each; gives the end of the one that matched.
pub fn check_secret(client: &ClientEntry, secret: &str, now_s: i64) -> Result<Option<i64>, AuthFault> {
    let digest = Digest32::of(secret.as_bytes());
    let mut matched = None;
    for known in &client.secrets {
        let is_live = known.expires_s.is_none_or(|expires_s| now_s < expires_s);
        if known.digest == digest && is_live {
            matched = Some(known.expires_s);
        }
    }
    matched.ok_or(AuthFault::WrongSecret)
}
