//! Why a page does not do what was asked, and what the person sees of it.

use super::asked;
use crate::password::HashFault;
use http::{HeaderValue, StatusCode, header};
use sigid_edge::backend::Call;
use sigid_edge::feed::FeedLost;
use sigid_io::http::Reply;
use sigid_io::pg::PgFault;
use sigid_pages::{ErrorPage, FormFault, Wait, render};

/// Why a page does not do what was asked.
#[derive(Debug)]
pub enum Fault {
    /// The address or the form lacks what every page of ours would have sent.
    BadRequest,
    /// The application is unknown, or the address to come back to is not its own.
    NotRegistered,
    /// The tenant lets this person in no more.
    NotAMember,
    /// Nobody signs in here: the method is not offered, or none is.
    SignInClosed,
    /// Nobody makes an account here.
    RegistrationClosed,
    /// A link that is used, too old, or not one of ours: nobody is told which.
    LinkDead,
    /// Too many tries.
    Limited {
        retry_after_s: u64,
    },
    /// The server has too much to do.
    Busy {
        retry_after_s: u64,
    },
    Database(PgFault),
    /// Durable, but a shard did not acknowledge in time.
    NotAcknowledged,
    /// Something of ours failed.
    Failed,
}

impl From<PgFault> for Fault {
    fn from(fault: PgFault) -> Self {
        Self::Database(fault)
    }
}

impl From<FeedLost> for Fault {
    fn from(_: FeedLost) -> Self {
        Self::NotAcknowledged
    }
}

impl From<HashFault> for Fault {
    fn from(fault: HashFault) -> Self {
        if fault.is_busy() {
            return Self::Busy { retry_after_s: HASH_RETRY_S };
        }
        tracing::error!(error = %fault, "a password could not be hashed");
        Self::Failed
    }
}

/// When a full hash pool may have room again.
const HASH_RETRY_S: u64 = 2;

impl Fault {
    /// What is shown on the form that was sent, where sending it again later works.
    pub fn on_form(&self) -> Option<(StatusCode, FormFault)> {
        match *self {
            Self::Limited { retry_after_s } => {
                Some((StatusCode::TOO_MANY_REQUESTS, FormFault::Limited { retry_after_s }))
            }
            Self::Busy { retry_after_s } => Some((StatusCode::SERVICE_UNAVAILABLE, FormFault::Busy { retry_after_s })),
            Self::BadRequest
            | Self::NotRegistered
            | Self::NotAMember
            | Self::SignInClosed
            | Self::RegistrationClosed
            | Self::LinkDead
            | Self::Database(_)
            | Self::NotAcknowledged
            | Self::Failed => None,
        }
    }

    pub fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::Limited { retry_after_s } | Self::Busy { retry_after_s } => Some(*retry_after_s),
            Self::Database(_) | Self::NotAcknowledged => Some(1),
            Self::BadRequest
            | Self::NotRegistered
            | Self::NotAMember
            | Self::SignInClosed
            | Self::RegistrationClosed
            | Self::LinkDead
            | Self::Failed => None,
        }
    }

    /// A page of its own, in the name of the application that it is about.
    pub fn reply(self, call: &Call) -> Reply {
        let (look, id) = (asked::look(call, asked::of(call).as_ref()), &call.request_id);
        let page = |status, page| render(&look, status, &page);
        let reply = match &self {
            Self::BadRequest => page(StatusCode::BAD_REQUEST, ErrorPage::bad_request(id)),
            Self::NotRegistered => {
                let developer =
                    Some("client_id must name an active client, and return_to an address registered for it");
                page(StatusCode::BAD_REQUEST, ErrorPage { developer, ..ErrorPage::bad_request(id) })
            }
            Self::NotAMember => page(StatusCode::FORBIDDEN, ErrorPage::not_a_member(id)),
            Self::SignInClosed => page(StatusCode::FORBIDDEN, ErrorPage::sign_in_closed(id)),
            Self::RegistrationClosed => page(StatusCode::FORBIDDEN, ErrorPage::registration_closed(id)),
            Self::LinkDead => page(StatusCode::GONE, ErrorPage::link_dead(id)),
            Self::Limited { retry_after_s } => {
                render(&look, StatusCode::TOO_MANY_REQUESTS, &Wait { retry_after_s: *retry_after_s })
            }
            Self::Busy { retry_after_s } => {
                render(&look, StatusCode::SERVICE_UNAVAILABLE, &Wait { retry_after_s: *retry_after_s })
            }
            Self::Database(error) => {
                tracing::error!(%error, request_id = %id, "a page could not ask the database");
                page(StatusCode::SERVICE_UNAVAILABLE, ErrorPage::unavailable(id))
            }
            Self::NotAcknowledged => page(StatusCode::SERVICE_UNAVAILABLE, ErrorPage::unavailable(id)),
            Self::Failed => page(StatusCode::INTERNAL_SERVER_ERROR, ErrorPage::failed(id)),
        };
        with_retry(reply, self.retry_after_s())
    }
}

/// Says when to come again.
pub fn with_retry(reply: Reply, retry_after_s: Option<u64>) -> Reply {
    match retry_after_s {
        Some(seconds) => reply.with(header::RETRY_AFTER, HeaderValue::from(seconds.max(1))),
        None => reply,
    }
}
