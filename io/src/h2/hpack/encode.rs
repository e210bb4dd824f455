//! The field block of a reply: literals with a name of the static table where it has one, never kept by the peer.

use http::{HeaderMap, HeaderName, StatusCode, header};

/// A change of the peer's table to size 0: for the first block of a connection.
pub const NO_TABLE: u8 = 0x20;

/// Entries of the static table that hold a whole status.
const STATUSES: [(u16, u8); 7] = [(200, 8), (204, 9), (206, 10), (304, 11), (400, 12), (404, 13), (500, 14)];
const STATUS_NAME: usize = 8;

/// Names that replies have, with their index in the static table.
static NAMES: [(HeaderName, usize); 14] = [
    (header::CONTENT_TYPE, 31),
    (header::CACHE_CONTROL, 24),
    (header::VARY, 59),
    (header::RETRY_AFTER, 53),
    (header::WWW_AUTHENTICATE, 61),
    (header::LOCATION, 46),
    (header::SET_COOKIE, 55),
    (header::ETAG, 34),
    (header::ALLOW, 22),
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, 20),
    (header::CONTENT_LANGUAGE, 27),
    (header::LAST_MODIFIED, 44),
    (header::STRICT_TRANSPORT_SECURITY, 56),
    (header::EXPIRES, 36),
];

/// Writes `:status`.
pub fn status(out: &mut Vec<u8>, status: StatusCode) {
    let code = status.as_u16();
    if let Some((_, index)) = STATUSES.iter().find(|(known, _)| *known == code) {
        out.push(0x80 | index);
        return;
    }
    integer(out, 0, 4, STATUS_NAME);
    text(out, status.as_str().as_bytes());
}

/// Writes every field of `headers`.
pub fn headers(out: &mut Vec<u8>, headers: &HeaderMap) {
    for (name, value) in headers {
        if let Some((_, index)) = NAMES.iter().find(|(known, _)| known == name) {
            integer(out, 0, 4, *index);
        } else {
            out.push(0);
            text(out, name.as_str().as_bytes());
        }
        text(out, value.as_bytes());
    }
}

fn text(out: &mut Vec<u8>, text: &[u8]) {
    integer(out, 0, 7, text.len());
    out.extend_from_slice(text);
}

/// RFC 7541 section 5.1; `pattern` holds the bits before the prefix.
fn integer(out: &mut Vec<u8>, pattern: u8, prefix_bits: u8, value: usize) {
    let mask = (1usize << prefix_bits) - 1;
    if value < mask {
        out.push(pattern | value as u8);
        return;
    }
    out.push(pattern | mask as u8);
    let mut rest = value - mask;
    while rest >= 0x80 {
        out.push(0x80 | (rest & 0x7f) as u8);
        rest >>= 7;
    }
    out.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::super::{Decoder, Field, STATIC};
    use super::*;
    use http::HeaderValue;

    #[test]
    fn names_and_statuses_stand_where_the_static_table_has_them() {
        for (name, index) in &NAMES {
            assert_eq!(STATIC[*index - 1].0, name.as_str());
        }
        for (code, index) in STATUSES {
            assert_eq!(STATIC[usize::from(index) - 1], (":status", code.to_string().as_str()));
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let mut map = HeaderMap::new();
        for (name, value) in [
            (header::CONTENT_TYPE, "application/json".to_owned()),
            (header::SET_COOKIE, "a=b".to_owned()),
            (header::SET_COOKIE, "c=d".to_owned()),
            (HeaderName::from_static("x-request-id"), "1".repeat(126)),
            (header::LOCATION, "l".repeat(127)),
            (header::ETAG, "e".repeat(128)),
            (header::SERVER, "s".repeat(20_000)),
            (header::PRAGMA, String::new()),
        ] {
            map.append(name, HeaderValue::from_str(&value).unwrap());
        }
        for code in [200, 204, 206, 304, 400, 401, 404, 421, 500, 503] {
            let code = StatusCode::from_u16(code).unwrap();
            let mut block = vec![NO_TABLE];
            status(&mut block, code);
            headers(&mut block, &map);
            let (mut read, mut said) = (HeaderMap::new(), None);
            let mut decoder = Decoder::default();
            decoder
                .decode(&block, |field, _| match field {
                    Field::Header(name, value) => {
                        read.append(name.clone(), value.clone());
                    }
                    Field::Pseudo(_, value) => said = Some(value.clone()),
                    Field::Bad => panic!("a bad field"),
                })
                .unwrap();
            assert_eq!(read, map);
            assert_eq!(said.as_deref(), Some(code.as_str().as_bytes()));
        }
    }
}
