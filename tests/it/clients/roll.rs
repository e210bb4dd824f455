//! Which snippets of the page ran here. The runner shows what this test prints, as it does of no other that passes.

use std::collections::BTreeSet;

use super::{page, proxies, snippets};
use crate::support::place;

/// Parts of other snippets: the preload, and SigID's side of every proxy.
const PARTS: &[&str] = &["h2.mjs", "sigid.toml"];

#[test]
fn every_snippet_of_the_page_has_its_trial_and_those_not_run_are_named() {
    let trials = || snippets::TRIALS.iter().chain(proxies::TRIALS);
    let tried: BTreeSet<String> =
        trials().map(|trial| trial.file).chain(PARTS.iter().copied()).map(str::to_owned).collect();
    assert_eq!(page::files().into_keys().collect::<BTreeSet<_>>(), tried, "left: on the page, right: tried");
    let directory = place::directory("roll");
    let (mut ran, mut not_run) = (Vec::new(), Vec::new());
    for trial in trials() {
        match trial.find_lack(&directory) {
            Some(lack) => not_run.push(format!("  not run here: {}: {lack}", trial.file)),
            None => ran.push(trial.file),
        }
    }
    eprintln!("docs/CLIENTS.md: {} of {} snippets ran: {}", ran.len(), ran.len() + not_run.len(), ran.join(", "));
    for line in not_run {
        eprintln!("{line}");
    }
}
