//! As much of MIME as it takes to show a caught message: headers, one text, one HTML. What cannot be read is shown
//! as it is.

/// A message to be shown.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Shown {
    pub from: String,
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: Option<String>,
}

pub fn read(message: &[u8]) -> Shown {
    let entity = Entity::split(message);
    let header = |name| entity.find(name).map(decode_words).unwrap_or_default();
    let mut shown = Shown { from: header("from"), to: header("to"), subject: header("subject"), ..Shown::default() };
    collect(&entity, &mut shown, 0);
    shown
}

/// Headers and body of a message or a part.
struct Entity<'m> {
    headers: Vec<(String, String)>,
    body: &'m [u8],
}

impl<'m> Entity<'m> {
    fn split(bytes: &'m [u8]) -> Self {
        let mut headers: Vec<(String, String)> = Vec::new();
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = rest.split_at(end + 1);
            rest = after;
            let line = String::from_utf8_lossy(line.trim_ascii_end());
            if line.is_empty() {
                break;
            }
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = headers.last_mut() {
                    value.push(' ');
                    value.push_str(line.trim());
                }
            } else if let Some((name, value)) = line.split_once(':') {
                headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        Self { headers, body: rest }
    }

    fn find(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The type in lower case, and the boundary of a multipart.
    fn kind(&self) -> (String, Option<String>) {
        let value = self.find("content-type").unwrap_or("text/plain");
        let mut parts = value.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let boundary = parts.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"').to_owned())
        });
        (kind, boundary)
    }

    fn text(&self) -> String {
        let encoding = self.find("content-transfer-encoding").unwrap_or("7bit").to_ascii_lowercase();
        let bytes = match encoding.as_str() {
            "base64" => decode_base64(self.body),
            "quoted-printable" => decode_quoted(self.body, false),
            _ => self.body.to_vec(),
        };
        String::from_utf8_lossy(&bytes).replace("\r\n", "\n")
    }
}

/// The first text and the first HTML.
fn collect(entity: &Entity<'_>, shown: &mut Shown, depth: usize) {
    let (kind, boundary) = entity.kind();
    match (kind.as_str(), boundary) {
        (kind, Some(boundary)) if kind.starts_with("multipart/") && depth < DEPTH_MAX => {
            for part in parts(entity.body, &boundary) {
                collect(&Entity::split(part), shown, depth + 1);
            }
        }
        ("text/html", _) if shown.html.is_none() => shown.html = Some(entity.text()),
        ("text/plain", _) if shown.text.is_empty() => shown.text = entity.text(),
        _ => {}
    }
}

/// What stands between the lines of a boundary (RFC 2046 section 5.1.1).
fn parts<'b>(body: &'b [u8], boundary: &str) -> Vec<&'b [u8]> {
    let delimiter = format!("--{boundary}");
    let (mut parts, mut begin, mut at) = (Vec::new(), None, 0);
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let text = line.trim_ascii_end();
        let tail = text.strip_prefix(delimiter.as_bytes()).filter(|tail| tail.is_empty() || *tail == b"--");
        if let Some(tail) = tail {
            parts.extend(begin.and_then(|begin| body.get(begin..at)));
            begin = tail.is_empty().then_some(at + line.len());
        }
        at += line.len();
    }
    parts.truncate(PARTS_MAX);
    parts
}

/// Encoded words of a header (RFC 2047), UTF-8 assumed; the space between two of them is none.
fn decode_words(text: &str) -> String {
    let (mut shown, mut rest, mut after_word) = (String::new(), text, false);
    while let Some(at) = rest.find("=?") {
        let (before, word) = rest.split_at(at);
        let Some((decoded, tail)) = decode_word(word) else {
            shown.push_str(before);
            shown.push_str("=?");
            rest = word.get(2..).unwrap_or_default();
            after_word = false;
            continue;
        };
        if !(after_word && before.trim().is_empty()) {
            shown.push_str(before);
        }
        shown.push_str(&decoded);
        (rest, after_word) = (tail, true);
    }
    shown.push_str(rest);
    shown
}

fn decode_word(word: &str) -> Option<(String, &str)> {
    let (_charset, rest) = word.strip_prefix("=?")?.split_once('?')?;
    let (encoding, rest) = rest.split_once('?')?;
    let (text, tail) = rest.split_once("?=")?;
    let bytes = match encoding {
        "b" | "B" => decode_base64(text.as_bytes()),
        "q" | "Q" => decode_quoted(text.as_bytes(), true),
        _ => return None,
    };
    Some((String::from_utf8_lossy(&bytes).into_owned(), tail))
}

/// The standard alphabet; anything else is passed over.
fn decode_base64(text: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let (mut bytes, mut bits, mut count) = (Vec::with_capacity(text.len()), 0_u32, 0);
    for value in text.iter().copied().filter_map(digit) {
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

/// Quoted-printable (RFC 2045 section 6.7); in a word `_` is a space.
fn decode_quoted(text: &[u8], is_word: bool) -> Vec<u8> {
    let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let rest = text.get(at + 1..).unwrap_or_default();
        match (byte, hex(rest.first()), hex(rest.get(1))) {
            (b'=', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                at += 3;
            }
            (b'=', ..) if rest.starts_with(b"\r\n") => at += 3,
            (b'=', ..) if rest.starts_with(b"\n") => at += 2,
            (b'_', ..) if is_word => {
                bytes.push(b' ');
                at += 1;
            }
            (byte, ..) => {
                bytes.push(*byte);
                at += 1;
            }
        }
    }
    bytes
}

const DEPTH_MAX: usize = 4;
const PARTS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parts_are_found() {
        let message = "Return-Path: <a@b>\r\nFrom: =?utf-8?Q?Gr=C3=BC=C3=9Fe_AG?= <a@b>\r\nTo: c@d\r\n\
            Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\n =?utf-8?b?IQ==?= plain\r\n\
            Content-Type: multipart/alternative;\r\n boundary=\"=_x\"\r\n\r\npreamble\r\n--=_x\r\n\
            Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
            Gr=C3=BC=C3=9Fe=\r\n, https://a/?x=3Dy\r\n--=_x\r\nContent-Type: text/html\r\n\
            Content-Transfer-Encoding: base64\r\n\r\nPGI+aGk8\r\nL2I+\r\n--=_x--\r\nepilogue\r\n";
        let shown = read(message.as_bytes());
        assert_eq!(shown.from, "Grüße AG <a@b>");
        assert_eq!(shown.subject, "Grüße! plain");
        assert_eq!(shown.text, "Grüße, https://a/?x=y\n");
        assert_eq!(shown.html.as_deref(), Some("<b>hi</b>"));
    }

    #[test]
    fn what_cannot_be_read_is_shown_as_it_is() {
        for (reason, message, text, subject) in [
            ("plain", "Subject: a\r\n\r\nhi\r\n", "hi\n", "a"),
            ("no headers", "\r\nhi", "hi", ""),
            ("nothing", "", "", ""),
            ("a broken word", "Subject: =?utf-8?x?a?= b\n\nhi", "hi", "=?utf-8?x?a?= b"),
            ("a multipart without a boundary", "Content-Type: multipart/mixed\n\nhi", "", ""),
            ("a broken escape", "Content-Transfer-Encoding: quoted-printable\n\n=zz=", "=zz=", ""),
        ] {
            let shown = read(message.as_bytes());
            assert_eq!((shown.text.as_str(), shown.subject.as_str()), (text, subject), "{reason}");
        }
    }
}
