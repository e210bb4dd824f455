//! Cookies (RFC 6265bis): finding one's own among a browser's, and the token that ties a form to one.
//!
//! A browser keeps cookies of many makers in one jar, and a sibling domain can put one there under any name but a
//! `__Host-` one. Two cookies of one name in a request are therefore an attack or an accident, and neither is believed.
//!
//! A [`FormKey`] makes the hidden field of a form from the secret in the browser's cookie and the path that the form is
//! sent to, so nothing is stored before somebody signs in and one form's token is worth nothing at another.
//!
//! [`edge`] is the sealed cookie that an application's proxy shows to `/session/check`.
//!
//! Limits: [`COOKIES_BYTES_MAX`] of cookies in a request.

pub mod edge;

use crate::b64;
use memchr::memchr;
use ring::hmac;

/// The most bytes of cookies in one request; over it none is found.
pub const COOKIES_BYTES_MAX: usize = 16 * 1024;

/// The value of the cookie `name`, from the `cookie` fields of a request (HTTP/2 may send several, RFC 9113 section
/// 8.2.3). `None` also when it is there twice, is empty, has an octet that no cookie has (RFC 6265 section 4.1.1), or
/// when there are too many cookies.
pub fn find<'a>(fields: impl Iterator<Item = &'a [u8]>, name: &str) -> Option<&'a str> {
    let value = find_raw(fields, "", name)?;
    let is_plain = value.iter().all(|byte| is_cookie_octet(*byte));
    std::str::from_utf8(value).ok().filter(|_| is_plain)
}

/// The same, of the cookie whose name is `prefix` and then `name`, whatever octets are in it: for who reads a value
/// that has one spelling.
pub fn find_raw<'a>(fields: impl Iterator<Item = &'a [u8]>, prefix: &str, name: &str) -> Option<&'a [u8]> {
    let (mut found, mut bytes_left) = (None, COOKIES_BYTES_MAX);
    for mut rest in fields {
        bytes_left = bytes_left.checked_sub(rest.len())?;
        while !rest.is_empty() {
            let (pair, tail) = rest.split_at_checked(memchr(b';', rest).unwrap_or(rest.len()))?;
            rest = tail.split_first().map_or(&[], |(_, tail)| tail);
            let Some(value) = value_of(pair.trim_ascii(), prefix, name) else { continue };
            if found.replace(value).is_some() {
                return None;
            }
        }
    }
    found.filter(|value| !value.is_empty())
}

fn value_of<'a>(pair: &'a [u8], prefix: &str, name: &str) -> Option<&'a [u8]> {
    let value = pair.strip_prefix(prefix.as_bytes())?.strip_prefix(name.as_bytes())?;
    // A name alone is a doubled one too, with nothing to say.
    if value.is_empty() { Some(value) } else { value.strip_prefix(b"=") }
}

const fn is_cookie_octet(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e)
}

/// Makes and checks the tokens of forms; all nodes derive the same.
pub struct FormKey(hmac::Key);

impl FormKey {
    pub fn from_bytes(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The token of a form that is sent to `path` from the browser that has `secret`; 43 symbols of base64url.
    pub fn token(&self, secret: &str, path: &str) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        for part in [secret, "\n", path] {
            context.update(part.as_bytes());
        }
        b64::encode(context.sign().as_ref())
    }

    /// Whether `token` is that of [`Self::token`]; takes the same time whatever differs.
    pub fn is_token(&self, secret: &str, path: &str, token: &str) -> bool {
        let Some(tag) = b64::decode_array::<32>(token.as_bytes()) else { return false };
        let message = [secret, "\n", path].concat();
        hmac::verify(&self.0, message.as_bytes(), &tag).is_ok()
    }
}

/// Is this the secret of a form cookie: 32 bytes in base64url?
pub fn is_form_secret(value: &str) -> bool {
    b64::decode_array::<32>(value.as_bytes()).is_some()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_one_of_its_name() {
        let rows: &[(&[&str], Option<&str>, &str)] = &[
            (&["a=1"], Some("1"), "alone"),
            (&["b=2; a=1; c=3"], Some("1"), "among others"),
            (&["b=2", "a=1"], Some("1"), "in a field of its own"),
            (&["b=2;a=1"], Some("1"), "no space"),
            (&["a=1=="], Some("1=="), "only the first equals sign parts"),
            (&["aa=2; a=1; A=3"], Some("1"), "another name, or another case"),
            (&["a=1; a=2"], None, "doubled"),
            (&["a=1; a=1"], None, "doubled with one value"),
            (&["a=1", "a=1"], None, "doubled over two fields"),
            (&["a=1; a="], None, "doubled, one empty"),
            (&["a=1; a"], None, "doubled, one without a value"),
            (&["a="], None, "empty"),
            (&["a"], None, "no value"),
            (&["b=a=1"], None, "in another's value"),
            (&["a=\"1\""], None, "quoted"),
            (&["a=1,2"], None, "a comma"),
            (&["a=1 2"], None, "a space"),
            (&["a=\u{e4}"], None, "not ASCII"),
            (&["a =1"], None, "a name with a space is another name"),
            (&[""], None, "nothing"),
            (&[], None, "no field"),
        ];
        for (fields, expected, why) in rows {
            assert_eq!(find(fields.iter().map(|field| field.as_bytes()), "a"), *expected, "{why}");
        }
        let prefixed = |name| find_raw([b"p-a=1; p-ab=2".as_slice()].into_iter(), "p-", name);
        assert_eq!(
            [prefixed("a"), prefixed("ab"), prefixed("b")],
            [Some(b"1".as_slice()), Some(b"2"), None],
            "a name in two parts"
        );
        let long = format!("b={}", "x".repeat(COOKIES_BYTES_MAX));
        assert_eq!(find([long.as_bytes(), b"a=1"].into_iter(), "a"), None, "too many bytes");
    }

    #[test]
    fn a_token_is_good_for_its_browser_and_form() {
        let key = FormKey::from_bytes(&[1; 32]);
        let token = key.token("secret", "/login");
        for (secret, path, token, is_good, why) in [
            ("secret", "/login", token.as_str(), true, "as made"),
            ("secrets", "/login", &token, false, "another browser"),
            ("secret", "/logout", &token, false, "another form"),
            ("secret\n/login", "", &token, false, "parts moved"),
            ("secret", "/login", &token[1..], false, "cut short"),
            ("secret", "/login", "", false, "no token"),
            ("secret", "/login", &format!("{token}="), false, "another spelling"),
            ("secret", "/login", &FormKey::from_bytes(&[2; 32]).token("secret", "/login"), false, "another key"),
        ] {
            assert_eq!(key.is_token(secret, path, token), is_good, "{why}");
        }
    }

    #[test]
    fn form_secrets_have_one_form() {
        assert!(is_form_secret(&b64::encode(&[7; 32])));
        for (value, why) in [("", "empty"), ("AAAA", "too short"), (&b64::encode(&[7; 33]), "too long")] {
            assert!(!is_form_secret(value), "{why}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(fields in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..4)) {
            let _ = find(fields.iter().map(Vec::as_slice), "a");
        }

        #[test]
        fn what_is_found_is_there_once(field in "(a|b|aa|)(=|)[x\"; ]{0,3}(; ?(a|b)=[xy]{0,2}){0,3}") {
            if let Some(value) = find([field.as_bytes()].into_iter(), "a") {
                let parts = field.split(';').map(str::trim);
                let named: Vec<_> = parts.filter(|part| *part == "a" || part.starts_with("a=")).collect();
                prop_assert_eq!(named, [format!("a={value}")]);
            }
        }
    }
}
