//! A cable between a server and PostgreSQL that can be cut: a Unix socket in a directory of its own.

use std::path::PathBuf;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

use super::{cluster, place};

/// What the cable does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Whole,
    /// Bytes vanish, and nobody is told: a network that drops packets.
    Silent,
    /// Connections end, and new ones too: a database that is down.
    Cut,
}

pub struct Relay {
    directory: PathBuf,
    state: watch::Sender<State>,
}

impl Relay {
    pub fn new() -> Self {
        let directory = place::directory("relay");
        let listener = UnixListener::bind(directory.join(SOCKET)).unwrap();
        let (state, seen) = watch::channel(State::Whole);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, seen.clone()));
            }
        });
        Self { directory, state }
    }

    pub fn url(&self, database: &str, role: &str) -> String {
        format!("postgresql:///{database}?host={}&user={role}", self.directory.display())
    }

    pub fn set(&self, state: State) {
        self.state.send_replace(state);
    }
}

async fn carry(near: UnixStream, seen: watch::Receiver<State>) {
    let mut state = seen.clone();
    if *state.borrow_and_update() == State::Cut {
        return;
    }
    let Ok(far) = UnixStream::connect(cluster::shared().sockets.join(SOCKET)).await else { return };
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    tokio::select! {
        () = pump(near_in, far_out, seen.clone()) => {}
        () = pump(far_in, near_out, seen) => {}
        _ = state.wait_for(|state| *state == State::Cut) => {}
    }
}

async fn pump(
    mut from: tokio::net::unix::OwnedReadHalf,
    mut to: tokio::net::unix::OwnedWriteHalf,
    mut state: watch::Receiver<State>,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(n @ 1..) = from.read(&mut buffer).await else { return };
        if state.wait_for(|state| *state != State::Silent).await.is_err() || to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}

const SOCKET: &str = ".s.PGSQL.5432";
