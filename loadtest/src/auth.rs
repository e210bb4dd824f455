//! How a client shows who it is (RFC 6749 section 2.3.1), and the form encoding of every body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

use crate::args::{AuthMethod, Credentials};
use crate::fault::Fault;

/// The `Authorization` header of `client_secret_basic`, or nothing where the secret goes into the body.
pub fn authorization(client: &Credentials, method: AuthMethod) -> Result<Option<HeaderValue>, Fault> {
    if method == AuthMethod::Post {
        return Ok(None);
    }
    let mut pair = String::new();
    push_encoded(&mut pair, &client.id);
    pair.push(':');
    push_encoded(&mut pair, client.secret.expose());
    let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair)))
        .map_err(|_| Fault::Usage("the client's id or secret cannot be a header".to_owned()))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// A form body: the given pairs, and the credentials where the method is `client_secret_post`.
pub fn form(pairs: &[(&str, &str)], client: &Credentials, method: AuthMethod) -> String {
    let mut body = String::new();
    for (name, value) in pairs {
        push_pair(&mut body, name, value);
    }
    if method == AuthMethod::Post {
        push_pair(&mut body, "client_id", &client.id);
        push_pair(&mut body, "client_secret", client.secret.expose());
    }
    body
}

fn push_pair(body: &mut String, name: &str, value: &str) {
    if !body.is_empty() {
        body.push('&');
    }
    push_encoded(body, name);
    body.push('=');
    push_encoded(body, value);
}

/// application/x-www-form-urlencoded, of UTF-8.
fn push_encoded(out: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'*' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => {
                out.push('%');
                out.push(hex_digit(byte >> 4));
                out.push(hex_digit(byte & 15));
            }
        }
    }
}

fn hex_digit(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).map_or('0', |c| c.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Secret;

    fn client() -> Credentials {
        Credentials { id: "a:b".to_owned(), secret: Secret::new("c d%".to_owned()) }
    }

    #[test]
    fn basic_encodes_both_halves_before_joining_them() {
        let header = authorization(&client(), AuthMethod::Basic).unwrap().unwrap();
        assert_eq!(header, format!("Basic {}", STANDARD.encode("a%3Ab:c+d%25")).as_str());
        assert!(header.is_sensitive());
    }

    #[test]
    fn post_puts_the_credentials_into_the_body_and_basic_does_not() {
        assert!(authorization(&client(), AuthMethod::Post).unwrap().is_none());
        let pairs = [("token", "x/y")];
        assert_eq!(form(&pairs, &client(), AuthMethod::Post), "token=x%2Fy&client_id=a%3Ab&client_secret=c+d%25");
        assert_eq!(form(&pairs, &client(), AuthMethod::Basic), "token=x%2Fy");
    }
}
