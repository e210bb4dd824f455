//! `[oidc]` and `[jwt]`: the issuer, and how tokens are signed and how long they live.
//!
//! The issuer is compared character by character by every client (RFC 8414 section 3.3, RFC 9207), so
//! one spelling is taken: https, lower case, no path, no default port, no slash at the end.

use sigid_core::jwk::Alg;
use sigid_core::settings::{Key, Kind, Origin, Problems, Section, Standard, Values};

/// Signing and lifetimes. Seconds are whole; an access token outlives nothing that renews it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwt {
    pub default_algorithm: Alg,
    pub access_token_lifetime_human_secs: u32,
    pub access_token_lifetime_agent_secs: u32,
    pub refresh_token_lifetime_human_secs: u32,
    pub refresh_token_lifetime_agent_secs: u32,
    pub key_rotation_days: u32,
}

impl Jwt {
    /// The longest that any access token of these settings lives.
    pub fn access_token_lifetime_max_secs(&self) -> u32 {
        self.access_token_lifetime_human_secs.max(self.access_token_lifetime_agent_secs)
    }
}

/// The issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oidc {
    /// As written, which is the only spelling.
    pub issuer: String,
    /// Without port and brackets; empty where the issuer was refused.
    pub issuer_host: String,
    pub authorization_code_lifetime_secs: u32,
}

pub static JWT_SECTION: Section = Section {
    name: "jwt",
    doc: "Token signing and lifetimes.",
    keys: &[
        Key::new(
            "default_algorithm",
            Kind::Word { meaning: "an algorithm SigID signs with", words: &["ES256", "EdDSA"] },
            Standard::Text("ES256"),
            "Signs the tokens of clients that are registered without an algorithm of their own.",
        ),
        Key::integer("access_token_lifetime_human_secs", (1, 86_400), 900, "Access tokens of people."),
        Key::integer("access_token_lifetime_agent_secs", (1, 86_400), 300, "Access tokens of agents and services."),
        Key::integer("refresh_token_lifetime_human_secs", (1, 31_536_000), 604_800, "Refresh tokens of people."),
        Key::integer("refresh_token_lifetime_agent_secs", (1, 31_536_000), 86_400, "Refresh tokens of agents."),
        Key::integer(
            "key_rotation_days",
            (1, 365),
            30,
            "How long a key signs. The next one is published at least a day ahead, the old one is kept past the longest token life.",
        ),
    ],
};

pub static OIDC_SECTION: Section = Section {
    name: "oidc",
    doc: "The issuer.",
    keys: &[
        Key::new(
            "issuer",
            Kind::Secret,
            Standard::Required("\"https://localhost:8443\""),
            "The URL that clients know this server by: https, without path, query or a slash at the end. It must never change.",
        ),
        Key::integer(
            "authorization_code_lifetime_secs",
            (1, 600),
            60,
            "How long an authorization code can be redeemed (RFC 6749 section 4.1.2 wants at most ten minutes).",
        ),
    ],
};

/// `[jwt]`. A refresh token that dies before the access token it came with renews nothing.
pub fn check_jwt(values: &Values, problems: &mut Problems) -> Jwt {
    check_outlives(values, problems, "refresh_token_lifetime_human_secs", "access_token_lifetime_human_secs");
    check_outlives(values, problems, "refresh_token_lifetime_agent_secs", "access_token_lifetime_agent_secs");
    Jwt {
        default_algorithm: if values.text("default_algorithm") == "EdDSA" { Alg::EdDsa } else { Alg::Es256 },
        access_token_lifetime_human_secs: values.count("access_token_lifetime_human_secs"),
        access_token_lifetime_agent_secs: values.count("access_token_lifetime_agent_secs"),
        refresh_token_lifetime_human_secs: values.count("refresh_token_lifetime_human_secs"),
        refresh_token_lifetime_agent_secs: values.count("refresh_token_lifetime_agent_secs"),
        key_rotation_days: values.count("key_rotation_days"),
    }
}

fn check_outlives(values: &Values, problems: &mut Problems, refresh: &str, access: &str) {
    let doubted = problems.mentions(&values.path(refresh)) || problems.mentions(&values.path(access));
    let (refresh_s, access_s) = (values.count::<i64>(refresh), values.count::<i64>(access));
    if !doubted && refresh_s < access_s {
        let what = format!("{refresh_s} is shorter than {access}, {access_s}");
        values.refuse(problems, refresh, what, format!("use {access_s} or more"));
    }
}

/// `[oidc]`.
pub fn check_oidc(values: &Values, problems: &mut Problems) -> Oidc {
    let issuer = values.text("issuer");
    Oidc {
        issuer: issuer.to_owned(),
        issuer_host: check_issuer(values, issuer, problems),
        authorization_code_lifetime_secs: values.count("authorization_code_lifetime_secs"),
    }
}

/// The issuer's host; empty, with a problem, when it is not an issuer.
fn check_issuer(values: &Values, issuer: &str, problems: &mut Problems) -> String {
    let what = match Origin::parse(issuer) {
        _ if issuer.is_empty() => return String::new(),
        Ok(origin) if origin.scheme == "https" => return origin.host,
        Ok(_) => "does not use https, which transport = \"tls_h2_only\" speaks".to_owned(),
        Err(fault) => fault.to_string(),
    };
    values.refuse(problems, "issuer", what, "write it like \"https://auth.example.com\" or \"https://localhost:8443\"");
    String::new()
}
