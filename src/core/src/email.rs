//! Addresses of mail: one account for every way to write one.
//!
//! Whoever can write an address in two ways that reach the same mailbox, or that merely look the same, can ask for a
//! second account beside somebody's, or for the link that belongs to it. So an address is read once, here, before any
//! lookup or comparison, into [`Address`]: what is shown and sent to, and the one key under which it is found.
//!
//! The grammar is narrower than RFC 5321 and RFC 5322 on purpose. The local part is a dot-atom of ASCII (no quotes, no
//! comments, no RFC 6531), after NFKC, which turns fullwidth and other compatibility forms into what they look like;
//! what is not ASCII then (a dotless i, a Cyrillic a) is refused rather than guessed at. RFC 5321 section 2.4 lets a host
//! tell `Ann@` from `ann@`; none that matters does, and two accounts for them would be one person's surprise and another's
//! chance, so the key has no upper case. The domain is read by UTS #46 into its ASCII form (RFC 5891), without the dot of
//! the root; literals (`[192.0.2.1]`) and bare IPv4 addresses are refused. Tags (`ann+list@`) and dots are left alone:
//! what they mean is the host's affair.
//!
//! Limits: [`ADDRESS_BYTES_MAX`], [`LOCAL_BYTES_MAX`], and the 63 bytes of a label and 253 of a name of the DNS.
//!
//! Attacks considered: other spellings of somebody's address (case, fullwidth, compatibility letters, ideographic dots,
//! the dot of the root, `xn--` beside its Unicode form); look-alikes (refused in the local part; in the domain they are
//! another domain, and stay one); a line break that would become a header of a mail (no control character anywhere,
//! before anything is trimmed); a second address behind a comma or an `@`.

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use std::fmt;
use unicode_normalization::UnicodeNormalization as _;

/// The longest address, in bytes of its key: RFC 5321 section 4.5.3.1.3, without the angle brackets.
pub const ADDRESS_BYTES_MAX: usize = 254;
/// The longest local part: RFC 5321 section 4.5.3.1.1.
pub const LOCAL_BYTES_MAX: usize = 64;
/// The longest text that is looked at: compatibility forms and Unicode domains are longer than what they become.
const TEXT_BYTES_MAX: usize = 4 * ADDRESS_BYTES_MAX;

/// A mailbox that a person may be reached at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// To show and to write to: the local part's case as its owner wrote it, the domain in Unicode. Reading it again
    /// gives the same address.
    pub shown: String,
    /// To look up and to compare: ASCII without upper case, at most [`ADDRESS_BYTES_MAX`] bytes, exactly one `@`.
    pub key: String,
}

/// Why a text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressFault {
    /// There is nothing.
    Empty,
    /// The address or its local part is too long.
    TooLong,
    /// A control character, such as a line break.
    Control,
    /// Not exactly one `@` with something on both sides.
    Shape,
    /// The part before the `@` holds something else than ASCII letters, digits, `!#$%&'*+-/=?^_{|}~`, the backtick and
    /// single dots within.
    Local,
    /// The part after the `@` is no name of the DNS.
    Domain,
}

impl fmt::Display for AddressFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the address is empty",
            Self::TooLong => "the address is too long",
            Self::Control => "the address holds a control character",
            Self::Shape => "an address has one @ between its name and its domain",
            Self::Local => "the part before the @ has characters that are not taken",
            Self::Domain => "the part after the @ is not a domain",
        })
    }
}

impl std::error::Error for AddressFault {}

impl Address {
    /// Reads an address as a person typed it; blanks around it are left out.
    ///
    /// # Errors
    /// Each [`AddressFault`].
    pub fn parse(text: &str) -> Result<Self, AddressFault> {
        check_text(text)?;
        let normal: String = text.trim().nfkc().collect();
        let (local, domain) = split(normal.trim())?;
        check_local(local)?;
        let domain = Domain::parse(domain)?;
        let key = format!("{}@{}", local.to_ascii_lowercase(), domain.ascii);
        if key.len() > ADDRESS_BYTES_MAX {
            return Err(AddressFault::TooLong);
        }
        Ok(Self { shown: format!("{local}@{}", domain.shown), key })
    }

    /// The part of the key before the `@`.
    pub fn local(&self) -> &str {
        self.key.split_once('@').map_or("", |(local, _)| local)
    }

    /// The part of the key after the `@`: ASCII, without a dot at its end.
    pub fn domain(&self) -> &str {
        self.key.split_once('@').map_or("", |(_, domain)| domain)
    }
}

fn check_text(text: &str) -> Result<(), AddressFault> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(AddressFault::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(AddressFault::Control);
    }
    if text.trim().is_empty() { Err(AddressFault::Empty) } else { Ok(()) }
}

fn split(normal: &str) -> Result<(&str, &str), AddressFault> {
    let (local, domain) = normal.split_once('@').ok_or(AddressFault::Shape)?;
    if local.is_empty() || domain.is_empty() || domain.contains('@') {
        return Err(AddressFault::Shape);
    }
    Ok((local, domain))
}

/// A dot-atom (RFC 5322 section 3.2.3).
fn check_local(local: &str) -> Result<(), AddressFault> {
    let is_atext = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    if local.len() > LOCAL_BYTES_MAX {
        return Err(AddressFault::TooLong);
    }
    let is_dot_atom = local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atext));
    if is_dot_atom { Ok(()) } else { Err(AddressFault::Local) }
}

struct Domain {
    ascii: String,
    shown: String,
}

impl Domain {
    fn parse(text: &str) -> Result<Self, AddressFault> {
        let (processor, deny, hyphens) = (Uts46::new(), AsciiDenyList::STD3, Hyphens::CheckFirstLast);
        let ascii = processor
            .to_ascii(text.as_bytes(), deny, hyphens, DnsLength::VerifyAllowRootDot)
            .map_err(|_| AddressFault::Domain)?;
        let ascii = ascii.strip_suffix('.').unwrap_or(&ascii);
        // The last label of a name is never a number; that of an IPv4 address always is.
        let last = ascii.rsplit('.').next().unwrap_or_default();
        if last.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(AddressFault::Domain);
        }
        let (shown, is_good) = processor.to_unicode(ascii.as_bytes(), deny, hyphens);
        is_good.map_err(|_| AddressFault::Domain)?;
        Ok(Self { ascii: ascii.to_owned(), shown: shown.into_owned() })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_spelling_is_one_address() {
        for (reason, text) in [
            ("as it is", "ann@example.com"),
            ("upper case", "ANN@EXAMPLE.COM"),
            ("mixed", "Ann@Example.Com"),
            ("blanks around", "  ann@example.com "),
            ("a no-break space around", "\u{a0}ann@example.com\u{3000}"),
            ("the dot of the root", "ann@example.com."),
            ("a fullwidth at", "ann＠example.com"),
            ("fullwidth letters", "ａｎｎ@ｅｘａｍｐｌｅ.com"),
            ("a fullwidth dot", "ann@example．com"),
            ("an ideographic dot", "ann@example。com"),
            ("an ideographic dot of the root", "ann@example.com。"),
            ("mathematical letters", "𝒂nn@example.com"),
            ("a soft hyphen in the domain", "ann@exam\u{ad}ple.com"),
        ] {
            assert_eq!(Address::parse(text).unwrap().key, "ann@example.com", "{reason}");
        }
    }

    #[test]
    fn what_is_shown_is_what_was_written() {
        for (reason, text, shown, key) in [
            ("case of the local part", "Ann.Lee@Example.COM", "Ann.Lee@example.com", "ann.lee@example.com"),
            ("a domain in Unicode", "ann@Bücher.example", "ann@bücher.example", "ann@xn--bcher-kva.example"),
            ("the same in ASCII", "ann@xn--bcher-kva.example", "ann@bücher.example", "ann@xn--bcher-kva.example"),
            ("composed or not", "ann@bu\u{308}cher.example", "ann@bücher.example", "ann@xn--bcher-kva.example"),
            ("a tag stays", "ann+list@example.com", "ann+list@example.com", "ann+list@example.com"),
            ("dots stay", "a.n.n@example.com", "a.n.n@example.com", "a.n.n@example.com"),
            (
                "every special",
                "!#$%&'*+-/=?^_`{|}~@example.com",
                "!#$%&'*+-/=?^_`{|}~@example.com",
                "!#$%&'*+-/=?^_`{|}~@example.com",
            ),
            ("a host of development", "ann@localhost", "ann@localhost", "ann@localhost"),
            ("hyphens in the third place", "ann@r3---sn.example", "ann@r3---sn.example", "ann@r3---sn.example"),
            ("digits in a label", "ann@1.example2", "ann@1.example2", "ann@1.example2"),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!((address.shown.as_str(), address.key.as_str()), (shown, key), "{reason}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        use AddressFault::{Control, Domain, Empty, Local, Shape, TooLong};
        let long_local = format!("{}@example.com", "a".repeat(LOCAL_BYTES_MAX + 1));
        let long = format!("a@{}example.com", "label.".repeat(45));
        let huge = format!("a@{}com", "\u{ad}".repeat(TEXT_BYTES_MAX));
        let long_label = format!("a@{}.com", "a".repeat(64));
        for (reason, text, fault) in [
            ("nothing", "", Empty),
            ("blanks", " \u{3000} ", Empty),
            ("no at", "ann.example.com", Shape),
            ("two", "ann@example.com@example.net", Shape),
            ("two, one of them fullwidth", "ann＠example.com@example.net", Shape),
            ("no local part", "@example.com", Shape),
            ("no domain", "ann@", Shape),
            ("a line break", "ann@example.com\r\nBcc: eve@example.com", Control),
            ("a line break at the end", "ann@example.com\n", Control),
            ("a NUL", "ann\0@example.com", Control),
            ("an escape", "ann\u{1b}@example.com", Control),
            ("a control of C1", "ann\u{85}@example.com", Control),
            ("a dotless i", "adm\u{131}n@example.com", Local),
            ("a dotted capital I", "ADM\u{130}N@example.com", Local),
            ("a Cyrillic a", "\u{430}nn@example.com", Local),
            ("a soft hyphen", "a\u{ad}nn@example.com", Local),
            ("a joiner", "a\u{200d}nn@example.com", Local),
            ("a mark of direction", "\u{202e}nna@example.com", Local),
            ("a blank within", "ann lee@example.com", Local),
            ("a list", "ann,eve@example.com", Local),
            ("a quoted string", "\"ann\"@example.com", Local),
            ("a comment", "ann(x)@example.com", Local),
            ("angle brackets", "<ann@example.com", Local),
            ("a dot first", ".ann@example.com", Local),
            ("a dot last", "ann.@example.com", Local),
            ("two dots", "a..nn@example.com", Local),
            ("an ellipsis is three dots", "a…nn@example.com", Local),
            ("a long local part", &long_local, TooLong),
            ("a long domain", &long, Domain),
            ("a long label", &long_label, Domain),
            ("a huge text", &huge, TooLong),
            ("a literal", "ann@[192.0.2.1]", Domain),
            ("an IPv4 address", "ann@192.0.2.1", Domain),
            ("the same with a root", "ann@192.0.2.1.", Domain),
            ("an IPv6 address", "ann@2001:db8::1", Domain),
            ("two dots of the root", "ann@example.com..", Domain),
            ("an empty label", "ann@example..com", Domain),
            ("only a dot", "ann@.", Domain),
            ("a hyphen first", "ann@-example.com", Domain),
            ("a hyphen last", "ann@example-.com", Domain),
            ("an underscore", "ann@ex_ample.com", Domain),
            ("a closing bracket", "ann@example.com>", Domain),
            ("a comma behind", "ann@example.com,", Domain),
            ("a blank in the domain", "ann@example com", Domain),
            ("a broken xn-- label", "ann@xn--a.example", Domain),
            ("a slash that NFKC makes", "ann@example.com／path", Domain),
        ] {
            assert_eq!(Address::parse(text), Err(fault), "{reason}");
        }
    }

    #[test]
    fn the_longest_address_is_taken() {
        let local = "a".repeat(LOCAL_BYTES_MAX);
        let domain = format!("{}.{}.{}", "b".repeat(63), "c".repeat(63), "d".repeat(61));
        let address = Address::parse(&format!("{local}@{domain}")).unwrap();
        assert_eq!((address.key.len(), address.local(), address.domain()), (ADDRESS_BYTES_MAX, &*local, &*domain));
        assert_eq!(Address::parse(&format!("{local}@{domain}d")), Err(AddressFault::TooLong));
    }

    fn texts() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "\\PC{1,12}[@＠]\\PC{1,16}",
            "[ ]?[a-zA-Zａ-ｚ.+ıſK]{1,10}[@＠][a-zA-Zａ-ｚéßσς。．.-]{1,16}[.。]?[ ]?",
        ]
    }

    proptest! {
        #[test]
        fn reading_again_changes_nothing(text in texts()) {
            if let Ok(address) = Address::parse(&text) {
                prop_assert_eq!(Address::parse(&address.shown).unwrap(), address.clone());
                prop_assert_eq!(&Address::parse(&address.key).unwrap().key, &address.key);
                prop_assert!(address.key.is_ascii() && address.key.len() <= ADDRESS_BYTES_MAX);
                prop_assert!(!address.key.bytes().any(|byte| byte.is_ascii_uppercase() || byte <= b' '));
                prop_assert_eq!(address.key.matches('@').count(), 1);
            }
        }
    }
}
