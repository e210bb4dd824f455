//! The doorbell: LISTEN on a connection of its own, and the statement that rings it.
//!
//! A ring says "look now" and nothing more. Rings that come while nobody looked are one ring. Each new
//! connection rings once, since what was rung before it is lost; a reader polls as well.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_postgres::AsyncMessage;

use super::connect::Driver;
use super::{PgFault, PgSettings, Plane, Pool, Target, Trust, dial};
use crate::fail::{Fail, Point};

/// Listens to `channel` until the receiver is dropped, reconnecting with a growing pause. Must be called
/// inside a tokio runtime.
pub fn listen(settings: &PgSettings, plane: Plane, channel: &'static str) -> Result<mpsc::Receiver<()>, PgFault> {
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    if channel.is_empty() || !channel.bytes().all(is_name) {
        return Err(PgFault::Settings("a channel is named with lower-case letters"));
    }
    let trust = Arc::new(Trust::new(settings.ca_pem_path.as_deref()));
    let url = &settings.target(plane).url;
    let fail = settings.fail.of("listen");
    let timeout = settings.connect_timeout;
    let target = Target::new(url, "sigid-listen", "", settings.require_ssl, timeout, &trust, fail.clone())?;
    let (bell, rings) = mpsc::channel(1);
    let deadline = settings.statement_timeout;
    tokio::spawn(async move {
        let mut pause = PAUSE_MIN;
        loop {
            tokio::select! {
                () = bell.closed() => return,
                fault = listen_once(&target, channel, &bell, deadline, &mut pause, &fail) => {
                    tracing::debug!(error = %fault, channel, "listening again");
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    });
    Ok(rings)
}

/// Rings `channel`. Outside any transaction: NOTIFY holds a cluster-wide lock until its transaction ends.
pub async fn notify(pool: &Pool, channel: &str) -> Result<(), PgFault> {
    pool.query_alone("select pg_catalog.pg_notify($1, '')", &[&channel]).await.map(|_| ())
}

/// Listens on one connection until it breaks, and says why it did.
async fn listen_once(
    target: &Target,
    channel: &str,
    bell: &mpsc::Sender<()>,
    deadline: Duration,
    pause: &mut Duration,
    fail: &Fail,
) -> PgFault {
    let (client, driver) = match dial(target).await {
        Ok(connected) => connected,
        Err(fault) => return fault,
    };
    let subscribe = async {
        let listen = format!("LISTEN {channel}");
        let listening = async {
            fail.reach(Point::ListenSubscribe).await?;
            client.batch_execute(&listen).await.map_err(PgFault::from)
        };
        match tokio::time::timeout(deadline, listening).await {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => return fault,
            Err(_) => return PgFault::Timeout,
        }
        *pause = PAUSE_MIN;
        ring(bell);
        std::future::pending().await
    };
    tokio::select! {
        fault = subscribe => fault,
        fault = pump(driver, bell, fail) => fault,
    }
}

async fn pump(mut driver: Driver, bell: &mpsc::Sender<()>, fail: &Fail) -> PgFault {
    loop {
        match poll_fn(|cx| driver.poll_message(cx)).await {
            Some(Ok(AsyncMessage::Notification(_))) => {
                if let Err(fault) = fail.reach(Point::ListenRing).await {
                    return fault;
                }
                ring(bell);
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return PgFault::from(error),
            None => return PgFault::Unreachable("the connection closed"),
        }
    }
}

/// A full queue has rung already.
fn ring(bell: &mpsc::Sender<()>) {
    let _ = bell.try_send(());
}

const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);
