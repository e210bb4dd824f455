//! `/assets/logo/DIGEST`: the logos of tenants, from our own origin.
//!
//! A logo was fetched once, when the brand was set, and is a row of the database; a browser asks nobody else for it, so
//! nobody else learns who signs in where. Its address is the digest of its content, so it may be kept for good, and a
//! changed logo is another address. The process keeps those that were asked for last in memory, until something about
//! tenants or clients changes: a logo that was taken away is gone then.
//!
//! Limits: [`LOGOS_IN_MEMORY_MAX`]; a logo's size is bounded where it is set. Attacks considered: an image that is a page
//! (types are of three formats by content, `nosniff`, a sandbox without anything), a digest that is none (no statement),
//! a flood for one logo (memory).

mod sql;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sigid_edge::backend::Call;
use sigid_edge::fault::{problem, wants_page};
use sigid_edge::guard::{Anyone, Permit};
use sigid_io::backend::BoxFuture;
use sigid_io::http::Reply;
use sigid_io::pg::{PgFault, Scope};
use sigid_io::settings::Plane;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::{ErrorPage, Look, paths, render};

/// Logos that a process keeps.
pub const LOGOS_IN_MEMORY_MAX: usize = 64;

/// An image that a tenant is known by.
#[derive(Clone)]
struct Logo {
    media_type: &'static str,
    content: Bytes,
}

/// What a process keeps of logos; in its settings as `Arc<Logos>`.
#[derive(Default)]
pub struct Logos(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// The version of the tables that this was read under.
    version: u64,
    by_digest: HashMap<[u8; 32], Logo>,
}

impl Logos {
    fn find(&self, digest: &[u8; 32], version: u64) -> Option<Logo> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.version != version {
            *kept = Kept { version, by_digest: HashMap::new() };
        }
        kept.by_digest.get(digest).cloned()
    }

    fn keep(&self, digest: [u8; 32], logo: &Logo, version: u64) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.version != version {
            return;
        }
        if kept.by_digest.len() >= LOGOS_IN_MEMORY_MAX {
            kept.by_digest.clear();
        }
        kept.by_digest.insert(digest, logo.clone());
    }
}

pub(crate) fn logo(call: Call, _permit: Permit<Anyone>) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        match find(&call).await {
            Ok(Some(logo)) => image(&logo),
            Ok(None) => no_logo(&call),
            Err(error) => {
                tracing::error!(%error, request_id = %call.request_id, "a logo could not be read");
                problem(503, "Service Unavailable", "The server cannot answer reliably now")
                    .with(header::RETRY_AFTER, HeaderValue::from_static("1"))
            }
        }
    })
}

async fn find(call: &Call) -> Result<Option<Logo>, PgFault> {
    let Some(digest) = digest_of(&call.request.path) else { return Ok(None) };
    let version = call.backend.feed.tables().entities_version;
    let kept = call.backend.settings.find::<Arc<Logos>>();
    if let Some(logo) = kept.and_then(|kept| kept.find(&digest, version)) {
        return Ok(Some(logo));
    }
    let mut tx = call.backend.pools.pool(Plane::Auth).begin(Scope::System("authenticate")).await?;
    let found = sql::find(&mut tx, &digest).await?;
    tx.commit().await?;
    if let (Some(kept), Some(logo)) = (kept, &found) {
        kept.keep(digest, logo, version);
    }
    Ok(found)
}

/// 64 lower-case hexadecimal digits behind the path, and nothing else.
fn digest_of(path: &str) -> Option<[u8; 32]> {
    let digits = path.strip_prefix(paths::LOGOS)?.strip_prefix('/')?;
    if digits.len() != 64 || !digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, at) in digest.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
    }
    Some(digest)
}

fn image(logo: &Logo) -> Reply {
    let mut reply = Reply::empty(StatusCode::OK)
        .with(header::CONTENT_TYPE, HeaderValue::from_static(logo.media_type))
        .with(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"))
        .with(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
        .with(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    reply.body = logo.content.clone();
    reply
}

fn no_logo(call: &Call) -> Reply {
    not_found(&call.request.headers, || {
        render(&Look::of(call), StatusCode::NOT_FOUND, &ErrorPage::not_found(&call.request_id))
    })
}

fn not_found(headers: &HeaderMap, page: impl FnOnce() -> Reply) -> Reply {
    if wants_page(headers) { page() } else { problem(404, "Not Found", "There is no such logo") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_digest_and_nothing_else() {
        let good = "0f".repeat(32);
        for (reason, path, is_one) in [
            ("a digest", format!("/assets/logo/{good}"), true),
            ("upper case, another address of the same", format!("/assets/logo/{}", good.to_uppercase()), false),
            ("a digit too few", format!("/assets/logo/{}", &good[1..]), false),
            ("a digit too many", format!("/assets/logo/{good}0"), false),
            ("a suffix", format!("/assets/logo/{good}.png"), false),
            ("a sign is no digit", format!("/assets/logo/+{}", &good[1..]), false),
            ("characters of two bytes", format!("/assets/logo/{}", "ä".repeat(32)), false),
            ("below it", format!("/assets/logo/{good}/"), false),
            ("nothing", "/assets/logo/".into(), false),
            ("not even a slash", "/assets/logo".into(), false),
        ] {
            assert_eq!(digest_of(&path).is_some(), is_one, "{reason}");
        }
        assert_eq!(digest_of(&paths::logo(&good)), Some([0x0f; 32]), "what pages write");
    }

    #[test]
    fn a_logo_is_kept_until_something_changes() {
        let logos = Logos::default();
        let logo = Logo { media_type: "image/png", content: Bytes::from_static(b"x") };
        assert!(logos.find(&[1; 32], 7).is_none(), "nothing yet");
        logos.keep([1; 32], &logo, 7);
        assert!(logos.find(&[1; 32], 7).is_some());
        assert!(logos.find(&[2; 32], 7).is_none(), "another");
        assert!(logos.find(&[1; 32], 8).is_none(), "something changed");
        logos.keep([1; 32], &logo, 7);
        assert!(logos.find(&[1; 32], 8).is_none(), "what was read before the change is not kept after it");
        for at in 0..=LOGOS_IN_MEMORY_MAX {
            logos.keep([at as u8; 32], &logo, 8);
        }
        let kept = (0..=LOGOS_IN_MEMORY_MAX).filter(|at| logos.find(&[*at as u8; 32], 8).is_some()).count();
        assert_eq!(kept, 1, "the memory is bounded");
    }
}
