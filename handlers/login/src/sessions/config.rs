//! `[session_cookie]`: how long sessions live, how many a person may have, and what they are bound to.

use sigid_core::settings::{Key, Kind, Problems, Section, Standard, Values};

/// The longest that a session may live: its partition is kept that long.
pub const SESSION_LIFETIME_S_MAX: i64 = 90 * 86_400;

/// What a session may only be used from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    None,
    Address,
    UserAgent,
}

/// The checked section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionCookie {
    pub idle_timeout_s: i64,
    pub absolute_lifetime_s: i64,
    pub sessions_per_user_max: usize,
    pub cache_cookie_lifetime_s: i64,
    pub binding: Binding,
}

pub static SECTION: Section = Section {
    name: "session_cookie",
    doc: "Sessions at SigID's own pages, and the cookies of applications that are made from them.",
    keys: &[
        Key::integer(
            "idle_timeout_secs",
            (60, SESSION_LIFETIME_S_MAX),
            604_800,
            "A session that was not used this long is over.",
        ),
        Key::integer(
            "absolute_lifetime_secs",
            (60, SESSION_LIFETIME_S_MAX),
            2_592_000,
            "A session is over this long after its sign-in, however much it is used.",
        ),
        Key::integer(
            "sessions_per_user_max",
            (1, 1000),
            50,
            "Sessions that a person may have at once; a sign-in over it ends the oldest.",
        ),
        Key::integer(
            "cache_cookie_lifetime_secs",
            (30, 86_400),
            900,
            "How long an application's cookie is good before one redirect through SigID renews it. Revocation does not wait for it.",
        ),
        Key::new(
            "binding",
            Kind::Word { meaning: "what a session is bound to", words: &["none", "address", "user_agent"] },
            Standard::Text("none"),
            "Refuse a session from elsewhere than where it began. An address changes on the way to work.",
        ),
    ],
};

/// `[session_cookie]`.
pub fn check(values: &Values, problems: &mut Problems) -> SessionCookie {
    let (idle, absolute) = ("idle_timeout_secs", "absolute_lifetime_secs");
    let doubted = problems.mentions(&values.path(idle)) || problems.mentions(&values.path(absolute));
    let (idle_timeout_s, absolute_lifetime_s) = (values.count::<i64>(idle), values.count::<i64>(absolute));
    if !doubted && idle_timeout_s > absolute_lifetime_s {
        let what = format!("{idle_timeout_s} is longer than {absolute}, {absolute_lifetime_s}");
        values.refuse(problems, idle, what, format!("use {absolute_lifetime_s} or less"));
    }
    SessionCookie {
        idle_timeout_s,
        absolute_lifetime_s,
        sessions_per_user_max: values.count("sessions_per_user_max"),
        cache_cookie_lifetime_s: values.count("cache_cookie_lifetime_secs"),
        binding: match values.text("binding") {
            "address" => Binding::Address,
            "user_agent" => Binding::UserAgent,
            _ => Binding::None,
        },
    }
}
