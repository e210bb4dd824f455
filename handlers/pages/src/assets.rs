//! The stylesheet and the icon, from the shard's memory. Pages name the sheet with the digest of its content in the
//! query, so a browser keeps it for good and a new build is seen at once; a node of another build answers with its own
//! sheet, and lets nobody keep it under the wrong name.

use crate::paths;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use sigid_edge::feature::Hot;
use sigid_edge::session::see_other;
use sigid_edge::shard::{EdgeShard, Memo};
use sigid_io::http::{Reply, Request};

pub const SHEET_PATH: &str = "/assets/sigid.css";
pub const ICON_PATH: &str = "/assets/icon.svg";

pub(crate) const SHEET: &str = include_str!("../assets/sigid.css");
const ICON: &str = include_str!("../assets/icon.svg");

/// What a page writes.
pub(crate) const SHEET_ADDRESS: &str = text(&SHEET_ADDRESS_BYTES);
const SHEET_ADDRESS_BYTES: [u8; 36] = address("/assets/sigid.css?v=", SHEET);
pub(crate) const ICON_ADDRESS: &str = text(&ICON_ADDRESS_BYTES);
const ICON_ADDRESS_BYTES: [u8; 35] = address("/assets/icon.svg?v=", ICON);

pub(crate) fn sheet(_shard: &EdgeShard, request: &Request<'_>, _memo: &mut Memo) -> Hot {
    Hot::Reply(asset(request.query, SHEET_ADDRESS, SHEET, "text/css; charset=utf-8"))
}

pub(crate) fn icon(_shard: &EdgeShard, request: &Request<'_>, _memo: &mut Memo) -> Hot {
    Hot::Reply(asset(request.query, ICON_ADDRESS, ICON, "image/svg+xml"))
}

/// Who typed only the host wants in.
pub(crate) fn home(_shard: &EdgeShard, _request: &Request<'_>, _memo: &mut Memo) -> Hot {
    Hot::Reply(see_other(paths::ACCOUNT))
}

pub(crate) fn no_icon(_shard: &EdgeShard, _request: &Request<'_>, _memo: &mut Memo) -> Hot {
    let reply = Reply::empty(StatusCode::NO_CONTENT);
    Hot::Reply(reply.with(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=86400")))
}

fn asset(query: Option<&str>, address: &'static str, content: &'static str, kind: &'static str) -> Reply {
    let is_this = query.is_some() && address.split_once('?').map(|(_, query)| query) == query;
    let kept = if is_this { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut reply = Reply::empty(StatusCode::OK)
        .with(header::CONTENT_TYPE, HeaderValue::from_static(kind))
        .with(header::CACHE_CONTROL, HeaderValue::from_static(kept))
        .with(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
        .with(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'"),
        );
    reply.body = Bytes::from_static(content.as_bytes());
    reply
}

/// `path` with the 64 bits of FNV-1a of `content`: against stale caches, not against people.
#[allow(clippy::indexing_slicing, reason = "run by the compiler, which stops at a wrong index")]
const fn address<const N: usize>(path: &str, content: &str) -> [u8; N] {
    let (path, content) = (path.as_bytes(), content.as_bytes());
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut at = 0;
    while at < content.len() {
        hash = (hash ^ content[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    let mut out = [0; N];
    let mut at = 0;
    while at < N {
        out[at] =
            if at < path.len() { path[at] } else { b"0123456789abcdef"[(hash >> (4 * (N - 1 - at)) & 15) as usize] };
        at += 1;
    }
    out
}

const fn text(bytes: &'static [u8]) -> &'static str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_sheet_that_a_page_names_is_kept() {
        let query = SHEET_ADDRESS.split_once('?').unwrap().1;
        assert_eq!((query.len(), ICON_ADDRESS.split_once('?').unwrap().1.len()), (18, 18), "v= and 16 digits");
        for (reason, query, kept) in [
            ("the one named", Some(query), "public, max-age=31536000, immutable"),
            ("another build's", Some("v=0000000000000000"), "no-cache"),
            ("none", None, "no-cache"),
        ] {
            let reply = asset(query, SHEET_ADDRESS, SHEET, "text/css; charset=utf-8");
            assert_eq!(reply.headers.get(header::CACHE_CONTROL).unwrap(), kept, "{reason}");
            assert_eq!(reply.body, SHEET, "{reason}");
        }
    }
}
