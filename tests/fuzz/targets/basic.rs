//! Basic credentials: the raw header, and the header around decoded bytes, where the plain ones have an obvious answer.

#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libfuzzer_sys::fuzz_target;
use sigid_core::basic::{BASIC_BYTES_MAX, decode_basic};

fuzz_target!(|bytes: &[u8]| {
    let mut scratch = [0; BASIC_BYTES_MAX];
    check(decode_basic(bytes, &mut scratch).ok());
    let header = format!("Basic {}", STANDARD.encode(bytes));
    let mut scratch = [0; BASIC_BYTES_MAX];
    let found = decode_basic(header.as_bytes(), &mut scratch).ok();
    check(found);
    if !bytes.iter().any(|byte| b"%+".contains(byte)) {
        assert_eq!(found, plain(bytes));
    }
});

fn check(found: Option<(&str, &str)>) {
    let Some((id, secret)) = found else { return };
    assert!(!id.is_empty());
    assert!(!id.bytes().chain(secret.bytes()).any(|byte| byte.is_ascii_control()));
}

/// What credentials without escapes are.
fn plain(bytes: &[u8]) -> Option<(&str, &str)> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= BASIC_BYTES_MAX)?;
    let (id, secret) = text.split_once(':')?;
    let is_clean = !text.bytes().any(|byte| byte.is_ascii_control());
    (is_clean && !id.is_empty()).then_some((id, secret))
}
