//! Peers that leave without a word, in every state: what they held is given back, descriptors and memory.

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::{Honest, MIB, Memory, assert_alone, one_shard, stream, token_request};
use crate::support::raw::{DATA, END_HEADERS, END_STREAM, HEADERS, Raw, frame, head};
use crate::support::server::Server;
use crate::support::site::Site;
use crate::support::wait::until_true;

fn descriptors(server: &Server) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count()
}

#[tokio::test]
async fn whoever_leaves_in_the_middle_leaves_nothing_behind() {
    const TIMES: usize = 100;
    let site = Site::new().await;
    let server = site.serve_with(one_shard(&site)).await;
    let honest = Honest::begin(&server).await;
    // Once for everything that is made at the first use.
    server.connect().await.ask(crate::support::ask::Ask::get("/health/live")).await.expect(200);
    assert_alone(&server).await;
    let before = descriptors(&server);
    let memory = Memory::watch(&server);
    let cold: Vec<u8> = (0..5).flat_map(|turn| token_request(stream(turn), "/oauth/token", &[])).collect();
    let hot: Vec<u8> = (0..50)
        .flat_map(|turn| frame(HEADERS, END_HEADERS | END_STREAM, stream(turn), &head("GET", "/.well-known/jwks.json")))
        .collect();
    let half = [frame(HEADERS, END_HEADERS, 1, &head("POST", "/oauth/token")), frame(DATA, 0, 1, b"grant")].concat();
    for sent in [&cold, &hot, &half, &half[..30].to_vec()] {
        for _ in 0..TIMES {
            let mut raw = Raw::open(&server, &[]).await;
            raw.send(sent).await;
        }
        honest.is_served().await;
    }
    // Without TLS, and with a reset instead of an end.
    for sent in [&b""[..], b"\x16\x03\x01"] {
        for _ in 0..TIMES {
            let mut socket = TcpStream::connect(server.address).await.unwrap();
            socket.write_all(sent).await.unwrap();
            socket.set_zero_linger().unwrap();
        }
        honest.is_served().await;
    }
    assert_alone(&server).await;
    until_true("the descriptors", async || descriptors(&server) <= before).await;
    memory.assert_grew_at_most(24 * MIB);
}
