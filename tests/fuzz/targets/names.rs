//! Identifiers, scopes and opaque values: what is taken is within its alphabet, is written as it was read, and no
//! opaque value is guessed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sigid_core::ids::{ClientId, Kid, TenantId};
use sigid_core::opaque::{OpaqueKey, Purpose};
use sigid_core::scope::Scope;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(id) = ClientId::parse(text) {
        assert!(id.as_str() == text && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._~-".contains(&b)));
    }
    if let Ok(kid) = Kid::parse(text) {
        assert_eq!(kid.as_str(), text);
    }
    if let Ok(id) = text.parse::<TenantId>() {
        assert_eq!(id.to_string().parse::<TenantId>().ok(), Some(id));
    }
    if let Ok(scope) = Scope::parse(text) {
        let written = scope.to_string();
        assert_eq!(Scope::parse(&written).as_ref(), Ok(&scope), "what we write we read");
        assert!(!written.contains(['"', '\\', '\n']) && scope.is_subset(&scope));
    }
    let key = OpaqueKey::from_bytes(&[7; 32]);
    for purpose in [Purpose::ClientSecret, Purpose::RegistrationToken, Purpose::RefreshToken] {
        assert!(key.check(purpose, text).is_err(), "nobody guesses a value");
    }
    if let Some(random) = bytes.first_chunk::<32>() {
        let minted = key.mint(Purpose::ClientSecret, *random);
        assert!(key.check(Purpose::ClientSecret, minted.expose()).is_ok());
        assert!(key.check(Purpose::RefreshToken, minted.expose()).is_err(), "one purpose each");
    }
});
