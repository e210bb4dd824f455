//! HPACK (RFC 7541): field blocks of requests are decoded, those of replies written.
//!
//! Each connection has a dynamic table of the size that every endpoint must offer, 4096 bytes by the RFC's count
//! ([`TABLE_BYTES_MAX`]). The encoder keeps no table: replies are few and alike, their fields are written as literals
//! with a static name, and one byte at the start of the first block gives the peer's table up (size 0), which also
//! covers a peer that makes it smaller later.
//!
//! Attacks considered: an entry named again and again (the caller counts what the fields amount to and stops keeping
//! them); integers without end; text that says it is longer than the block; names in capitals, which are kept in the
//! table, since both sides must agree on it, as [`Field::Bad`].

pub mod encode;
mod huffman;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use std::collections::VecDeque;
use std::sync::LazyLock;

/// The dynamic table's size: the initial one of the RFC, never announced otherwise.
pub const TABLE_BYTES_MAX: usize = 4096;
/// What each entry counts beyond its text (section 4.1).
pub const ENTRY_OVERHEAD_BYTES: usize = 32;
/// No length or index is ever near it.
const INTEGER_MAX: usize = 1 << 24;

/// A decoded field.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    Pseudo(Pseudo, Bytes),
    Header(HeaderName, HeaderValue),
    /// A name or value that no field may have.
    Bad,
}

/// The pseudo-header fields of a request (RFC 9113 section 8.3.1); `Other` is none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pseudo {
    Authority,
    Method,
    Path,
    Scheme,
    Other,
}

/// The block is not HPACK, or does not fit the table: the connection is lost (RFC 9113 section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

impl Field {
    pub(super) fn of(name: &[u8], value: Bytes) -> Self {
        if name.first() == Some(&b':') {
            return Self::Pseudo(Pseudo::of(name), value);
        }
        match HeaderName::from_lowercase(name) {
            Ok(name) => Self::header(name, value),
            Err(_) => Self::Bad,
        }
    }

    /// White space around a value is taken off, as RFC 9110 section 5.5 has it, where RFC 9113 section 8.2.1 would
    /// reset the stream: libraries let it through, and their users are told more by an answer.
    fn header(name: HeaderName, value: Bytes) -> Self {
        let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\t');
        let before = value.iter().take_while(is_blank).count();
        let behind = value.iter().skip(before).rev().take_while(is_blank).count();
        let value = value.slice(before..value.len() - behind);
        HeaderValue::from_maybe_shared(value).map_or(Self::Bad, |value| Self::Header(name, value))
    }

    fn with_value(&self, value: Bytes) -> Self {
        match self {
            Self::Pseudo(pseudo, _) => Self::Pseudo(*pseudo, value),
            Self::Header(name, _) => Self::header(name.clone(), value),
            Self::Bad => Self::Bad,
        }
    }
}

impl Pseudo {
    fn of(name: &[u8]) -> Self {
        match name {
            b":authority" => Self::Authority,
            b":method" => Self::Method,
            b":path" => Self::Path,
            b":scheme" => Self::Scheme,
            _ => Self::Other,
        }
    }
}

/// A field and the lengths of its texts, which [`Field::Bad`] does not have any more.
#[derive(Clone, Debug)]
struct Entry {
    field: Field,
    name_bytes: usize,
    value_bytes: usize,
}

impl Entry {
    /// By the count of section 4.1, which is also that of a field list (RFC 9113 section 10.5.1).
    fn bytes(&self) -> usize {
        self.name_bytes + self.value_bytes + ENTRY_OVERHEAD_BYTES
    }
}

/// The decoding side of a connection.
pub struct Decoder {
    entries: VecDeque<Entry>,
    bytes: usize,
    bytes_max: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { entries: VecDeque::new(), bytes: 0, bytes_max: TABLE_BYTES_MAX }
    }
}

impl Decoder {
    /// Decodes a whole block; `take` gets each field and what it counts, in order. `Ok(true)`: the table is another
    /// now, and the same bytes may mean something else.
    ///
    /// # Errors
    /// The block is broken; the table can no longer be trusted.
    pub fn decode(&mut self, block: &[u8], mut take: impl FnMut(&Field, usize)) -> Result<bool, Broken> {
        let mut input = Input(block);
        let mut has_changed = false;
        let mut may_resize = true;
        while let Some(first) = input.0.first().copied() {
            if first & 0xe0 == 0x20 {
                self.resize(input.integer(5)?, may_resize)?;
                has_changed = true;
                continue;
            }
            may_resize = false;
            if first & 0x80 != 0 {
                let entry = self.find(input.integer(7)?)?;
                take(&entry.field, entry.bytes());
                continue;
            }
            let is_kept = first & 0x40 != 0;
            let entry = self.literal(&mut input, if is_kept { 6 } else { 4 })?;
            take(&entry.field, entry.bytes());
            if is_kept {
                self.keep(entry);
                has_changed = true;
            }
        }
        Ok(has_changed)
    }

    fn literal(&self, input: &mut Input<'_>, prefix_bits: u8) -> Result<Entry, Broken> {
        match input.integer(prefix_bits)? {
            0 => {
                let name = input.text()?;
                let value = input.text()?;
                let (name_bytes, value_bytes) = (name.len(), value.len());
                Ok(Entry { field: Field::of(&name, value), name_bytes, value_bytes })
            }
            index => {
                let value = input.text()?;
                let named = self.find(index)?;
                let value_bytes = value.len();
                Ok(Entry { field: named.field.with_value(value), name_bytes: named.name_bytes, value_bytes })
            }
        }
    }

    fn find(&self, index: usize) -> Result<&Entry, Broken> {
        let at = index.checked_sub(1).ok_or(Broken)?;
        match at.checked_sub(STATIC.len()) {
            None => STATIC_ENTRIES.get(at).ok_or(Broken),
            Some(at) => self.entries.get(at).ok_or(Broken),
        }
    }

    /// A change of size is allowed at the start of a block only, and within what we allow (section 4.2).
    fn resize(&mut self, bytes_max: usize, may_resize: bool) -> Result<(), Broken> {
        if !may_resize || bytes_max > TABLE_BYTES_MAX {
            return Err(Broken);
        }
        self.bytes_max = bytes_max;
        self.shrink_to(bytes_max);
        Ok(())
    }

    /// An entry that is larger than the table empties it (section 4.4).
    fn keep(&mut self, entry: Entry) {
        let bytes = entry.bytes();
        self.shrink_to(self.bytes_max.saturating_sub(bytes));
        if bytes <= self.bytes_max {
            self.bytes += bytes;
            self.entries.push_front(entry);
        }
    }

    fn shrink_to(&mut self, bytes_max: usize) {
        while self.bytes > bytes_max {
            let Some(oldest) = self.entries.pop_back() else { return };
            self.bytes -= oldest.bytes();
        }
    }
}

/// What is left of a block.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Result<u8, Broken> {
        let (first, rest) = self.0.split_first().ok_or(Broken)?;
        self.0 = rest;
        Ok(*first)
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], Broken> {
        let (taken, rest) = self.0.split_at_checked(n).ok_or(Broken)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Section 5.1.
    fn integer(&mut self, prefix_bits: u8) -> Result<usize, Broken> {
        let mask = (1u8 << prefix_bits) - 1;
        let mut value = usize::from(self.byte()? & mask);
        if value < usize::from(mask) {
            return Ok(value);
        }
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            value += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return if value <= INTEGER_MAX { Ok(value) } else { Err(Broken) };
            }
        }
        Err(Broken)
    }

    /// Section 5.2.
    fn text(&mut self) -> Result<Bytes, Broken> {
        let is_coded = self.0.first().is_some_and(|first| first & 0x80 != 0);
        let length = self.integer(7)?;
        let taken = self.take(length)?;
        if !is_coded {
            return Ok(Bytes::copy_from_slice(taken));
        }
        let mut text = Vec::new();
        huffman::decode(taken, &mut text).ok_or(Broken)?;
        Ok(text.into())
    }
}

static STATIC_ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    STATIC
        .iter()
        .map(|(name, value)| Entry {
            field: Field::of(name.as_bytes(), Bytes::from_static(value.as_bytes())),
            name_bytes: name.len(),
            value_bytes: value.len(),
        })
        .collect()
});

/// Appendix A; entry 1 comes first.
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<(String, String)>, Broken> {
        let mut fields = Vec::new();
        decoder.decode(block, |field, _| {
            fields.push(match field {
                Field::Pseudo(pseudo, value) => (format!("{pseudo:?}"), String::from_utf8(value.to_vec()).unwrap()),
                Field::Header(name, value) => (name.to_string(), value.to_str().unwrap().to_owned()),
                Field::Bad => ("bad".to_owned(), String::new()),
            });
        })?;
        Ok(fields)
    }

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits.chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// RFC 7541 appendix C.3 and C.4: the same three requests, in plain text and in Huffman's code.
    #[test]
    fn the_requests_of_the_rfc_decode() {
        let start = [("Method", "GET"), ("Scheme", "http"), ("Path", "/"), ("Authority", "www.example.com")];
        let last = [
            ("Method", "GET"),
            ("Scheme", "https"),
            ("Path", "/index.html"),
            ("Authority", "www.example.com"),
            ("custom-key", "custom-value"),
        ];
        for blocks in [
            [
                "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
                "8286 84be 5808 6e6f 2d63 6163 6865",
                "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
            ],
            [
                "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
                "8286 84be 5886 a8eb 1064 9cbf",
                "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
            ],
        ] {
            let mut decoder = Decoder::default();
            assert_eq!(fields(&mut decoder, &bytes(blocks[0])), Ok(pairs(&start)));
            let second = [&start[..], &[("cache-control", "no-cache")]].concat();
            assert_eq!(fields(&mut decoder, &bytes(blocks[1])), Ok(pairs(&second)));
            assert_eq!(fields(&mut decoder, &bytes(blocks[2])), Ok(pairs(&last)));
            assert_eq!((decoder.entries.len(), decoder.bytes), (3, 164));
        }
    }

    #[test]
    fn broken_blocks_are_refused() {
        for (reason, block) in [
            ("index 0", &[0x80][..]),
            ("an index beyond both tables", &[0xbe]),
            ("a name beyond both tables", &[0x7e, 1, b'a']),
            ("an integer that does not end", &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            ("an integer cut off", &[0xff]),
            ("text longer than the block", &[0x40, 3, b'a']),
            ("a value that is missing", &[0x40, 1, b'a']),
            ("broken Huffman code", &[0x40, 0x81, 0xff, 0]),
            ("a table larger than allowed", &[0x3f, 0xe2, 0x1f]),
            ("a size update after a field", &[0x82, 0x20]),
        ] {
            assert_eq!(fields(&mut Decoder::default(), block), Err(Broken), "{reason}");
        }
    }

    #[test]
    fn malformed_fields_are_bad_and_keep_their_place() {
        let mut decoder = Decoder::default();
        let block = [&[0x40, 1, b'A', 1, b'x'][..], &[0x40, 1, b'b', 1, 0], &[0x40, 1, b'c', 2, b' ', b'x']].concat();
        assert_eq!(fields(&mut decoder, &block).unwrap(), pairs(&[("bad", ""), ("bad", ""), ("c", "x")]));
        assert_eq!(decoder.bytes, (1 + 1 + 32) * 2 + 1 + 2 + 32);
        assert_eq!(fields(&mut decoder, &[0x7f, 1, 1, b'y']).unwrap(), pairs(&[("bad", "")]), "a bad name stays bad");
    }

    #[test]
    fn the_table_is_bounded_and_says_when_it_changes() {
        let mut decoder = Decoder::default();
        let large = [&[0x40, 1, b'a', 0x7f, 0xf1, 0x1e][..], &[b'v'; 4080]].concat();
        assert_eq!(fields(&mut decoder, &[0x40, 1, b'a', 1, b'b']).unwrap(), pairs(&[("a", "b")]));
        assert_eq!(decoder.decode(&[0xbe], |_, _| ()), Ok(false), "reading changes nothing");
        assert_eq!(decoder.decode(&[0x00, 1, b'a', 0], |_, _| ()), Ok(false), "a field that is not kept neither");
        assert_eq!(decoder.decode(&large, |_, size| assert_eq!(size, 4113)), Ok(true));
        assert_eq!((decoder.entries.len(), decoder.bytes), (0, 0), "what is larger than the table empties it");
        for turn in 0..1000 {
            assert_eq!(decoder.decode(&[0x40, 1, b'a', 2, b'v', turn as u8 | 1], |_, _| ()), Ok(true));
            assert!(decoder.bytes <= TABLE_BYTES_MAX);
        }
        assert_eq!(decoder.decode(&[0x20], |_, _| ()), Ok(true), "a smaller table");
        assert_eq!((decoder.entries.len(), decoder.bytes), (0, 0));
        assert_eq!(decoder.decode(&[0x40, 1, b'a', 0], |_, _| ()), Ok(true));
        assert_eq!(decoder.entries.len(), 0, "nothing is kept in a table of nothing");
    }
}
