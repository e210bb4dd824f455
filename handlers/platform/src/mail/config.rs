//! `[email]`, `[email.smtp]` and `[email.http_api]`: who writes, and who carries it.
//!
//! Without `provider` nothing is sent; letters wait in the queue until one is configured or they are too old. What
//! travels in the clear stays on this machine, and a body template is read as JSON here, so that a broken one is found
//! before the first letter.

use serde_json::Value as Json;
use sigid_core::email::Address;
use sigid_core::settings::{
    Key, Kind, Origin, Problems, Section, Standard, Values, is_host_name, is_local_host, shown,
};
use sigid_io::mail::{Encryption, HttpApiSettings, MailSettings, PLACEHOLDERS, SmtpSettings, Transport};
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

/// What the job is told. Holds credentials, so there is no `Debug`.
#[derive(Clone)]
pub struct Email {
    /// `None` without a provider.
    pub settings: Option<MailSettings>,
}

/// The most that `timeout_secs` may be; a letter's lease is longer.
pub(super) const TIMEOUT_S_MAX: i64 = 45;

pub static SECTION: Section = Section {
    name: "email",
    doc: "Mail to people: confirmation, recovery, notices.",
    keys: &[
        Key::new(
            "provider",
            Kind::Word { meaning: "a mail provider", words: &["smtp", "http_api"] },
            Standard::Absent("\"smtp\""),
            "Who carries mail: a relay as in [email.smtp], or a provider's interface as in [email.http_api]. Without it letters wait in the queue. Production wants it.",
        ),
        Key::new(
            "from_address",
            Kind::Text,
            Standard::Absent("\"no-reply@example.com\""),
            "The sender's address. Required with provider.",
        ),
        Key::new(
            "from_name",
            Kind::Text,
            Standard::Absent("\"Example\""),
            "The sender's name, where the tenant has no brand of its own.",
        ),
        Key::integer(
            "timeout_secs",
            (1, TIMEOUT_S_MAX),
            30,
            "From the first byte to the provider's answer, for each letter.",
        ),
    ],
};

pub static SMTP_SECTION: Section = Section {
    name: "email.smtp",
    doc: "An SMTP relay.",
    keys: &[
        Key::new(
            "host",
            Kind::Text,
            Standard::Absent("\"smtp.example.com\""),
            "The relay's name. Required with provider = \"smtp\".",
        ),
        Key::new("port", Kind::Port, Standard::Absent("587"), "Without it 587, 465 for encryption = \"tls\"."),
        Key::new(
            "encryption",
            Kind::Word { meaning: "a way to encrypt", words: &["starttls", "tls", "none"] },
            Standard::Text("starttls"),
            "\"starttls\" begins in the clear and must turn to TLS, \"tls\" is TLS from the first byte, \"none\" is for a relay on this machine.",
        ),
        Key::new("username", Kind::Text, Standard::Absent("\"sigid\""), "For AUTH PLAIN or LOGIN."),
        Key::new("password", Kind::Secret, Standard::Absent("\"password\""), "Its password.")
            .env("EMAIL_SMTP_PASSWORD"),
        CA,
    ],
};

pub static HTTP_API_SECTION: Section = Section {
    name: "email.http_api",
    doc: "A provider's HTTP interface that takes one letter as JSON.",
    keys: &[
        Key::new(
            "url",
            Kind::Text,
            Standard::Absent("\"https://api.example.com/v1/send\""),
            "Where letters are posted: https, or http on this machine. Required with provider = \"http_api\".",
        ),
        Key::new(
            "secret_header",
            Kind::Secret,
            Standard::Absent("\"authorization: Bearer KEY\""),
            "The header with the credential, as \"name: value\".",
        )
        .env("EMAIL_HTTP_API_SECRET_HEADER"),
        Key::list("headers", "More headers, each \"name: value\". {{message_id}} in a value is filled in."),
        Key::new(
            "body",
            Kind::Secret,
            Standard::Absent(EXAMPLE_BODY),
            "The JSON that is posted. Inside of its strings {{from}}, {{from_name}}, {{to}}, {{subject}}, {{text}}, {{html}} and {{message_id}} are filled in. Required with provider = \"http_api\".",
        ),
        CA,
    ],
};

const CA: Key = Key::new(
    "ca_pem_path",
    Kind::Path,
    Standard::Absent("\"ca.pem\""),
    "The authority that signed its certificate, in place of the system's.",
);

/// The sections.
pub struct Sources<'a> {
    pub email: &'a Values,
    pub smtp: &'a Values,
    pub http_api: &'a Values,
    /// Where relative paths begin.
    pub directory: &'a Path,
    /// What this server calls itself.
    pub issuer_host: &'a str,
}

pub fn check(sources: &Sources<'_>, problems: &mut Problems) -> Email {
    let from_address = check_from(sources.email, problems);
    let smtp = check_smtp(sources.smtp, problems);
    let http_api = check_http_api(sources.http_api, problems);
    let (values, transport) = match sources.email.text("provider") {
        "smtp" => (sources.smtp, need_smtp(sources.smtp, smtp, problems)),
        "http_api" => (sources.http_api, need_http_api(sources.http_api, http_api, problems)),
        _ => return Email { settings: None },
    };
    if !sources.email.is_written("from_address") && !problems.mentions("email.from_address") {
        let cure = "write from_address = \"no-reply@example.com\"";
        sources.email.refuse(problems, "from_address", "is missing, which provider wants", cure);
    }
    let ca_pem_path: Option<PathBuf> = values.find_text("ca_pem_path").map(|path| sources.directory.join(path));
    let settings = transport.zip(from_address).map(|(transport, from_address)| MailSettings {
        from_address,
        from_name: sources.email.find_text("from_name").map(str::to_owned),
        hello: sources.issuer_host.to_owned(),
        timeout: Duration::from_secs(sources.email.count("timeout_secs")),
        ca_pem_path,
        transport,
    });
    Email { settings }
}

fn check_from(values: &Values, problems: &mut Problems) -> Option<String> {
    let text = values.find_text("from_address")?;
    let Ok(address) = Address::parse(text) else {
        let what = format!("{} is not an address", shown(text));
        values.refuse(problems, "from_address", what, "write it like \"no-reply@example.com\"");
        return None;
    };
    let (local, _) = address.shown.rsplit_once('@')?;
    Some(format!("{local}@{}", address.domain()))
}

fn check_smtp(values: &Values, problems: &mut Problems) -> Option<Transport> {
    let encryption = match values.text("encryption") {
        "tls" => Encryption::Tls,
        "none" => Encryption::Off,
        _ => Encryption::Starttls,
    };
    check_credentials(values, problems);
    let host = values.find_text("host")?;
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    if !is_address && !is_host_name(host) {
        let cure = "write the name that the relay's certificate has";
        values.refuse(problems, "host", format!("{} is not the name of a host", shown(host)), cure);
        return None;
    }
    if encryption == Encryption::Off && !is_local_host(host) {
        let what = "is \"none\", and the relay is not on this machine";
        values.refuse(problems, "encryption", what, "use \"starttls\" or \"tls\"");
    }
    let standard = if encryption == Encryption::Tls { 465 } else { 587 };
    let credentials = values.find_text("username").zip(values.find_text("password"));
    Some(Transport::Smtp(SmtpSettings {
        host: host.to_owned(),
        port: values.find_integer("port").and_then(|port| u16::try_from(port).ok()).unwrap_or(standard),
        encryption,
        credentials: credentials.map(|(user, password)| (user.to_owned(), Zeroizing::new(password.to_owned()))),
    }))
}

fn check_credentials(values: &Values, problems: &mut Problems) {
    let (has_user, has_password) = (values.is_written("username"), values.is_written("password"));
    if has_user && !has_password && !problems.mentions("email.smtp.password") {
        values.refuse(problems, "password", "is missing, though there is a username", "write both, or neither");
    }
    if has_password && !has_user && !problems.mentions("email.smtp.username") {
        values.refuse(problems, "username", "is missing, though there is a password", "write both, or neither");
    }
}

fn need_smtp(values: &Values, smtp: Option<Transport>, problems: &mut Problems) -> Option<Transport> {
    if smtp.is_none() && !problems.mentions("email.smtp.host") {
        let what = "is missing, which email.provider = \"smtp\" wants";
        values.refuse(problems, "host", what, "write host = \"smtp.example.com\"");
    }
    smtp
}

fn check_http_api(values: &Values, problems: &mut Problems) -> Option<Transport> {
    let url = values.find_text("url").and_then(|text| check_url(values, text, problems));
    let headers = check_headers(values, problems);
    let body = values.find_text("body").and_then(|text| check_body(values, text, problems));
    let ((origin, target), body) = url.zip(body)?;
    let is_https = origin.scheme == "https";
    Some(Transport::HttpApi(HttpApiSettings {
        is_https,
        port: origin.port.unwrap_or(if is_https { 443 } else { 80 }),
        host: origin.host,
        target,
        headers,
        body,
    }))
}

fn need_http_api(values: &Values, api: Option<Transport>, problems: &mut Problems) -> Option<Transport> {
    for (name, cure) in [
        ("url", "write url = \"https://api.example.com/v1/send\"".to_owned()),
        ("body", format!("write body = {EXAMPLE_BODY}")),
    ] {
        if !values.is_written(name) && !problems.mentions(&values.path(name)) {
            values.refuse(problems, name, "is missing, which email.provider = \"http_api\" wants", cure);
        }
    }
    api
}

/// The origin, and path and query. A URL may hold a key, so no problem repeats it.
fn check_url(values: &Values, text: &str, problems: &mut Problems) -> Option<(Origin, String)> {
    let after_scheme = text.find("://").map_or(0, |at| at + 3);
    let path =
        text.get(after_scheme..).and_then(|rest| rest.find(['/', '?'])).map_or(text.len(), |at| at + after_scheme);
    let (origin, target) = text.split_at(path);
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    let is_target = target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    let Some(origin) = Origin::parse(origin).ok().filter(|_| is_target) else {
        let cure = "write it like \"https://api.example.com/v1/send\"";
        values.refuse(problems, "url", "is not a URL without user and fragment", cure);
        return None;
    };
    if origin.scheme == "http" && !is_local_host(&origin.host) {
        values.refuse(problems, "url", "is http, and not on this machine", "use https");
        return None;
    }
    Some((origin, target))
}

fn check_headers(values: &Values, problems: &mut Problems) -> Vec<(String, Zeroizing<String>)> {
    let mut headers = Vec::new();
    let secret = values.find_text("secret_header").map(|line| ("secret_header", line));
    let others = values.list("headers").iter().map(|line| ("headers", line.as_str()));
    for (name, line) in secret.into_iter().chain(others) {
        match read_header(line) {
            Ok(header) => headers.push(header),
            Err(what) => values.refuse(problems, name, what, "write it like \"name: value\""),
        }
    }
    headers
}

fn read_header(line: &str) -> Result<(String, Zeroizing<String>), &'static str> {
    let (name, value) = line.split_once(':').ok_or("is not of the form name: value")?;
    let name = http::HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| "has no header's name")?;
    let value = value.trim();
    if OWN_HEADERS.contains(&name.as_str()) {
        return Err("is a header that SigID writes itself");
    }
    if value.is_empty() || !value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Err("has a value that is not visible ASCII");
    }
    if names_in(value).any(|found| found != "message_id") {
        return Err("has a placeholder that is not {{message_id}}");
    }
    Ok((name.as_str().to_owned(), Zeroizing::new(value.to_owned())))
}

/// JSON before the placeholders are filled, hence JSON afterwards: they stand inside of strings.
fn check_body(values: &Values, text: &str, problems: &mut Problems) -> Option<Zeroizing<String>> {
    let what = match serde_json::from_str::<Json>(text) {
        Err(_) => "is not JSON; every placeholder stands inside of a string",
        Ok(_) if names_in(text).any(|name| !PLACEHOLDERS.contains(&name)) => {
            "has a placeholder that SigID does not know"
        }
        Ok(_) if !names_in(text).any(|name| name == "to") => "does not say {{to}}",
        Ok(_) => return Some(Zeroizing::new(text.to_owned())),
    };
    let names = PLACEHOLDERS.map(|name| format!("{{{{{name}}}}}")).join(", ");
    values.refuse(problems, "body", what, format!("write JSON with {names}"));
    None
}

/// What stands between double braces.
fn names_in(template: &str) -> impl Iterator<Item = &str> {
    template.split("{{").skip(1).filter_map(|rest| Some(rest.split_once("}}")?.0.trim()))
}

const EXAMPLE_BODY: &str = r#"'{"from":"{{from_name}} <{{from}}>","to":["{{to}}"],"subject":"{{subject}}","text":"{{text}}","html":"{{html}}"}'"#;
const OWN_HEADERS: [&str; 6] =
    ["host", "content-length", "content-type", "connection", "transfer-encoding", "user-agent"];

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use sigid_core::settings::{Table, Value, read};

    /// `section.key` and a text; a number where it reads as one.
    fn checked(lines: &[(&str, &str)]) -> (Email, Vec<String>) {
        let mut email = Table::new();
        for (name, text) in lines {
            let value = match text.parse::<i64>() {
                Ok(number) => Value::Integer(number),
                Err(_) if *name == "http_api.headers" => {
                    Value::List(text.split('|').map(|entry| Value::Text(entry.to_owned())).collect())
                }
                Err(_) => Value::Text((*text).to_owned()),
            };
            match name.split_once('.') {
                None => drop(email.insert((*name).to_owned(), value)),
                Some((section, key)) => {
                    let inner = email.entry(section.to_owned()).or_insert_with(|| Value::Table(Table::new()));
                    let Value::Table(inner) = inner else { panic!() };
                    inner.insert(key.to_owned(), value);
                }
            }
        }
        let root = Table::from([("email".to_owned(), Value::Table(email))]);
        let mut problems = Problems::default();
        let [email, smtp, http_api] =
            [&SECTION, &SMTP_SECTION, &HTTP_API_SECTION].map(|section| read(section, &root, &|_| None, &mut problems));
        let directory = Path::new("/etc/sigid");
        let sources =
            Sources { email: &email, smtp: &smtp, http_api: &http_api, directory, issuer_host: "auth.example.com" };
        let email = check(&sources, &mut problems);
        (email, problems.iter().map(ToString::to_string).collect())
    }

    const SMTP: [(&str, &str); 3] =
        [("provider", "smtp"), ("from_address", "no-reply@example.com"), ("smtp.host", "smtp.example.com")];
    const API: [(&str, &str); 4] = [
        ("provider", "http_api"),
        ("from_address", "no-reply@example.com"),
        ("http_api.url", "https://api.example.com/v1/send"),
        ("http_api.body", r#"{"to":"{{to}}"}"#),
    ];

    #[test]
    fn without_a_provider_nothing_is_sent_and_nothing_is_wanted() {
        let (email, problems) = checked(&[]);
        assert!(email.settings.is_none() && problems.is_empty(), "{problems:?}");
    }

    #[test]
    fn a_relay_is_described_by_its_name_alone() {
        for (more, port, encryption) in [
            (vec![], 587, Encryption::Starttls),
            (vec![("smtp.encryption", "tls")], 465, Encryption::Tls),
            (vec![("smtp.port", "2525")], 2525, Encryption::Starttls),
            (vec![("smtp.host", "127.0.0.1"), ("smtp.encryption", "none")], 587, Encryption::Off),
        ] {
            let (email, problems) = checked(&[&SMTP[..], &more].concat());
            assert_eq!(problems, [""; 0]);
            let Some(Transport::Smtp(smtp)) = email.settings.map(|settings| settings.transport) else { panic!() };
            assert_eq!((smtp.port, smtp.encryption), (port, encryption), "{more:?}");
            assert!(smtp.credentials.is_none());
        }
    }

    #[test]
    fn an_interface_is_taken_apart() {
        let more = [
            ("http_api.url", "http://127.0.0.1:9000?key=1"),
            ("http_api.secret_header", "Authorization: Bearer K"),
            ("http_api.headers", "Idempotency-Key: {{message_id}}|x-a: b"),
        ];
        let (email, problems) = checked(&[&API[..], &more].concat());
        assert_eq!(problems, [""; 0]);
        let Some(Transport::HttpApi(api)) = email.settings.map(|settings| settings.transport) else { panic!() };
        assert_eq!(
            (api.is_https, api.host.as_str(), api.port, api.target.as_str()),
            (false, "127.0.0.1", 9000, "/?key=1")
        );
        let names: Vec<&str> = api.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["authorization", "idempotency-key", "x-a"]);
    }

    type Lines<'a> = &'a [(&'a str, &'a str)];

    #[test]
    fn what_is_wrong_is_named_and_no_secret_repeated() {
        let rows: &[(Lines<'_>, Lines<'_>, &str)] = &[
            (&SMTP, &[("from_address", "nobody")], "email.from_address: \"nobody\" is not an address"),
            (&[("provider", "smtp"), ("smtp.host", "a.example")], &[], "email.from_address: is missing"),
            (&[("provider", "smtp"), ("from_address", "a@b.example")], &[], "email.smtp.host: is missing"),
            (&SMTP, &[("smtp.host", "a b")], "email.smtp.host: \"a b\" is not the name of a host"),
            (
                &SMTP,
                &[("smtp.encryption", "none")],
                "email.smtp.encryption: is \"none\", and the relay is not on this machine",
            ),
            (&SMTP, &[("smtp.encryption", "ssl")], "email.smtp.encryption: \"ssl\" is not a way to encrypt"),
            (&SMTP, &[("smtp.username", "a")], "email.smtp.password: is missing, though"),
            (&SMTP, &[("smtp.password", "hush")], "email.smtp.username: is missing, though"),
            (&SMTP, &[("timeout_secs", "46")], "email.timeout_secs: 46 is out of range"),
            (&[("provider", "http_api"), ("from_address", "a@b.example")], &[], "email.http_api.url: is missing"),
            (
                &API,
                &[("http_api.url", "http://api.example.com/hush")],
                "email.http_api.url: is http, and not on this machine",
            ),
            (&API, &[("http_api.url", "https://hush@api.example.com/")], "email.http_api.url: is not a URL"),
            (&API, &[("http_api.url", "https://api.example.com/#hush")], "email.http_api.url: is not a URL"),
            (&API, &[("http_api.secret_header", "hush")], "email.http_api.secret_header: is not of the form"),
            (&API, &[("http_api.secret_header", "host: hush")], "email.http_api.secret_header: is a header that SigID"),
            (&API, &[("http_api.headers", "x-a: {{to}}")], "email.http_api.headers: has a placeholder that is not"),
            (&API, &[("http_api.body", r#"{"to":{{to}}}"#)], "email.http_api.body: is not JSON"),
            (
                &API,
                &[("http_api.body", r#"{"to":"{{to}}","x":"{{hush}}"}"#)],
                "email.http_api.body: has a placeholder that",
            ),
            (&API, &[("http_api.body", r#"{"to":"me"}"#)], "email.http_api.body: does not say {{to}}"),
        ];
        for (base, more, expected) in rows {
            let (_, problems) = checked(&[*base, *more].concat());
            assert!(problems.iter().any(|line| line.starts_with(expected)), "{expected}: {problems:?}");
            assert!(!problems.iter().any(|line| line.contains("hush")), "{problems:?}");
        }
    }
}
