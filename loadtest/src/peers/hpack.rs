//! A request's header block (RFC 7541), as nghttp2 would write it: its h2load, curl and Apache are what most callers
//! and every published measurement use, and what a server pays for a request depends on how its header is written.
//!
//! What stays the same goes into the table and is one byte from the second request on; `:path` and `content-length`
//! are written out each time, `authorization` is never indexed. Strings are Huffman-coded where that is shorter.

/// The blocks of the first request of a connection, and of every later one.
pub struct Blocks {
    pub first: Vec<u8>,
    pub later: Vec<u8>,
    /// What the peer's table must hold (RFC 7541 section 4.1).
    pub table_bytes: usize,
}

pub fn blocks(header: &[(&str, &str)]) -> Blocks {
    let mut encoder = Encoder::default();
    let first = encoder.encode(header);
    let later = encoder.encode(header);
    let table_bytes = encoder.table.iter().map(|(name, value)| name.len() + value.len() + ENTRY_BYTES).sum();
    Blocks { first, later, table_bytes }
}

#[derive(Default)]
struct Encoder {
    /// The newest first. Nothing is evicted: a request's header is far smaller than the table.
    table: Vec<(String, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Indexing {
    Incremental,
    Without,
    Never,
}

impl Encoder {
    fn encode(&mut self, header: &[(&str, &str)]) -> Vec<u8> {
        let mut block = Vec::new();
        for (name, value) in header {
            self.push(name, value, &mut block);
        }
        block
    }

    fn push(&mut self, name: &str, value: &str, block: &mut Vec<u8>) {
        let indexing = indexing(name);
        let whole = self.find(|(n, v)| (n, v) == (name, value));
        if let Some(index) = whole.filter(|_| indexing != Indexing::Never) {
            return push_integer(block, 0x80, 7, index);
        }
        let (mark, prefix) = match indexing {
            Indexing::Incremental => (0x40, 6),
            Indexing::Without => (0x00, 4),
            Indexing::Never => (0x10, 4),
        };
        let index = self.find(|(n, _)| n == name);
        push_integer(block, mark, prefix, index.unwrap_or(0));
        if index.is_none() {
            push_string(block, name);
        }
        push_string(block, value);
        if indexing == Indexing::Incremental {
            self.table.insert(0, (name.to_owned(), value.to_owned()));
        }
    }

    /// The index of the first entry that is so, the static table before the dynamic one.
    fn find(&self, is_so: impl Fn((&str, &str)) -> bool) -> Option<usize> {
        let fixed = STATIC.iter().find(|(_, name, value)| is_so((name, value))).map(|(index, _, _)| *index);
        let own = || self.table.iter().position(|(name, value)| is_so((name, value)));
        fixed.or_else(|| own().map(|at| DYNAMIC_FIRST + at))
    }
}

/// nghttp2's choice, of the names that requests here have.
fn indexing(name: &str) -> Indexing {
    match name {
        "authorization" => Indexing::Never,
        ":path" | "content-length" => Indexing::Without,
        _ => Indexing::Incremental,
    }
}

/// Section 5.1.
fn push_integer(block: &mut Vec<u8>, mark: u8, prefix: u32, value: usize) {
    let limit = (1usize << prefix) - 1;
    if value < limit {
        return block.push(mark | value as u8);
    }
    block.push(mark | limit as u8);
    let mut rest = value - limit;
    while rest >= 0x80 {
        block.push((rest % 0x80) as u8 | 0x80);
        rest /= 0x80;
    }
    block.push(rest as u8);
}

/// Section 5.2.
fn push_string(block: &mut Vec<u8>, text: &str) {
    let coded = huffman(text).filter(|coded| coded.len() < text.len());
    let (mark, bytes) = coded.as_deref().map_or((0, text.as_bytes()), |coded| (0x80, coded));
    push_integer(block, mark, 7, bytes.len());
    block.extend_from_slice(bytes);
}

/// None for what is not printable ASCII, which no header here holds.
fn huffman(text: &str) -> Option<Vec<u8>> {
    let (mut coded, mut bits, mut count) = (Vec::new(), 0u64, 0u32);
    for byte in text.bytes() {
        let (code, length) = HUFFMAN.get(usize::from(byte.checked_sub(b' ')?))?;
        bits = bits << length | u64::from(*code);
        count += length;
        while count >= 8 {
            count -= 8;
            coded.push((bits >> count) as u8);
        }
    }
    if count > 0 {
        coded.push((bits << (8 - count)) as u8 | (0xff >> count));
    }
    Some(coded)
}

const ENTRY_BYTES: usize = 32;
const DYNAMIC_FIRST: usize = 62;

/// The entries of the static table (appendix A) that a request here can need.
const STATIC: &[(usize, &str, &str)] = &[
    (1, ":authority", ""),
    (2, ":method", "GET"),
    (3, ":method", "POST"),
    (4, ":path", "/"),
    (6, ":scheme", "http"),
    (7, ":scheme", "https"),
    (19, "accept", ""),
    (23, "authorization", ""),
    (28, "content-length", ""),
    (31, "content-type", ""),
    (58, "user-agent", ""),
];

/// Code and its length in bits (appendix B), from the space on.
const HUFFMAN: [(u32, u32); 95] = [
    (0x14, 6),
    (0x3f8, 10),
    (0x3f9, 10),
    (0xffa, 12),
    (0x1ff9, 13),
    (0x15, 6),
    (0xf8, 8),
    (0x7fa, 11),
    (0x3fa, 10),
    (0x3fb, 10),
    (0xf9, 8),
    (0x7fb, 11),
    (0xfa, 8),
    (0x16, 6),
    (0x17, 6),
    (0x18, 6),
    (0x0, 5),
    (0x1, 5),
    (0x2, 5),
    (0x19, 6),
    (0x1a, 6),
    (0x1b, 6),
    (0x1c, 6),
    (0x1d, 6),
    (0x1e, 6),
    (0x1f, 6),
    (0x5c, 7),
    (0xfb, 8),
    (0x7ffc, 15),
    (0x20, 6),
    (0xffb, 12),
    (0x3fc, 10),
    (0x1ffa, 13),
    (0x21, 6),
    (0x5d, 7),
    (0x5e, 7),
    (0x5f, 7),
    (0x60, 7),
    (0x61, 7),
    (0x62, 7),
    (0x63, 7),
    (0x64, 7),
    (0x65, 7),
    (0x66, 7),
    (0x67, 7),
    (0x68, 7),
    (0x69, 7),
    (0x6a, 7),
    (0x6b, 7),
    (0x6c, 7),
    (0x6d, 7),
    (0x6e, 7),
    (0x6f, 7),
    (0x70, 7),
    (0x71, 7),
    (0x72, 7),
    (0xfc, 8),
    (0x73, 7),
    (0xfd, 8),
    (0x1ffb, 13),
    (0x7fff0, 19),
    (0x1ffc, 13),
    (0x3ffc, 14),
    (0x22, 6),
    (0x7ffd, 15),
    (0x3, 5),
    (0x23, 6),
    (0x4, 5),
    (0x24, 6),
    (0x5, 5),
    (0x25, 6),
    (0x26, 6),
    (0x27, 6),
    (0x6, 5),
    (0x74, 7),
    (0x75, 7),
    (0x28, 6),
    (0x29, 6),
    (0x2a, 6),
    (0x7, 5),
    (0x2b, 6),
    (0x76, 7),
    (0x2c, 6),
    (0x8, 5),
    (0x9, 5),
    (0x2d, 6),
    (0x77, 7),
    (0x78, 7),
    (0x79, 7),
    (0x7a, 7),
    (0x7b, 7),
    (0x7ffe, 15),
    (0x7fc, 11),
    (0x3ffd, 14),
    (0x1ffd, 13),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
    }

    /// RFC 7541 appendix C.4: but for `:path`, which the examples do not write out.
    #[test]
    fn strings_and_indices_are_those_of_the_standards_examples() {
        let header = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")];
        let blocks = blocks(&header);
        assert_eq!(hex(&blocks.first), "828684418cf1e3c2e5f23a6ba0ab90f4ff");
        assert_eq!(hex(&blocks.later), "828684be", "C.4.2 without its new field");
        assert_eq!(blocks.table_bytes, 57);
    }

    #[test]
    fn secrets_are_never_indexed_and_what_changes_is_written_out() {
        let header = [("authorization", "Basic abc:DEF/9+"), (":path", "/oauth/introspect"), ("content-length", "7")];
        let blocks = blocks(&header);
        assert_eq!(blocks.first, blocks.later);
        assert!(hex(&blocks.first).starts_with("1f088dba34188a0e325cbf830b0fffbf04"), "{}", hex(&blocks.first));
        assert_eq!(blocks.table_bytes, 0);
    }

    #[test]
    fn integers_and_unknown_names_are_written_as_the_standard_says() {
        let mut block = Vec::new();
        push_integer(&mut block, 0, 5, 1337);
        assert_eq!(block, [31, 154, 10], "C.1.2");
        let blocks = blocks(&[("custom-key", "custom-value")]);
        assert_eq!(hex(&blocks.first), "408825a849e95ba97d7f8925a849e95bb8e8b4bf", "C.4.3");
        assert_eq!(hex(&blocks.later), "be");
    }
}
