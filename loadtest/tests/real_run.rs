//! The whole binary against a small authorization server made here: real TLS, real HTTP/2, and answers that
//! are honest, or wrong in a way the harness must notice.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]
#![allow(dead_code, reason = "the mock serves two test binaries")]

mod mock;

use std::path::Path;
use std::process::Command;

use mock::harness::{arguments, load, run};
use mock::{Manner, Mock};
use serde_json::Value;

#[test]
fn introspection_of_every_kind_of_token_is_right_and_measured() {
    let mix = ["--rate", "400", "--mix", "live=6,revoked=1,malformed=1,foreign=1,expired=1", "--expired-tokens"];
    let expired = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("expired-{}", std::process::id()));
    std::fs::write(&expired, "expired-1\nexpired-2\n").unwrap();
    let file = expired.display().to_string();
    let (output, report, out) = load(Manner::Honest, "introspect", &[&mix[..], &[&file]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(report["errors"], serde_json::json!({}));
    assert_eq!(report["requests"], 800, "400 a second for two seconds, each one accounted for");
    assert!(report["rate_achieved"].as_f64().unwrap() > 300.0, "{}", report["rate_achieved"]);
    assert!(report["server"]["cpu_us_per_request"].as_f64().unwrap() > 0.0, "the server was found by its port");
    assert!(report["latency_us"]["p99"].as_u64() >= report["service_us"]["p50"].as_u64());
    assert_eq!(report["series"].as_array().unwrap().len(), 2);
    for file in ["report.json", "report.html"] {
        let text = std::fs::read_to_string(out.join(file)).unwrap();
        assert!(!text.contains(mock::SECRET), "{file} holds the secret");
    }
}

#[test]
fn tokens_are_issued_in_a_closed_loop_by_two_threads() {
    let (output, report, _) = load(Manner::Honest, "issue", &["--closed", "--threads", "2", "--auth", "post"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(report["settings"]["loop"], "closed");
    assert!(report["requests"].as_u64().unwrap() > 100);
    assert_eq!(report["generator"]["threads"].as_array().unwrap().len(), 2);
}

#[test]
fn a_revoked_token_answered_active_fails_the_run() {
    let (output, report, _) =
        load(Manner::ForgetsRevocations, "introspect", &["--rate", "200", "--mix", "live=1,revoked=1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(report["wrong_answers"]["dead_answered_active"].as_u64().unwrap() > 50);
    assert_eq!(report["errors"]["wrong_answer"], report["wrong_answers"]["dead_answered_active"]);
}

#[test]
fn another_tokens_answer_is_noticed() {
    let (output, report, _) = load(Manner::MixesTokensUp, "introspect", &["--rate", "200"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(report["wrong_answers"]["other_token"].as_u64().unwrap() > 50);
}

#[test]
fn a_stall_of_the_server_is_in_the_latency_of_all_who_waited() {
    let (_, report, _) = load(Manner::StallsOnce, "introspect", &["--rate", "500", "--streams", "1"]);
    // 400 ms without answers: a fifth of the requests fell due in it and waited 200 ms on average. A generator
    // that waits along with the server would show two slow requests, one per stream.
    let latency = &report["latency_us"];
    assert!(latency["p90"].as_u64().unwrap() > 100_000, "{latency}");
    assert!(latency["max"].as_u64().unwrap() > 350_000, "{latency}");
    assert!(report["service_us"]["p90"].as_u64().unwrap() < 50_000, "{}", report["service_us"]);
    assert!(report["generator"]["queued_share"].as_f64().unwrap() > 0.1);
}

#[test]
fn a_silent_server_is_a_timeout_for_every_request_that_was_due() {
    let (output, report, _) = load(Manner::FallsSilent, "introspect", &["--rate", "100", "--deadline", "0.5"]);
    assert_eq!(output.status.code(), Some(1), "nothing was right");
    assert_eq!(report["errors"], serde_json::json!({ "timeout": 200 }));
    assert!(report["latency_us"]["p50"].as_u64().unwrap() >= 500_000, "timeouts are timed at their deadline");
}

#[test]
fn tokens_that_die_during_the_run_are_replaced_in_time() {
    let (output, report, _) =
        load(Manner::ShortLives, "introspect", &["--rate", "200", "--duration", "6", "--mix", "live=4,expired=1"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!((&report["requests"], &report["errors"]), (&1200.into(), &serde_json::json!({})));
}

#[test]
fn a_spinning_generator_sends_on_time() {
    let (output, report, _) = load(Manner::Honest, "introspect", &["--rate", "500", "--spin"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(report["generator"]["spins"], true);
    assert_eq!(report["requests"], 1000);
}

#[test]
fn lost_connections_are_made_again() {
    let (_, report, _) = load(Manner::HangsUp, "introspect", &["--rate", "200"]);
    assert!(report["connections"]["lost"].as_u64().unwrap() > 0, "{}", report["connections"]);
    let right = report["rate_achieved"].as_f64().unwrap();
    assert!(right > 100.0, "{right}");
    let errors: u64 = report["errors"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    let timed = report["requests"].as_u64().unwrap();
    assert_eq!(timed, 400, "{errors} errors");
}

#[test]
fn an_interrupt_still_leaves_a_report() {
    let mock = Mock::start(Manner::Honest);
    let out = mock.directory.join("out");
    let mut arguments = arguments(&mock, "introspect", &out, &[]);
    let duration = arguments.iter().position(|word| word == "--duration").unwrap();
    arguments[duration + 1] = "60".to_owned();
    let mut child = Command::new(env!("CARGO_BIN_EXE_sigid-loadtest")).args(&arguments).spawn().unwrap();
    mock.wait_for_introspections(1500);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let status = child.wait().unwrap();
    assert!(status.success(), "{status}");
    let report: Value = serde_json::from_str(&std::fs::read_to_string(out.join("report.json")).unwrap()).unwrap();
    assert_eq!(report["ended_early"], true);
    assert!(report["duration_s"].as_f64().unwrap() < 30.0);
}

#[test]
fn setup_that_cannot_work_says_why() {
    let mock = Mock::start(Manner::Honest);
    let out = mock.directory.join("out");
    let mut wrong = arguments(&mock, "introspect", &out, &[]);
    let secret = wrong.iter().position(|word| word == mock::SECRET).unwrap();
    wrong[secret] = "not-the-secret".to_owned();
    let output = run(&wrong);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("401 invalid_client") && !told.contains("not-the-secret"), "{told}");

    let mut nobody = arguments(&mock, "introspect", &out, &[]);
    let target = nobody.iter().position(|word| *word == mock.url()).unwrap();
    nobody[target] = "https://localhost:1".to_owned();
    assert_eq!(run(&nobody).status.code(), Some(69));
    assert_eq!(run(&["introspect".to_owned()]).status.code(), Some(64));
}

#[test]
fn the_feed_age_is_read_from_the_metrics() {
    let mock = Mock::start(Manner::Honest);
    let metrics = mock::start_metrics("sigid_feed_age_seconds{shard=\"0\"} 0.25\n");
    let out = mock.directory.join("out");
    let output = run(&arguments(&mock, "introspect", &out, &["--rate", "50", "--metrics-url", &metrics]));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_str(&std::fs::read_to_string(out.join("report.json")).unwrap()).unwrap();
    assert_eq!(report["feed_age_s_max"], 0.25);
}

#[test]
fn two_reports_are_compared() {
    let (_, _, out) = load(Manner::Honest, "introspect", &["--rate", "50"]);
    let report = out.join("report.json").display().to_string();
    let output = run(&["--compare".to_owned(), report.clone(), report]);
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && table.contains("latency p99") && table.contains("1.000"), "{table}");
}
