//! Addresses of mail: what is accepted has one spelling, and nothing in it that a mail's header would obey.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sigid_core::email::{ADDRESS_BYTES_MAX, Address};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(address) = Address::parse(text) else { return };
    assert_eq!(Address::parse(&address.shown).as_ref(), Ok(&address), "what is shown is read as the same");
    assert_eq!(Address::parse(&address.key).unwrap().key, address.key, "a key is its own key");
    assert!(address.key.is_ascii() && address.key.len() <= ADDRESS_BYTES_MAX);
    assert!(
        !address
            .key
            .bytes()
            .any(|byte| byte.is_ascii_uppercase() || byte.is_ascii_control() || b" ,;<>\"".contains(&byte))
    );
    assert!(!address.shown.chars().any(|c| c.is_control() || c.is_whitespace() || ",;<>\"".contains(c)));
    assert_eq!(address.key.matches('@').count(), 1);
    for other in [text.to_ascii_uppercase(), format!(" {text}"), text.replacen('@', "＠", 1)] {
        if let Ok(other) = Address::parse(&other) {
            assert_eq!(other.key, address.key, "another spelling");
        }
    }
});
