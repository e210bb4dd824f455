//! Scenarios as wholes, against a server that is honest, or wrong in a way the scenario must notice.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]
#![allow(dead_code, reason = "the mock serves two test binaries")]

mod mock;

use std::process::Output;

use mock::harness::{arguments, load, load_from, run};
use mock::{Manner, Mock, people};
use serde_json::{Value, json};

fn figure<'a>(report: &'a Value, name: &str) -> &'a Value {
    let figures = report["figures"].as_array().unwrap();
    let found = figures.iter().find(|figure| figure["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} among {figures:?}"))
}

fn median(report: &Value, name: &str) -> f64 {
    figure(report, name)["median"].as_f64().unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_target_without_http2_is_measured_over_http1() {
    let (output, report, _) =
        load(Manner::Http1, "introspect", &["--rate", "200", "--mix", "live=3,revoked=1", "--connections", "4"]);
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!((&report["versions"]["http"], &report["errors"]), (&json!("HTTP/1.1"), &json!({})));
    assert_eq!(report["settings"]["streams"], 1, "a connection has one request at a time");
    assert!(report["connections"]["lost"].as_u64().unwrap() >= 10, "twenty requests a connection");
    assert_eq!(report["requests"], 400);
}

#[test]
fn http1_can_be_asked_of_a_target_that_has_both() {
    let (output, report, _) = load(Manner::Honest, "introspect", &["--rate", "100", "--http1"]);
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(report["versions"]["http"], "HTTP/1.1");
}

#[test]
fn rounds_give_each_figure_a_spread() {
    let (output, report, out) =
        load(Manner::Honest, "introspect", &["--rate", "300", "--duration", "1", "--rounds", "3", "--zipf", "1"]);
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(report["requests"], 900);
    let p99 = figure(&report, "latency p99");
    assert_eq!(p99["rounds"].as_array().unwrap().len(), 3);
    assert!(p99["min"].as_f64() <= p99["median"].as_f64() && p99["median"].as_f64() <= p99["max"].as_f64());
    assert_eq!(report["series"].as_array().unwrap().len(), 3, "the seconds of all rounds");
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("a second run should find"));
}

#[test]
fn handshakes_are_full_and_then_resumed() {
    let (output, report, _) = load(Manner::Honest, "handshake", &["--rate", "100", "--duration", "1", "--rounds", "2"]);
    assert!(output.status.success(), "{}", told(&output));
    let titles: Vec<&Value> = report["parts"].as_array().unwrap().iter().map(|part| &part["title"]).collect();
    assert_eq!(titles, ["handshake: full", "handshake: resumed"]);
    assert_eq!((&report["requests"], &report["errors"]), (&json!(400), &json!({})));
    assert!(median(&report, "full: server CPU per connection") > 0.0);
    assert!(median(&report, "resumed to full, server CPU") > 0.0);
}

#[test]
fn a_handshake_that_is_not_resumed_is_no_resumed_one() {
    let (output, report, _) =
        load(Manner::ForgetsSessions, "handshake", &["--rate", "50", "--duration", "1", "--rounds", "1"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(report["wrong_answers"], json!({ "not_resumed": 50 }));
}

#[test]
fn the_time_from_revocation_to_refusal_is_that_of_each_connection() {
    let extra = ["--connections", "6", "--duration", "2"];
    let mock = Mock::start(Manner::RevokesLate);
    let node = mock.url();
    let (output, report, _) = load_from(&mock, "revoke-to-refusal", &[&extra[..], &["--target", &node]].concat());
    assert!(output.status.success(), "{}", told(&output));
    for name in ["node 1: delay p50", "node 2: delay p50"] {
        assert!((150_000.0..400_000.0).contains(&median(&report, name)), "{report}");
    }
    let notes = report["notes"].to_string();
    assert!(notes.contains("were still answered") && !notes.contains("In between, 0 questions"), "{notes}");
    assert!(report["requests"].as_u64().unwrap() >= 6);
    assert_eq!(report["errors"], json!({}), "late within the patience of a caller is no error");
}

#[test]
fn a_token_that_is_never_refused_fails_the_run() {
    let extra = ["--connections", "4", "--duration", "1", "--deadline", "1"];
    let (output, report, _) = load(Manner::ForgetsRevocations, "revoke-to-refusal", &extra);
    assert_eq!(output.status.code(), Some(1));
    assert!(report["wrong_answers"]["dead_answered_active"].as_u64().unwrap() >= 4, "{report}");
}

#[test]
fn memory_is_told_for_each_idle_connection() {
    let (output, report, _) = load(Manner::Honest, "idle", &["--connections", "200", "--rounds", "2"]);
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(report["connections"]["opened"], 432, "two batches, after a few to warm up");
    assert_eq!(figure(&report, "memory per connection, untouched")["rounds"].as_array().unwrap().len(), 2);
    assert!(median(&report, "memory per connection, after one request") > 0.0);
    assert!(report["server"]["cpu_us_per_request"].is_null(), "most of its CPU was for connections");
}

#[test]
fn what_needs_the_bench_routes_says_that_it_is_skipped_elsewhere() {
    for scenario in ["growth", "storm"] {
        let (output, report, out) = load(Manner::Honest, scenario, &[]);
        assert_eq!(output.status.code(), Some(1), "asked for and not done");
        assert!(told(&output).contains("skipped: the target has no /bench routes"), "{}", told(&output));
        assert!(report["skipped"].as_str().unwrap().contains("/bench"));
        assert!(std::fs::read_to_string(out.join("report.html")).unwrap().contains("Skipped, nothing was measured"));
    }
    let (output, report, _) = load(Manner::Honest, "feed-loss", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(report["skipped"].as_str().unwrap().contains("--postgres-pid"));
}

#[test]
fn the_hot_set_is_measured_at_each_step_of_growth() {
    let mock = Mock::start(Manner::Bench);
    let extra = ["--rate", "100", "--duration", "1", "--rounds", "1", "--warmup", "0"];
    let (output, report, _) = load_from(&mock, "growth", &extra);
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(report["parts"].as_array().unwrap().len(), 4, "the tenth million is for --full");
    assert_eq!(mock.minted(), 1_000_000 - 50 + 1, "all but those that were there, and one to see whether it can");
    assert!(median(&report, "closed loop: server CPU per request: 1000000 tokens to 1000") > 0.0);
    assert!(median(&report, "memory per token, 100000 to 1000000").abs() < 100.0, "the mock keeps none");
}

#[test]
fn introspection_is_held_against_itself_in_a_storm_of_logins() {
    let extra = ["--rate", "100", "--duration", "1", "--rounds", "2", "--warmup", "0", "--hash-clients", "3"];
    let (output, report, _) = load(Manner::Bench, "storm", &extra);
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(report["parts"].as_array().unwrap().len(), 3);
    assert_eq!(figure(&report, "introspection p99, saturated to quiet")["rounds"].as_array().unwrap().len(), 2);
    assert!(median(&report, "logins finished") > 5.0);
    assert!(median(&report, "logins refused (503)") > 0.0, "every fifth");
    assert_eq!(figure(&report, "refusals without Retry-After")["max"], 0.0);
    let within = median(&report, "logins under 90 % load, finished within their deadline (%)");
    assert!((60.0..100.0).contains(&within), "four of five: {within}");
}

/// Options by which the mock's account signs in; the file lies beside what the mock writes.
fn account(mock: &Mock, password: &str) -> [String; 2] {
    let file = mock.directory.join("users.json");
    let users = json!({ "users": [{ "email": people::EMAIL, "password": password }] });
    std::fs::write(&file, users.to_string()).unwrap();
    ["--users".to_owned(), file.display().to_string()]
}

fn all<'a>(options: &'a [String], more: &[&'a str]) -> Vec<&'a str> {
    options.iter().map(String::as_str).chain(more.iter().copied()).collect()
}

fn holds_password(out: &std::path::Path) -> bool {
    ["report.json", "report.html"].iter().any(|file| {
        let text = std::fs::read_to_string(out.join(file)).unwrap();
        text.contains(people::PASSWORD) || text.contains("seldom-guessed")
    })
}

#[test]
fn sign_ins_are_counted_one_after_another_and_then_at_a_pace() {
    let mock = Mock::start(Manner::People);
    let extra = ["--duration", "1", "--rounds", "2", "--warmup", "0", "--hash-clients", "4", "--argon2", "64,1,1"];
    let (output, report, out) = load_from(&mock, "login", &all(&account(&mock, people::PASSWORD), &extra));
    assert!(output.status.success(), "{}", told(&output));
    let titles: Vec<&Value> = report["parts"].as_array().unwrap().iter().map(|part| &part["title"]).collect();
    assert_eq!(titles, ["login: closed loop, 4 at once", "login: open loop, at 70 % of that"]);
    for name in [
        "closed loop: logins",
        "closed loop: server CPU per login",
        "logins to bare argon2",
        "cores used by the generator",
        "open loop: login p99",
    ] {
        assert_eq!(figure(&report, name)["rounds"].as_array().unwrap().len(), 2, "{name}");
    }
    assert_eq!(report["errors"].as_object().unwrap().keys().collect::<Vec<_>>(), ["status_5xx"], "every fifth");
    assert!(!holds_password(&out));
}

#[test]
fn sign_ins_at_a_given_pace_are_that_load_alone() {
    let mock = Mock::start(Manner::People);
    let file = mock.directory.join("password");
    std::fs::write(&file, format!("{}\n", people::PASSWORD)).unwrap();
    let file = file.display().to_string();
    let extra = ["--user", people::EMAIL, "--password-file", &file, "--rate", "50", "--rounds", "1"];
    let (output, report, _) = load_from(&mock, "login", &extra);
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!((&report["requests"], report["parts"].as_array().map(Vec::len)), (&json!(100), Some(0)));
    assert!(median(&report, "open loop: logins") > 30.0, "four of five");
}

#[test]
fn each_registration_is_of_a_new_address() {
    let mock = Mock::start(Manner::People);
    let extra = ["--rate", "50", "--rounds", "2", "--duration", "1", "--threads", "2"];
    let (output, report, _) = load_from(&mock, "register", &extra);
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!((&report["requests"], &report["errors"]), (&json!(100), &json!({})));
    assert!(median(&report, "open loop: registrations") > 40.0);
    assert_eq!(mock.addresses(), 200, "the warm-ups asked for theirs");
}

#[test]
fn forms_that_tell_nobody_apart_are_told_from_those_that_do() {
    for (manner, expected, unexpected) in [
        (Manner::Discreet, vec!["login: answers look alike", "registration: answers", "recovery: answers"], "DIFFER"),
        (
            Manner::Telltale,
            vec!["login: answers look alike", "login: TOLD APART", "recovery: ANSWERS DIFFER", "x-told"],
            "registration: ANSWERS",
        ),
    ] {
        let mock = Mock::start(manner);
        let options = account(&mock, people::PASSWORD);
        let (output, report, out) = load_from(&mock, "likeness", &all(&options, &["--samples", "60"]));
        let notes = report["notes"].to_string();
        for expected in expected {
            assert!(notes.contains(expected), "{expected}: {notes}");
        }
        assert!(!notes.contains(unexpected), "{notes}");
        let requests: Vec<&Value> = report["parts"].as_array().unwrap().iter().map(|part| &part["requests"]).collect();
        assert_eq!(requests, [&json!(120), &json!(120), &json!(120)], "{}", told(&output));
        assert!(median(&report, "login: p50, known") > 0.0);
        // A machine that is busy may tell apart what is alike; what differs is always a failure.
        let signs = report["wrong_answers"]["told_apart"].as_u64().unwrap_or(0);
        assert_eq!(output.status.code(), Some(i32::from(signs > 0)));
        assert!(manner == Manner::Discreet || signs >= 2, "{report}");
        assert!(!holds_password(&out));
    }
}

#[test]
fn session_checks_are_held_against_introspection() {
    let mock = Mock::start(Manner::People);
    let of = ["--application-id", people::APPLICATION, "--return-to", people::BACK];
    let extra = [&of[..], &["--rate", "200", "--duration", "1", "--rounds", "2", "--warmup", "0"]].concat();
    let (output, report, out) = load_from(&mock, "session-check", &all(&account(&mock, people::PASSWORD), &extra));
    assert!(output.status.success(), "{}", told(&output));
    let requests: Vec<&Value> = report["parts"].as_array().unwrap().iter().map(|part| &part["requests"]).collect();
    assert_eq!(requests, [&json!(400), &json!(400)]);
    assert_eq!(report["errors"], json!({}));
    let ratio = figure(&report, "session check to introspection, server CPU");
    assert_eq!(ratio["rounds"].as_array().unwrap().len(), 2);
    assert!(!holds_password(&out));
}

#[test]
fn a_storm_is_of_real_sign_ins_where_accounts_are_known() {
    let mock = Mock::start(Manner::People);
    let extra = ["--rate", "100", "--duration", "1", "--rounds", "1", "--warmup", "0", "--hash-clients", "3"];
    let (output, report, _) = load_from(&mock, "storm", &all(&account(&mock, people::PASSWORD), &extra));
    assert!(output.status.success(), "{}", told(&output));
    assert!(median(&report, "logins finished") > 5.0);
    assert!(median(&report, "logins refused (503)") > 0.0, "every fifth");
    assert_eq!(figure(&report, "logins failed otherwise")["max"], 0.0);
    let notes = report["notes"].to_string();
    assert!(notes.contains("sign-ins of accounts") && notes.contains("round by round: "), "{notes}");
    assert!(notes.contains("SCHED_FIFO"), "whether the generator had to wait is told: {notes}");
}

#[test]
fn people_who_cannot_be_measured_are_refused_with_the_reason() {
    let of = ["--application-id", people::APPLICATION, "--return-to", people::BACK];
    for (manner, scenario, password, extra, why) in [
        (Manner::People, "login", Some("wrong password"), &[][..], "/login answered 422"),
        (Manner::Honest, "login", Some(people::PASSWORD), &[], "without its form cookie"),
        (Manner::People, "login", None, &[], "nobody is known"),
        (Manner::People, "likeness", Some(people::PASSWORD), &[], "its limits must be out of the way"),
        (Manner::People, "session-check", Some(people::PASSWORD), &[], "needs --application-id"),
        (Manner::People, "session-check", Some(people::PASSWORD), &[of[0], "other", of[2], of[3]], "registered?"),
        (Manner::LetsAnybodyPass, "session-check", Some(people::PASSWORD), &of, "200 without a cookie"),
    ] {
        let mock = Mock::start(manner);
        let out = mock.directory.join("out");
        let options = password.map(|password| account(&mock, password));
        let output = run(&arguments(&mock, scenario, &out, &all(options.as_ref().map_or(&[][..], |o| o), extra)));
        assert!(!output.status.success(), "{why}");
        let told = told(&output);
        assert!(told.contains(why) && !told.contains(people::PASSWORD), "{why}: {told}");
    }
}

#[test]
fn a_soak_tells_the_slope_of_memory_and_descriptors() {
    let (output, report, _) = load(Manner::Honest, "soak", &["--rate", "100", "--duration", "5"]);
    assert!(output.status.success(), "{}", told(&output));
    assert!(figure(&report, "RSS, growth")["unit"] == "bytes/h");
    assert!(median(&report, "descriptors, last less first").abs() < 3.0);
    assert_eq!(figure(&report, "errors")["max"], 0.0);
    assert!(report["series"][0]["server_descriptors"].as_u64().unwrap() > 3);
}

#[test]
fn all_of_them_make_one_report_that_compares_with_another() {
    let (output, report, out) =
        load(Manner::Honest, "all", &["--duration", "1", "--rounds", "1", "--warmup", "0", "--rate", "200"]);
    // What this server lacks is skipped, and the whole is no failure for it.
    assert!(output.status.success(), "{}", told(&output));
    let parts = report["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 12);
    let skipped: Vec<&Value> = parts.iter().filter(|p| !p["skipped"].is_null()).map(|p| &p["title"]).collect();
    assert_eq!(skipped, ["storm", "growth", "feed-loss"]);
    let sum: u64 = parts.iter().map(|part| part["requests"].as_u64().unwrap()).sum();
    assert_eq!(report["requests"].as_u64().unwrap(), sum);
    assert_eq!(report["latency_us"], parts[0]["latency_us"], "those of the first");
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(!page.contains(mock::SECRET) && !page.contains("href=") && page.ends_with("</html>\n"));
    let json = out.join("report.json").display().to_string();
    let compared = run(&["--compare".to_owned(), json.clone(), json]);
    let table = String::from_utf8_lossy(&compared.stdout).into_owned();
    assert!(
        compared.status.success() && table.contains("revoke-to-refusal") && table.contains("as expected"),
        "{table}"
    );
    assert!(!table.contains("above what") && !table.contains("below what"), "{table}");
}

#[test]
fn expired_tokens_that_cannot_be_had_are_refused_with_their_reason() {
    let mock = Mock::start(Manner::Honest);
    let out = mock.directory.join("out");
    let extra = ["--clock-offset-file", "/nonexistent/shift", "--mix", "live=1,expired=1"];
    let output = run(&arguments(&mock, "introspect", &out, &extra));
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("/nonexistent/shift"), "{}", told(&output));
}
