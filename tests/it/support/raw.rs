//! HTTP/2 frames by hand (RFC 9113), for peers that no library would be.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::server::Server;
use super::wait::within;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;

#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header field that the decoder is told not to remember.
pub fn field(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        integer(&mut bytes, 7, text.len());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

/// HPACK's integer of a prefix (RFC 7541 section 5.1), its first byte's other bits zero.
fn integer(bytes: &mut Vec<u8>, prefix: u32, value: usize) {
    let limit = (1 << prefix) - 1;
    if value < limit {
        bytes.push(value as u8);
        return;
    }
    bytes.push(limit as u8);
    let mut rest = value - limit;
    while rest >= 128 {
        bytes.push((rest % 128 + 128) as u8);
        rest /= 128;
    }
    bytes.push(rest as u8);
}

/// The header block of a request without fields of its own.
pub fn head(method: &str, path: &str) -> Vec<u8> {
    [field(":method", method), field(":scheme", "https"), field(":path", path), field(":authority", "localhost")]
        .concat()
}

/// A header block in as many frames as it takes; `flags` are those of the first.
pub fn block(flags: u8, stream: u32, block: &[u8]) -> Vec<u8> {
    let mut chunks = block.chunks(16_384).peekable();
    let mut kind = HEADERS;
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next() {
        let end = if chunks.peek().is_none() { END_HEADERS } else { 0 };
        bytes.extend(frame(kind, end | if kind == HEADERS { flags } else { 0 }, stream, chunk));
        kind = CONTINUATION;
    }
    bytes
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Answered(u16),
    /// RST_STREAM with this code.
    Reset(u32),
    /// GOAWAY with a code other than NO_ERROR.
    Gone(u32),
    /// The connection ended without a word.
    Closed,
}

/// The status of a response's header block, which stands first and, in a connection's first response, in no table of
/// the connection's own.
fn status(block: &[u8]) -> u16 {
    let is_size_update = |byte: &&u8| (0x20..0x40).contains(*byte);
    let block = &block[block.iter().take_while(is_size_update).count()..];
    match block {
        [indexed @ 0x88..=0x8e, ..] => [200, 204, 206, 304, 400, 404, 500][usize::from(indexed - 0x88)],
        [0x08 | 0x18 | 0x48, length, text @ ..] if length & 0x80 == 0 => {
            std::str::from_utf8(&text[..usize::from(*length)]).unwrap().parse().unwrap()
        }
        [0x08 | 0x18 | 0x48, length, text @ ..] => huffman_digits(&text[..usize::from(length & 0x7f)]),
        _ => panic!("no status: {block:?}"),
    }
}

/// Three digits in Huffman's code (RFC 7541 appendix B): 0 to 2 take five bits, the others six.
fn huffman_digits(text: &[u8]) -> u16 {
    let bits = text.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (32 - 8 * text.len());
    let mut rest = bits;
    (0..3).fold(0, |number, _| {
        let (digit, length) = if rest >> 27 <= 2 { (rest >> 27, 5) } else { ((rest >> 26) - 0x19 + 3, 6) };
        rest <<= length;
        number * 10 + digit as u16
    })
}

/// A connection past the TLS handshake and the two prefaces.
pub struct Raw {
    input: ReadHalf<TlsStream<TcpStream>>,
    output: WriteHalf<TlsStream<TcpStream>>,
}

impl Raw {
    /// Past the TLS handshake alone.
    pub async fn silent(server: &Server) -> Self {
        Self::over(server.offer().connect(server.address).await.unwrap())
    }

    /// Past the TLS handshake, with a receive buffer so small that the server's own has to do.
    pub async fn narrow(server: &Server) -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(8192).unwrap();
        let socket = socket.connect(server.address).await.unwrap();
        Self::over(server.offer().wrap(socket).await.unwrap())
    }

    fn over(tls: TlsStream<TcpStream>) -> Self {
        let (input, output) = tokio::io::split(tls);
        Self { input, output }
    }

    /// With these settings: identifier and value.
    pub async fn open(server: &Server, settings: &[(u16, u32)]) -> Self {
        Self::silent(server).await.greet(settings).await
    }

    /// Sends the preface and these settings.
    pub async fn greet(mut self, settings: &[(u16, u32)]) -> Self {
        let payload: Vec<u8> =
            settings.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()).collect();
        let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(SETTINGS, 0, 0, &payload)[..]].concat();
        assert!(self.send(&preface).await);
        self
    }

    /// `false` when the server has closed the connection.
    pub async fn send(&mut self, bytes: &[u8]) -> bool {
        let sent = async { self.output.write_all(bytes).await.is_ok() && self.output.flush().await.is_ok() };
        within("sending frames", sent).await
    }

    /// The next frame; `None` at the connection's end.
    pub async fn read(&mut self) -> Option<Frame> {
        let read = async {
            let mut head = [0; 9];
            self.input.read_exact(&mut head).await.ok()?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            self.input.read_exact(&mut payload).await.ok()?;
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
            Some(Frame { kind: head[3], flags: head[4], stream, payload })
        };
        within("a frame", read).await
    }

    /// What becomes of a stream, or of the connection before that.
    pub async fn fate(&mut self, stream: u32) -> Fate {
        self.fate_of(&[stream]).await.1
    }

    /// The first of these streams of which something becomes, and what.
    pub async fn fate_of(&mut self, streams: &[u32]) -> (u32, Fate) {
        while let Some(frame) = self.read().await {
            let code = |at: usize| u32::from_be_bytes(frame.payload[at..at + 4].try_into().unwrap());
            let is_meant = streams.contains(&frame.stream);
            match frame.kind {
                HEADERS if is_meant => return (frame.stream, Fate::Answered(status(&frame.payload))),
                RST_STREAM if is_meant => return (frame.stream, Fate::Reset(code(0))),
                GOAWAY if code(4) != 0 => return (0, Fate::Gone(code(4))),
                _ => {}
            }
        }
        (0, Fate::Closed)
    }

    /// Reads to the connection's end: the error code of the last GOAWAY, if one came.
    pub async fn read_to_end(&mut self) -> Option<u32> {
        let mut code = None;
        while let Some(frame) = self.read().await {
            if frame.kind == GOAWAY {
                code = Some(u32::from_be_bytes(frame.payload[4..8].try_into().unwrap()));
            }
        }
        code
    }

    /// Waits for the connection's end as a polite peer does, which answers pings and says nothing more: the error
    /// codes of the GOAWAYs that came.
    pub async fn farewell(mut self) -> Vec<u32> {
        let mut codes = Vec::new();
        while let Some(next) = self.read().await {
            match next.kind {
                GOAWAY => codes.push(u32::from_be_bytes(next.payload[4..8].try_into().unwrap())),
                PING if next.flags & ACK == 0 => drop(self.send(&frame(PING, ACK, 0, &next.payload)).await),
                _ => {}
            }
        }
        codes
    }

    /// Sends the same bytes again and again until the server has had enough, reading meanwhile; whether it had,
    /// and with which GOAWAY.
    pub async fn flood(self, times: usize, mut bytes: impl FnMut(usize) -> Vec<u8>) -> (bool, Option<u32>) {
        let Self { mut input, mut output } = self;
        let writing = async move {
            for turn in 0..times {
                if output.write_all(&bytes(turn)).await.is_err() || output.flush().await.is_err() {
                    return (true, output);
                }
            }
            (false, output)
        };
        let reading = async move {
            let mut code = None;
            let mut head = [0; 9];
            while input.read_exact(&mut head).await.is_ok() {
                let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
                if input.read_exact(&mut payload).await.is_err() {
                    break;
                }
                if head[3] == GOAWAY {
                    code = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
                }
            }
            code
        };
        let reading = tokio::spawn(reading);
        let (was_stopped, output) = within("the flood", writing).await;
        if !was_stopped && !reading.is_finished() {
            // Everything is sent; a server that has had enough says so now.
            let ended = tokio::time::timeout(super::wait::DEADLINE / 4, reading).await;
            drop(output);
            return match ended {
                Ok(code) => (true, code.unwrap()),
                Err(_) => (false, None),
            };
        }
        let code = within("the end of the reading half", reading).await.unwrap();
        (true, code)
    }
}

#[test]
fn statuses_are_read_in_every_form() {
    for (block, expected) in [
        (&[0x88][..], 200),
        (&[0x8d, 0x5f], 404),
        (&[0x48, 3, b'4', b'3', b'1'], 431),
        (&[0x20, 0x08, 3, b'5', b'0', b'3'], 503),
        // 302 and 307 of RFC 7541 appendix C.6.
        (&[0x48, 0x82, 0x64, 0x02], 302),
        (&[0x48, 0x83, 0x64, 0x0e, 0xff], 307),
    ] {
        assert_eq!(status(block), expected);
    }
}
