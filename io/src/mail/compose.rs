//! The message itself (RFC 5322, MIME): what may be in it, and its bytes.
//!
//! Always seven-bit, so that no relay needs an extension for it. `Auto-Submitted: auto-generated` (RFC 3834) keeps
//! absence notes from answering.

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, MultiPartKind, SinglePart};
use lettre::{Address, Message as Mime};

use super::{ADDRESS_BYTES_MAX, LINE_BYTES_MAX, MailSettings, Message, SendFault, SetupFault, TEXT_BYTES_MAX};

/// Refuses what no server should see. Says what is wrong, never what it was.
pub(super) fn check(message: &Message) -> Result<(), SendFault> {
    let refused = |word| Err(SendFault::Permanent(word));
    if !is_address(&message.to) {
        return refused("recipient");
    }
    let lines = [Some(&message.subject), message.from_name.as_ref(), Some(&message.message_id)];
    if !lines.into_iter().flatten().chain(message.headers.iter().map(|(_, value)| value)).all(|line| is_line(line)) {
        return refused("header");
    }
    let texts = [Some(&message.text), message.html.as_ref()];
    if texts.into_iter().flatten().any(|text| text.len() > TEXT_BYTES_MAX || text.contains('\0')) {
        return refused("text");
    }
    Ok(())
}

pub(super) fn check_sender(settings: &MailSettings) -> Result<(), SetupFault> {
    let name = settings.from_name.as_deref().unwrap_or_default();
    if is_address(&settings.from_address) && is_line(name) && is_line(&settings.hello) {
        return Ok(());
    }
    Err(SetupFault::From)
}

/// One line of text, without anything that could end it.
fn is_line(text: &str) -> bool {
    text.len() <= LINE_BYTES_MAX && !text.chars().any(char::is_control)
}

/// A mailbox that can be written between angle brackets in a command.
fn is_address(text: &str) -> bool {
    let is_shaped = |c: char| !c.is_control() && !c.is_whitespace() && !"<>,;".contains(c);
    text.len() <= ADDRESS_BYTES_MAX && text.chars().all(is_shaped) && text.parse::<Address>().is_ok()
}

/// The bytes of the message, lines ended by CR LF.
///
/// # Errors
/// A part that cannot be written, which [`check`] has refused before.
pub(super) fn compose(settings: &MailSettings, message: &Message) -> Result<Vec<u8>, SendFault> {
    let broken = |_| SendFault::Permanent("header");
    let name = message.from_name.clone().or_else(|| settings.from_name.clone());
    let from = Mailbox::new(name, settings.from_address.parse().map_err(broken)?);
    let to = Mailbox::new(None, message.to.parse().map_err(broken)?);
    let mut builder = Mime::builder()
        .from(from)
        .to(to)
        .subject(message.subject.clone())
        .date(message.date)
        .message_id(Some(format!("<{}>", message.message_id)))
        .raw_header(header("Auto-Submitted", "auto-generated")?);
    for (name, value) in &message.headers {
        builder = builder.raw_header(header(name, value)?);
    }
    let text = SinglePart::plain(message.text.clone());
    let composed = match &message.html {
        None => builder.singlepart(text),
        Some(html) => builder.multipart(
            MultiPart::builder()
                .kind(MultiPartKind::Alternative)
                .boundary(boundary(message))
                .singlepart(text)
                .singlepart(SinglePart::html(html.clone())),
        ),
    };
    Ok(composed.map_err(|_| SendFault::Permanent("header"))?.formatted())
}

fn header(name: &str, value: &str) -> Result<HeaderValue, SendFault> {
    let name = HeaderName::new_from_ascii(name.to_owned()).map_err(|_| SendFault::Permanent("header"))?;
    Ok(HeaderValue::new(name, value.to_owned()))
}

/// The same each time the message is composed. What a text holds is encoded, so it cannot end a part by luck.
fn boundary(message: &Message) -> String {
    let id = message.message_id.bytes().take_while(|byte| *byte != b'@');
    let id = id.filter(u8::is_ascii_alphanumeric).take(40).map(char::from);
    format!("=_{}", id.collect::<String>())
}
