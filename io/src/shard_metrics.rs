//! What a shard counts: registered at boot, one writer each.

use crate::metrics::{self, Counter, Gauge, Histogram};

pub(crate) struct ShardMetrics {
    pub hot: Counter,
    pub cold: Counter,
    pub hot_seconds: Histogram,
    pub panics: Counter,
    pub calmed: Counter,
    pub slow: Counter,
    pub accepted: Counter,
    pub open: Gauge,
    pub refused: Counter,
    pub handshake_failed: Counter,
    pub no_alpn: Counter,
    pub http1: Counter,
    pub proxy_failed: Counter,
    pub accept_failed: Counter,
}

impl ShardMetrics {
    pub fn new(shard: usize) -> Self {
        let shard = shard.to_string();
        let shard = ("shard", shard.as_str());
        let closed = |reason| {
            metrics::counter(
                "sigid_connections_closed_total",
                "Connections or streams ended by a limit, by reason.",
                &[shard, ("reason", reason)],
            )
        };
        let failed = |reason| {
            metrics::counter(
                "sigid_handshakes_failed_total",
                "Connections that never became HTTP/2, by reason.",
                &[shard, ("reason", reason)],
            )
        };
        Self {
            hot: metrics::counter("sigid_requests_total", "Requests, by speed.", &[shard, ("speed", "hot")]),
            cold: metrics::counter("sigid_requests_total", "Requests, by speed.", &[shard, ("speed", "cold")]),
            hot_seconds: metrics::histogram(
                "sigid_hot_seconds",
                "Time of a hot answer on its shard, framing included, TLS not.",
                &[shard],
            ),
            panics: metrics::counter("sigid_panics_total", "Panics caught.", &[shard, ("where", "hot")]),
            calmed: closed("budget"),
            slow: closed("slow"),
            accepted: metrics::counter("sigid_connections_accepted_total", "Connections accepted.", &[shard]),
            open: metrics::gauge("sigid_connections_open", "Connections open now.", &[shard]),
            refused: closed("too_many"),
            handshake_failed: failed("tls"),
            no_alpn: failed("no_alpn"),
            http1: failed("http1"),
            proxy_failed: failed("proxy_protocol"),
            accept_failed: metrics::counter(
                "sigid_accept_errors_total",
                "Accepts the system refused (descriptors, memory).",
                &[shard],
            ),
        }
    }
}
