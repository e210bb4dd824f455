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
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;

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

/// A connection past the TLS handshake and the two prefaces.
pub struct Raw {
    input: ReadHalf<TlsStream<TcpStream>>,
    output: WriteHalf<TlsStream<TcpStream>>,
}

impl Raw {
    /// With these settings: identifier and value.
    pub async fn open(server: &Server, settings: &[(u16, u32)]) -> Self {
        let tls = server.offer().connect(server.address).await.unwrap();
        let (input, output) = tokio::io::split(tls);
        let mut raw = Self { input, output };
        let payload: Vec<u8> =
            settings.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()).collect();
        let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(SETTINGS, 0, 0, &payload)[..]].concat();
        assert!(raw.send(&preface).await);
        raw
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
