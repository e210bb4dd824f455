//! Cookies: one of a name is found where a naive reader finds exactly one, and no stranger's text opens as an edge cookie.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sigid_core::cookie::edge::EdgeKey;
use sigid_core::cookie::{COOKIES_BYTES_MAX, find, find_raw};
use sigid_core::ids::ClientId;

const NAME: &str = "__Host-sigid";

fuzz_target!(|input: &[u8]| {
    let fields = || input.split(|byte| *byte == b'\n');
    let raw = find_raw(fields(), "__Host-", "sigid");
    assert_eq!(find_raw(fields(), "", NAME), raw, "a name in two parts is the name");
    assert_eq!(raw, naive(input), "found where it is there once");
    if let Some(value) = find(fields(), NAME) {
        assert_eq!(Some(value.as_bytes()), raw);
        assert!(value.bytes().all(|byte| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte)));
    }
    let client = ClientId::parse("shop").expect("a client id");
    assert!(EdgeKey::from_bytes(&[1; 32]).open(&client, input, 0).is_err(), "nobody else has the key");
});

fn naive(input: &[u8]) -> Option<&[u8]> {
    if input.split(|byte| *byte == b'\n').map(<[u8]>::len).sum::<usize>() > COOKIES_BYTES_MAX {
        return None;
    }
    let pairs = input.split(|byte| *byte == b'\n' || *byte == b';').map(<[u8]>::trim_ascii);
    let named = pairs.filter_map(|pair| match pair.strip_prefix(NAME.as_bytes())? {
        [] => Some(&[][..]),
        [b'=', value @ ..] => Some(value),
        _ => None,
    });
    let values: Vec<&[u8]> = named.collect();
    match values.as_slice() {
        [value] if !value.is_empty() => Some(value),
        _ => None,
    }
}
