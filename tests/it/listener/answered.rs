//! A peer that resets each stream once it has the answer, as curl does: nothing of it is a flood.

use crate::support::ask::basic;
use crate::support::raw::{DATA, END_HEADERS, END_STREAM, Fate, GOAWAY, HEADERS, RST_STREAM, Raw, field, frame, head};
use crate::support::seed::client;
use crate::support::site::Site;

const ROUNDS: u32 = 40;
const AT_ONCE: u32 = 100;
const CANCEL: u32 = 8;

/// Far more resets than `server.resets_max` would let pass within its window, of hot answers and of cold ones.
#[tokio::test]
async fn a_reset_of_what_is_answered_costs_nothing() {
    let site = Site::new().await;
    let server = site.serve_with(site.settings().set("server.resets_max", 10)).await;
    let body = b"grant_type=client_credentials";
    let cold = [
        head("POST", "/oauth/token"),
        field("content-type", "application/x-www-form-urlencoded"),
        field("authorization", &basic("service", &client("service").secret)),
    ]
    .concat();
    let cold = |id| [frame(HEADERS, END_HEADERS, id, &cold), frame(DATA, END_STREAM, id, body)].concat();
    let hot = head("GET", "/health/live");
    let hot = |id| frame(HEADERS, END_HEADERS | END_STREAM, id, &hot);
    let mut raw = Raw::open(&server, &[]).await;
    let mut next = 1;
    for round in 0..ROUNDS {
        let ids: Vec<u32> = (0..AT_ONCE).map(|turn| next + 2 * turn).collect();
        next += 2 * AT_ONCE;
        // A token request costs a signature each; a few of them are as good as many.
        let requests = ids.iter().map(|id| if *id % 20 == 1 && round % 8 == 0 { cold(*id) } else { hot(*id) });
        assert!(raw.send(&requests.collect::<Vec<_>>().concat()).await, "round {round}");
        let mut answered = 0;
        while answered < AT_ONCE {
            let frame = raw.read().await.unwrap_or_else(|| panic!("round {round}: {answered} answers"));
            assert!(![GOAWAY, RST_STREAM].contains(&frame.kind), "round {round}: {frame:?}");
            answered += u32::from([HEADERS, DATA].contains(&frame.kind) && frame.flags & END_STREAM != 0);
        }
        let resets = ids.iter().map(|id| frame(RST_STREAM, 0, *id, &CANCEL.to_be_bytes()));
        assert!(raw.send(&resets.collect::<Vec<_>>().concat()).await, "round {round}");
    }
    assert!(raw.send(&hot(next)).await);
    assert_eq!(raw.fate(next).await, Fate::Answered(200), "after {} resets", ROUNDS * AT_ONCE);
}
