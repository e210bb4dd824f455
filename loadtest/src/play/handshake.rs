//! Handshakes, full and resumed, by the same schedule: what a new connection costs the server, and how long its client
//! waits. A connection says what any client says first and is closed; its server's whole CPU is divided by their number.
//!
//! A handshake that was to be resumed and was not is an error: it would flatter neither figure.

use crate::args::Settings;
use crate::fault::Fault;
use crate::figures::{Figures, Unit};
use crate::play::rounds::repeat;
use crate::report::Report;
use crate::setup;
use crate::worker::Errand;

pub async fn play(settings: &Settings) -> Result<Report, Fault> {
    let mut settings = settings.clone();
    settings.tokens = 1;
    settings.streams = 1;
    let prepared = setup::prepare(&settings).await?;
    let (full, full_figures) = repeat(&settings, &prepared, Errand::Handshake { resumed: false }).await?;
    if full.ended_early {
        return Ok(Report::new(&settings, full).titled("handshake: full").with(full_figures, Vec::new(), Vec::new()));
    }
    let (resumed, resumed_figures) = repeat(&settings, &prepared, Errand::Handshake { resumed: true }).await?;
    let mut figures = Figures::default();
    for (kind, of) in [("full", &full_figures), ("resumed", &resumed_figures)] {
        for (name, told) in [(CPU, "server CPU per connection"), (P99, "p99")] {
            of.rounds(name).iter().for_each(|value| figures.add(format!("{kind}: {told}"), Unit::Micros, *value));
        }
    }
    for (full, resumed) in full_figures.rounds(CPU).iter().zip(resumed_figures.rounds(CPU)) {
        figures.add("resumed to full, server CPU", Unit::Ratio, resumed / full);
    }
    let parts = vec![
        Report::new(&settings, full).titled("handshake: full").with(full_figures, Vec::new(), Vec::new()),
        Report::new(&settings, resumed).titled("handshake: resumed").with(resumed_figures, Vec::new(), Vec::new()),
    ];
    let note = "A handshake is timed until TLS is established; the server's CPU is of the whole connection: TCP, TLS, \
                the first words of HTTP, the session tickets, the end.";
    Ok(Report::of_parts(&settings, parts)?.with(figures, Vec::new(), vec![note.to_owned()]))
}

const CPU: &str = "server CPU per request";
const P99: &str = "latency p99";
