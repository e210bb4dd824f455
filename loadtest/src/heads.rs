//! Header blocks, made once and sent many times. Encoding a request anew for each of a hundred thousand a second is
//! most of what an HTTP/2 client does, and would make the generator the limit before the server is.
//!
//! The blocks are those of the `h2` crate, which writes them into a pipe here: one for the first request of a
//! connection, which fills the server's dynamic table (RFC 7541 section 2.3.2) as any client does, and one for all
//! later ones, which refer to it. Only the length of the body tells two requests of one template apart, and its value
//! enters no table, so the later block of any length follows the first block of any other.

use std::collections::HashMap;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::Request;
use tokio::io::{AsyncRead, DuplexStream, ReadBuf, duplex};

use crate::fault::Fault;
use crate::scenario::Template;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub first: Bytes,
    pub later: Bytes,
}

pub struct Heads {
    template: Template,
    by_length: HashMap<usize, Head>,
}

impl Heads {
    pub fn new(template: Template) -> Self {
        Self { template, by_length: HashMap::new() }
    }

    pub fn of(&mut self, body: &Bytes) -> Result<&Head, Fault> {
        if !self.by_length.contains_key(&body.len()) {
            let head = encode(&self.template.with(body))?;
            self.by_length.insert(body.len(), head);
        }
        self.by_length.get(&body.len()).ok_or_else(failed)
    }
}

fn encode(request: &Request<()>) -> Result<Head, Fault> {
    let (near, mut far) = duplex(PIPE_BYTES);
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(Ok((mut requests, connection))) = pin!(h2::client::handshake(near)).poll(&mut cx) else {
        return Err(failed());
    };
    let mut connection = pin!(connection);
    // Held, because a request whose handles are gone is cancelled.
    let mut held = Vec::new();
    for _ in 0..REQUESTS {
        let Poll::Ready(Ok(())) = requests.poll_ready(&mut cx) else { return Err(failed()) };
        held.push(requests.send_request(request.clone(), false).map_err(|_| failed())?);
        if connection.as_mut().poll(&mut cx).is_ready() {
            return Err(failed());
        }
    }
    let blocks = blocks(&written(&mut far, &mut cx));
    match blocks.as_slice() {
        [first, later, last] if later == last => Ok(Head { first: first.clone(), later: later.clone() }),
        _ => Err(failed()),
    }
}

fn written(far: &mut DuplexStream, cx: &mut Context<'_>) -> Vec<u8> {
    let mut bytes = vec![0; PIPE_BYTES];
    let mut buffer = ReadBuf::new(&mut bytes);
    let _ = pin!(far).poll_read(cx, &mut buffer);
    buffer.filled().to_vec()
}

/// What the HEADERS frames hold.
fn blocks(written: &[u8]) -> Vec<Bytes> {
    let mut blocks = Vec::new();
    let mut rest = written.get(PREFACE_BYTES..).unwrap_or_default();
    while let Some(([a, b, c, kind, _, _, _, _, _], after)) = rest.split_first_chunk::<9>() {
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        let Some((payload, next)) = after.split_at_checked(length) else { break };
        if *kind == HEADERS {
            blocks.push(Bytes::copy_from_slice(payload));
        }
        rest = next;
    }
    blocks
}

fn failed() -> Fault {
    Fault::Local("a request could not be encoded".to_owned())
}

const PIPE_BYTES: usize = 256 << 10;
const PREFACE_BYTES: usize = 24;
const HEADERS: u8 = 1;
/// The last one proves that the one before it stands for all that follow.
const REQUESTS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderValue, Uri};

    #[test]
    fn later_blocks_are_short_and_any_may_follow_any_first() {
        let mut authorization = HeaderValue::from_static("Basic dXNlcjpwYXNzd29yZA==");
        authorization.set_sensitive(true);
        let template = Template::new(&Uri::from_static("https://a.example/oauth/introspect"), Some(&authorization));
        let mut heads = Heads::new(template);
        let short = heads.of(&Bytes::from_static(b"token=x")).unwrap().clone();
        let long = heads.of(&Bytes::from(vec![b'x'; 777])).unwrap().clone();
        assert!(short.later.len() < short.first.len() / 2, "{} of {}", short.later.len(), short.first.len());
        // They differ in nothing but the length's own characters.
        assert_ne!(short.later, long.later);
        let same = |a: &Bytes, b: &Bytes| a.iter().zip(b.iter()).filter(|(a, b)| a == b).count();
        assert!(same(&short.later, &long.later) > short.later.len() / 2);
    }
}
