//! Headers that are small on the wire and large in memory, or simply large; and header blocks that no table reads.

use super::{Honest, MIB, Memory, assert_alone, assert_serves, one_shard};
use crate::support::raw::{END_STREAM, Fate, Raw, block, field, head};
use crate::support::site::Site;

/// One entry of 4000 bytes in the dynamic table, then named again in a byte each.
fn bomb(times: usize) -> Vec<u8> {
    let mut bomb = vec![0x40];
    bomb.extend_from_slice(&field("x-bomb", &"b".repeat(3900))[1..]);
    bomb.extend(vec![0xbe; times]);
    bomb
}

/// More than any request says, in every way.
fn rows() -> Vec<(&'static str, Vec<u8>)> {
    let fields = |times: usize, one: &dyn Fn(usize) -> Vec<u8>| (0..times).flat_map(one).collect::<Vec<u8>>();
    vec![
        ("ten thousand tiny headers", fields(10_000, &|n| field(&format!("h{n}"), ""))),
        ("ten thousand times the same header", fields(10_000, &|_| field("a", "b"))),
        ("ten thousand headers without a name's worth of bytes", vec![0x90; 10_000]),
        ("ten thousand crumbs of a cookie (CVE-2019-9516 and its class)", fields(10_000, &|_| field("cookie", "a=b"))),
        ("an HPACK bomb (CVE-2016-1544)", bomb(4_000)),
        ("an HPACK bomb that fills its frame", bomb(12_000)),
        ("an HPACK bomb over many frames", bomb(100_000)),
        ("one field of a megabyte", field("x-huge", &"h".repeat(1 << 20))),
        ("many fields of four kilobytes", fields(250, &|n| field(&format!("h{n}"), &"v".repeat(4096)))),
        ("a name of forty kilobytes", field(&"n".repeat(40_000), "v")),
        ("a little over the limit", field("x-over", &"h".repeat(33_000))),
    ]
}

#[tokio::test]
async fn large_headers_are_refused_and_take_no_memory() {
    let site = Site::new().await;
    let server = site.serve_with(one_shard(&site)).await;
    let honest = Honest::begin(&server).await;
    let memory = Memory::watch(&server);
    for (reason, more) in rows() {
        let mut raw = Raw::open(&server, &[]).await;
        raw.send(&block(END_STREAM, 1, &[head("GET", "/health/live"), more].concat())).await;
        match raw.fate(1).await {
            Fate::Answered(431 | 400) | Fate::Reset(_) | Fate::Gone(_) | Fate::Closed => {}
            fate @ Fate::Answered(_) => panic!("{reason}: {fate:?}"),
        }
        honest.is_served().await;
    }
    memory.assert_grew_at_most(16 * MIB);
    assert_alone(&server).await;
}

#[tokio::test]
async fn many_hpack_bombs_at_once_take_no_memory() {
    let site = Site::new().await;
    let server = site.serve_with(one_shard(&site)).await;
    let honest = Honest::begin(&server).await;
    let memory = Memory::watch(&server);
    let sent = block(END_STREAM, 1, &[head("GET", "/health/live"), bomb(100_000)].concat());
    let mut attackers = Vec::new();
    for _ in 0..40 {
        let mut raw = Raw::open(&server, &[]).await;
        raw.send(&sent).await;
        attackers.push(raw);
    }
    honest.is_served().await;
    for mut raw in attackers {
        let fate = raw.fate(1).await;
        assert!(fate != Fate::Answered(200), "{fate:?}");
    }
    memory.assert_grew_at_most(24 * MIB);
    assert_alone(&server).await;
}

/// A header that is refused has still been read: what it put into the table stands there for the next one.
#[tokio::test]
async fn a_refused_header_leaves_the_table_in_step() {
    let site = Site::new().await;
    let server = site.serve_with(one_shard(&site)).await;
    let known = |before: &[u8], name: &str, value: &str| [before, &field(name, value)[1..]].concat();
    // An entry for the path, with the static table's name; and one for a field of ours.
    let path = known(&[0x44], "", "/health/live");
    let path = [&path[..1], &path[2..]].concat();
    let large = field("x-over", &"h".repeat(33_000));
    let request = |path: &[u8]| {
        [&field(":method", "GET")[..], &field(":scheme", "https"), path, &field(":authority", "localhost")].concat()
    };
    for (reason, refused, index) in [
        ("before the large field", [request(&path), large.clone()].concat(), 0xbe),
        ("and after it", [request(&path), large, known(&[0x40], "x-known", "y")].concat(), 0xbf),
    ] {
        let mut raw = Raw::open(&server, &[]).await;
        raw.send(&block(END_STREAM, 1, &refused)).await;
        let fate = raw.fate(1).await;
        let is_refused = matches!(fate, Fate::Answered(431 | 400) | Fate::Reset(_) | Fate::Gone(_) | Fate::Closed);
        assert!(is_refused, "{reason}: {fate:?}");
        raw.send(&block(END_STREAM, 3, &request(&[index]))).await;
        let fate = raw.fate(3).await;
        assert!(matches!(fate, Fate::Answered(200) | Fate::Gone(_) | Fate::Closed), "{reason}: {fate:?}");
    }
    assert_serves(&server).await;
}

/// RFC 9113 section 4.3: a block that cannot be decoded ends the connection, since nothing after it can be either.
#[tokio::test]
async fn header_blocks_that_cannot_be_decoded_end_the_connection() {
    let site = Site::new().await;
    let server = site.serve_with(one_shard(&site)).await;
    let honest = Honest::begin(&server).await;
    for (reason, more) in [
        ("index zero", vec![0x80]),
        ("an index beyond the table", vec![0xff, 0x80, 0x01]),
        ("an index in an empty dynamic table", vec![0xbe]),
        ("an index without end", [vec![0xff], vec![0xff; 100]].concat()),
        ("a length without end", [vec![0x00, 0x7f], vec![0xff; 100]].concat()),
        ("a length of four gigabytes", vec![0x00, 0x7f, 0x80, 0xff, 0xff, 0xff, 0x0f, b'x']),
        ("a name cut short", vec![0x00, 10, b'x']),
        ("a field without value", vec![0x00, 1, b'x']),
        ("Huffman's end of string", vec![0x00, 0x84, 0xff, 0xff, 0xff, 0xff, 1, b'x']),
        ("Huffman's padding of zeros", vec![0x00, 0x81, 0x00, 1, b'x']),
        ("a table larger than was allowed", vec![0x3f, 0xe1, 0xff, 0x03]),
    ] {
        let mut raw = Raw::open(&server, &[]).await;
        // A resize is allowed at the beginning of a block only, so that this one is judged by its size alone.
        let is_resize = more[0] == 0x3f;
        let parts = if is_resize { [more, head("GET", "/health/live")] } else { [head("GET", "/health/live"), more] };
        raw.send(&block(END_STREAM, 1, &parts.concat())).await;
        let code = raw.read_to_end().await;
        assert!(code.is_some_and(|code| code != 0), "{reason}: GOAWAY {code:?}");
        honest.is_served().await;
    }
    assert_alone(&server).await;
}
