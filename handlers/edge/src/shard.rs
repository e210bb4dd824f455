//! The edge on one shard: the service that `io` runs, its caches and its metrics.

use crate::budget::Budget;
use crate::cache::ReplyCache;
use crate::dispatch::Router;
use crate::fault::ErrorPages;
use crate::feed::Freshness;
use crate::introspect::IntrospectMetrics;
use crate::session_check::{CheckMetrics, Checked, EdgeCookies};
use crate::tables::{ClientEntry, Tables};
use crate::verified::{TokenHasher, VerifiedTokens};
use http::HeaderValue;
use sigid_io::clock::Clock;
use sigid_io::http::{Outcome, Request};
use sigid_io::settings::Network;
use std::cell::RefCell;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use tokio::sync::oneshot;

/// What the shards of a process share; nothing in it is ever locked.
pub struct Shared {
    parts: SharedParts,
    pub hasher: TokenHasher,
    /// Of credentials at `/session/check`: what is known of a token can never be taken for one of them.
    pub check_hasher: TokenHasher,
    pub edge_cookies: EdgeCookies,
    pub error_pages: ErrorPages,
    pub verified: VerifiedTokens,
    is_draining: AtomicBool,
    is_loaded: AtomicBool,
}

/// What boot decides of [`Shared`].
pub struct SharedParts {
    pub clock: Clock,
    pub freshness: Freshness,
    pub digest_key: [u64; 4],
    pub verified_tokens_max: usize,
    pub router: Router,
    pub trusted_proxies: Vec<Network>,
    /// Lower-case `host` or `host:port`; empty accepts any.
    pub allowed_hosts: Vec<String>,
    pub cors_allowed_origins: Vec<String>,
    pub reply_cache_entries: usize,
    pub unknown_client_budget_per_minute: u32,
    pub failed_requests_per_minute: u32,
    pub documents: crate::discovery::Documents,
}

/// A clock that is further from the database's than this makes a node not ready.
pub const CLOCK_OFFSET_MAX_MS: i64 = 1000;

impl Deref for Shared {
    type Target = SharedParts;

    fn deref(&self) -> &SharedParts {
        &self.parts
    }
}

impl Shared {
    pub fn new(parts: SharedParts) -> Self {
        let hasher = TokenHasher::new(parts.digest_key);
        Self {
            check_hasher: hasher.for_use("session check"),
            hasher,
            edge_cookies: EdgeCookies::of_this_process(),
            error_pages: ErrorPages::none(),
            verified: VerifiedTokens::new(parts.verified_tokens_max),
            parts,
            is_draining: AtomicBool::new(false),
            is_loaded: AtomicBool::new(false),
        }
    }

    /// The same, with the edge cookies of the installation.
    #[must_use]
    pub fn with_edge_cookies(mut self, edge_cookies: EdgeCookies) -> Self {
        self.edge_cookies = edge_cookies;
        self
    }

    /// The same, with pages for people where something went wrong before any page was asked.
    #[must_use]
    pub fn with_error_pages(mut self, error_pages: ErrorPages) -> Self {
        self.error_pages = error_pages;
        self
    }

    pub fn set_draining(&self) {
        self.is_draining.store(true, Relaxed);
    }

    pub fn set_loaded(&self) {
        self.is_loaded.store(true, Relaxed);
    }

    /// Not while draining, before the first load, past the staleness bound, or with a wrong clock.
    pub fn is_ready(&self) -> bool {
        !self.is_draining.load(Relaxed)
            && self.is_loaded.load(Relaxed)
            && self.freshness.is_fresh()
            && self.clock.database_offset_ms().abs() <= CLOCK_OFFSET_MAX_MS
    }
}

/// A new snapshot for a shard, which says when it has it.
pub struct EdgeMessage {
    pub tables: Arc<Tables>,
    pub acknowledge: oneshot::Sender<()>,
}

/// One shard's edge.
pub struct EdgeShard {
    pub shared: Arc<Shared>,
    pub tables: RefCell<Arc<Tables>>,
    pub replies: RefCell<ReplyCache>,
    /// Answers of `/session/check`.
    pub checks: RefCell<ReplyCache<Checked>>,
    pub budget: RefCell<Budget>,
    /// What addresses may make the backend refuse.
    pub failures: RefCell<Budget>,
    pub metrics: EdgeMetrics,
}

pub struct EdgeMetrics {
    pub introspect: IntrospectMetrics,
    pub checks: CheckMetrics,
    pub misdirected: sigid_io::metrics::Counter,
    pub limited: sigid_io::metrics::Counter,
}

/// What is remembered for a connection: the credential that last passed on it.
#[derive(Default)]
pub struct Memo {
    pub good: Option<GoodCredential>,
    /// The client of the last request that sent its secret in the body; checked anew each time.
    pub posted: Option<Arc<ClientEntry>>,
}

/// The same client sends the same header on a connection; comparing beats checking.
pub struct GoodCredential {
    pub header: HeaderValue,
    pub client: Arc<ClientEntry>,
    pub entities_version: u64,
    /// When the secret that matched stops being one.
    pub expires_s: Option<i64>,
}

impl EdgeShard {
    pub fn new(index: usize, shared: Arc<Shared>, tables: Arc<Tables>) -> Self {
        let label = index.to_string();
        Self {
            tables: RefCell::new(tables),
            replies: RefCell::new(ReplyCache::new(shared.reply_cache_entries)),
            checks: RefCell::new(ReplyCache::new(shared.reply_cache_entries)),
            budget: RefCell::new(Budget::new(shared.hasher.clone(), shared.unknown_client_budget_per_minute)),
            failures: RefCell::new(Budget::new(shared.hasher.clone(), shared.failed_requests_per_minute)),
            metrics: EdgeMetrics {
                limited: sigid_io::metrics::counter(
                    "sigid_limited_total",
                    "Requests refused because too many of their address have failed (429).",
                    &[("shard", &label)],
                ),
                introspect: IntrospectMetrics::new(&label),
                checks: CheckMetrics::new(&label),
                misdirected: sigid_io::metrics::counter(
                    "sigid_misdirected_total",
                    "Requests for a host that is not allowed (421).",
                    &[("shard", &label)],
                ),
            },
            shared,
        }
    }

    /// Takes one token of the client's address from this shard's budget for unknown credentials.
    pub fn may_ask_backend(&self, address: IpAddr, now_s: i64) -> bool {
        self.budget.borrow_mut().take(address, now_s)
    }

    /// The client's address: the peer's, or what a trusted proxy says.
    pub fn client_address(&self, request: &Request<'_>) -> IpAddr {
        sigid_io::http::client_address(request.peer, request.headers, &self.shared.trusted_proxies)
    }
}

impl sigid_io::shard::Service for EdgeShard {
    type Memo = Memo;
    type Message = EdgeMessage;

    fn call(&self, request: &Request<'_>, memo: &mut Memo) -> Outcome {
        crate::dispatch::hot(self, request, memo)
    }

    fn settle(&self, address: IpAddr, status: http::StatusCode) {
        if status.is_client_error() {
            self.failures.borrow_mut().take(address, self.shared.clock.coarse_now_s());
        }
    }

    fn message(&self, message: EdgeMessage) {
        // The previous snapshot is still held by the publisher, so nothing is freed here.
        *self.tables.borrow_mut() = message.tables;
        let _ = message.acknowledge.send(());
    }
}
