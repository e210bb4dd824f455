//! How a tenant looks to people: a name, one colour, a logo, and where its privacy notice and terms are.
//!
//! Pages that an application of the tenant asked for carry it, and letters that are about the tenant. One tenant's brand
//! may be the operator's as well: pages without an application have that one. A change is one transaction of state, event
//! and news, so every node shows it within the bound of the feed.
//!
//! The logo is taken once, from a file or an address, and kept here under the digest of its content; browsers get it from
//! SigID's own origin and ask nobody else. What it is, is read off its first bytes ([`image`]), never believed. Letters
//! name a logo for as long as they lie in a mailbox, so [`LOGOS_KEPT_MAX`] older ones of a tenant stay; `clear` removes
//! all of them.
//!
//! Doing the same twice is no fault; nothing is told when nothing changed. Limits: [`LOGO_BYTES_MAX`],
//! [`LOGO_SIDE_PIXELS_MAX`], [`BRAND_ADDRESS_BYTES_MAX`]. Attacks considered: a logo that is a page or a script (three
//! formats by content; SVG is refused, it is both), an image of a few bytes that is a wall of pixels (bounded by its own
//! header), an address inside the operator's network (`sigid_io::fetch`), a script as the address of the terms (https
//! only), a name that turns a line around or that begins another sender's address, a colour that nobody can read (refused by contrast).

mod image;
mod sql;

use std::fmt;

use serde_json::json;
use sigid_core::secret::Digest32;
use sigid_io::fetch::{FetchFault, Reach, fetch};
use sigid_io::pg::{PgFault, Pool, Scope};
use sigid_pages::brand::{Accent, AccentFault};
use sigid_platform::outbox::{Act, Change, Event, News};

pub use image::{Logo, LogoFault};

use crate::is_hidden;
use crate::tenants::{self, BRAND_CHANGED, BRAND_CLEARED, Slug, Tenant};

/// Bytes of a logo.
pub const LOGO_BYTES_MAX: usize = 256 * 1024;
/// Pixels of a logo's longer side.
pub const LOGO_SIDE_PIXELS_MAX: u32 = 2048;
/// Logos of one tenant that are kept for letters that name them.
pub const LOGOS_KEPT_MAX: i64 = 8;
/// Bytes of the address of a privacy notice or of terms.
pub const BRAND_ADDRESS_BYTES_MAX: usize = 2048;

/// How a tenant looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brand {
    pub name: String,
    /// `#rrggbb`.
    pub accent: Option<String>,
    pub logo: Option<LogoRow>,
    pub privacy_uri: Option<String>,
    pub terms_uri: Option<String>,
    /// Also the brand of pages that no application asked for.
    pub is_operator: bool,
    pub updated_s: i64,
}

/// What is told of a logo without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoRow {
    /// 64 hexadecimal digits.
    pub digest: String,
    pub media_type: String,
    pub bytes: i32,
    pub width: i32,
    pub height: i32,
}

/// What is to change.
#[derive(Debug, Default)]
pub struct Wanted {
    pub name: Option<String>,
    pub accent: Member<String>,
    pub logo: Member<Logo>,
    pub privacy_uri: Member<String>,
    pub terms_uri: Member<String>,
    pub is_operator: Option<bool>,
}

/// What becomes of a member of a brand.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Member<T> {
    /// As it is.
    #[default]
    Kept,
    Gone,
    Set(T),
}

impl<T> Member<T> {
    fn find(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Kept | Self::Gone => None,
        }
    }

    fn is_kept(&self) -> bool {
        matches!(self, Self::Kept)
    }
}

impl Member<String> {
    fn over(&self, former: Option<&String>) -> Option<String> {
        if self.is_kept() { former.cloned() } else { self.find().cloned() }
    }
}

impl Wanted {
    pub fn is_empty(&self) -> bool {
        let Self { name, accent, logo, privacy_uri, terms_uri, is_operator } = self;
        name.is_none()
            && [accent, privacy_uri, terms_uri].into_iter().all(Member::is_kept)
            && logo.is_kept()
            && is_operator.is_none()
    }
}

/// Why nothing was done.
#[derive(Debug)]
pub enum Fault {
    Tenant(tenants::Fault),
    BadName,
    Accent(AccentFault),
    /// Not an https address, or too long.
    BadUri,
    Logo(LogoFault),
    Fetch(FetchFault),
    Database(PgFault),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(fault) => fault.fmt(f),
            Self::BadName => f.write_str(
                "a brand's name is 1 to 200 bytes without control characters and without any of < > \" @ , ; \\; see --name",
            ),
            Self::Accent(AccentFault::NotAColour) => f.write_str("a colour is written #rrggbb"),
            Self::Accent(AccentFault::Unreadable) => {
                f.write_str("neither black nor white text reaches a contrast of 4.5:1 on that colour")
            }
            Self::BadUri => {
                write!(f, "an address begins with https:// and has {BRAND_ADDRESS_BYTES_MAX} bytes at most")
            }
            Self::Logo(fault) => fault.fmt(f),
            Self::Fetch(FetchFault::TooLarge) => LogoFault::TooLarge.fmt(f),
            Self::Fetch(fault) => write!(f, "the logo was not fetched: {fault}"),
            Self::Database(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for Fault {}

impl From<PgFault> for Fault {
    fn from(fault: PgFault) -> Self {
        Self::Database(fault)
    }
}

impl From<tenants::Fault> for Fault {
    fn from(fault: tenants::Fault) -> Self {
        match fault {
            tenants::Fault::Database(fault) => Self::Database(fault),
            fault => Self::Tenant(fault),
        }
    }
}

impl From<LogoFault> for Fault {
    fn from(fault: LogoFault) -> Self {
        Self::Logo(fault)
    }
}

/// Fetches a logo, once.
///
/// # Errors
/// The address, the host, or what it gave is not good.
pub async fn fetch_logo(address: &str, reach: Reach) -> Result<Logo, Fault> {
    let bytes = fetch(address, ACCEPTED, LOGO_BYTES_MAX, reach).await.map_err(Fault::Fetch)?;
    Ok(Logo::read(bytes)?)
}

/// The tenant and its brand, if it has one.
pub async fn find(pool: &Pool, slug: &Slug) -> Result<(Tenant, Option<Brand>), Fault> {
    let tenant = tenants::load(pool, slug).await?;
    let mut tx = pool.begin(ADMIN).await?;
    let brand = sql::find(&mut tx, tenant.tenant_id).await?;
    tx.commit().await?;
    Ok((tenant, brand))
}

/// Gives the tenant a brand, or changes what is named of it. A new one is called as the tenant is.
pub async fn set(pool: &Pool, slug: &Slug, wanted: Wanted, act: Act<'_>) -> Result<(Tenant, Brand), Fault> {
    check(&wanted)?;
    let tenant = tenants::load(pool, slug).await?;
    let mut change = Change::begin(pool, ADMIN, act).await?;
    sql::hold(change.tx(), tenant.tenant_id).await?;
    let former = sql::find(change.tx(), tenant.tenant_id).await?;
    let brand = merged(former.as_ref(), &tenant, &wanted, act.now_s);
    check_name(&brand.name)?;
    if former.as_ref() == Some(&Brand { updated_s: former.as_ref().map_or(0, |it| it.updated_s), ..brand.clone() }) {
        return Ok((tenant, former.unwrap_or(brand)));
    }
    let given_by = if brand.is_operator { sql::give_up_operator(change.tx(), tenant.tenant_id).await? } else { None };
    if let Some(logo) = wanted.logo.find() {
        sql::insert_logo(change.tx(), tenant.tenant_id, logo, act.now_s).await?;
        sql::delete_old_logos(change.tx(), tenant.tenant_id, &logo.digest(), LOGOS_KEPT_MAX).await?;
    }
    sql::upsert(change.tx(), tenant.tenant_id, &brand).await?;
    for tenant_id in given_by.into_iter().chain([tenant.tenant_id]) {
        change.tell(News::Tenant(tenant_id)).await?;
    }
    record(&mut change, &tenant, BRAND_CHANGED).await?;
    change.commit().await?;
    Ok((tenant, brand))
}

/// Takes the brand and every logo away.
pub async fn clear(pool: &Pool, slug: &Slug, act: Act<'_>) -> Result<Tenant, Fault> {
    let tenant = tenants::load(pool, slug).await?;
    let mut change = Change::begin(pool, ADMIN, act).await?;
    let had_logos = sql::delete_logos(change.tx(), tenant.tenant_id).await?;
    if sql::delete(change.tx(), tenant.tenant_id).await? || had_logos {
        change.tell(News::Tenant(tenant.tenant_id)).await?;
        record(&mut change, &tenant, BRAND_CLEARED).await?;
        change.commit().await?;
    }
    Ok(tenant)
}

fn check(wanted: &Wanted) -> Result<(), Fault> {
    if let Some(name) = &wanted.name {
        check_name(name)?;
    }
    if let Some(accent) = wanted.accent.find() {
        Accent::parse(accent).map_err(Fault::Accent)?;
    }
    [&wanted.privacy_uri, &wanted.terms_uri].into_iter().filter_map(Member::find).try_for_each(|uri| check_uri(uri))
}

/// Letters carry it before their sender's address, and a provider may write the two beside each other as they are: what
/// would begin another address there is no name.
fn check_name(name: &str) -> Result<(), Fault> {
    let ends = |c: char| is_hidden(c) || "<>\"@,;\\".contains(c);
    let is_good = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.trim() == name && !name.contains(ends);
    if is_good { Ok(()) } else { Err(Fault::BadName) }
}

/// An address that a page can link to: https, a host, visible ASCII.
fn check_uri(uri: &str) -> Result<(), Fault> {
    let host = uri.strip_prefix("https://").and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    let is_plain = uri.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\\"<>".contains(&byte));
    let is_good = !host.is_empty() && !host.contains('@') && is_plain && uri.len() <= BRAND_ADDRESS_BYTES_MAX;
    if is_good { Ok(()) } else { Err(Fault::BadUri) }
}

fn merged(former: Option<&Brand>, tenant: &Tenant, wanted: &Wanted, now_s: i64) -> Brand {
    let name = wanted.name.as_ref().or(former.map(|former| &former.name)).unwrap_or(&tenant.display_name);
    let logo = match &wanted.logo {
        Member::Kept => former.and_then(|former| former.logo.clone()),
        Member::Gone => None,
        Member::Set(logo) => Some(row(logo)),
    };
    let accent = wanted.accent.over(former.and_then(|former| former.accent.as_ref()));
    Brand {
        name: name.clone(),
        accent: accent.map(|accent| accent.to_ascii_lowercase()),
        logo,
        privacy_uri: wanted.privacy_uri.over(former.and_then(|former| former.privacy_uri.as_ref())),
        terms_uri: wanted.terms_uri.over(former.and_then(|former| former.terms_uri.as_ref())),
        is_operator: wanted.is_operator.unwrap_or_else(|| former.is_some_and(|former| former.is_operator)),
        updated_s: now_s,
    }
}

fn row(logo: &Logo) -> LogoRow {
    LogoRow {
        digest: hex(&logo.digest()),
        media_type: logo.media_type().to_owned(),
        bytes: logo.content().len() as i32,
        width: logo.width() as i32,
        height: logo.height() as i32,
    }
}

fn hex(digest: &Digest32) -> String {
    use std::fmt::Write as _;
    digest.as_bytes().iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

async fn record(change: &mut Change<'_>, tenant: &Tenant, event_type: &'static str) -> Result<(), Fault> {
    let event = Event {
        tenant: Some(tenant.tenant_id),
        event_type,
        subject: &tenant.tenant_id.to_string(),
        data: json!({ "slug": tenant.slug.as_str() }),
    };
    Ok(change.record(&event).await?)
}

/// Whoever brands a tenant is above it.
const ADMIN: Scope = Scope::System("admin");
const NAME_BYTES_MAX: usize = 200;
const ACCEPTED: &str = "image/png, image/jpeg, image/webp";

/// What an administrator's page can say of a colour: the text on it, and the links it makes in both themes.
pub fn shades(accent: &str) -> Option<[String; 3]> {
    let accent = Accent::parse(accent).ok()?;
    Some([accent.text, accent.link_light, accent.link_dark].map(|colour| colour.to_string()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::tenants::TenantState;
    use sigid_core::ids::TenantId;

    fn tenant() -> Tenant {
        Tenant {
            tenant_id: "018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2b".parse::<TenantId>().unwrap(),
            slug: "acme".parse().unwrap(),
            display_name: "Acme GmbH".into(),
            state: TenantState::Active,
            created_s: 1,
            updated_s: 1,
        }
    }

    #[test]
    fn what_people_would_read_or_follow_is_checked() {
        let some = |text: &str| Member::Set(text.to_owned());
        let long = format!("https://a.example/{}", "a".repeat(BRAND_ADDRESS_BYTES_MAX));
        for (reason, wanted, is_good) in [
            ("a name", Wanted { name: Some("Büro 東京".into()), ..Wanted::default() }, true),
            ("an empty name", Wanted { name: Some(String::new()), ..Wanted::default() }, false),
            ("a name that turns the line", Wanted { name: Some("a\u{202e}b".into()), ..Wanted::default() }, false),
            ("another sender", Wanted { name: Some("CEO <ceo@bank.example>,".into()), ..Wanted::default() }, false),
            ("a quote", Wanted { name: Some("a\"b".into()), ..Wanted::default() }, false),
            ("an ampersand and an apostrophe", Wanted { name: Some("Ann's & Co".into()), ..Wanted::default() }, true),
            ("a line break", Wanted { name: Some("a\nb".into()), ..Wanted::default() }, false),
            ("a long name", Wanted { name: Some("a".repeat(201)), ..Wanted::default() }, false),
            ("a colour", Wanted { accent: some("#3B5BDB"), ..Wanted::default() }, true),
            ("a word", Wanted { accent: some("red"), ..Wanted::default() }, false),
            ("a way out of the sheet", Wanted { accent: some("#fff}body{"), ..Wanted::default() }, false),
            ("an address", Wanted { privacy_uri: some("https://a.example/privacy"), ..Wanted::default() }, true),
            ("nothing any more", Wanted { terms_uri: Member::Gone, ..Wanted::default() }, true),
            ("a script", Wanted { terms_uri: some("javascript:alert(1)"), ..Wanted::default() }, false),
            ("without TLS", Wanted { terms_uri: some("http://a.example/"), ..Wanted::default() }, false),
            ("no host", Wanted { terms_uri: some("https:///x"), ..Wanted::default() }, false),
            ("user information", Wanted { terms_uri: some("https://a@b.example/"), ..Wanted::default() }, false),
            ("a quote", Wanted { terms_uri: some("https://a.example/\""), ..Wanted::default() }, false),
            ("too long", Wanted { terms_uri: some(&long), ..Wanted::default() }, false),
        ] {
            assert_eq!(check(&wanted).is_ok(), is_good, "{reason}");
        }
    }

    #[test]
    fn what_is_not_named_stays() {
        let first = merged(None, &tenant(), &Wanted { accent: Member::Set("#AABBCC".into()), ..Wanted::default() }, 5);
        assert_eq!((first.name.as_str(), first.accent.as_deref(), first.updated_s), ("Acme GmbH", Some("#aabbcc"), 5));
        let wanted = Wanted { name: Some("Acme".into()), is_operator: Some(true), ..Wanted::default() };
        let second = merged(Some(&first), &tenant(), &wanted, 6);
        assert_eq!(second.accent.as_deref(), Some("#aabbcc"), "not named");
        assert!(second.name == "Acme" && second.is_operator, "named");
        let third = merged(Some(&second), &tenant(), &Wanted { accent: Member::Gone, ..Wanted::default() }, 7);
        assert_eq!((third.accent, third.is_operator), (None, true), "taken away");
    }
}
