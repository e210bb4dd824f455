//! `application/x-www-form-urlencoded` request bodies, as OAuth reads them (RFC 6749 section 3.1, 3.2
//! and appendix B).
//!
//! A parameter sent without a value counts as omitted; a parameter sent twice is a fault, whatever
//! its name, except those that their RFC lets repeat (`resource`, RFC 8707; `audience`, RFC 8693).
//! Two servers that pick different copies of a doubled parameter are how requests are smuggled
//! (CVE-2026-9689). Broken escapes and text that is not UTF-8 are refused, not repaired.
//!
//! Two readers: [`Form::parse`] for every endpoint, and [`introspection_in_place`], which reads the
//! usual body of an introspection request without allocating and steps aside for all others.
//!
//! Limits: 64 fields; the length of a body is the listener's business.

use std::borrow::Cow;
use std::fmt;

use memchr::{memchr, memchr2};
use zeroize::Zeroize as _;

/// The most fields in one body.
pub const FORM_FIELDS_MAX: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormFault {
    /// A broken percent escape, or text that is not UTF-8.
    Malformed,
    /// A parameter sent more than once.
    Doubled,
    /// More than [`FORM_FIELDS_MAX`] fields.
    TooMany,
}

/// The parameters of one body. Unescaped copies are wiped when dropped.
pub struct Form<'a> {
    fields: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Form<'a> {
    /// Parses a body; only the parameters named in `repeatable` may occur more than once.
    pub fn parse(body: &'a [u8], repeatable: &[&str]) -> Result<Self, FormFault> {
        let mut form = Self { fields: Vec::new() };
        for segment in body.split(|b| *b == b'&').filter(|s| !s.is_empty()) {
            if form.fields.len() == FORM_FIELDS_MAX {
                return Err(FormFault::TooMany);
            }
            let (name, value) = split_field(segment);
            let name = unescape(name)?;
            let doubled = form.fields.iter().any(|(known, _)| *known == name);
            if doubled && !name.is_empty() && !repeatable.contains(&name.as_ref()) {
                return Err(FormFault::Doubled);
            }
            let value = unescape(value)?;
            form.fields.push((name, value));
        }
        Ok(form)
    }

    /// The value of a parameter; `None` if it is absent or empty.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value of a repeatable parameter, in order, without the empty ones.
    pub fn all<'f>(&'f self, name: &str) -> impl Iterator<Item = &'f str> {
        let named = self.fields.iter().filter(move |(known, _)| known == name);
        named.map(|(_, value)| value.as_ref()).filter(|value| !value.is_empty())
    }
}

impl Drop for Form<'_> {
    fn drop(&mut self) {
        for (_, value) in &mut self.fields {
            if let Cow::Owned(text) = value {
                text.zeroize();
            }
        }
    }
}

impl fmt::Debug for Form<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.fields.iter().map(|(name, _)| name)).finish()
    }
}

/// The fields of an introspection request (RFC 7662 section 2.1), borrowed from its body.
#[derive(Clone, Copy)]
pub struct InPlace<'a> {
    pub token: &'a [u8],
    pub client_id: Option<&'a [u8]>,
    pub client_secret: Option<&'a [u8]>,
}

/// Reads an introspection request whose fields need no unescaping.
///
/// `None` means "use [`Form::parse`]", not "refuse": an escape, a doubled or unknown parameter, or no
/// token. The values are raw bytes, compared with tables and never shown.
pub fn introspection_in_place(body: &[u8]) -> Option<InPlace<'_>> {
    if memchr2(b'%', b'+', body).is_some() {
        return None;
    }
    let [mut token, mut hint, mut client_id, mut client_secret] = [None; 4];
    let mut rest = body;
    while !rest.is_empty() {
        let (segment, tail) = split_at_byte(rest, b'&');
        rest = tail;
        let (name, value) = split_field(segment);
        let slot = match name {
            b"token" => &mut token,
            b"token_type_hint" => &mut hint,
            b"client_id" => &mut client_id,
            b"client_secret" => &mut client_secret,
            _ => return None,
        };
        if slot.replace(value).is_some() {
            return None;
        }
    }
    Some(InPlace {
        token: token.filter(is_given)?,
        client_id: client_id.filter(is_given),
        client_secret: client_secret.filter(is_given),
    })
}

fn is_given(value: &&[u8]) -> bool {
    !value.is_empty()
}

fn split_field(segment: &[u8]) -> (&[u8], &[u8]) {
    split_at_byte(segment, b'=')
}

/// What stands before and after the first `byte`; all of it and nothing if there is none.
fn split_at_byte(text: &[u8], byte: u8) -> (&[u8], &[u8]) {
    let at = memchr(byte, text).unwrap_or(text.len());
    let (before, rest) = text.split_at_checked(at).unwrap_or((text, &[]));
    (before, rest.split_first().map_or(&[], |(_, after)| after))
}

/// Undoes the escaping of one name or value.
fn unescape(text: &[u8]) -> Result<Cow<'_, str>, FormFault> {
    if memchr2(b'%', b'+', text).is_none() {
        let text = std::str::from_utf8(text).map_err(|_| FormFault::Malformed)?;
        return Ok(Cow::Borrowed(text));
    }
    let mut bytes = text.to_vec();
    let length = unescape_in_place(&mut bytes).ok_or(FormFault::Malformed)?;
    bytes.truncate(length);
    let text = String::from_utf8(bytes).map_err(|bad| {
        bad.into_bytes().zeroize();
        FormFault::Malformed
    })?;
    Ok(Cow::Owned(text))
}

/// Undoes the escaping at the start of the same buffer and says how long the result is; `None` for a
/// broken percent escape.
pub(crate) fn unescape_in_place(bytes: &mut [u8]) -> Option<usize> {
    let (mut from, mut to) = (0, 0);
    while let Some(&byte) = bytes.get(from) {
        let plain = match byte {
            b'%' => {
                let pair = (bytes.get(from + 1)?, bytes.get(from + 2)?);
                from += 2;
                hex(*pair.0)? << 4 | hex(*pair.1)?
            }
            b'+' => b' ',
            _ => byte,
        };
        *bytes.get_mut(to)? = plain;
        (from, to) = (from + 1, to + 1);
    }
    Some(to)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// Appends one escaped name or value, for clients and tests.
pub fn escape_into(text: &str, out: &mut String) {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or('0');
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'*') => {
                out.push(char::from(b));
            }
            b => out.extend(['%', digit(b >> 4), digit(b & 15)]),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parses_bodies() {
        type Found = Result<Option<&'static str>, FormFault>;
        let rows: &[(&[u8], Found, &str)] = &[
            (b"a=1", Ok(Some("1")), "one field"),
            (b"b=2&a=1", Ok(Some("1")), "any order"),
            (b"a=%41%2b+%C3%A4", Ok(Some("A+ \u{e4}")), "escapes of both cases, plus, UTF-8"),
            (b"%61=1", Ok(Some("1")), "an escaped name"),
            (b"a=1=2", Ok(Some("1=2")), "only the first equals sign parts"),
            (b"&&a=1&", Ok(Some("1")), "empty segments"),
            (b"=1&=2&a=1", Ok(Some("1")), "empty names are ignored"),
            (b"a=", Ok(None), "an empty value is an omitted one"),
            (b"a", Ok(None), "no equals sign"),
            (b"", Ok(None), "empty body"),
            (b"a=%00", Ok(Some("\0")), "NUL is a character; fields check their own alphabet"),
            (b"a=1&a=2", Err(FormFault::Doubled), "doubled"),
            (b"a=1&a=1", Err(FormFault::Doubled), "doubled with one value"),
            (b"a=&a=1", Err(FormFault::Doubled), "doubled, one empty"),
            (b"a=1&%61=2", Err(FormFault::Doubled), "doubled under an escape"),
            (b"x=1&x=2&a=1", Err(FormFault::Doubled), "an unknown parameter doubled"),
            (b"a=%", Err(FormFault::Malformed), "escape cut short"),
            (b"a=%4", Err(FormFault::Malformed), "escape cut to one digit"),
            (b"a=%g0", Err(FormFault::Malformed), "no hexadecimal digit"),
            (b"a=%+1", Err(FormFault::Malformed), "a sign is not a digit"),
            (b"a=\xff", Err(FormFault::Malformed), "not UTF-8"),
            (b"a=%ff", Err(FormFault::Malformed), "not UTF-8 once unescaped"),
            (b"%ff=1", Err(FormFault::Malformed), "a name that is not UTF-8"),
        ];
        for (body, expected, why) in rows {
            let form = Form::parse(body, &[]);
            let found = form.as_ref().map(|form| form.find("a"));
            assert_eq!(found.map_err(|fault| *fault), *expected, "{why}");
        }
    }

    #[test]
    fn only_named_parameters_repeat() {
        let body = b"resource=x&resource=&resource=y&resource=x";
        let form = Form::parse(body, &["resource"]).unwrap();
        assert_eq!(form.all("resource").collect::<Vec<_>>(), ["x", "y", "x"]);
        assert_eq!(Form::parse(body, &["audience"]).err(), Some(FormFault::Doubled));
    }

    #[test]
    fn fields_are_counted() {
        let body = |n: usize| (0..n).map(|i| format!("f{i}=1")).collect::<Vec<_>>().join("&");
        assert!(Form::parse(body(FORM_FIELDS_MAX).as_bytes(), &[]).is_ok(), "the most");
        let fault = Form::parse(body(FORM_FIELDS_MAX + 1).as_bytes(), &[]).err();
        assert_eq!(fault, Some(FormFault::TooMany), "one too many");
        let fault = Form::parse("r=&".repeat(65).as_bytes(), &["r"]).err();
        assert_eq!(fault, Some(FormFault::TooMany), "repeats count");
    }

    #[test]
    fn values_are_not_printed() {
        let form = Form::parse(b"client_secret=hunter%32", &[]).unwrap();
        assert_eq!(format!("{form:?}"), "[\"client_secret\"]");
    }

    #[test]
    fn reads_in_place_only_what_is_plain() {
        type Fields<'a> = (&'a [u8], Option<&'a [u8]>, Option<&'a [u8]>);
        let rows: &[(&[u8], Option<Fields<'_>>, &str)] = &[
            (b"token=a.b.c", Some((b"a.b.c", None, None)), "the token alone"),
            (b"token=t&token_type_hint=access_token", Some((b"t", None, None)), "the hint is read over"),
            (b"client_id=i&client_secret=s&token=t", Some((b"t", Some(b"i"), Some(b"s"))), "client_secret_post"),
            (b"token=t&client_id=", Some((b"t", None, None)), "an empty value is omitted"),
            (b"token=a=b", Some((b"a=b", None, None)), "the first equals sign parts"),
            (b"token=%74", None, "an escape"),
            (b"token=a+b", None, "a plus"),
            (b"token=t&token=t", None, "doubled"),
            (b"token=t&client_id=&client_id=i", None, "doubled, one empty"),
            (b"token=t&token_type_hint=a&token_type_hint=b", None, "a doubled hint"),
            (b"token=t&client_assertion=x", None, "an assertion"),
            (b"token=t&other=1", None, "unknown"),
            (b"token=t&&client_id=i", None, "an empty segment"),
            (b"token=", None, "no token"),
            (b"token", None, "no value"),
            (b"client_id=i", None, "nothing to introspect"),
            (b"", None, "empty"),
        ];
        for (body, expected, why) in rows {
            let read = introspection_in_place(body);
            let read = read.map(|r| (r.token, r.client_id, r.client_secret));
            assert_eq!(read, *expected, "{why}");
        }
    }

    proptest! {
        #[test]
        fn round_trips(values in proptest::collection::vec(".{1,20}", 0..20)) {
            let mut body = String::new();
            for value in &values {
                body.push_str("r=");
                escape_into(value, &mut body);
                body.push('&');
            }
            let form = Form::parse(body.as_bytes(), &["r"]).unwrap();
            prop_assert_eq!(form.all("r").collect::<Vec<_>>(), values);
        }

        #[test]
        fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Form::parse(&body, &[]);
            let _ = introspection_in_place(&body);
        }

        #[test]
        fn both_readers_agree(body in "(token|client_id|client_secret|token_type_hint|x|)(=|)[a-c&%+]{0,3}(&(token|client_id|client_secret)=[a-c=]{0,3}){0,3}") {
            if let Some(read) = introspection_in_place(body.as_bytes()) {
                let form = Form::parse(body.as_bytes(), &[]).unwrap();
                prop_assert_eq!(form.find("token").map(str::as_bytes), Some(read.token));
                prop_assert_eq!(form.find("client_id").map(str::as_bytes), read.client_id);
                prop_assert_eq!(form.find("client_secret").map(str::as_bytes), read.client_secret);
            }
        }
    }
}
