//! The device cookie: this browser has signed in to that account before.
//!
//! It opens nothing. It lets attempts from a device that its person uses be counted apart, so that a stranger who locks
//! the account locks out strangers only (the device cookies of OWASP). Up to [`DEVICE_ACCOUNTS_MAX`] entries, the latest
//! first, joined by `.`; each is base64url of
//!
//! ```text
//! device (16 random bytes) | issued (8, Unix seconds) | tag (16: HMAC-SHA256 over label, account, device, issued)
//! ```
//!
//! The account is in the tag alone: who finds the cookie learns nothing of whose it is, and it counts only beside the
//! right account. A stolen one buys as many guesses as its person has, and no more, and it counts only as long as the
//! account has the password under which it was given ([`Device::is_current`]): whoever knew the old one cannot use up what
//! the person's own devices may try. Alternatives rejected: rows in the
//! database (a write and a read for each sign-in, to save nobody anything), one cookie for each account (unbounded).

use http::HeaderValue;
use ring::hmac;
use sigid_core::b64;
use sigid_core::secret::{Secret, is_same_bytes};

/// The name of the cookie.
pub const DEVICE_COOKIE: &str = "__Host-sigid-device";
/// Accounts that one browser may be known to.
pub const DEVICE_ACCOUNTS_MAX: usize = 4;
/// A device that did not sign in for so long is a stranger again.
pub const DEVICE_LIFETIME_S: i64 = 365 * 24 * 3600;
/// Longer ones are not read.
pub const DEVICE_COOKIE_BYTES_MAX: usize = 512;

const ID_BYTES: usize = 16;
const TAG_BYTES: usize = 16;
const ENTRY_BYTES: usize = ID_BYTES + 8 + TAG_BYTES;
const LABEL: &[u8] = b"sigid device v1\n";

/// A device that has signed in to the account it was checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    id: [u8; ID_BYTES],
    issued_s: i64,
}

impl Device {
    pub(super) fn id(&self) -> &[u8; ID_BYTES] {
        &self.id
    }

    /// Whether it signed in under the password that the account has: who knew another one is a stranger.
    pub fn is_current(&self, password_changed_s: Option<i64>) -> bool {
        password_changed_s.is_none_or(|changed_s| self.issued_s >= changed_s)
    }
}

/// Makes and checks device cookies, under a key that all nodes have.
pub struct Devices(hmac::Key);

impl Devices {
    pub fn new(key: &Secret<[u8; 32]>) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.expose()))
    }

    /// The device, if `cookie` says that it is known to `account`. As long for every account that a cookie may name.
    pub fn find(&self, cookie: Option<&str>, account: &str, now_s: i64) -> Option<Device> {
        let (_, entry) = self.find_entry(cookie?, account)?;
        let age_s = now_s - entry.issued_s;
        (-CLOCK_SKEW_S..DEVICE_LIFETIME_S).contains(&age_s).then_some(Device { id: entry.id, issued_s: entry.issued_s })
    }

    /// The cookie of a device that has just signed in to `account`: `random` is 16 fresh random bytes, used where the
    /// account does not know the device.
    pub fn issue(&self, cookie: Option<&str>, account: &str, random: [u8; 16], now_s: i64) -> HeaderValue {
        let cookie = cookie.unwrap_or_default();
        let known = self.find_entry(cookie, account);
        let entry = Entry { id: known.as_ref().map_or(random, |(_, entry)| entry.id), issued_s: now_s };
        let mut value = format!("{DEVICE_COOKIE}=");
        b64::encode_into(&self.seal(&entry, account), &mut value);
        let known = known.map(|(text, _)| text);
        for other in entries(cookie).filter(|text| Some(*text) != known).take(DEVICE_ACCOUNTS_MAX - 1) {
            value.push('.');
            value.push_str(other);
        }
        value.push_str(ATTRIBUTES);
        // Base64url and constants: always a header value.
        HeaderValue::try_from(value).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    fn find_entry<'c>(&self, cookie: &'c str, account: &str) -> Option<(&'c str, Entry)> {
        entries(cookie).find_map(|text| {
            let bytes: [u8; ENTRY_BYTES] = b64::decode_array(text.as_bytes())?;
            let (id, rest) = bytes.split_first_chunk::<ID_BYTES>()?;
            let (issued, _) = rest.split_first_chunk::<8>()?;
            let entry = Entry { id: *id, issued_s: i64::from_be_bytes(*issued) };
            is_same_bytes(&bytes, &self.seal(&entry, account)).then_some((text, entry))
        })
    }

    fn seal(&self, entry: &Entry, account: &str) -> [u8; ENTRY_BYTES] {
        let issued = entry.issued_s.to_be_bytes();
        let mut context = hmac::Context::with_key(&self.0);
        for part in [LABEL, &entry.id, &issued, account.as_bytes()] {
            context.update(part);
        }
        let tag = context.sign();
        let mut bytes = [0; ENTRY_BYTES];
        let parts = entry.id.iter().chain(&issued).chain(tag.as_ref());
        for (to, from) in bytes.iter_mut().zip(parts) {
            *to = *from;
        }
        bytes
    }
}

struct Entry {
    id: [u8; ID_BYTES],
    issued_s: i64,
}

/// Texts of the right length, no more than are kept.
fn entries(cookie: &str) -> impl Iterator<Item = &str> {
    let cookie = if cookie.len() > DEVICE_COOKIE_BYTES_MAX { "" } else { cookie };
    let is_entry = |text: &&str| text.len() == ENTRY_SYMBOLS && text.bytes().all(b64::is_symbol);
    cookie.split('.').filter(is_entry).take(DEVICE_ACCOUNTS_MAX)
}

const ENTRY_SYMBOLS: usize = (ENTRY_BYTES * 4).div_ceil(3);
/// Nodes' clocks may differ by so much.
const CLOCK_SKEW_S: i64 = 60;
/// A year.
const ATTRIBUTES: &str = "; Path=/; Max-Age=31536000; Secure; HttpOnly; SameSite=Lax";

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: i64 = 1_700_000_000;

    fn devices(key: u8) -> Devices {
        Devices::new(&Secret::new([key; 32]))
    }

    fn value(header: &HeaderValue) -> String {
        let text = header.to_str().unwrap();
        let (pair, attributes) = text.split_once(';').unwrap();
        assert_eq!(attributes, " Path=/; Max-Age=31536000; Secure; HttpOnly; SameSite=Lax");
        pair.strip_prefix("__Host-sigid-device=").unwrap().to_owned()
    }

    #[test]
    fn a_device_is_known_to_its_account_and_to_no_other() {
        let cookie = value(&devices(1).issue(None, "ada@example.com", [7; 16], NOW_S));
        let known = Some(Device { id: [7; 16], issued_s: NOW_S });
        let half = &cookie[..cookie.len() / 2];
        let mut forged = cookie.clone().into_bytes();
        forged[3] ^= 1;
        let forged = String::from_utf8(forged).unwrap();
        let long = format!("{cookie}.{}", "x".repeat(DEVICE_COOKIE_BYTES_MAX));
        for (reason, key, cookie, account, after_s, expected) in [
            ("its own", 1, Some(cookie.as_str()), "ada@example.com", 0, known),
            ("up to a year", 1, Some(cookie.as_str()), "ada@example.com", DEVICE_LIFETIME_S - 1, known),
            ("a year later", 1, Some(cookie.as_str()), "ada@example.com", DEVICE_LIFETIME_S, None),
            ("issued in the future", 1, Some(cookie.as_str()), "ada@example.com", -3600, None),
            ("another account", 1, Some(cookie.as_str()), "bob@example.com", 0, None),
            ("another key", 2, Some(cookie.as_str()), "ada@example.com", 0, None),
            ("no cookie", 1, None, "ada@example.com", 0, None),
            ("an empty one", 1, Some(""), "ada@example.com", 0, None),
            ("half of one", 1, Some(half), "ada@example.com", 0, None),
            ("a changed one", 1, Some(forged.as_str()), "ada@example.com", 0, None),
            ("a very long one", 1, Some(long.as_str()), "ada@example.com", 0, None),
        ] {
            assert_eq!(devices(key).find(cookie, account, NOW_S + after_s), expected, "{reason}");
        }
    }

    #[test]
    fn a_browser_is_known_to_the_last_four_accounts() {
        let devices = devices(1);
        let mut cookie = String::new();
        for n in 0..6_u8 {
            cookie = value(&devices.issue(Some(&cookie), &format!("{n}@example.com"), [n; 16], NOW_S));
        }
        let known = |n: u8| devices.find(Some(&cookie), &format!("{n}@example.com"), NOW_S).is_some();
        assert_eq!([0, 1, 2, 3, 4, 5].map(known), [false, false, true, true, true, true]);
        let again = value(&devices.issue(Some(&cookie), "2@example.com", [99; 16], NOW_S + 9));
        assert_eq!(
            devices.find(Some(&again), "2@example.com", NOW_S),
            Some(Device { id: [2; 16], issued_s: NOW_S + 9 }),
            "it stays the same device"
        );
        assert_eq!(again.split('.').count(), 4, "and takes no second place");
        assert!(again.len() <= DEVICE_COOKIE_BYTES_MAX);
        assert!(!again.contains("example"), "it names nobody");
    }
    #[test]
    fn a_device_of_an_older_password_is_a_stranger() {
        let device = Device { id: [7; 16], issued_s: NOW_S };
        for (reason, changed_s, expected) in [
            ("set before", Some(NOW_S - 1), true),
            ("set in the same second", Some(NOW_S), true),
            ("set after", Some(NOW_S + 1), false),
            ("never set", None, true),
        ] {
            assert_eq!(device.is_current(changed_s), expected, "{reason}");
        }
    }
}
