//! `GET /health/live` and `/health/ready`: hot, empty, exempt from `allowed_hosts`.

use crate::feature::{Cors, Feature, Hot, Route, Serve};
use crate::shard::{EdgeShard, Memo};
use http::{HeaderValue, StatusCode, header};
use sigid_io::http::{Reply, Request};
use sigid_io::settings::Plane;

/// Paths below this answer whatever host is named: a balancer's probe names an address.
pub const PREFIX: &str = "/health/";

pub const FEATURE: Feature = Feature {
    name: "health",
    section: None,
    routes: &[
        Route {
            methods: &["GET", "HEAD"],
            path: "/health/live",
            plane: Plane::Auth,
            serve: Serve::Hot(live),
            body_bytes_max: 0,
            cors: Cors::None,
            doc: "The process runs",
        },
        Route {
            methods: &["GET", "HEAD"],
            path: "/health/ready",
            plane: Plane::Auth,
            serve: Serve::Hot(ready),
            body_bytes_max: 0,
            cors: Cors::None,
            doc: "The process should get requests",
        },
    ],
    jobs: &[],
    events: &[],
    discovery: &[],
};

fn live(_shard: &EdgeShard, _request: &Request<'_>, _memo: &mut Memo) -> Hot {
    Hot::Reply(empty(StatusCode::OK))
}

fn ready(shard: &EdgeShard, _request: &Request<'_>, _memo: &mut Memo) -> Hot {
    Hot::Reply(empty(if shard.shared.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }))
}

fn empty(status: StatusCode) -> Reply {
    Reply::empty(status).with(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
}
