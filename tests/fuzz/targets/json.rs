//! Strict JSON: never read otherwise than serde_json reads it, and written so that it reads the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use sigid_core::json::{json_object_strict, push_value};

fuzz_target!(|bytes: &[u8]| {
    let lenient: Result<Value, _> = serde_json::from_slice(bytes);
    let Ok(strict) = json_object_strict(bytes) else { return };
    let strict = Value::Object(strict);
    assert_eq!(lenient.ok().as_ref(), Some(&strict), "what is strict is JSON, and the same");
    let mut written = Vec::new();
    push_value(&strict, &mut written);
    assert_eq!(json_object_strict(&written).map(Value::Object).ok(), Some(strict), "what we write we read");
});
