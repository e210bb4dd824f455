//! The receiving end of SMTP (RFC 5321): what a relay must do, without relaying.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use sigid_io::backend::spawn;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::store::{Envelope, Store};

/// Bytes of a message.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// Serves until the runtime ends.
pub async fn serve(listener: TcpListener, store: Arc<Store>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        let Ok(permit) = permits.clone().try_acquire_owned() else { continue };
        let store = store.clone();
        spawn(async move {
            let keep = move |envelope: &Envelope, message: &[u8]| store.write(envelope, message).is_ok();
            let _ = tokio::time::timeout(CONNECTION_MAX, talk(stream, keep)).await;
            drop(permit);
        });
    }
}

/// One connection. `keep` is asked to make a message durable before it is acknowledged.
async fn talk<S>(stream: S, keep: impl Fn(&Envelope, &[u8]) -> bool) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = BufReader::new(stream);
    let mut session = Session::default();
    stream.write_all(b"220 sigid-dev mail catcher\r\n").await?;
    while let Some(line) = read_line(&mut stream, LINE_BYTES_MAX).await? {
        match session.hear(&line) {
            Said::Reply(reply) => stream.write_all(reply.as_bytes()).await?,
            Said::Data => {
                stream.write_all(b"354 end with CR LF . CR LF\r\n").await?;
                let message = read_data(&mut stream).await?;
                let envelope = std::mem::take(&mut session.envelope);
                let reply: &[u8] = match message {
                    None => b"552 message too large\r\n",
                    Some(message) if keep(&envelope.unwrap_or_default(), &message) => b"250 caught\r\n",
                    Some(_) => b"451 cannot be written\r\n",
                };
                stream.write_all(reply).await?;
            }
            Said::Bye(reply) => {
                stream.write_all(reply.as_bytes()).await?;
                return stream.shutdown().await;
            }
        }
    }
    Ok(())
}

/// What has been said in a connection.
#[derive(Default)]
struct Session {
    envelope: Option<Envelope>,
    is_greeted: bool,
    mistakes: u8,
}

#[derive(Debug, PartialEq, Eq)]
enum Said {
    Reply(&'static str),
    Data,
    Bye(&'static str),
}

impl Session {
    fn hear(&mut self, line: &[u8]) -> Said {
        let Ok(line) = std::str::from_utf8(line) else { return self.mistake("500 not text\r\n") };
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => {
                self.is_greeted = true;
                self.envelope = None;
                Said::Reply("250-sigid-dev\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 1048576\r\n")
            }
            "HELO" => {
                self.is_greeted = true;
                self.envelope = None;
                Said::Reply("250 sigid-dev\r\n")
            }
            "MAIL" => self.begin(rest),
            "RCPT" => self.add(rest),
            "DATA" => match &self.envelope {
                Some(envelope) if !envelope.to.is_empty() => Said::Data,
                _ => self.mistake("503 first MAIL and RCPT\r\n"),
            },
            "RSET" => {
                self.envelope = None;
                Said::Reply("250 forgotten\r\n")
            }
            "NOOP" => Said::Reply("250 ok\r\n"),
            "VRFY" => Said::Reply("252 everything is caught\r\n"),
            "QUIT" => Said::Bye("221 bye\r\n"),
            _ => self.mistake("500 unknown command\r\n"),
        }
    }

    fn begin(&mut self, rest: &str) -> Said {
        if !self.is_greeted || self.envelope.is_some() {
            return self.mistake("503 first EHLO, and one message at a time\r\n");
        }
        let Some((from, options)) = find_path(rest, "FROM:") else { return self.mistake("501 no path\r\n") };
        let size = options.split(' ').find_map(|option| {
            let (name, value) = option.split_once('=')?;
            name.eq_ignore_ascii_case("SIZE").then(|| value.parse::<usize>().unwrap_or(usize::MAX))
        });
        if size.is_some_and(|size| size > MESSAGE_BYTES_MAX) {
            return Said::Reply("552 message too large\r\n");
        }
        self.envelope = Some(Envelope { from, to: Vec::new() });
        Said::Reply("250 ok\r\n")
    }

    fn add(&mut self, rest: &str) -> Said {
        let path = find_path(rest, "TO:").map(|(to, _)| to).filter(|to| !to.is_empty());
        match (&mut self.envelope, path) {
            (Some(envelope), Some(_)) if envelope.to.len() >= RECIPIENTS_MAX => {
                Said::Reply("452 too many recipients\r\n")
            }
            (Some(envelope), Some(to)) => {
                envelope.to.push(to);
                Said::Reply("250 ok\r\n")
            }
            (None, _) => self.mistake("503 first MAIL\r\n"),
            (Some(_), None) => self.mistake("501 no path\r\n"),
        }
    }

    /// A browser that was made to speak here makes nothing else.
    fn mistake(&mut self, reply: &'static str) -> Said {
        self.mistakes += 1;
        if self.mistakes > MISTAKES_MAX { Said::Bye("421 too many mistakes\r\n") } else { Said::Reply(reply) }
    }
}

/// `FROM:<path> options`: the path and the rest.
fn find_path<'l>(rest: &'l str, word: &str) -> Option<(String, &'l str)> {
    let is_word = rest.get(..word.len())?.eq_ignore_ascii_case(word);
    let (path, options) = rest.get(word.len()..)?.trim_start().strip_prefix('<')?.split_once('>')?;
    let is_path = is_word && path.len() <= PATH_BYTES_MAX && !path.chars().any(char::is_control);
    is_path.then(|| (path.to_owned(), options.trim()))
}

/// A line without its end; `None` at the end of the stream.
async fn read_line<S: AsyncBufRead + Unpin>(stream: &mut S, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
    let Some(mut line) = read_raw_line(stream, bytes_max).await? else { return Ok(None) };
    while line.last().is_some_and(|byte| b"\r\n".contains(byte)) {
        line.pop();
    }
    Ok(Some(line))
}

/// A line with its end, at most `bytes_max` long.
async fn read_raw_line<S: AsyncBufRead + Unpin>(stream: &mut S, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    loop {
        let buffer = stream.fill_buf().await?;
        if buffer.is_empty() {
            return Ok(None);
        }
        let end = buffer.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
        let taken = end.unwrap_or(buffer.len());
        line.extend(buffer.iter().take(taken));
        stream.consume(taken);
        if line.len() > bytes_max {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if end.is_some() {
            return Ok(Some(line));
        }
    }
}

/// The message up to CR LF . CR LF, dots restored; `None` when it was too large. A bare LF ends a line of text, never
/// the message.
async fn read_data<S: AsyncBufRead + Unpin>(stream: &mut S) -> io::Result<Option<Vec<u8>>> {
    let mut message = Vec::new();
    let (mut after_crlf, mut is_large) = (true, false);
    loop {
        let Some(line) = read_raw_line(stream, MESSAGE_BYTES_MAX).await? else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        if after_crlf && line == b".\r\n" {
            return Ok((!is_large).then_some(message));
        }
        let text = if after_crlf { line.strip_prefix(b".").unwrap_or(&line) } else { &line };
        after_crlf = line.ends_with(b"\r\n");
        is_large |= message.len() + text.len() > MESSAGE_BYTES_MAX;
        if !is_large {
            message.extend_from_slice(text);
        }
    }
}

const CONNECTIONS_MAX: usize = 64;
const CONNECTION_MAX: Duration = Duration::from_mins(10);
const LINE_BYTES_MAX: usize = 2048;
const PATH_BYTES_MAX: usize = 320;
const RECIPIENTS_MAX: usize = 100;
const MISTAKES_MAX: u8 = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use tokio::io::AsyncReadExt as _;

    type Kept = Vec<(Envelope, String)>;

    /// Says `input` at once and gives back the replies' codes and what was kept.
    fn converse(input: &[u8]) -> (String, Kept) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (mut near, far) = tokio::io::duplex(4 * MESSAGE_BYTES_MAX);
            near.write_all(input).await.unwrap();
            near.shutdown().await.unwrap();
            let kept = Mutex::new(Vec::new());
            let keep = |envelope: &Envelope, message: &[u8]| {
                kept.lock().unwrap().push((envelope.clone(), String::from_utf8_lossy(message).into_owned()));
                true
            };
            let _ = talk(far, keep).await;
            let mut replies = String::new();
            near.read_to_string(&mut replies).await.unwrap();
            let codes: Vec<&str> =
                replies.lines().filter_map(|line| line.split_once(' ')).map(|(code, _)| code).collect();
            (codes.join(" "), kept.into_inner().unwrap())
        })
    }

    #[test]
    fn a_message_is_caught_with_its_dots() {
        let input = "EHLO x\r\nMAIL FROM:<a@b.example> SIZE=100 BODY=8BITMIME SMTPUTF8\r\nRCPT TO:<ä@d.example>\r\nDATA\r\n\
                     Subject: x\r\n\r\n..leading\r\n...\r\nend\r\n.\r\nQUIT\r\n";
        let (codes, kept) = converse(input.as_bytes());
        assert_eq!(codes, "220 250 250 250 354 250 221");
        let envelope = Envelope { from: "a@b.example".into(), to: vec!["ä@d.example".into()] };
        assert_eq!(kept, [(envelope, "Subject: x\r\n\r\n.leading\r\n..\r\nend\r\n".to_owned())]);
    }

    #[test]
    fn what_is_out_of_order_or_too_much_is_refused() {
        let head = "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<c@d>\r\n";
        for (reason, input, codes, kept) in [
            ("no greeting", "MAIL FROM:<a@b>\r\n".to_owned(), "220 503", 0),
            ("no recipient", "EHLO x\r\nMAIL FROM:<a@b>\r\nDATA\r\n".into(), "220 250 250 503", 0),
            ("no path", "HELO x\r\nMAIL FROM:a@b\r\n".into(), "220 250 501", 0),
            ("an empty recipient", "HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<>\r\n".into(), "220 250 250 501", 0),
            ("announced too large", "HELO x\r\nMAIL FROM:<a@b> SIZE=1048577\r\n".into(), "220 250 552", 0),
            ("two at once", "HELO x\r\nMAIL FROM:<a@b>\r\nMAIL FROM:<a@b>\r\n".into(), "220 250 250 503", 0),
            ("forgotten", format!("{head}RSET\r\nDATA\r\n"), "220 250 250 250 250 503", 0),
            ("a bare line feed does not end it", format!("{head}DATA\r\na\n.\nb\r\n"), "220 250 250 250 354", 0),
            ("nor a dot after one", format!("{head}DATA\r\na\n.\r\nb\r\n"), "220 250 250 250 354", 0),
            ("the connection ends first", format!("{head}DATA\r\na\r\n"), "220 250 250 250 354", 0),
            (
                "a browser",
                "POST / HTTP/1.1\r\nhost: a\r\na: b\r\nc: d\r\ne: f\r\n\r\nMAIL FROM:<a@b>\r\n".into(),
                "220 500 500 500 500 500 421",
                0,
            ),
            (
                "two in one connection",
                format!("{head}DATA\r\na\r\n.\r\n{}DATA\r\nb\r\n.\r\n", &head[8..]),
                "220 250 250 250 354 250 250 250 354 250",
                2,
            ),
        ] {
            let (said, caught) = converse(input.as_bytes());
            assert_eq!((said.as_str(), caught.len()), (codes, kept), "{reason}");
        }
        let line = format!("{}\r\n", "a".repeat(1000));
        let large = format!("{head}DATA\r\n{}.\r\nNOOP\r\n", line.repeat(1100));
        assert_eq!(
            converse(large.as_bytes()).0,
            "220 250 250 250 354 552 250",
            "too large, and the connection goes on"
        );
        let endless = "a".repeat(LINE_BYTES_MAX + 1);
        assert_eq!(converse(endless.as_bytes()).0, "220", "a line without an end");
    }
}
