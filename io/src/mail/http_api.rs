//! A provider's HTTP interface: one POST with a JSON body made from the operator's template.
//!
//! HTTP/1.1 (RFC 9112) in its smallest form: one request on a connection, the body sent whole, of the answer only the
//! status is read. A redirect is not followed, since it would take the credential elsewhere.

use std::path::Path;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use zeroize::Zeroizing;

use super::SendFault::{Permanent, Temporary};
use super::dial::{self, Stream, Tls};
use super::{HttpApiSettings, MailSettings, Message, PLACEHOLDERS, REPLY_BYTES_MAX, SendFault, SetupFault};

pub(super) struct Client {
    settings: HttpApiSettings,
    tls: Option<Tls>,
}

impl Client {
    pub(super) fn new(settings: HttpApiSettings, ca_pem: Option<&Path>) -> Result<Self, SetupFault> {
        let tls = settings.is_https.then(|| Tls::new(&settings.host, ca_pem, &["http/1.1"])).transpose()?;
        Ok(Self { settings, tls })
    }

    pub(super) async fn send(&self, settings: &MailSettings, message: &Message) -> Result<(), SendFault> {
        let request = self.request(&Values { settings, message });
        let stream = dial::connect(&self.settings.host, self.settings.port).await?;
        let mut stream: Box<dyn Stream> = match &self.tls {
            Some(tls) => tls.wrap(stream).await?,
            None => Box::new(stream),
        };
        let lost = Temporary("connection lost");
        stream.write_all(&request).await.map_err(|_| lost)?;
        stream.flush().await.map_err(|_| lost)?;
        judge(read_status(&mut stream).await?)
    }

    fn request(&self, values: &Values<'_>) -> Zeroizing<Vec<u8>> {
        let HttpApiSettings { host, port, target, headers, body, .. } = &self.settings;
        let body = Zeroizing::new(fill(body, values, escape));
        let authority = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let mut request = Zeroizing::new(format!(
            "POST {target} HTTP/1.1\r\nhost: {authority}:{port}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\naccept: application/json\r\nuser-agent: SigID\r\nconnection: close\r\n",
            body.len()
        ));
        for (name, value) in headers {
            // A message id is one line of visible characters.
            let value = Zeroizing::new(fill(value, values, |value, text| text.push_str(value)));
            for part in [name, ": ", &value, "\r\n"] {
                request.push_str(part);
            }
        }
        request.push_str("\r\n");
        request.push_str(&body);
        Zeroizing::new(std::mem::take(&mut *request).into_bytes())
    }
}

/// What the placeholders stand for.
struct Values<'a> {
    settings: &'a MailSettings,
    message: &'a Message,
}

impl Values<'_> {
    fn find(&self, name: &str) -> Option<&str> {
        let Self { settings, message } = self;
        Some(match PLACEHOLDERS.iter().position(|known| *known == name)? {
            0 => &settings.from_address,
            1 => message.from_name.as_ref().or(settings.from_name.as_ref()).map_or("", String::as_str),
            2 => &message.to,
            3 => &message.subject,
            4 => &message.text,
            5 => message.html.as_deref().unwrap_or(&message.text),
            _ => &message.message_id,
        })
    }
}

/// One pass over the template: what a value holds is never taken for a placeholder.
fn fill(template: &str, values: &Values<'_>, write: fn(&str, &mut String)) -> String {
    let mut filled = String::with_capacity(template.len() + 1024);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let named = after.split_once("}}").and_then(|(name, tail)| Some((values.find(name.trim())?, tail)));
        if let Some((value, tail)) = named {
            write(value, &mut filled);
            rest = tail;
        } else {
            filled.push_str("{{");
            rest = after;
        }
    }
    filled.push_str(rest);
    filled
}

/// The text as the inside of a JSON string (RFC 8259 section 7).
fn escape(value: &str, text: &mut String) {
    use std::fmt::Write as _;
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if c < ' ' || c == '\u{7f}' => {
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
}

/// The status of the final answer; interim ones are passed over.
async fn read_status(stream: &mut Box<dyn Stream>) -> Result<u16, SendFault> {
    let breach = Temporary("protocol");
    let mut head = Vec::with_capacity(1024);
    loop {
        let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut fields);
        match response.parse(&head) {
            Ok(httparse::Status::Complete(length)) => match response.code {
                Some(100..=199) => {
                    head.drain(..length);
                    continue;
                }
                Some(code) => return Ok(code),
                None => return Err(breach),
            },
            Ok(httparse::Status::Partial) if head.len() <= REPLY_BYTES_MAX => {}
            _ => return Err(breach),
        }
        match stream.read_buf(&mut head).await {
            Ok(1..) => {}
            _ => return Err(Temporary("connection lost")),
        }
    }
}

/// 400, 413 and 422 speak about this message; everything else about the provider, the credential or the address in
/// the configuration, which may be mended.
fn judge(status: u16) -> Result<(), SendFault> {
    match status {
        200..=299 => Ok(()),
        400 | 413 | 422 => Err(Permanent("refused")),
        401 | 403 => Err(Temporary("credentials")),
        429 => Err(Temporary("too many")),
        500..=599 => Err(Temporary("provider")),
        _ => Err(Temporary("unexpected answer")),
    }
}

const HEADERS_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::super::tests::{message, settings};
    use super::super::{Encryption, SmtpSettings, Transport};
    use super::*;

    #[test]
    fn values_stay_inside_their_strings() {
        let mut message = message();
        message.subject = "\"},\"to\":\"evil@example.com\"".to_owned();
        message.text = "{{to}} \\ \n \u{1}é".to_owned();
        message.html = None;
        let smtp = SmtpSettings { host: "localhost".into(), port: 1, encryption: Encryption::Off, credentials: None };
        let settings = settings(Transport::Smtp(smtp));
        let values = Values { settings: &settings, message: &message };
        for (reason, template, expected) in [
            ("a quote", r#"{"s":"{{subject}}"}"#, r#"{"s":"\"},\"to\":\"evil@example.com\""}"#),
            ("a value that looks like a placeholder", r#"["{{text}}"]"#, r#"["{{to}} \\ \n \u0001é"]"#),
            ("without HTML the text", r#"["{{html}}"]"#, r#"["{{to}} \\ \n \u0001é"]"#),
            ("spaces within the braces", r#"["{{ to }}"]"#, r#"["someone@example.org"]"#),
            ("twice", r#"["{{to}}","{{to}}"]"#, r#"["someone@example.org","someone@example.org"]"#),
            ("unknown names are left", r#"["{{other}}"]"#, r#"["{{other}}"]"#),
            ("an open brace is left", r#"["{{"]"#, r#"["{{"]"#),
        ] {
            assert_eq!(fill(template, &values, escape), expected, "{reason}");
        }
    }

    #[test]
    fn only_an_answer_about_the_message_is_final() {
        for (status, expected) in [
            (200, Ok(())),
            (202, Ok(())),
            (301, Err(Temporary("unexpected answer"))),
            (400, Err(Permanent("refused"))),
            (401, Err(Temporary("credentials"))),
            (404, Err(Temporary("unexpected answer"))),
            (422, Err(Permanent("refused"))),
            (429, Err(Temporary("too many"))),
            (503, Err(Temporary("provider"))),
        ] {
            assert_eq!(judge(status), expected, "{status}");
        }
    }
}
