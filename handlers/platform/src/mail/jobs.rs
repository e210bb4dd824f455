//! The job: claim, prepare, send, mark.

use super::model::{self, Outcome};
use super::sql::{self, Claimed};
use super::{
    LETTERS_AT_ONCE_MAX, Mailer, POLL, PREPARE_DEADLINE, PrepareFault, Prepared, Preparer, Queued, TEST_TEMPLATE, Text,
    dead_event, wire_address,
};
use crate::outbox::{Act, Change};
use sigid_edge::backend::Backend;
use sigid_edge::feature::JobFault;
use sigid_io::backend::{BoxFuture, spawn};
use sigid_io::clock::{self, system_time};
use sigid_io::fail::Point;
use sigid_io::mail::{Message, SendFault, Sender};
use sigid_io::pg::{PgFault, Pool, Scope};
use sigid_io::rng;
use sigid_io::settings::Plane;
use std::sync::Arc;
use std::time::Duration;

/// Sends what is due, for about [`TURN`]; the next turn begins a moment later.
pub(super) fn deliver(backend: Arc<Backend>) -> BoxFuture<'static, Result<(), JobFault>> {
    Box::pin(async move {
        let Some(mailer) = backend.settings.find::<Arc<Mailer>>().cloned() else { return Ok(()) };
        if mailer.sender.is_none() {
            return Ok(());
        }
        turn(&backend, &mailer).await.map_err(|error| JobFault(error.to_string()))
    })
}

async fn turn(backend: &Arc<Backend>, mailer: &Arc<Mailer>) -> Result<(), PgFault> {
    let pool = backend.pools.pool(Plane::Async);
    let began_ms = clock::monotonic_ms();
    let mut counted_ms = None;
    while clock::monotonic_ms() - began_ms < TURN.as_millis() as i64 {
        let now_ms = clock::monotonic_ms();
        if counted_ms.is_none_or(|counted| now_ms - counted > COUNT_EVERY.as_millis() as i64) {
            counted_ms = Some(now_ms);
            mailer.counters.waiting.set(count_waiting(pool).await?);
        }
        // Only this job takes permits, so those that are free stay free until it takes them.
        let Ok(first) = mailer.permits.clone().acquire_owned().await else { return Ok(()) };
        drop(first);
        let free = mailer.permits.available_permits().min(LETTERS_AT_ONCE_MAX);
        let claimed = claim(pool, free as i64, backend.shared.clock.now_s()).await?;
        if claimed.is_empty() {
            let _ = tokio::time::timeout(POLL, mailer.bell.notified()).await;
        }
        for letter in claimed {
            let Ok(permit) = mailer.permits.clone().acquire_owned().await else { return Ok(()) };
            let (backend, mailer) = (backend.clone(), mailer.clone());
            spawn(async move {
                handle(&backend, &mailer, letter).await;
                drop(permit);
            });
        }
    }
    Ok(())
}

async fn claim(pool: &Pool, count: i64, now_s: i64) -> Result<Vec<Claimed>, PgFault> {
    let mut tx = pool.begin(Scope::System("jobs")).await?;
    let claimed = sql::claim(&mut tx, count, now_s).await?;
    tx.commit().await?;
    Ok(claimed)
}

async fn count_waiting(pool: &Pool) -> Result<i64, PgFault> {
    let mut tx = pool.begin(Scope::System("jobs")).await?;
    let waiting = sql::count_waiting(&mut tx).await?;
    tx.commit().await?;
    Ok(waiting)
}

/// One letter from its claim to its mark. A mark that fails leaves the lease to run out: the letter comes again, under
/// the same Message-ID.
async fn handle(backend: &Arc<Backend>, mailer: &Arc<Mailer>, claimed: Claimed) {
    let outcome = attempt(backend, mailer, &claimed).await;
    let Queued { mail_id, template, attempts, .. } = &claimed.queued;
    match outcome {
        Outcome::Sent => tracing::debug!(%mail_id, template, "letter sent"),
        Outcome::Dropped(word) => tracing::info!(%mail_id, template, word, "letter dropped"),
        Outcome::Retry { word, .. } => {
            tracing::warn!(%mail_id, template, attempts, word, "letter not taken; later again");
        }
        Outcome::Dead(word) => tracing::error!(%mail_id, template, attempts, word, "letter given up"),
    }
    let counters = &mailer.counters;
    match outcome {
        Outcome::Sent => counters.sent.inc(),
        Outcome::Dropped(_) => counters.dropped.inc(),
        Outcome::Retry { .. } => counters.retried.inc(),
        Outcome::Dead(_) => counters.dead.inc(),
    }
    if let Err(error) = mark(backend, &claimed, outcome).await {
        tracing::warn!(%mail_id, %error, "what became of a letter was not marked; it comes again");
    }
}

async fn attempt(backend: &Arc<Backend>, mailer: &Mailer, claimed: &Claimed) -> Outcome {
    let queued = &claimed.queued;
    if let Some(outcome) = model::refuse(queued.created_s, queued.now_s) {
        return outcome;
    }
    let again = |fault| {
        let [jitter] = rng::random();
        let now_s = backend.shared.clock.now_s();
        model::after(fault, queued.attempts, queued.created_s, now_s, jitter)
    };
    let preparing = tokio::time::timeout(PREPARE_DEADLINE, prepare(backend, queued));
    let text = match preparing.await.unwrap_or(Err(PrepareFault("preparation took too long"))) {
        Ok(Prepared::Send(text)) => text,
        Ok(Prepared::Drop(word)) => return Outcome::Dropped(word),
        Err(PrepareFault(word)) => return again(SendFault::Temporary(word)),
    };
    let Some(sender) = &mailer.sender else { return again(SendFault::Temporary("no provider")) };
    let sent = send(sender, mailer, queued, text).await;
    let heard = backend.pools.pool(Plane::Async).reach(Point::MailSent).await;
    match (sent, heard) {
        (Ok(()), Ok(())) => Outcome::Sent,
        (Ok(()), Err(_)) => again(SendFault::Temporary("fail point")),
        (Err(fault), _) => again(fault),
    }
}

async fn prepare(backend: &Arc<Backend>, queued: &Queued) -> Result<Prepared, PrepareFault> {
    if queued.template == TEST_TEMPLATE {
        return Ok(if queued.is_crowd { Prepared::Drop("too many") } else { Prepared::Send(test_letter()) });
    }
    let Some(Preparer(prepare)) = backend.settings.find() else { return Err(PrepareFault("no such template")) };
    prepare(backend.clone(), queued.clone()).await
}

async fn send(sender: &Sender, mailer: &Mailer, queued: &Queued, text: Text) -> Result<(), SendFault> {
    let message = Message {
        message_id: format!("{}@{}", queued.mail_id.as_hyphenated(), mailer.host),
        from_name: text.from_name,
        to: wire_address(&queued.recipient),
        subject: text.subject,
        text: text.text,
        html: text.html,
        headers: Vec::new(),
        // When it was written: the same in every copy.
        date: system_time(queued.created_s),
    };
    let began_us = clock::monotonic_us();
    let sent = sender.send(&message).await;
    mailer.counters.seconds.observe_us(clock::monotonic_us().saturating_sub(began_us));
    sent
}

async fn mark(backend: &Arc<Backend>, claimed: &Claimed, outcome: Outcome) -> Result<(), PgFault> {
    let now_s = backend.shared.clock.now_s();
    let act = Act { actor: "job", now_s };
    let pool = backend.pools.pool(Plane::Async);
    let mut change = Change::begin(pool, Scope::System("jobs"), act).await?;
    match outcome {
        Outcome::Sent => sql::finish(change.tx(), claimed, "sent", Some(now_s), None).await?,
        Outcome::Dropped(word) => sql::finish(change.tx(), claimed, "dropped", None, Some(word)).await?,
        Outcome::Retry { next_s, word } => sql::retry(change.tx(), claimed, next_s, word).await?,
        Outcome::Dead(word) => {
            let is_ours = sql::finish(change.tx(), claimed, "dead", None, Some(word)).await?;
            if is_ours {
                let id = claimed.queued.mail_id.to_string();
                change.record(&dead_event(&claimed.queued, &id, word)).await?;
            }
            is_ours
        }
    };
    change.commit().await.map(|_| ())
}

fn test_letter() -> Text {
    Text {
        subject: "A test of mail from SigID".to_owned(),
        text: "This letter was asked for by an operator, to try the settings in [email]. It came through.\n".to_owned(),
        ..Text::default()
    }
}

/// How long one run of the job goes on.
const TURN: Duration = Duration::from_secs(30);
const COUNT_EVERY: Duration = Duration::from_secs(5);
