//! The two gauges the harness wants of a Prometheus endpoint, over plain HTTP/1.1: how old the server's news
//! of revocations is, and how many connections each shard has.

use std::time::Duration;

use http::Uri;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The largest `sigid_feed_age_seconds` of all shards; None when there is none to be had.
pub async fn find_feed_age_s(url: &Uri) -> Option<f64> {
    let page = timeout(DEADLINE, load(url)).await.ok()?.ok()?;
    largest(&page)
}

/// Open connections of each shard: what `sigid_connections_open` says, by its labels.
pub async fn find_connections_by_shard(url: &Uri) -> Vec<(String, f64)> {
    match timeout(DEADLINE, load(url)).await {
        Ok(Ok(page)) => samples(&page, CONNECTIONS),
        _ => Vec::new(),
    }
}

async fn load(url: &Uri) -> std::io::Result<String> {
    let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let mut socket = TcpStream::connect((host, url.port_u16().unwrap_or(80))).await?;
    let path = url.path_and_query().map_or("/metrics", |p| p.as_str());
    let authority = url.authority().map_or("", http::uri::Authority::as_str);
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nAccept: text/plain\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    socket.take(PAGE_BYTES_MAX).read_to_end(&mut answer).await?;
    Ok(body(&String::from_utf8_lossy(&answer)))
}

fn body(answer: &str) -> String {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    if !head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        return body.to_owned();
    }
    let mut whole = String::new();
    let mut rest = body;
    while let Some((size, tail)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16).unwrap_or(0);
        let Some(chunk) = tail.get(..size).filter(|c| !c.is_empty()) else { break };
        whole.push_str(chunk);
        rest = tail.get(size..).unwrap_or_default().trim_start_matches("\r\n");
    }
    whole
}

fn largest(page: &str) -> Option<f64> {
    samples(page, GAUGE).into_iter().map(|(_, value)| value).filter(|v| v.is_finite()).reduce(f64::max)
}

/// Labels and value of each sample of one metric.
fn samples(page: &str, name: &str) -> Vec<(String, f64)> {
    page.lines()
        .filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            if !rest.starts_with(['{', ' ']) {
                return None;
            }
            let (labels, after) = rest.rsplit_once('}').unwrap_or(("", rest));
            Some((labels.trim_start_matches('{').to_owned(), after.split_whitespace().next()?.parse().ok()?))
        })
        .collect()
}

const GAUGE: &str = "sigid_feed_age_seconds";
const CONNECTIONS: &str = "sigid_connections_open";
const DEADLINE: Duration = Duration::from_millis(800);
const PAGE_BYTES_MAX: u64 = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_shard_counts() {
        let page = "# HELP sigid_feed_age_seconds x\n# TYPE sigid_feed_age_seconds gauge\nsigid_feed_age_seconds{shard=\"0\"} 0.125\nsigid_feed_age_seconds{shard=\"1\"} 0.5\nsigid_feed_age_seconds_max 9\n";
        assert_eq!(largest(page), Some(0.5));
        assert_eq!(largest("sigid_feed_age_seconds 0.25 1700000000\n"), Some(0.25));
        assert_eq!(largest("other 1\n"), None);
        assert_eq!(largest("sigid_feed_age_seconds +Inf\n"), None);
    }

    #[test]
    fn every_shard_is_told_by_its_labels() {
        let page = "sigid_connections_open{shard=\"0\"} 3\nsigid_connections_open{shard=\"1\"} 0\n";
        let told = [("shard=\"0\"".to_owned(), 3.0), ("shard=\"1\"".to_owned(), 0.0)];
        assert_eq!(samples(page, CONNECTIONS), told);
    }

    #[test]
    fn chunks_are_joined_where_a_line_is_cut() {
        let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nf\r\nsigid_feed_age_\r\na\r\nseconds 1\n\r\n0\r\n\r\n";
        assert_eq!(largest(&body(answer)), Some(1.0));
        assert_eq!(body("HTTP/1.1 200 OK\r\n\r\nabc"), "abc");
    }

    #[tokio::test]
    async fn asks_a_real_listener() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: Uri = format!("http://{}/metrics", listener.local_addr().unwrap()).parse().unwrap();
        let server = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut asked = [0; 512];
            let n = socket.read(&mut asked).await.unwrap();
            socket.write_all(b"HTTP/1.1 200 OK\r\n\r\nsigid_feed_age_seconds 0.75\n").await.unwrap();
            String::from_utf8_lossy(&asked[..n]).into_owned()
        });
        assert_eq!(find_feed_age_s(&url).await, Some(0.75));
        assert!(server.await.unwrap().starts_with("GET /metrics HTTP/1.1\r\n"));
    }
}
