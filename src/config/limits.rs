//! Every named limit and its value: those an operator sets, then those the program fixes.
//!
//! The first half comes from the declarations, so a new setting is listed by being declared. The second half is tables
//! that name the constants themselves, one for each room of the program, so a row cannot drift from what holds.

use std::time::Duration;

use sigid_core::settings::Values;
use sigid_core::{assertion, basic, cookie, email, form, ids, json, jwk, jws, marks, resource, scope, token};
use sigid_edge::shard::CLOCK_OFFSET_MAX_MS;
use sigid_edge::{feature, feed, session, session_check, tables};
use sigid_io::hash_pool::{self, recipe};
use sigid_io::{backend, fetch, h2, http, proxy_protocol, shard, telemetry_http, tls_io};
use sigid_login::{admin, claims, config as auth, flows, limits, password, sessions};
use sigid_platform::mail;
use sigid_tenant::brand;

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
    let rows = FIXED.iter().copied().flatten();
    rows.map(|(name, value, meaning)| Limit { name: format!("fixed.{name}"), value: *value, meaning })
}

type Row = (&'static str, i64, &'static str);

const FIXED: [&[Row]; 10] =
    [REQUESTS, TOKENS, CONNECTIONS, BACKEND, PASSWORDS, SIGN_IN, ACCOUNTS, MAIL, BRANDS, PROCESS];

const REQUESTS: &[Row] = &[
    ("body_bytes_max", count(http::BODY_BYTES_MAX), "A request's body."),
    ("form_body_bytes_max", count(feature::FORM_BODY_BYTES_MAX), "The body of an endpoint that takes a form."),
    ("form_fields_max", count(form::FORM_FIELDS_MAX), "Fields of a form."),
    ("basic_bytes_max", count(basic::BASIC_BYTES_MAX), "An Authorization: Basic header."),
    ("cookies_bytes_max", count(cookie::COOKIES_BYTES_MAX), "Cookies of a request, past which none is found."),
    ("next_bytes_max", count(session::NEXT_BYTES_MAX), "A page that is come back to after a sign-in."),
    ("return_bytes_max", count(session_check::RETURN_BYTES_MAX), "An address at an application that is come back to."),
    ("json_depth_max", json::JSON_DEPTH_MAX as i64, "Nesting of a JSON document."),
    ("client_id_bytes_max", count(ids::CLIENT_ID_BYTES_MAX), "A client identifier."),
    ("scopes_max", count(scope::SCOPES_MAX), "Scopes of a request."),
    ("scope_token_bytes_max", count(scope::SCOPE_TOKEN_BYTES_MAX), "One scope."),
    ("resource_bytes_max", count(resource::RESOURCE_BYTES_MAX), "A resource indicator."),
];

const TOKENS: &[Row] = &[
    ("token_bytes_max", count(jws::TOKEN_BYTES_MAX), "A signed token."),
    ("token_header_bytes_max", count(jws::HEADER_BYTES_MAX), "The header of a signed token."),
    ("token_ahead_s_max", token::AHEAD_S_MAX, "How far ahead of now a token may be issued."),
    ("token_audiences_max", count(token::AUDIENCES_MAX), "Audiences of a token."),
    ("edge_cookie_bytes_max", count(cookie::edge::EDGE_COOKIE_BYTES_MAX), "An application's cookie."),
    ("edge_cookie_wait_s_max", flows::application::COOKIE_WAIT_S_MAX, "Its wait for the second of a mark to pass."),
    ("jwk_set_keys_max", count(jwk::JWK_SET_KEYS_MAX), "Keys of a client's key set."),
    ("assertion_life_s_max", assertion::ASSERTION_LIFE_S_MAX, "A client assertion's life."),
    ("assertion_jti_bytes_max", count(assertion::ASSERTION_JTI_BYTES_MAX), "A client assertion's jti."),
    ("assertion_keys_tried_max", count(assertion::ASSERTION_KEYS_TRIED_MAX), "Keys tried on a client assertion."),
    ("mark_keys_max", count(marks::MARK_KEYS_MAX), "Marks that are asked about one token."),
    ("rotation_grace_s", tables::ROTATION_GRACE_S, "How long a retired key's last tokens may be dated after it."),
];

const CONNECTIONS: &[Row] = &[
    ("h2_connection_window_bytes", h2::engine::CONNECTION_WINDOW_BYTES as i64, "Flow-control credit of a connection."),
    (
        "h2_buffered_bytes_max",
        count(h2::engine::BUFFERED_BYTES_MAX),
        "Parts of bodies kept before that credit is no longer given back.",
    ),
    ("h2_heads_bytes_max", count(h2::engine::HEADS_BYTES_MAX), "Heads of a connection's open streams."),
    ("h2_out_bytes", count(h2::engine::OUT_BYTES), "Replies written before they must leave."),
    ("h2_reset_window_s", h2::RESET_WINDOW_S as i64, "Resets of a connection are counted over this."),
    ("h2_settings_max", h2::SETTINGS_MAX as i64, "SETTINGS of a connection in that window."),
    ("tls_out_bytes_max", count(tls_io::OUT_BYTES_MAX), "Plaintext waiting for a peer that does not read."),
    (
        "turn_bytes_max",
        count(tls_io::TURN_BYTES_MAX),
        "Bytes of a connection before the shard's others have their turn.",
    ),
    (
        "suspect_turn_bytes_max",
        count(tls_io::SUSPECT_TURN_BYTES_MAX),
        "The same for a connection that sends much and asks for little.",
    ),
    ("proxy_protocol_bytes_max", count(proxy_protocol::REST_BYTES_MAX), "A PROXY header after its fixed part."),
    (
        "addresses_logged_max",
        count(shard::ADDRESSES_LOGGED_MAX),
        "Addresses of clients without ALPN that are logged, per shard.",
    ),
];

const BACKEND: &[Row] = &[
    ("cold_concurrency_max", count(backend::COLD_CONCURRENCY_MAX), "Requests at once in the backend."),
    ("cold_deadline_ms", milliseconds(backend::COLD_DEADLINE), "A request in the backend."),
    ("feed_commands_max", count(feed::COMMANDS_MAX), "Readers and revocations waiting for the feed."),
    ("feed_refresh_ms", milliseconds(feed::REFRESH_DEADLINE), "A request's wait for a look at the feed."),
    ("feed_acknowledge_ms", milliseconds(feed::ACKNOWLEDGE_DEADLINE), "A shard's time to take new tables."),
    ("feed_window_rows_max", sigid_platform::feed::WINDOW_ROWS_MAX, "Feed rows of one look; more is a full load."),
    ("feed_outage_ms", milliseconds(sigid_platform::feed::OUTAGE_MAX), "Without a look for longer, a full load."),
    ("clock_offset_ms_max", CLOCK_OFFSET_MAX_MS, "Distance to the database's clock at which a node is not ready."),
    ("job_deadline_ms", milliseconds(sigid_platform::jobs::JOB_DEADLINE), "A background job."),
];

const PASSWORDS: &[Row] = &[
    ("password_bytes_max", count(hash_pool::PASSWORD_BYTES_MAX), "A password; nothing longer is hashed."),
    ("stored_hash_bytes_max", count(password::STORED_TEXT_BYTES_MAX), "A stored or imported hash, as text."),
    ("hash_memory_kib_max", auth::HASH_MEMORY_KIB_MAX as i64, "Memory of an imported hash, whatever is free."),
    ("hash_iterations_max", recipe::ITERATIONS_MAX as i64, "Passes of Argon2 over its memory."),
    ("hash_parallelism_max", recipe::PARALLELISM_MAX as i64, "Lanes of Argon2 and scrypt."),
    ("argon2_work_kib_max", recipe::ARGON2_WORK_KIB_MAX.cast_signed(), "What Argon2 writes in all passes."),
    ("scrypt_work_kib_max", recipe::SCRYPT_WORK_KIB_MAX.cast_signed(), "What scrypt mixes in all lanes."),
    ("bcrypt_cost_max", recipe::BCRYPT_COST_MAX as i64, "An imported bcrypt hash."),
    ("pbkdf2_iterations_max", recipe::PBKDF2_ITERATIONS_MAX as i64, "An imported PBKDF2 hash."),
    ("pbkdf2_rounds_max", recipe::PBKDF2_ROUNDS_MAX.cast_signed(), "The same over all blocks of its output."),
    ("sha_crypt_rounds_max", recipe::SHA_CRYPT_ROUNDS_MAX as i64, "An imported SHA-crypt hash."),
    (
        "sha_crypt_password_bytes_max",
        count(recipe::SHA_CRYPT_PASSWORD_BYTES_MAX),
        "The password that each of its rounds hashes.",
    ),
];

const SIGN_IN: &[Row] = &[
    ("login_further_s_max", flows::model::FURTHER_S_MAX, "From the first factor of a login to the last."),
    (
        "failed_events_per_minute_max",
        flows::login::FAILED_EVENTS_PER_MINUTE_MAX as i64,
        "Events about failed sign-ins, from one process.",
    ),
    ("account_counters_max", count(limits::ACCOUNT_COUNTERS_MAX), "Accounts whose failures are counted."),
    ("other_counters_max", count(limits::OTHER_COUNTERS_MAX), "Counters of each other limit on guessing."),
    ("network_shares_max", limits::NETWORK_SHARES_MAX as i64, "How many times the budget of a /64 a /48 has."),
    ("notices_per_hour_max", limits::NOTICES_PER_HOUR_MAX as i64, "Letters about new sign-ins to one mailbox."),
    ("limit_events_per_minute_max", limits::LIMIT_EVENTS_PER_MINUTE_MAX as i64, "Events about refusals."),
    ("busy_wait_ms_max", milliseconds(limits::BUSY_WAIT_MAX), "An attempt's wait for those before it."),
    ("busy_waiters_max", count(limits::BUSY_WAITERS_MAX), "Attempts that wait so."),
    ("limit_deltas_max", count(limits::DELTAS_MAX), "Counters that a node tells the others in one turn."),
    ("limit_changed_rows_max", limits::CHANGED_ROWS_MAX, "Counters that a node hears of in one turn."),
    ("limit_cleanup_rows_max", limits::CLEANUP_ROWS_MAX, "Counters that one statement deletes."),
    ("device_accounts_max", count(limits::device::DEVICE_ACCOUNTS_MAX), "Accounts that a browser is known to."),
    ("device_cookie_bytes_max", count(limits::device::DEVICE_COOKIE_BYTES_MAX), "That browser's cookie."),
    ("device_life_s", limits::device::DEVICE_LIFETIME_S, "Without a sign-in for longer, it is a stranger."),
    ("session_life_s_max", sessions::config::SESSION_LIFETIME_S_MAX, "What absolute_lifetime_secs may be."),
    ("sessions_seen_max", count(sessions::SEEN_MAX), "Sessions whose last-seen time waits to be written."),
    ("sessions_listed_max", sessions::LISTED_MAX, "Sessions that a person is shown."),
];

const ACCOUNTS: &[Row] = &[
    ("address_bytes_max", count(email::ADDRESS_BYTES_MAX), "An address of mail."),
    ("address_local_bytes_max", count(email::LOCAL_BYTES_MAX), "What is before its @."),
    ("claim_chars_max", count(claims::CLAIM_CHARS_MAX), "A claim of one line."),
    ("claim_lines_chars_max", count(claims::LINES_CHARS_MAX), "A claim of several lines."),
    ("claim_url_bytes_max", count(claims::CLAIM_URL_BYTES_MAX), "A claim that is a URL."),
    ("email_asks_daily_max", sigid_account::EMAIL_ASKS_DAILY_MAX, "Changes of address that an account asks for."),
    ("accounts_erased_max", sigid_account::ERASED_MAX, "Accounts that one run of account-erasure erases."),
    ("import_batch_rows_max", count(admin::import::BATCH_ROWS_MAX), "Rows of an import's transaction."),
    ("import_line_bytes_max", count(admin::import::LINE_BYTES_MAX), "A line of its file."),
    ("export_page_rows_max", admin::export::PAGE_ROWS_MAX, "Members of an export read at once."),
];

const MAIL: &[Row] = &[
    ("letters_hourly_max", mail::LETTERS_HOURLY_MAX, "Letters of one template to one mailbox in an hour."),
    ("letters_at_once_max", count(mail::LETTERS_AT_ONCE_MAX), "Letters that are prepared and sent at once."),
    ("letter_life_s", mail::LETTER_LIFE_S, "A letter that nobody took is given up then."),
    ("letter_lease_s", mail::LEASE_S, "How long a process has one letter to itself."),
    ("letter_prepare_ms", milliseconds(mail::PREPARE_DEADLINE), "Its preparation."),
    ("letter_address_bytes_max", count(sigid_io::mail::ADDRESS_BYTES_MAX), "An address of a letter."),
    ("letter_line_bytes_max", count(sigid_io::mail::LINE_BYTES_MAX), "Its subject."),
    ("letter_text_bytes_max", count(sigid_io::mail::TEXT_BYTES_MAX), "Each of its texts."),
    (
        "mail_parked_connections_max",
        count(sigid_io::mail::PARKED_CONNECTIONS_MAX),
        "Connections to the mail server that wait for another letter.",
    ),
    ("mail_reply_bytes_max", count(sigid_io::mail::REPLY_BYTES_MAX), "What the mail server may answer."),
];

const BRANDS: &[Row] = &[
    ("logo_bytes_max", count(brand::LOGO_BYTES_MAX), "A tenant's logo."),
    ("logo_side_pixels_max", brand::LOGO_SIDE_PIXELS_MAX as i64, "Its longer side."),
    ("logos_kept_max", brand::LOGOS_KEPT_MAX, "Logos kept of a tenant, for letters that are out."),
    ("logos_in_memory_max", count(sigid_pages::LOGOS_IN_MEMORY_MAX), "Logos that a process has in memory."),
    ("brand_address_bytes_max", count(brand::BRAND_ADDRESS_BYTES_MAX), "The address of a privacy notice or terms."),
    ("fetch_ms", milliseconds(fetch::FETCH_DEADLINE), "Fetching a logo, from the lookup to the last byte."),
    ("fetch_head_bytes_max", count(fetch::FETCH_HEAD_BYTES_MAX), "The head of the answer."),
    ("fetch_address_bytes_max", count(fetch::FETCH_ADDRESS_BYTES_MAX), "The address that is fetched."),
];

const PROCESS: &[Row] = &[
    ("log_lines_max", count(crate::log::LINES_MAX), "Log lines waiting to be written."),
    ("metrics_head_bytes_max", count(telemetry_http::HEAD_BYTES_MAX), "A request's head on metrics_listen."),
    ("metrics_deadline_ms", milliseconds(telemetry_http::DEADLINE), "A request on metrics_listen."),
    ("metrics_connections_max", count(telemetry_http::CONNECTIONS_MAX), "Connections to metrics_listen."),
    ("config_file_bytes_max", super::files::FILE_BYTES_MAX.cast_signed(), "The configuration, and each file it names."),
];

const fn count(value: usize) -> i64 {
    (value as u64).cast_signed()
}

const fn milliseconds(value: Duration) -> i64 {
    (value.as_secs() * 1000).cast_signed() + value.subsec_millis() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_fixed_limit_has_a_name_of_its_own_and_a_value() {
        let rows: Vec<Limit> = fixed().collect();
        let names: BTreeSet<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names.len(), rows.len());
        for row in &rows {
            assert!(row.value > 0, "{}", row.name);
            assert!(row.meaning.ends_with('.'), "{}: a sentence", row.name);
            let is_bound = ["_max", "_s", "_ms", "_bytes"].iter().any(|end| row.name.ends_with(end));
            assert!(is_bound, "{}: a bound or a unit ends a name", row.name);
        }
    }

    #[test]
    fn a_unit_is_not_lost_on_the_way() {
        for (reason, name, value) in [
            ("bytes", "fixed.password_bytes_max", 4096),
            ("seconds in milliseconds", "fixed.busy_wait_ms_max", 3000),
            ("hours in milliseconds", "fixed.feed_outage_ms", 6 * 3600 * 1000),
            ("KiB", "fixed.argon2_work_kib_max", 4 * 1024 * 1024),
        ] {
            assert_eq!(fixed().find(|row| row.name == name).map(|row| row.value), Some(value), "{reason}");
        }
    }
}
