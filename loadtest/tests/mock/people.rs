//! The mock's people: a sign-in page with its form cookie, one account, and an application whose cookie is checked.

use std::collections::HashMap;

use http::{HeaderMap, Method};

pub const EMAIL: &str = "load@people.example";
pub const PASSWORD: &str = "seldom-guessed & long";
pub const APPLICATION: &str = "shop";
pub const BACK: &str = "https://shop.localhost:9443/back";

const FORM: &str = "__Host-sigid-form=f0rm";
const SESSION: &str = "__Host-sigid=1d.value";
const EDGE: &str = "__Secure-sigid-shop=sealed";

pub struct Reply {
    pub status: u16,
    pub body: String,
    pub headers: Vec<(&'static str, String)>,
}

/// None: no page of people.
pub fn reply(
    method: &Method,
    path: &str,
    query: &HashMap<String, String>,
    headers: &HeaderMap,
    form: &HashMap<String, String>,
) -> Option<Reply> {
    let cookie = headers.get("cookie").and_then(|value| value.to_str().ok()).unwrap_or_default();
    match (method, path) {
        (&Method::GET, "/login" | "/register" | "/recover") => Some(page()),
        (&Method::POST, "/login") => {
            let from_page = cookie == FORM && form.get("csrf").is_some_and(|token| token == "t0ken");
            assert!(headers["origin"].to_str().unwrap().starts_with("https://localhost:"));
            let is_right = form.get("email").is_some_and(|email| email == EMAIL)
                && form.get("password").is_some_and(|password| password == PASSWORD);
            Some(match (from_page, is_right) {
                (false, _) => Reply::of(403),
                (true, false) => Reply::of(422),
                (true, true) => Reply { headers: vec![set(SESSION), to("/account")], ..Reply::of(303) },
            })
        }
        (&Method::GET, "/session/start") => {
            let asked = query.get("client_id").zip(query.get("return_to"));
            let is_registered = asked.is_some_and(|(id, back)| id == APPLICATION && back == BACK);
            if !is_registered || cookie != SESSION {
                return Some(Reply::of(400));
            }
            Some(Reply { headers: vec![set(EDGE), to(BACK)], ..Reply::of(303) })
        }
        (&Method::POST, "/register") => {
            let is_whole = ["email", "name", "new_password"].iter().all(|name| form.contains_key(*name));
            let from_page = cookie == FORM && form.get("csrf").is_some_and(|token| token == "t0ken");
            Some(Reply::of(if is_whole && from_page { 200 } else { 422 }))
        }
        (&Method::POST, "/recover") => Some(Reply::of(if form.contains_key("email") { 200 } else { 422 })),
        (&Method::GET, "/session/check") => Some(match cookie {
            EDGE => Reply { headers: vec![("x-auth-subject", "s1".to_owned())], ..Reply::of(200) },
            _ => Reply::of(401),
        }),
        _ => None,
    }
}

impl Reply {
    fn of(status: u16) -> Self {
        Self { status, body: String::new(), headers: Vec::new() }
    }
}

fn page() -> Reply {
    let page = "<form method=\"post\"><input type=\"hidden\" name=\"csrf\" value=\"t0ken\"></form>";
    Reply { status: 200, body: page.to_owned(), headers: vec![set(FORM)] }
}

fn set(cookie: &str) -> (&'static str, String) {
    ("set-cookie", format!("{cookie}; Path=/; Secure; HttpOnly"))
}

fn to(location: &str) -> (&'static str, String) {
    ("location", location.to_owned())
}
