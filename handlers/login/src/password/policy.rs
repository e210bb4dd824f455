//! What a new password must be: long enough, and not one that is guessed first.
//!
//! By length and by a list of common passwords (NIST SP 800-63B section 3.1.1), never by classes of characters, which
//! make people write `Password1!`. The list, `common.txt`, holds the passwords of at least [`LENGTH_FLOOR`] characters
//! among the twenty thousand most common of known breaches, in lower case, sorted by bytes.

use sigid_core::email::Address;
use sigid_io::hash_pool::Password;
use std::collections::BTreeSet;

use super::prepare::prepare;

/// The least that may be asked for: the list of common passwords begins here.
pub const LENGTH_FLOOR: usize = 8;
/// A local part that is shorter is part of many words.
const LOCAL_PART_LENGTH_MIN: usize = 4;
/// What has no more different characters than this is a pattern.
const PATTERN_CHARACTERS_MAX: usize = 2;
/// The first thing to try against an installation.
const PRODUCT: &str = "sigid";

const COMMON: &str = include_str!("common.txt");

/// Why a new password is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordFault {
    /// Fewer characters than this.
    TooShort { min: usize },
    /// More bytes than are hashed.
    TooLong,
    /// Among the first that are tried, with the name of this product in it, or a pattern.
    Common,
    /// The address, or its local part, is in it.
    LikeAddress,
}

/// The rules for new passwords.
pub struct Policy {
    length_min: usize,
    common: Vec<&'static str>,
}

impl Policy {
    pub fn new(length_min: usize) -> Self {
        Self { length_min, common: COMMON.lines().collect() }
    }

    /// A new password for the account of this address.
    ///
    /// # Errors
    /// Each [`PasswordFault`].
    pub fn check(&self, password: &Password, address: &Address) -> Result<(), PasswordFault> {
        let prepared = prepare(password).ok_or(PasswordFault::TooLong)?;
        // What is not UTF-8 is no text of these lists; its bytes are its characters.
        let text = String::from_utf8_lossy(prepared.expose());
        if text.chars().count() < self.length_min {
            return Err(PasswordFault::TooShort { min: self.length_min });
        }
        let text = zeroize::Zeroizing::new(text.to_lowercase());
        if is_like(&text, address) {
            return Err(PasswordFault::LikeAddress);
        }
        if self.is_common(&text) { Err(PasswordFault::Common) } else { Ok(()) }
    }

    fn is_common(&self, text: &str) -> bool {
        let characters: BTreeSet<char> = text.chars().collect();
        self.common.binary_search(&text).is_ok() || text.contains(PRODUCT) || characters.len() <= PATTERN_CHARACTERS_MAX
    }
}

fn is_like(text: &str, address: &Address) -> bool {
    let local = address.local();
    text.contains(&address.key) || text == local || local.len() >= LOCAL_PART_LENGTH_MIN && text.contains(local)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use sigid_io::hash_pool::PASSWORD_BYTES_MAX;

    fn check(text: &str, address: &str) -> Result<(), PasswordFault> {
        let address = Address::parse(address).unwrap();
        Policy::new(LENGTH_FLOOR).check(&Password::from(text.to_owned()), &address)
    }

    #[test]
    fn a_new_password_is_long_and_not_common() {
        use PasswordFault::{Common, LikeAddress, TooLong, TooShort};
        let longest = "correct horse ".repeat(PASSWORD_BYTES_MAX / 14);
        let too_long = "correct horse ".repeat(PASSWORD_BYTES_MAX / 14 + 1);
        for (reason, text, expected) in [
            ("words", "correct horse battery", Ok(())),
            ("no digit, no capital", "kettledrums", Ok(())),
            ("exactly long enough", "ketdrum8", Ok(())),
            ("eight characters of several bytes", "пароволк", Ok(())),
            ("four emoji are too few", "🐎🐎🐎🐎", Err(TooShort { min: 8 })),
            ("one too few", "ketdrum", Err(TooShort { min: 8 })),
            ("composed it is too short", "e\u{301}e\u{301}e\u{301}e\u{301}", Err(TooShort { min: 8 })),
            ("none", "", Err(TooShort { min: 8 })),
            ("the longest", &longest, Ok(())),
            ("too long", &too_long, Err(TooLong)),
            ("common", "password", Err(Common)),
            ("common in other case", "PassWord1", Err(Common)),
            ("the first of the list", COMMON.lines().next().unwrap(), Err(Common)),
            ("the last of the list", COMMON.lines().last().unwrap(), Err(Common)),
            ("one character", "zzzzzzzzzzzzz", Err(Common)),
            ("two characters in turn", "uvuvuvuvuvuvuv", Err(Common)),
            ("three are a beginning", "uvwuvwwvuuvw", Ok(())),
            ("the product", "my SigID account", Err(Common)),
            ("the address", "Ann.Lee@Example.com", Err(LikeAddress)),
            ("the local part", "ann.lee!", Err(LikeAddress)),
            ("the local part within", "iam ANN.LEE ok", Err(LikeAddress)),
            ("only the domain", "example.com rules", Ok(())),
        ] {
            assert_eq!(check(text, "ann.lee@example.com"), expected, "{reason}");
        }
    }

    #[test]
    fn a_short_local_part_is_part_of_many_words() {
        for (reason, text, expected) in [
            ("within a word", "bannister rail", Ok(())),
            ("the whole address", "x ann@example.com", Err(PasswordFault::LikeAddress)),
        ] {
            assert_eq!(check(text, "ann@example.com"), expected, "{reason}");
        }
    }

    #[test]
    fn the_list_is_sorted_and_begins_at_the_floor() {
        let lines: Vec<&str> = COMMON.lines().collect();
        assert!(lines.len() > 8000 && lines.is_sorted());
        for line in lines {
            assert!(line.chars().count() >= LENGTH_FLOOR && line == line.to_lowercase(), "{line}");
        }
    }
}
