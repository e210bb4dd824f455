//! One person of a file, and why a line is none.

use crate::claims::{self, ClaimFault, Shape};
use crate::password::{HashFault, StoredFault, StoredHash};
use serde_json::{Map, Value};
use sigid_core::email::{Address, AddressFault};
use sigid_core::json::json_object_strict;
use std::fmt;

/// Somebody to be brought in.
#[derive(Clone, Debug)]
pub struct Row {
    pub email: Address,
    /// As the file says, and so are marks of verification among the claims; worth something only where the operator
    /// vouches for it ([`Row::distrust`]).
    pub is_email_verified: bool,
    pub claims: Map<String, Value>,
    hash: Option<StoredHash>,
}

/// Why a line is no row. No value of the line is repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowFault {
    TooLong,
    NotUtf8,
    NotJson,
    /// Quotes where a table may not have them.
    Quotes,
    /// Not as many cells as the first line has.
    Cells,
    NoEmail,
    BadEmail(AddressFault),
    BadVerified,
    /// Of no format that is taken, with a salt or an output that is not, or longer than what is kept.
    BadHash,
    /// Past what a sign-in may cost: the most that its recipe may.
    DearHash(&'static str),
    /// Wants more memory than a hash thread of this configuration may have, in MiB.
    LargeHash(u32),
    /// A password itself.
    Clear,
    BadClaim(ClaimFault),
}

impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("the line is longer than 65536 bytes"),
            Self::NotUtf8 => f.write_str("not UTF-8"),
            Self::NotJson => f.write_str("not one JSON object with distinct names"),
            Self::Quotes => f.write_str("a quote stands where it may not, or is not closed"),
            Self::Cells => f.write_str("not as many cells as the first line"),
            Self::NoEmail => f.write_str("email is missing"),
            Self::BadEmail(fault) => write!(f, "email: {fault}"),
            Self::BadVerified => f.write_str("email_verified is not true or false"),
            Self::BadHash => f.write_str("password_hash is of no format that is taken"),
            Self::DearHash(most) => write!(f, "password_hash costs more than a sign-in may: {most}"),
            Self::LargeHash(mib) => write!(
                f,
                "password_hash wants more memory than the {mib} MiB of a hash thread: raise auth.hash_memory_max_mib"
            ),
            Self::Clear => f.write_str("a password in the clear is not taken; hash it, and name it password_hash"),
            Self::BadClaim(fault) => fault.fmt(f),
        }
    }
}

/// Why a file has no columns to go by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderFault {
    NoEmail,
    Clear,
    Twice(String),
    Unknown(String),
}

impl fmt::Display for HeaderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEmail => f.write_str("the first line names no column email"),
            Self::Clear => RowFault::Clear.fmt(f),
            Self::Twice(name) => write!(f, "the column {name} stands there twice"),
            Self::Unknown(name) => write!(f, "the column {name} is not known"),
        }
    }
}

impl Row {
    /// One line of JSON: `email`, `email_verified`, `password_hash`, and standard claims by their names. A hash may want
    /// `hash_kib_max` of memory.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of_json(line: &str, hash_kib_max: u32) -> Result<Self, RowFault> {
        let mut document = json_object_strict(line.as_bytes()).map_err(|_| RowFault::NotJson)?;
        if CLEAR.iter().any(|name| document.contains_key(*name)) {
            return Err(RowFault::Clear);
        }
        for name in IGNORED {
            document.remove(name);
        }
        document.retain(|_, value| !value.is_null());
        let Some(Value::String(email)) = document.remove("email") else { return Err(RowFault::NoEmail) };
        let is_email_verified = match document.remove("email_verified") {
            None => false,
            Some(Value::Bool(said)) => said,
            Some(_) => return Err(RowFault::BadVerified),
        };
        let hash = match document.remove("password_hash") {
            None => None,
            Some(Value::String(text)) => Some(text),
            // As Keycloak, Auth0 and Firebase export it.
            Some(object @ Value::Object(_)) => Some(object.to_string()),
            Some(_) => return Err(RowFault::BadHash),
        };
        let hash = hash.map_or(Ok(None), |text| read_hash(&text, hash_kib_max))?;
        Self::check(&email, is_email_verified, hash, &document)
    }

    /// The hash to be stored, in the one form in which hashes are.
    pub fn hash(&self) -> Option<String> {
        self.hash.as_ref().map(StoredHash::to_phc)
    }

    /// The language of letters.
    pub fn locale(&self) -> Option<&str> {
        claims::language(&self.claims)
    }

    /// Nobody vouches for what the file calls verified.
    pub fn distrust(&mut self) {
        self.is_email_verified = false;
        self.claims.remove(claims::PHONE_VERIFIED);
    }

    fn check(
        email: &str,
        is_email_verified: bool,
        hash: Option<StoredHash>,
        claims: &Map<String, Value>,
    ) -> Result<Self, RowFault> {
        let email = Address::parse(email).map_err(RowFault::BadEmail)?;
        let claims = claims::normalize(claims).map_err(RowFault::BadClaim)?;
        Ok(Self { email, is_email_verified, claims, hash })
    }
}

/// A hash that can be verified, or none where the text says that there is none. One that cannot would be as no password,
/// and its person would never know why.
fn read_hash(text: &str, kib_max: u32) -> Result<Option<StoredHash>, RowFault> {
    let hash = match StoredHash::parse(text) {
        Ok(hash) => hash,
        Err(StoredFault::NoPassword) => return Ok(None),
        Err(StoredFault::Unknown | StoredFault::Malformed | StoredFault::Short) => return Err(RowFault::BadHash),
    };
    match hash.check(u32::MAX) {
        Ok(()) => {}
        Err(HashFault::BadCost) => return Err(RowFault::DearHash(hash.most())),
        Err(_) => return Err(RowFault::BadHash),
    }
    if hash.check(kib_max).is_err() {
        return Err(RowFault::LargeHash(kib_max / 1024));
    }
    if hash.to_phc().len() > HASH_BYTES_MAX { Err(RowFault::BadHash) } else { Ok(Some(hash)) }
}

/// What the cells of a table are, by its first line.
#[derive(Clone, Debug)]
pub struct Columns(Vec<Column>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Email,
    Verified,
    Hash,
    Claim(&'static str, Shape),
    /// What an export says and an import does not take.
    Ignored(&'static str),
}

impl Columns {
    /// # Errors
    /// What is wrong with the first line.
    pub fn read(header: &[String]) -> Result<Self, HeaderFault> {
        let mut columns: Vec<Column> = Vec::with_capacity(header.len());
        for name in header {
            let column = Column::read(name.trim())?;
            if columns.contains(&column) {
                return Err(HeaderFault::Twice(claims::shorten(name)));
            }
            columns.push(column);
        }
        if columns.contains(&Column::Email) { Ok(Self(columns)) } else { Err(HeaderFault::NoEmail) }
    }

    /// The row that these cells are; an empty cell says nothing. A hash may want `hash_kib_max` of memory.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn row(&self, cells: Vec<String>, hash_kib_max: u32) -> Result<Row, RowFault> {
        if cells.len() != self.0.len() {
            return Err(RowFault::Cells);
        }
        let (mut email, mut is_verified, mut hash, mut claims) = (None, false, None, Map::new());
        for (column, cell) in self.0.iter().zip(cells).filter(|(_, cell)| !cell.is_empty()) {
            match *column {
                Column::Email => email = Some(cell),
                Column::Verified => {
                    is_verified = claims::of_cell(Shape::Flag, &cell).as_bool().ok_or(RowFault::BadVerified)?;
                }
                Column::Hash => hash = Some(cell),
                Column::Claim(name, shape) => {
                    claims.insert(name.to_owned(), claims::of_cell(shape, &cell));
                }
                Column::Ignored(_) => {}
            }
        }
        let email = email.ok_or(RowFault::NoEmail)?;
        let hash = hash.map_or(Ok(None), |text| read_hash(&text, hash_kib_max))?;
        Row::check(&email, is_verified, hash, &claims)
    }
}

impl Column {
    fn read(name: &str) -> Result<Self, HeaderFault> {
        if CLEAR.contains(&name) {
            return Err(HeaderFault::Clear);
        }
        if let Some(name) = IGNORED.into_iter().find(|ignored| *ignored == name) {
            return Ok(Self::Ignored(name));
        }
        match name {
            "email" => Ok(Self::Email),
            "email_verified" => Ok(Self::Verified),
            "password_hash" => Ok(Self::Hash),
            name => match claims::find(name) {
                Some((name, shape)) => Ok(Self::Claim(name, shape)),
                None => Err(HeaderFault::Unknown(claims::shorten(name))),
            },
        }
    }
}

/// What other programs call a password itself.
const CLEAR: [&str; 4] = ["password", "plain_password", "cleartext_password", "plaintext"];
/// What an export says of a member beside these.
const IGNORED: [&str; 7] = ["sub", "membership", "state", "created_at", "updated_at", "has_password", "user_id"];
/// The longest hash that is kept.
const HASH_BYTES_MAX: usize = 1024;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::claims::Wrong;

    const KIB_MAX: u32 = 64 * 1024;
    const BCRYPT: &str = "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";

    #[test]
    fn a_line_of_json_is_a_person_or_says_why_not() {
        let long_hash = format!(r#"{{"email":"a@b.example","password_hash":"$2b$10${}"}}"#, "x".repeat(1100));
        let bcrypt = format!(r#"{{"email":"a@b.example","password_hash":"{BCRYPT}"}}"#);
        for (reason, line, fault) in [
            ("an address alone", r#"{"email":"a@b.example"}"#, None),
            ("claims", r#"{"email":"a@b.example","email_verified":true,"name":"Ann","locale":"de"}"#, None),
            ("a hash", bcrypt.as_str(), None),
            ("null says nothing", r#"{"email":"a@b.example","name":null,"password_hash":null}"#, None),
            ("an export", r#"{"sub":"x","membership":"active","email":"a@b.example","has_password":true}"#, None),
            ("no JSON", "a@b.example", Some(RowFault::NotJson)),
            ("a name twice", r#"{"email":"a@b.example","email":"c@b.example"}"#, Some(RowFault::NotJson)),
            ("nobody", r#"{"name":"Ann"}"#, Some(RowFault::NoEmail)),
            ("no address", r#"{"email":"ann"}"#, Some(RowFault::BadEmail(AddressFault::Shape))),
            (
                "a line break that would be a header",
                r#"{"email":"a@b.example\nBcc: c@b.example"}"#,
                Some(RowFault::BadEmail(AddressFault::Control)),
            ),
            ("a flag in words", r#"{"email":"a@b.example","email_verified":"yes"}"#, Some(RowFault::BadVerified)),
            ("a password", r#"{"email":"a@b.example","password":"hush"}"#, Some(RowFault::Clear)),
            (
                "a hash that asks for years",
                r#"{"email":"a@b.example","password_hash":"$2b$31$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"}"#,
                Some(RowFault::DearHash("bcrypt may have a cost of 15")),
            ),
            (
                "a hash that asks for more memory than a thread has",
                r#"{"email":"a@b.example","password_hash":"$argon2id$v=19$m=131072,t=1,p=1$ctxhLFNM7TxgR9wrCgXU/g$G4efCwqISedRTteHiShwfpfvYFOgcniqOKRYS+6jdTA"}"#,
                Some(RowFault::LargeHash(64)),
            ),
            (
                "an export of Keycloak",
                r#"{"email":"a@b.example","password_hash":{"credentialData":{"hashIterations":1000,"algorithm":"pbkdf2"},"secretData":{"value":"DYW+LTZG5wxyiF/qvsh40/+/hXltzAbMKUtORrf6q3M5hNgg3bUCVPbvuLO7vwE9k12aQTF+uVYjLh0cEVYmeA==","salt":"MDEyMzQ1Njc4OWFiY2RlZg=="}}}"#,
                None,
            ),
            ("an account of Django without a password", r#"{"email":"a@b.example","password_hash":"!ZWwF5bxz"}"#, None),
            ("a list of hashes", r#"{"email":"a@b.example","password_hash":[]}"#, Some(RowFault::BadHash)),
            ("a password for a hash", r#"{"email":"a@b.example","password_hash":"hush"}"#, Some(RowFault::BadHash)),
            ("a hash that is too long", long_hash.as_str(), Some(RowFault::BadHash)),
            (
                "a claim of its own",
                r#"{"email":"a@b.example","role":"admin"}"#,
                Some(RowFault::BadClaim(ClaimFault::Unknown("role".into()))),
            ),
            (
                "a claim of the wrong kind",
                r#"{"email":"a@b.example","name":7}"#,
                Some(RowFault::BadClaim(ClaimFault::Wrong("name", Wrong::NotAText))),
            ),
        ] {
            assert_eq!(Row::of_json(line, KIB_MAX).err(), fault, "{reason}");
        }
    }

    #[test]
    fn a_table_is_read_by_its_first_line() {
        let read = |header: &str| Columns::read(&header.split(',').map(str::to_owned).collect::<Vec<_>>());
        for (reason, header, fault) in [
            ("an address", "email", None),
            ("more", "name,email,password_hash,email_verified", None),
            ("nobody", "name,locale", Some(HeaderFault::NoEmail)),
            ("a password", "email,password", Some(HeaderFault::Clear)),
            ("a column twice", "email,name,name", Some(HeaderFault::Twice("name".into()))),
            ("a column of its own", "email,shoe_size", Some(HeaderFault::Unknown("shoe_size".into()))),
        ] {
            assert_eq!(read(header).err(), fault, "{reason}");
        }
        let columns = read("email,name,email_verified,password_hash").unwrap();
        let row = |cells: &str| columns.row(cells.split(',').map(str::to_owned).collect(), KIB_MAX);
        let full = row(&format!("Ann@B.example,Ann,true,{BCRYPT}")).unwrap();
        assert_eq!(
            (full.email.key.as_str(), full.is_email_verified, full.hash().as_deref()),
            ("ann@b.example", true, Some(BCRYPT))
        );
        assert_eq!(full.claims["name"], "Ann");
        assert!(row("a@b.example,,,").unwrap().claims.is_empty(), "an empty cell says nothing");
        assert_eq!(row("a@b.example").err(), Some(RowFault::Cells));
        assert_eq!(row(",Ann,,").err(), Some(RowFault::NoEmail));
        assert_eq!(row("a@b.example,Ann,perhaps,").err(), Some(RowFault::BadVerified));
    }

    #[test]
    fn what_a_file_calls_verified_is_nothing_without_somebody_who_vouches() {
        let line = r#"{"email":"a@b.example","email_verified":true,"phone_number":"+43 1 5550100","phone_number_verified":true,"locale":"de_AT"}"#;
        let mut row = Row::of_json(line, KIB_MAX).unwrap();
        assert!(row.is_email_verified && row.claims[claims::PHONE_VERIFIED] == true);
        row.distrust();
        assert!(!row.is_email_verified && !row.claims.contains_key(claims::PHONE_VERIFIED));
        assert_eq!(
            (row.claims[claims::PHONE].as_str(), row.locale()),
            (Some("+4315550100"), Some("de")),
            "the rest stays"
        );
    }

    #[test]
    fn a_hash_is_not_printed() {
        let line = format!(r#"{{"email":"a@b.example","password_hash":"{BCRYPT}"}}"#);
        assert!(!format!("{:?}", Row::of_json(&line, KIB_MAX).unwrap()).contains("$2b$"));
    }
}
