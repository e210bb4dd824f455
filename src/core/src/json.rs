//! Strict JSON (RFC 8259, RFC 7493): what a signature covers must mean one thing to every reader.
//!
//! serde_json keeps the last of two members with one name; another library keeps the first. A token
//! or metadata document with doubled names is therefore refused, at any depth. Depth is limited to
//! 16, far below what a recursive reader's stack could take.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::{Map, Number, Value};

/// The deepest nesting of arrays and objects.
pub const JSON_DEPTH_MAX: u8 = 16;

/// Not one strict JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadJson;

impl fmt::Display for BadJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a JSON object with distinct member names")
    }
}

impl std::error::Error for BadJson {}

/// Parses one object; a doubled member name anywhere, or anything after the object, is a fault.
pub fn json_object_strict(bytes: &[u8]) -> Result<Map<String, Value>, BadJson> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = Strict::default().deserialize(&mut json).map_err(|_| BadJson)?;
    json.end().map_err(|_| BadJson)?;
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(BadJson),
    }
}

/// Reads any value whose objects have distinct names.
#[derive(Clone, Copy, Default)]
pub(crate) struct Strict {
    depth: u8,
}

impl Strict {
    fn inner<E: de::Error>(self) -> Result<Self, E> {
        let depth = self.depth + 1;
        if depth > JSON_DEPTH_MAX { Err(E::custom("too deep")) } else { Ok(Self { depth }) }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("not finite"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut values = Vec::new();
        while let Some(value) = from.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut map = Map::new();
        while let Some(name) = from.next_key::<String>()? {
            let value = from.next_value_seed(inner)?;
            if map.insert(name, value).is_some() {
                return Err(A::Error::custom("doubled member"));
            }
        }
        Ok(Value::Object(map))
    }
}

/// A string, borrowed from the document unless it has escapes.
pub(crate) struct Text<'de>(pub Cow<'de, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(value)))
    }
}

/// Fills a member that may occur once.
pub(crate) fn fill<T, E: de::Error>(slot: &mut Option<T>, value: T) -> Result<(), E> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::custom("doubled member")),
    }
}

/// Appends a string with its quotes, escaped as RFC 8259 section 7 demands.
pub fn push_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0..0x20 => {
                let low = byte & 15;
                let digit = if low < 10 { b'0' + low } else { b'a' + low - 10 };
                out.extend([b'\\', b'u', b'0', b'0', b'0' + (byte >> 4), digit]);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Appends an integer.
pub fn push_integer(value: i64, out: &mut Vec<u8>) {
    // A `Vec` takes every write.
    let _ = std::io::Write::write_fmt(out, format_args!("{value}"));
}

/// Appends any value.
pub fn push_value(value: &Value, out: &mut Vec<u8>) {
    let _ = std::io::Write::write_fmt(out, format_args!("{value}"));
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_object_is_strict() {
        let nested = |n: usize| format!("{{\"a\":{}1{}}}", "[".repeat(n - 1), "]".repeat(n - 1));
        let deepest = nested(usize::from(JSON_DEPTH_MAX));
        let too_deep = nested(usize::from(JSON_DEPTH_MAX) + 1);
        let rows: &[(&str, bool, &str)] = &[
            ("{}", true, "empty"),
            (" {\"a\":[1,-1,1.5,true,null,\"x\"],\"b\":{\"a\":1}} ", true, "every kind of value"),
            (&deepest, true, "the deepest"),
            (&too_deep, false, "one level too deep"),
            ("{\"a\":1,\"a\":1}", false, "doubled"),
            ("{\"a\":1,\"\\u0061\":2}", false, "doubled under an escape"),
            ("{\"b\":{\"a\":1,\"a\":2}}", false, "doubled below"),
            ("{\"b\":[{\"a\":1,\"a\":2}]}", false, "doubled inside an array"),
            ("{} {}", false, "something follows"),
            ("{}\0", false, "trailing NUL"),
            ("[]", false, "an array"),
            ("\"a\"", false, "a string"),
            ("{'a':1}", false, "single quotes"),
            ("{\"a\":1,}", false, "trailing comma"),
            ("{\"a\":NaN}", false, "not a number"),
            ("{\"a\":1e999}", false, "out of range"),
            ("{\"a\":\"\\ud800\"}", false, "lone surrogate"),
            ("", false, "nothing"),
        ];
        for (text, good, why) in rows {
            assert_eq!(json_object_strict(text.as_bytes()).is_ok(), *good, "{why}");
        }
        assert!(json_object_strict(b"{\"a\":\"\xff\"}").is_err(), "not UTF-8");
        assert!(json_object_strict(&b"[".repeat(100_000)).is_err(), "no stack overflow");
        assert!(json_object_strict(&b"{\"a\":".repeat(100_000)).is_err(), "nor by objects");
    }

    proptest! {
        #[test]
        fn strings_are_escaped_for_every_input(text in any::<String>()) {
            let mut out = Vec::new();
            push_string(&text, &mut out);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }

        #[test]
        fn control_characters_are_escaped(text in "[\\x00-\\x1f\"\\\\]{0,40}") {
            let mut out = Vec::new();
            push_string(&text, &mut out);
            prop_assert!(out.iter().all(|b| *b >= 0x20));
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = json_object_strict(&bytes);
        }
    }
}
