//! Scenarios as wholes: what is prepared, which loads are made and how often, and what is told of them. What one
//! request is, and which answer is right, is `crate::scenario`.

mod all;
pub mod bare;
mod feed_loss;
mod growth;
mod handshake;
mod hashes;
mod idle;
mod likeness;
mod login;
mod postgres;
mod revoke;
mod rounds;
mod session_check;
mod soak;
mod storm;

use std::time::Duration;

use crate::args::{Loop, ScenarioName, Settings};
use crate::fault::Fault;
use crate::report::{Outcome, Report};
use crate::run::load;
use crate::setup::Prepared;
use crate::worker::Errand;

pub async fn play(settings: &Settings) -> Result<Report, Fault> {
    match settings.scenario {
        ScenarioName::All => all::play(settings).await,
        _ => play_one(settings).await,
    }
}

/// Any but `all`, which is made of these.
async fn play_one(settings: &Settings) -> Result<Report, Fault> {
    match settings.scenario {
        ScenarioName::Introspect | ScenarioName::Issue | ScenarioName::All => rounds::play(settings).await,
        ScenarioName::Login | ScenarioName::Register => login::play(settings).await,
        ScenarioName::Likeness => likeness::play(settings).await,
        ScenarioName::SessionCheck => Box::pin(session_check::play(settings)).await,
        ScenarioName::RevokeToRefusal => revoke::play(settings).await,
        ScenarioName::Handshake => handshake::play(settings).await,
        ScenarioName::Idle => idle::play(settings).await,
        ScenarioName::Growth => growth::play(settings).await,
        ScenarioName::Storm => storm::play(settings).await,
        ScenarioName::FeedLoss => feed_loss::play(settings).await,
        ScenarioName::Soak => soak::play(settings).await,
    }
}

/// What the target can do when every stream asks again at once: right answers per second of a short closed loop.
async fn capacity(settings: &Settings, prepared: &Prepared) -> Result<f64, Fault> {
    let capacity = closed_loop(settings, prepared, CAPACITY).await?.rate_achieved();
    if capacity < 1.0 {
        return Err(Fault::Refused("the target answers nothing right in a closed loop".to_owned()));
    }
    Ok(capacity)
}

async fn closed_loop(settings: &Settings, prepared: &Prepared, duration: Duration) -> Result<Outcome, Fault> {
    let mut closed = settings.clone();
    closed.pace = Loop::Closed;
    closed.spin = false;
    closed.duration = duration;
    load(&closed, prepared, Errand::Request).await
}

/// `settings` as they turned out to hold: over HTTP/1.1 a connection has one stream.
fn settled(settings: &Settings, prepared: &Prepared) -> Settings {
    let mut settled = settings.clone();
    if prepared.http1 {
        settled.streams = 1;
    }
    settled
}

const CAPACITY: Duration = Duration::from_secs(4);
