//! What a cold handler works with: the process's shared parts, and one call.

use crate::budget::Budget;
use crate::fault::OAuthError;
use crate::feed::Feed;
use crate::guard::AuthFault;
use crate::introspect::IntrospectMetrics;
use crate::session::PageHooks;
use crate::session_check::CheckMetrics;
use crate::shard::Shared;
use sigid_core::form::{Form, FormFault};
use sigid_io::backend::BoxFuture;
use sigid_io::http::ColdRequest;
use sigid_io::metrics::Counter;
use sigid_io::pg::Pools;
use sigid_io::signer::Signer;
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Marks an assertion as used: `true` the first time (the database decides, for all nodes).
pub type ConsumeAssertion =
    fn(Arc<Backend>, sigid_core::secret::Digest32, i64) -> BoxFuture<'static, Result<bool, BackendFault>>;

/// The database did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackendFault;

/// The process's shared parts, behind one `Arc`.
pub struct Backend {
    pub pools: Pools,
    pub feed: Feed,
    pub shared: Arc<Shared>,
    pub signer: Arc<dyn Signer>,
    pub introspect: IntrospectMetrics,
    pub checks: CheckMetrics,
    pub refused: RefusedClients,
    pub consume_assertion: ConsumeAssertion,
    pub settings: Settings,
    pub pages: PageHooks,
    budget: Mutex<Budget>,
}

/// Refused client authentications, by reason; registered at boot.
pub struct RefusedClients(Vec<(&'static str, Counter)>);

impl RefusedClients {
    pub fn inc(&self, reason: &'static str) {
        if let Some((_, counter)) = self.0.iter().find(|(known, _)| *known == reason) {
            counter.inc();
        }
    }
}

impl Default for RefusedClients {
    fn default() -> Self {
        let help = "Refused client authentications, by reason.";
        let counter =
            |reason| sigid_io::metrics::counter("sigid_client_auth_failed_total", help, &[("reason", reason)]);
        Self(AuthFault::LABELS.into_iter().map(|reason| (reason, counter(reason))).collect())
    }
}

/// Each area's own settings, found by their type.
#[derive(Default)]
pub struct Settings(HashMap<TypeId, Box<dyn Any + Send + Sync>>);

impl Settings {
    pub fn insert<T: Any + Send + Sync>(&mut self, settings: T) {
        self.0.insert(TypeId::of::<T>(), Box::new(settings));
    }

    pub fn find<T: Any>(&self) -> Option<&T> {
        self.0.get(&TypeId::of::<T>())?.downcast_ref()
    }
}

impl Backend {
    pub fn new(
        pools: Pools,
        feed: Feed,
        shared: Arc<Shared>,
        signer: Arc<dyn Signer>,
        consume_assertion: ConsumeAssertion,
        settings: Settings,
    ) -> Self {
        let budget = Mutex::new(Budget::new(shared.hasher.clone(), shared.unknown_client_budget_per_minute));
        Self {
            pools,
            feed,
            signer,
            introspect: IntrospectMetrics::new("backend"),
            checks: CheckMetrics::new("backend"),
            refused: RefusedClients::default(),
            consume_assertion,
            settings,
            pages: PageHooks::plain(),
            budget,
            shared,
        }
    }

    /// The same, with pages for people.
    #[must_use]
    pub fn with_pages(mut self, pages: PageHooks) -> Self {
        self.pages = pages;
        self
    }

    /// Takes one token of an address's budget for credentials and keys that memory does not know.
    pub fn may_read_again(&self, address: IpAddr, now_s: i64) -> bool {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner).take(address, now_s)
    }
}

/// One cold request.
pub struct Call {
    pub backend: Arc<Backend>,
    pub request: ColdRequest,
    /// Read once.
    pub now_s: i64,
    /// The client's address: the peer's, or what a trusted proxy says.
    pub address: IpAddr,
    pub request_id: String,
}

impl Call {
    /// The body as a form.
    ///
    /// # Errors
    /// `invalid_request`: not a form, malformed, or a parameter sent twice that may not be.
    pub fn form(&self, repeatable: &[&str]) -> Result<Form<'_>, OAuthError> {
        if !crate::introspect::is_form(&self.request.headers) {
            return Err(OAuthError::invalid_request("The body must be application/x-www-form-urlencoded"));
        }
        Form::parse(&self.request.body, repeatable).map_err(|fault| {
            OAuthError::invalid_request(match fault {
                FormFault::Malformed => "The body is not a well-formed form",
                FormFault::Doubled => "A parameter is sent more than once",
                FormFault::TooMany => "The form has too many parameters",
            })
        })
    }

    pub fn may_read_again(&self) -> bool {
        self.backend.may_read_again(self.address, self.now_s)
    }
}
