//! Every named limit and its value: those an operator sets, then those the program fixes.
//!
//! The first half comes from the declarations, so a new setting is listed by being declared. The second
//! half names the constants themselves, so a row cannot drift from what holds.

use std::time::Duration;

use sigid_core::settings::Values;
use sigid_core::{assertion, basic, form, ids, json, jwk, jws, marks, resource, scope, token};
use sigid_edge::shard::CLOCK_OFFSET_MAX_MS;
use sigid_edge::{feature, feed, tables};
use sigid_io::{backend, h2, http, proxy_protocol, shard, telemetry_http, tls_io};

/// One limit. The unit is the end of the name, as everywhere.
pub struct Limit {
    pub name: String,
    pub value: i64,
    pub meaning: &'static str,
}

pub fn list(sections: &[&Values]) -> Vec<Limit> {
    let set = sections.iter().flat_map(|values| values.integers());
    let set = set.map(|(name, value, meaning)| Limit { name, value, meaning });
    set.chain(fixed()).collect()
}

/// What no setting changes.
fn fixed() -> impl Iterator<Item = Limit> {
    let rows: [(&str, i64, &str); 43] = [
        ("fixed.body_bytes_max", count(http::BODY_BYTES_MAX), "A request's body."),
        ("fixed.form_fields_max", count(form::FORM_FIELDS_MAX), "Fields of a form."),
        ("fixed.basic_bytes_max", count(basic::BASIC_BYTES_MAX), "An Authorization: Basic header."),
        ("fixed.token_bytes_max", count(jws::TOKEN_BYTES_MAX), "A signed token."),
        ("fixed.token_header_bytes_max", count(jws::HEADER_BYTES_MAX), "The header of a signed token."),
        ("fixed.json_depth_max", i64::from(json::JSON_DEPTH_MAX), "Nesting of a JSON document."),
        ("fixed.client_id_bytes_max", count(ids::CLIENT_ID_BYTES_MAX), "A client identifier."),
        ("fixed.jwk_set_keys_max", count(jwk::JWK_SET_KEYS_MAX), "Keys of a client's key set."),
        ("fixed.token_ahead_s_max", token::AHEAD_S_MAX, "How far ahead of now a token may be issued."),
        ("fixed.assertion_life_s_max", assertion::ASSERTION_LIFE_S_MAX, "A client assertion's life."),
        ("fixed.assertion_jti_bytes_max", count(assertion::ASSERTION_JTI_BYTES_MAX), "A client assertion's jti."),
        (
            "fixed.assertion_keys_tried_max",
            count(assertion::ASSERTION_KEYS_TRIED_MAX),
            "Keys tried on a client assertion.",
        ),
        ("fixed.mark_keys_max", count(marks::MARK_KEYS_MAX), "Marks that are asked about one token."),
        ("fixed.scopes_max", count(scope::SCOPES_MAX), "Scopes of a request."),
        ("fixed.scope_token_bytes_max", count(scope::SCOPE_TOKEN_BYTES_MAX), "One scope."),
        ("fixed.resource_bytes_max", count(resource::RESOURCE_BYTES_MAX), "A resource indicator."),
        ("fixed.cold_concurrency_max", count(backend::COLD_CONCURRENCY_MAX), "Requests at once in the backend."),
        ("fixed.cold_deadline_ms", milliseconds(backend::COLD_DEADLINE), "A request in the backend."),
        (
            "fixed.h2_connection_window_bytes",
            i64::from(h2::engine::CONNECTION_WINDOW_BYTES),
            "Flow-control credit of a connection.",
        ),
        (
            "fixed.h2_buffered_bytes_max",
            count(h2::engine::BUFFERED_BYTES_MAX),
            "Parts of bodies kept before that credit is no longer given back.",
        ),
        ("fixed.h2_heads_bytes_max", count(h2::engine::HEADS_BYTES_MAX), "Heads of a connection's open streams."),
        ("fixed.h2_out_bytes", count(h2::engine::OUT_BYTES), "Replies written before they must leave."),
        ("fixed.h2_settings_max", i64::from(h2::SETTINGS_MAX), "SETTINGS of a connection in that window."),
        (
            "fixed.suspect_turn_bytes_max",
            count(tls_io::SUSPECT_TURN_BYTES_MAX),
            "The same for a connection that sends much and asks for little.",
        ),
        ("fixed.h2_reset_window_s", i64::from(h2::RESET_WINDOW_S), "Resets of a connection are counted over this."),
        ("fixed.tls_out_bytes_max", count(tls_io::OUT_BYTES_MAX), "Plaintext waiting for a peer that does not read."),
        (
            "fixed.proxy_protocol_bytes_max",
            count(proxy_protocol::REST_BYTES_MAX),
            "A PROXY header after its fixed part.",
        ),
        (
            "fixed.addresses_logged_max",
            count(shard::ADDRESSES_LOGGED_MAX),
            "Addresses of clients without ALPN that are logged, per shard.",
        ),
        (
            "fixed.form_body_bytes_max",
            count(feature::FORM_BODY_BYTES_MAX),
            "The body of an endpoint that takes a form.",
        ),
        ("fixed.feed_commands_max", count(feed::COMMANDS_MAX), "Readers and revocations waiting for the feed."),
        ("fixed.feed_refresh_ms", milliseconds(feed::REFRESH_DEADLINE), "A request's wait for a look at the feed."),
        (
            "fixed.turn_bytes_max",
            count(tls_io::TURN_BYTES_MAX),
            "Bytes of a connection before the shard's others have their turn.",
        ),
        ("fixed.feed_acknowledge_ms", milliseconds(feed::ACKNOWLEDGE_DEADLINE), "A shard's time to take new tables."),
        (
            "fixed.feed_window_rows_max",
            sigid_platform::feed::WINDOW_ROWS_MAX,
            "Feed rows of one look; more is a full load.",
        ),
        (
            "fixed.feed_outage_ms",
            milliseconds(sigid_platform::feed::OUTAGE_MAX),
            "Without a look for longer, a full load.",
        ),
        (
            "fixed.clock_offset_ms_max",
            CLOCK_OFFSET_MAX_MS,
            "Distance to the database's clock at which a node is not ready.",
        ),
        ("fixed.job_deadline_ms", milliseconds(sigid_platform::jobs::JOB_DEADLINE), "A background job."),
        (
            "fixed.rotation_grace_s",
            tables::ROTATION_GRACE_S,
            "How long a retired key's last tokens may be dated after it.",
        ),
        ("fixed.log_lines_max", count(crate::log::LINES_MAX), "Log lines waiting to be written."),
        ("fixed.metrics_head_bytes_max", count(telemetry_http::HEAD_BYTES_MAX), "A request's head on metrics_listen."),
        ("fixed.metrics_deadline_ms", milliseconds(telemetry_http::DEADLINE), "A request on metrics_listen."),
        ("fixed.metrics_connections_max", count(telemetry_http::CONNECTIONS_MAX), "Connections to metrics_listen."),
        (
            "fixed.config_file_bytes_max",
            super::files::FILE_BYTES_MAX.cast_signed(),
            "The configuration, and each file it names.",
        ),
    ];
    rows.into_iter().map(|(name, value, meaning)| Limit { name: name.to_owned(), value, meaning })
}

fn count(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn milliseconds(value: Duration) -> i64 {
    i64::try_from(value.as_millis()).unwrap_or(i64::MAX)
}
