//! People of the target: who signs in, and what a browser holds before and after.
//!
//! ```text
//! GET /login ──> form cookie, csrf ──POST /login──> session cookie ──GET /session/start──> the application's cookie
//! ```
//!
//! Form cookie and token are had once: what is measured of a sign-in or a registration is the POST, not the page before
//! it. A registration makes no account until its letter is answered, and nobody answers these. The pages and the names
//! of their fields are SigID's own; other servers have other ones.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use serde::Deserialize;

use crate::args::{AuthMethod, Credentials, Settings};
use crate::auth;
use crate::client::{Session, Target};
use crate::fault::Fault;
use crate::issuer::resolve;
use crate::redact::Secret;
use crate::scenario::Template;

#[derive(clap::Args)]
pub struct Args {
    /// login, session-check, storm: address of an account [SigID only]; again for more, all of one password
    #[arg(long, value_name = "EMAIL")]
    user: Vec<String>,
    /// File that holds the password of every --user (one line)
    #[arg(long, value_name = "FILE", requires = "user", conflicts_with = "password_stdin")]
    password_file: Option<PathBuf>,
    /// The password of every --user comes by standard input (one line)
    #[arg(long, requires = "user")]
    password_stdin: bool,
    /// JSON file with accounts, {"users": [{"email": .., "password": ..}]}, such as the dev.json of sigid dev
    #[arg(long, value_name = "FILE", conflicts_with = "user")]
    users: Option<PathBuf>,
    /// session-check: the application whose cookie is checked
    #[arg(long, value_name = "ID", requires = "return_to")]
    application_id: Option<String>,
    /// session-check: an address of it to which a browser may be sent back
    #[arg(long, value_name = "URL", requires = "application_id")]
    return_to: Option<Uri>,
    /// likeness: requests for known addresses, and as many for unknown ones, to each form
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(20..=1_000_000))]
    samples: u32,
    /// login: what the target's Argon2id hashes cost, for comparison with the bare crate: memory in KiB, passes, lanes
    #[arg(long, value_name = "KIB,N,N", default_value = "19456,2,1", value_parser = crate::play::bare::cost)]
    argon2: [u32; 3],
}

/// Nobody, where the target's accounts are not known.
#[derive(Debug, Clone, Default)]
pub struct People {
    /// Address and password.
    pub accounts: Vec<Credentials>,
    pub application: Option<Application>,
    pub samples: usize,
    pub argon2: [u32; 3],
}

#[derive(Debug, Clone)]
pub struct Application {
    pub id: String,
    pub return_to: Uri,
}

impl People {
    pub fn read(args: Args) -> Result<Self, Fault> {
        let accounts = match &args.users {
            Some(path) => read_accounts(&read_file(path)?, path)?,
            None => named_accounts(&args)?,
        };
        let application = args.application_id.zip(args.return_to).map(|(id, return_to)| Application { id, return_to });
        Ok(Self { accounts, application, samples: args.samples as usize, argon2: args.argon2 })
    }
}

fn named_accounts(args: &Args) -> Result<Vec<Credentials>, Fault> {
    if args.user.is_empty() {
        return Ok(Vec::new());
    }
    let text = match &args.password_file {
        Some(path) => read_file(path)?,
        None if args.password_stdin => {
            let mut text = String::new();
            let read = std::io::stdin().take(PASSWORD_BYTES_MAX).read_to_string(&mut text);
            read.map_err(|e| Fault::Usage(format!("standard input: {e}")))?;
            text
        }
        None => return Err(Fault::Usage("--user needs --password-file or --password-stdin".to_owned())),
    };
    let password = Secret::new(text.trim_end_matches(['\r', '\n']).to_owned());
    Ok(args.user.iter().map(|email| Credentials { id: email.clone(), secret: password.clone() }).collect())
}

fn read_accounts(text: &str, path: &Path) -> Result<Vec<Credentials>, Fault> {
    #[derive(Deserialize)]
    struct File {
        users: Vec<User>,
    }
    #[derive(Deserialize)]
    struct User {
        email: String,
        password: String,
    }
    // What serde tells of a wrong file may repeat what is in it.
    let file: File = serde_json::from_str(text)
        .map_err(|e| Fault::Usage(format!("{}, line {}: no accounts", path.display(), e.line())))?;
    if file.users.is_empty() {
        return Err(Fault::Usage(format!("no account in {}", path.display())));
    }
    Ok(file.users.into_iter().map(|user| Credentials { id: user.email, secret: Secret::new(user.password) }).collect())
}

fn read_file(path: &Path) -> Result<String, Fault> {
    std::fs::read_to_string(path).map_err(|e| Fault::Usage(format!("{}: {e}", path.display())))
}

/// The POST by which people sign in, and the body of each.
#[derive(Clone)]
pub struct SignIn {
    pub target: Target,
    pub template: Template,
    pub bodies: Vec<Bytes>,
}

impl SignIn {
    /// Opens the page as a browser does, and signs each account in once: a run with a wrong password measures nothing.
    pub async fn prepare(settings: &Settings) -> Result<Self, Fault> {
        let signed = Self::open(settings).await?;
        let session = signed.session(settings).await?;
        for body in &signed.bodies {
            signed.sign_in(&session, body).await?;
        }
        Ok(signed)
    }

    async fn open(settings: &Settings) -> Result<Self, Fault> {
        if settings.people.accounts.is_empty() {
            return Err(Fault::Usage(NOBODY.to_owned()));
        }
        let Opened { target, template, csrf } = Opened::page(settings, LOGIN).await?;
        let body = |account: &Credentials| {
            let typed = [("csrf", &*csrf), ("next", ""), ("email", &account.id), ("password", account.secret.expose())];
            Bytes::from(form(&typed))
        };
        let bodies = settings.people.accounts.iter().map(body).collect();
        Ok(Self { target, template, bodies })
    }

    async fn session(&self, settings: &Settings) -> Result<Session, Fault> {
        Ok(Session::open(&self.target, settings.deadline).await?.0)
    }

    /// The session cookie, as it is sent.
    async fn sign_in(&self, session: &Session, body: &Bytes) -> Result<String, Fault> {
        let answer = session.send(self.template.with(body), body.clone()).await?;
        if answer.status != SIGNED_IN {
            let status = answer.status.as_u16();
            return Err(Fault::Refused(format!("{LOGIN} answered {status}: is the password right? (--user, --users)")));
        }
        let cookie = set_cookie(&answer.headers, SESSION_COOKIE);
        cookie.ok_or_else(|| Fault::Refused(format!("{LOGIN} gave no session cookie")))
    }
}

/// The POST of a page that was opened as a browser does.
struct Opened {
    target: Target,
    template: Template,
    csrf: String,
}

impl Opened {
    async fn page(settings: &Settings, path: &str) -> Result<Self, Fault> {
        let target = resolve(&settings.target, settings).await?;
        let (session, _) = Session::open(&target, settings.deadline).await?;
        let uri = at(&settings.target, path)?;
        let answer = session.find(&uri).await?;
        let refused = |what: &str| Fault::Refused(format!("{path} answered {} {what}", answer.status.as_u16()));
        let cookie = set_cookie(&answer.headers, FORM_COOKIE).ok_or_else(|| refused("without its form cookie"))?;
        let page = String::from_utf8_lossy(&answer.body);
        let csrf = hidden_field(&page, "csrf").ok_or_else(|| refused("without the csrf field"))?.to_owned();
        let template = Template::new(&uri, None).with_cookie(&cookie)?.with_origin(&origin(&settings.target))?;
        Ok(Self { target, template, csrf })
    }
}

/// The POST by which a newcomer registers; its body but for the address.
pub struct Registration {
    pub target: Target,
    pub template: Template,
    pub body: String,
}

impl Registration {
    pub async fn prepare(settings: &Settings) -> Result<Self, Fault> {
        let Opened { target, template, csrf } = Opened::page(settings, REGISTER).await?;
        let typed = [("csrf", &*csrf), ("next", ""), ("name", "Load"), ("new_password", NEW_PASSWORD)];
        Ok(Self { target, template, body: form(&typed) })
    }
}

/// A form that strangers send, in which an address is typed: its body but for that, and what it is answered.
#[derive(Clone, Copy)]
pub struct StrangersPage {
    pub name: &'static str,
    path: &'static str,
    typed: &'static [(&'static str, &'static str)],
    pub answered: StatusCode,
}

pub const STRANGERS_PAGES: [StrangersPage; 3] = [
    StrangersPage {
        name: "login",
        path: LOGIN,
        typed: &[("next", ""), ("password", WRONG_PASSWORD)],
        answered: StatusCode::UNPROCESSABLE_ENTITY,
    },
    StrangersPage {
        name: "registration",
        path: REGISTER,
        typed: &[("next", ""), ("name", "Load"), ("new_password", NEW_PASSWORD)],
        answered: StatusCode::OK,
    },
    StrangersPage { name: "recovery", path: RECOVER, typed: &[], answered: StatusCode::OK },
];

/// Such a form, opened.
pub struct StrangersForm {
    pub session: Session,
    template: Template,
    body: String,
}

impl StrangersForm {
    pub async fn open(settings: &Settings, page: &StrangersPage) -> Result<Self, Fault> {
        let Opened { target, template, csrf } = Opened::page(settings, page.path).await?;
        let (session, _) = Session::open(&target, settings.deadline).await?;
        let typed = [&[("csrf", csrf.as_str())], page.typed].concat();
        Ok(Self { session, template, body: form(&typed) })
    }

    pub fn with(&self, email: &str) -> (Request<()>, Bytes) {
        let body = Bytes::from(format!("{}&{}", self.body, form(&[("email", email)])));
        (self.template.with(&body), body)
    }
}

/// A check of an application's session for each account: the request with that account's cookie.
pub struct Checks {
    pub target: Target,
    pub first: Template,
    pub others: Vec<Template>,
}

impl Checks {
    pub async fn prepare(settings: &Settings) -> Result<Self, Fault> {
        let application = settings.people.application.as_ref();
        let application = application
            .ok_or_else(|| Fault::Usage("session-check needs --application-id and --return-to".to_owned()))?;
        let signed = SignIn::open(settings).await?;
        let session = signed.session(settings).await?;
        let named = [("client_id", application.id.as_str())];
        let uri = at(&settings.target, &format!("{CHECK}?{}", form(&named)))?;
        let mut others = Vec::new();
        for body in &signed.bodies {
            let own = signed.sign_in(&session, body).await?;
            let cookie = enter(settings, &session, application, &own).await?;
            let template = Template::get(&uri).with_cookie(&cookie)?;
            prove(&session, &template).await?;
            others.push(template);
        }
        let first = others.pop().ok_or_else(|| Fault::Usage(NOBODY.to_owned()))?;
        Ok(Self { target: signed.target, first, others })
    }
}

/// The application's cookie, by the redirect that a browser makes.
async fn enter(settings: &Settings, session: &Session, application: &Application, own: &str) -> Result<String, Fault> {
    let return_to = application.return_to.to_string();
    let asked = [("client_id", application.id.as_str()), ("return_to", &return_to)];
    let uri = at(&settings.target, &format!("{START}?{}", form(&asked)))?;
    let answer = session.send(Template::get(&uri).with_cookie(own)?.with(&Bytes::new()), Bytes::new()).await?;
    let refused = |what: &str| Fault::Refused(format!("{START} answered {} {what}", answer.status.as_u16()));
    let is_sent_back = answer.headers.get(header::LOCATION).is_some_and(|to| to.as_bytes() == return_to.as_bytes());
    if answer.status != StatusCode::SEE_OTHER || !is_sent_back {
        return Err(refused("and does not send back: is the address registered? (--application-id, --return-to)"));
    }
    let name = format!("{APPLICATION_COOKIE}{}", application.id);
    set_cookie(&answer.headers, &name).ok_or_else(|| refused("without the application's cookie"))
}

/// The answer names somebody, and without the cookie nobody passes.
async fn prove(session: &Session, template: &Template) -> Result<(), Fault> {
    let answer = session.send(template.with(&Bytes::new()), Bytes::new()).await?;
    if answer.status != 200 || !answer.headers.contains_key(SUBJECT) {
        return Err(Fault::Refused(format!("{CHECK} answered {} to a fresh cookie", answer.status.as_u16())));
    }
    let mut anonymous: Request<()> = template.with(&Bytes::new());
    anonymous.headers_mut().remove(header::COOKIE);
    let answer = session.send(anonymous, Bytes::new()).await?;
    if answer.status != 401 {
        return Err(Fault::Refused(format!("{CHECK} answered {} without a cookie", answer.status.as_u16())));
    }
    Ok(())
}

fn form(pairs: &[(&str, &str)]) -> String {
    let nobody = Credentials { id: String::new(), secret: Secret::new(String::new()) };
    auth::form(pairs, &nobody, AuthMethod::Basic)
}

fn at(target: &Uri, path: &str) -> Result<Uri, Fault> {
    let mut parts = target.clone().into_parts();
    parts.path_and_query = Some(path.parse().map_err(|e| Fault::local("path", e))?);
    Uri::from_parts(parts).map_err(|e| Fault::local("URL of the target", e))
}

fn origin(target: &Uri) -> String {
    format!("https://{}", target.authority().map_or("", http::uri::Authority::as_str))
}

/// `name=value` of the cookie that an answer sets.
fn set_cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers.get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.filter_map(|value| value.split(';').next()).map(str::trim);
    pairs.find(|pair| pair.split_once('=').is_some_and(|(n, value)| n == name && !value.is_empty())).map(str::to_owned)
}

/// The value of `<input type="hidden" name="NAME" value="VALUE">`; such values need no unescaping.
pub fn hidden_field<'a>(page: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

pub fn cookie_header(cookie: &str) -> Result<HeaderValue, Fault> {
    HeaderValue::from_str(cookie).map_err(|_| Fault::Refused("a cookie that cannot be sent".to_owned()))
}

/// What an accepted sign-in is answered.
pub const SIGNED_IN: StatusCode = StatusCode::SEE_OTHER;
/// Why a scenario of people is refused where nobody is known.
const NOBODY: &str = "nobody is known who could sign in; give --users FILE, or --user EMAIL with --password-file FILE";
const LOGIN: &str = "/login";
const REGISTER: &str = "/register";
const RECOVER: &str = "/recover";
const START: &str = "/session/start";
const CHECK: &str = "/session/check";
const FORM_COOKIE: &str = "__Host-sigid-form";
const SESSION_COOKIE: &str = "__Host-sigid";
const APPLICATION_COOKIE: &str = "__Secure-sigid-";
/// Of every account that a run leaves behind; none of them is ever confirmed.
const NEW_PASSWORD: &str = "a load of newcomers, 4711";
/// Of nobody.
const WRONG_PASSWORD: &str = "never anybody's, 4711";
const SUBJECT: &str = "x-auth-subject";
const PASSWORD_BYTES_MAX: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_read_from_what_dev_writes_and_a_wrong_file_tells_nothing_of_itself() {
        let path = Path::new("dev.json");
        let text = r#"{"issuer":"x","users":[{"email":"a@b.example","password":"pw one"}]}"#;
        let accounts = read_accounts(text, path).unwrap();
        assert_eq!((accounts[0].id.as_str(), accounts[0].secret.expose()), ("a@b.example", "pw one"));
        for text in [r#"{"users":[]}"#, r#"{"users":[{"email":"a"}]}"#, r#"{"users":"hunter2-hunter2"}"#, "{}", "x"] {
            let told = read_accounts(text, path).unwrap_err().to_string();
            assert!(!told.contains("hunter2"), "{told}");
        }
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        for cookie in ["__Host-sigid-form=f; Path=/", "__Host-sigid=s.v; Secure; HttpOnly", "gone=; Max-Age=0"] {
            headers.append(header::SET_COOKIE, HeaderValue::from_static(cookie));
        }
        assert_eq!(set_cookie(&headers, SESSION_COOKIE).as_deref(), Some("__Host-sigid=s.v"));
        assert_eq!(set_cookie(&headers, FORM_COOKIE).as_deref(), Some("__Host-sigid-form=f"));
        assert_eq!((set_cookie(&headers, "gone"), set_cookie(&headers, "sigid")), (None, None));
    }

    #[test]
    fn the_hidden_field_is_the_named_one() {
        let page = r#"<input type="hidden" name="csrf" value="ab-_1"><input type="hidden" name="next" value="/x">"#;
        assert_eq!((hidden_field(page, "csrf"), hidden_field(page, "next")), (Some("ab-_1"), Some("/x")));
        assert_eq!(hidden_field(page, "email"), None);
    }
}
