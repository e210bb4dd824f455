//! `FEATURE`: the single declaration of a feature.
//!
//! Routes, limits, guards, jobs, events: the router, the metrics' labels, the access checks, the
//! documentation and the sweep test all read these values, so that nothing can be said twice and
//! differ. Deny is the default: the guard of a cold route is the variant that holds its handler, and
//! the handler's signature demands the proof that this guard gives ([`Permit`]).

use crate::backend::{Backend, Call};
use crate::guard::{Anyone, Client, Page, Permit, Person};
use crate::shard::{EdgeShard, Memo};
use sigid_io::backend::BoxFuture;
use sigid_io::http::{Reply, Request};
use sigid_io::settings::Plane;
use std::sync::Arc;

/// All that a feature is to the rest of the program.
pub struct Feature {
    pub name: &'static str,
    /// The configuration section it reads, if any.
    pub section: Option<&'static str>,
    pub routes: &'static [Route],
    pub jobs: &'static [Job],
    /// Dotted names of the events it writes.
    pub events: &'static [&'static str],
    /// What it adds to the discovery documents; lists of several features are joined.
    pub discovery: &'static [(&'static str, Member)],
}

/// A member of the discovery documents.
#[derive(Clone, Copy, Debug)]
pub enum Member {
    /// A URL below the issuer.
    Path(&'static str),
    Strings(&'static [&'static str]),
    Bool(bool),
}

/// One endpoint.
pub struct Route {
    /// [`ANY_METHOD`] for all, even those that nobody has heard of. With GET goes HEAD (RFC 9110 section 9.1), which a
    /// handler answers as GET; its body is not sent.
    pub methods: &'static [&'static str],
    /// Relative to the issuer, matched exactly; one that ends in `/*` is what is before it, and all that is below.
    pub path: &'static str,
    pub plane: Plane,
    pub serve: Serve,
    pub body_bytes_max: usize,
    pub cors: Cors,
    /// One line for people.
    pub doc: &'static str,
}

/// Which speed answers, and behind which guard.
pub enum Serve {
    /// Only from memory. The function itself decides who may ask.
    Hot(HotFn),
    /// From memory if possible, else by the cold twin.
    HotThenCold(HotFn, Guarded),
    Cold(Guarded),
}

/// A cold handler with the guard that stands before it.
pub enum Guarded {
    /// Anybody may ask.
    Anyone(fn(Call, Permit<Anyone>) -> BoxFuture<'static, Reply>),
    /// A client, authenticated by its registered method; a public client where `none` is its method.
    Client(fn(Call, Permit<Client>) -> BoxFuture<'static, Reply>),
    /// Anybody, at a page for people ([`crate::session`]).
    Page(fn(Call, Permit<Page>) -> BoxFuture<'static, Reply>),
    /// A person with a session, at a page; anybody else is sent to sign in.
    Person(fn(Call, Permit<Person>) -> BoxFuture<'static, Reply>),
}

/// A synchronous answer from this shard's memory.
pub type HotFn = fn(&EdgeShard, &Request<'_>, &mut Memo) -> Hot;

/// What a hot function decides; `Cold` hands over to the twin.
pub enum Hot {
    Reply(Reply),
    Cold,
}

/// Who may read the reply from a browser (contract: CORS).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cors {
    /// Any origin: public documents.
    Any,
    /// `cors_allowed_origins` (the issuer's origin when empty) and the redirect origins of public clients.
    Clients,
    /// No browser of another origin.
    None,
}

/// Background work. Jobs of a plane run in the processes that serve it; each takes its own lock.
pub struct Job {
    pub name: &'static str,
    pub plane: Plane,
    pub every_s: u64,
    pub run: fn(Arc<Backend>) -> BoxFuture<'static, Result<(), JobFault>>,
}

/// Why a job failed; it is tried again at its next turn.
#[derive(Debug)]
pub struct JobFault(pub String);

/// A route that takes every method; it answers preflights like anything else.
pub const ANY_METHOD: &[&str] = &["*"];

impl Route {
    pub(crate) fn takes_any_method(&self) -> bool {
        self.methods == ANY_METHOD
    }

    pub(crate) fn takes(&self, method: &str) -> bool {
        self.methods.contains(&method) || self.takes_any_method() || (method == "HEAD" && self.methods.contains(&"GET"))
    }

    /// The value of `Allow`.
    pub(crate) fn allowed(&self) -> String {
        let mut allowed = self.methods.join(", ");
        if self.takes("HEAD") && !self.methods.contains(&"HEAD") {
            allowed.push_str(", HEAD");
        }
        allowed
    }

    /// What a route for all below it begins with, without the last slash.
    pub(crate) fn prefix(&self) -> Option<&'static str> {
        self.path.strip_suffix("/*")
    }
}

/// Body limit of endpoints that take a few form fields.
pub const FORM_BODY_BYTES_MAX: usize = 32 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_goes_with_get() {
        let route = |methods| Route {
            methods,
            path: "/x",
            plane: Plane::Auth,
            serve: Serve::Hot(|_, _, _| Hot::Cold),
            body_bytes_max: 0,
            cors: Cors::None,
            doc: "",
        };
        for (reason, methods, method, is_taken, allowed) in [
            ("said", &["GET", "HEAD"][..], "HEAD", true, "GET, HEAD"),
            ("not said", &["GET", "POST"], "HEAD", true, "GET, POST, HEAD"),
            ("no GET", &["POST"], "HEAD", false, "POST"),
            ("another one", &["GET"], "PUT", false, "GET, HEAD"),
            ("in another case", &["GET"], "get", false, "GET, HEAD"),
        ] {
            let route = route(methods);
            assert_eq!((route.takes(method), route.allowed().as_str()), (is_taken, allowed), "{reason}");
        }
        assert!(route(ANY_METHOD).takes("PROPFIND"));
    }
}
