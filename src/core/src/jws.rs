//! Compact JWS (RFC 7515), read before anything in it is believed.
//!
//! Parsing yields an [`Unverified`] view of three canonical base64url segments and a header. Only
//! the checks in [`crate::token`] and [`crate::assertion`] turn it into something [`Verified`].
//!
//! Refused here, whatever the key: `alg` `none`, HMAC and anything else outside [`Alg`]; `crit` and
//! `b64` (RFC 7797), since we understand no extension; `jku`, `jwk`, `x5u` and `x5c`, by which a
//! message would bring its own key; doubled header members; padding, stray bits, or a fourth segment.
//!
//! Limits: 8192 bytes in all, 1024 bytes of header, a `kid` of 256 bytes.

use std::fmt;
use std::ops::Deref;

use memchr::{memchr, memrchr};
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use crate::b64;
use crate::json::{Strict, Text, fill};
use crate::jwk::Alg;

pub use crate::json::json_object_strict;

/// The longest token, in bytes.
pub const TOKEN_BYTES_MAX: usize = 8192;
/// The longest decoded header, in bytes.
pub const HEADER_BYTES_MAX: usize = 1024;
/// The longest `kid` of anybody's key, in bytes.
pub const KID_TEXT_BYTES_MAX: usize = 256;

/// Read, but not believed.
#[derive(Debug)]
pub struct Unverified<T>(T);

impl<T> Unverified<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(value)
    }

    /// A look at what is claimed, to find the key that could prove it.
    pub const fn claimed(&self) -> &T {
        &self.0
    }
}

/// Proof that signature, issuer and times of the value were checked. Only this crate makes one.
#[derive(Clone, Debug)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(value)
    }

    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwsFault {
    /// Longer than [`TOKEN_BYTES_MAX`].
    TooLong,
    /// Not three canonical base64url segments.
    Malformed,
    /// The header is no strict JSON object, or a member of it has the wrong type.
    BadHeader,
    /// The header carries a member that must never be obeyed.
    UnsafeHeader,
    /// `none`, an HMAC, or an algorithm that is not spoken here.
    UnsupportedAlg,
}

/// The `typ` of a header, compared without case and without `application/` (RFC 7515 section 4.1.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typ {
    /// `at+jwt` (RFC 9068 section 2.1).
    AccessToken,
    /// `JWT` (RFC 7519 section 5.1).
    Jwt,
    /// `client-authentication+jwt` (RFC 7523bis).
    ClientAuthentication,
    /// Something else.
    Other,
}

/// What a header claims.
#[derive(Debug)]
pub struct Header {
    pub alg: Alg,
    pub kid: Option<Box<str>>,
    pub typ: Option<Typ>,
    /// Has the header members other than `alg`, `kid` and `typ`?
    pub has_others: bool,
}

/// The parts of a compact JWS.
#[derive(Debug)]
pub struct Jws<'a> {
    pub header: Header,
    /// What the signature covers: the first two segments and the dot between them.
    pub signing_input: &'a [u8],
    pub payload_b64: &'a [u8],
    pub signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Reads a compact JWS. The payload stays encoded.
    pub fn parse(token: &'a [u8]) -> Result<Unverified<Self>, JwsFault> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(JwsFault::TooLong);
        }
        let (header_b64, payload_b64, signing_input, signature_b64) =
            split_segments(token).ok_or(JwsFault::Malformed)?;
        let header = parse_header(header_b64)?;
        let signature = b64::decode(signature_b64).ok_or(JwsFault::Malformed)?;
        Ok(Unverified::new(Self { header, signing_input, payload_b64, signature }))
    }

    /// The decoded payload.
    pub fn payload(&self) -> Result<Vec<u8>, JwsFault> {
        b64::decode(self.payload_b64).ok_or(JwsFault::Malformed)
    }
}

type Segments<'a> = (&'a [u8], &'a [u8], &'a [u8], &'a [u8]);

/// Header, payload, both with their dot, and signature; none of them empty.
fn split_segments(token: &[u8]) -> Option<Segments<'_>> {
    let first = memchr(b'.', token)?;
    let last = memrchr(b'.', token)?;
    let header = token.get(..first)?;
    let payload = token.get(first + 1..last)?;
    let signature = token.get(last + 1..)?;
    let whole = !header.is_empty() && !payload.is_empty() && !signature.is_empty();
    let three = memchr(b'.', payload).is_none();
    (whole && three).then_some((header, payload, token.get(..last)?, signature))
}

fn parse_header(header_b64: &[u8]) -> Result<Header, JwsFault> {
    let mut buffer = [0; HEADER_BYTES_MAX];
    let json = b64::decode_into(header_b64, &mut buffer).ok_or(JwsFault::Malformed)?;
    let mut json = serde_json::Deserializer::from_slice(json);
    let members = json.deserialize_map(HeaderVisitor).map_err(|_| JwsFault::BadHeader)?;
    json.end().map_err(|_| JwsFault::BadHeader)?;
    check_header(members)
}

fn check_header(members: Members<'_>) -> Result<Header, JwsFault> {
    if members.others.iter().any(|name| UNSAFE.contains(&name.as_str())) {
        return Err(JwsFault::UnsafeHeader);
    }
    let alg = members.alg.ok_or(JwsFault::BadHeader)?;
    let kid = members.kid.map(|kid| Box::from(kid.0));
    let sized = |kid: &str| !kid.is_empty() && kid.len() <= KID_TEXT_BYTES_MAX;
    if kid.as_deref().is_some_and(|kid| !sized(kid)) {
        return Err(JwsFault::BadHeader);
    }
    Ok(Header {
        alg: alg.0.parse().map_err(|_| JwsFault::UnsupportedAlg)?,
        kid,
        typ: members.typ.map(|typ| parse_typ(&typ.0)),
        has_others: !members.others.is_empty(),
    })
}

fn parse_typ(text: &str) -> Typ {
    let prefix = text.get(..APPLICATION.len());
    let prefixed = prefix.is_some_and(|p| p.eq_ignore_ascii_case(APPLICATION));
    let name = if prefixed { text.get(APPLICATION.len()..).unwrap_or_default() } else { text };
    let known =
        [("at+jwt", Typ::AccessToken), ("jwt", Typ::Jwt), ("client-authentication+jwt", Typ::ClientAuthentication)];
    let found = known.into_iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
    found.map_or(Typ::Other, |(_, typ)| typ)
}

#[derive(Default)]
struct Members<'de> {
    alg: Option<Text<'de>>,
    kid: Option<Text<'de>>,
    typ: Option<Text<'de>>,
    others: Vec<String>,
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JOSE header")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Members<'de>, A::Error> {
        let mut members = Members::default();
        while let Some(name) = from.next_key::<Text<'de>>()? {
            match name.0.as_ref() {
                "alg" => fill(&mut members.alg, from.next_value()?)?,
                "kid" => fill(&mut members.kid, from.next_value()?)?,
                "typ" => fill(&mut members.typ, from.next_value()?)?,
                other if members.others.iter().any(|known| known == other) => {
                    return Err(A::Error::custom("doubled member"));
                }
                other => {
                    members.others.push(other.to_owned());
                    from.next_value_seed(Strict::default())?;
                }
            }
        }
        Ok(members)
    }
}

const APPLICATION: &str = "application/";
const UNSAFE: [&str; 6] = ["crit", "b64", "jku", "jwk", "x5u", "x5c"];

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fault(token: &str) -> Option<JwsFault> {
        Jws::parse(token.as_bytes()).err()
    }

    fn with_header(header: &str) -> String {
        format!("{}.e30.AAAA", b64::encode(header.as_bytes()))
    }

    #[test]
    fn a_token_has_three_canonical_segments() {
        let header = b64::encode(br#"{"alg":"ES256"}"#);
        let longest = TOKEN_BYTES_MAX - header.len() - 6;
        // 4n + 1 symbols are no length of base64.
        let body = |n: usize| format!("{header}.{}.AAAA", "A".repeat(n - usize::from(n % 4 == 1)));
        let rows: &[(String, Option<JwsFault>, &str)] = &[
            (format!("{header}.e30.AAAA"), None, "three segments"),
            (body(longest), None, "the longest"),
            (body(longest + 8), Some(JwsFault::TooLong), "too long"),
            (format!("{header}.e30"), Some(JwsFault::Malformed), "two segments"),
            (header.clone(), Some(JwsFault::Malformed), "one segment"),
            (String::new(), Some(JwsFault::Malformed), "empty"),
            (format!("{header}.e30.AAAA.AAAA"), Some(JwsFault::Malformed), "four segments"),
            (format!("{header}.e30.AA.AA.AA"), Some(JwsFault::Malformed), "five, as in a JWE"),
            (format!("{header}.e30."), Some(JwsFault::Malformed), "no signature"),
            (format!("{header}..AAAA"), Some(JwsFault::Malformed), "no payload"),
            (".e30.AAAA".to_owned(), Some(JwsFault::Malformed), "no header"),
            (format!("{header}.e30.AAB"), Some(JwsFault::Malformed), "stray bits in the signature"),
            (format!("{header}.e30.AAA="), Some(JwsFault::Malformed), "padding"),
            (format!("{header}.e30.AAAA "), Some(JwsFault::Malformed), "trailing space"),
            (format!("{header}.e30.AAAA\n"), Some(JwsFault::Malformed), "trailing newline"),
            (format!(" {header}.e30.AAAA"), Some(JwsFault::Malformed), "leading space"),
            (format!("{header}=.e30.AAAA"), Some(JwsFault::Malformed), "a padded header"),
        ];
        for (token, expected, why) in rows {
            assert_eq!(fault(token), *expected, "{why}");
        }
        let stray = format!("{header}.e31.AAAA");
        let jws = Jws::parse(stray.as_bytes()).unwrap();
        assert_eq!(jws.claimed().payload(), Err(JwsFault::Malformed), "stray bits in the payload");
    }

    #[test]
    fn a_header_is_strict() {
        let long_kid = format!(r#"{{"alg":"ES256","kid":"{}"}}"#, "k".repeat(257));
        let long = format!(r#"{{"alg":"ES256","x":"{}"}}"#, "x".repeat(HEADER_BYTES_MAX));
        let rows: &[(&str, Option<JwsFault>, &str)] = &[
            (r#"{"alg":"ES256"}"#, None, "the least"),
            (r#"{"typ":"at+jwt","kid":"k","alg":"EdDSA"}"#, None, "any order"),
            (r#"{"alg":"ES256","x5t":"x"}"#, None, "a hint that nobody follows"),
            (r#"{"alg":"none"}"#, Some(JwsFault::UnsupportedAlg), "none"),
            (r#"{"alg":"None"}"#, Some(JwsFault::UnsupportedAlg), "none, disguised"),
            (r#"{"alg":"es256"}"#, Some(JwsFault::UnsupportedAlg), "names have one case"),
            (r#"{"alg":"HS256"}"#, Some(JwsFault::UnsupportedAlg), "an HMAC"),
            (r#"{"alg":"ES256K"}"#, Some(JwsFault::UnsupportedAlg), "another curve"),
            (r#"{"alg":""}"#, Some(JwsFault::UnsupportedAlg), "empty"),
            (r#"{"kid":"k"}"#, Some(JwsFault::BadHeader), "no alg"),
            (r#"{"alg":1}"#, Some(JwsFault::BadHeader), "alg is no string"),
            (r#"{"alg":["ES256"]}"#, Some(JwsFault::BadHeader), "alg is an array"),
            (r#"{"alg":"ES256","kid":1}"#, Some(JwsFault::BadHeader), "kid is no string"),
            (r#"{"alg":"ES256","kid":null}"#, Some(JwsFault::BadHeader), "kid is null"),
            (r#"{"alg":"ES256","kid":""}"#, Some(JwsFault::BadHeader), "kid is empty"),
            (&long_kid, Some(JwsFault::BadHeader), "kid is too long"),
            (r#"{"alg":"ES256","alg":"ES256"}"#, Some(JwsFault::BadHeader), "doubled"),
            (r#"{"alg":"none","alg":"ES256"}"#, Some(JwsFault::BadHeader), "doubled, two values"),
            (r#"{"alg":"ES256","\u0061lg":"none"}"#, Some(JwsFault::BadHeader), "an escaped double"),
            (r#"{"alg":"ES256","x":1,"x":2}"#, Some(JwsFault::BadHeader), "unknown and doubled"),
            (r#"{"alg":"ES256","x":{"a":1,"a":2}}"#, Some(JwsFault::BadHeader), "doubled below"),
            (r#"{"alg":"ES256"}{}"#, Some(JwsFault::BadHeader), "something follows"),
            (r#"["ES256"]"#, Some(JwsFault::BadHeader), "an array"),
            ("", Some(JwsFault::Malformed), "empty"),
            (&long, Some(JwsFault::Malformed), "too long"),
            (r#"{"alg":"ES256","crit":["exp"]}"#, Some(JwsFault::UnsafeHeader), "crit"),
            (r#"{"alg":"ES256","crit":[]}"#, Some(JwsFault::UnsafeHeader), "empty crit"),
            (r#"{"alg":"ES256","b64":false}"#, Some(JwsFault::UnsafeHeader), "b64"),
            (r#"{"alg":"ES256","b64":true}"#, Some(JwsFault::UnsafeHeader), "b64, harmless value"),
            (r#"{"alg":"ES256","jku":"https://e"}"#, Some(JwsFault::UnsafeHeader), "jku"),
            (r#"{"alg":"ES256","jwk":{}}"#, Some(JwsFault::UnsafeHeader), "jwk"),
            (r#"{"alg":"ES256","x5u":"https://e"}"#, Some(JwsFault::UnsafeHeader), "x5u"),
            (r#"{"alg":"ES256","x5c":[]}"#, Some(JwsFault::UnsafeHeader), "x5c"),
            (r#"{"alg":"ES256","\u006awk":{}}"#, Some(JwsFault::UnsafeHeader), "an escaped jwk"),
        ];
        for (header, expected, why) in rows {
            assert_eq!(fault(&with_header(header)), *expected, "{why}");
        }
    }

    #[test]
    fn a_type_is_compared_without_case_and_prefix() {
        let rows = [
            ("at+jwt", Typ::AccessToken),
            ("AT+JWT", Typ::AccessToken),
            ("application/at+jwt", Typ::AccessToken),
            ("Application/At+Jwt", Typ::AccessToken),
            ("JWT", Typ::Jwt),
            ("client-authentication+jwt", Typ::ClientAuthentication),
            ("at+jwt ", Typ::Other),
            ("text/at+jwt", Typ::Other),
            ("application/application/at+jwt", Typ::Other),
            ("dpop+jwt", Typ::Other),
            ("\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}", Typ::Other),
            ("", Typ::Other),
        ];
        for (text, expected) in rows {
            assert_eq!(parse_typ(text), expected, "{text}");
        }
    }

    #[test]
    fn the_parts_are_those_of_the_token() {
        let token = with_header(r#"{"alg":"ES256","kid":"k","typ":"at+jwt"}"#);
        let jws = Jws::parse(token.as_bytes()).unwrap();
        let jws = jws.claimed();
        assert_eq!(jws.header.alg, Alg::Es256);
        assert_eq!(jws.header.kid.as_deref(), Some("k"));
        assert_eq!(jws.header.typ, Some(Typ::AccessToken));
        assert!(!jws.header.has_others);
        assert_eq!(jws.signing_input, &token.as_bytes()[..token.len() - 5]);
        assert_eq!(jws.payload(), Ok(b"{}".to_vec()));
        assert_eq!(jws.signature, [0; 3]);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Jws::parse(&bytes);
        }

        #[test]
        fn arbitrary_headers_never_panic(header in ".{0,100}") {
            let _ = Jws::parse(with_header(&header).as_bytes());
        }
    }
}
