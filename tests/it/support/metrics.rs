//! The server's metrics page, as Prometheus would read it.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::wait::within;

/// The series of one look, in whole numbers.
pub struct Metrics(String);

impl Metrics {
    pub async fn load(address: SocketAddr) -> Self {
        let (status, body) = get(address, "/metrics").await;
        assert_eq!(status, 200);
        Self(body)
    }

    /// The sum of the series of this name whose labels contain each of `labels` (`reason="revoked"`).
    pub fn sum(&self, name: &str, labels: &[&str]) -> i64 {
        self.series(name, labels).map(|(_, value)| value).sum()
    }

    /// Label text and value of each such series.
    pub fn series<'m>(&'m self, name: &'m str, labels: &'m [&'m str]) -> impl Iterator<Item = (&'m str, i64)> {
        self.0.lines().filter_map(move |line| {
            let (series, value) = line.rsplit_once(' ')?;
            let text = series.strip_prefix(name)?;
            let is_whole = text.is_empty() || text.starts_with('{');
            let fits = is_whole && labels.iter().all(|label| text.contains(label));
            fits.then(|| (text, value.parse::<f64>().unwrap() as i64))
        })
    }
}

/// `GET` over plain HTTP/1.1: status and body.
pub async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    within(path, async {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    })
    .await
}
