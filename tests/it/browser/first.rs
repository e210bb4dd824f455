//! The first page that somebody sees: how much is asked for it, and that it is sound in every language.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::audit::{self, Audit};
use super::chromium::Chromium;
use super::site_world;
use super::tab::Tab;
use crate::support::site::Site;

#[tokio::test]
async fn a_first_page_asks_for_two_more_things_at_most_and_a_second_for_none() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    let chromium = Chromium::start(&site_world(&server));
    let tab = Tab::open(&chromium);
    let mut asked = Vec::new();
    for _ in 0..2 {
        tab.forget();
        tab.go(&format!("{}/login", server.issuer));
        tab.rest();
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        let events = tab.events();
        // What the browser kept it does not ask for, though it says so afterwards only.
        let is_kept = |event: &&Value| {
            event["method"] == "Network.requestServedFromCache" || event["params"]["response"]["fromDiskCache"] == true
        };
        let kept: Vec<&Value> = events.iter().filter(is_kept).map(|event| &event["params"]["requestId"]).collect();
        for event in events.iter().filter(|event| event["method"] == "Network.requestWillBeSent") {
            if !kept.contains(&&event["params"]["requestId"]) {
                *kinds.entry(event["params"]["type"].as_str().unwrap().to_owned()).or_default() += 1;
            }
        }
        assert_eq!(audit::faults_of_loading(&tab), Vec::<String>::new());
        asked.push(kinds);
    }
    assert_eq!(asked[0]["Document"], 1);
    assert_eq!(asked[0]["Stylesheet"], 1, "the sheet, or nothing was counted: {asked:?}");
    assert!(asked[0].values().sum::<usize>() <= 3, "{asked:?}");
    assert_eq!(asked[1], BTreeMap::from([("Document".to_owned(), 1)]), "all else was kept");
}

#[tokio::test]
async fn the_first_page_is_sound_in_every_language() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    let chromium = Chromium::start(&site_world(&server));
    let audit = Audit::begin("language");
    for (accepted, lang, heading, button) in [
        ("en", "en", "Sign in to SigID", "Sign in"),
        ("de-AT,de;q=0.9", "de", "Bei SigID anmelden", "Anmelden"),
        ("fr", "fr", "Se connecter à SigID", "Se connecter"),
    ] {
        let tab = Tab::open(&chromium);
        let headers = json!({ "headers": { "Accept-Language": accepted } });
        tab.call("Network.setExtraHTTPHeaders", headers);
        tab.go(&format!("{}/login", server.issuer));
        assert_eq!(tab.evaluate("document.documentElement.lang"), lang);
        assert_eq!(tab.heading(), heading);
        tab.find("button", button);
        audit.check(&tab, &format!("login-{lang}"));
    }
}
