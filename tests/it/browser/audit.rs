//! What every page is held to, whichever it is: axe finds nothing, on a phone and a desktop, in light and in dark; nothing
//! is wider than the phone; nothing moves for those who asked for that; nothing is asked of others; nothing is
//! complained about, the page's own policy least of all; and the document is small.
//!
//! axe-core is in the repository (`tests/browser/axe.min.js`, 4.14.1, MPL-2.0, as npm has it), so that the same rules judge
//! everywhere. It runs in a world of its own beside the page, whose policy lets no script run. Each look of each page
//! is written to `target/pages/`, to be looked at by people.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::tab::Tab;

/// Looks at the pages of one walk.
pub struct Audit {
    folder: PathBuf,
    walk: &'static str,
    count: Cell<u32>,
}

impl Audit {
    pub fn begin(walk: &'static str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../pages");
        fs::create_dir_all(&folder).unwrap();
        // Pictures of an earlier run would pass for this one's.
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&format!("{walk}-")) {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        Self { folder, walk, count: Cell::new(0) }
    }

    /// The page in every look, and what led to it.
    #[track_caller]
    pub fn check(&self, tab: &Tab, name: &str) {
        self.count.set(self.count.get() + 1);
        let mut faults = faults_of_loading(tab);
        tab.forget();
        tab.evaluate(AXE);
        for device in &DEVICES {
            for theme in ["light", "dark"] {
                dress(tab, device, theme);
                let look = format!("{} {theme}", device.name);
                faults.extend(faults_of_look(tab).into_iter().map(|fault| format!("{look}: {fault}")));
                self.keep(tab, &format!("{name}-{}-{theme}", device.name));
            }
        }
        dress(tab, &DEVICES[1], "light");
        faults.extend(complaints(tab));
        assert!(faults.is_empty(), "{name}, {}:\n  {}", tab.url(), faults.join("\n  "));
    }

    fn keep(&self, tab: &Tab, name: &str) {
        let size = tab.call("Page.getLayoutMetrics", json!({}))["cssContentSize"].clone();
        let clip = json!({ "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1 });
        let whole = json!({ "format": "png", "optimizeForSpeed": true, "captureBeyondViewport": true, "clip": clip });
        let taken = tab.call("Page.captureScreenshot", whole);
        let picture = STANDARD.decode(taken["data"].as_str().unwrap()).unwrap();
        fs::write(self.folder.join(format!("{}-{:02}-{name}.png", self.walk, self.count.get())), picture).unwrap();
    }
}

/// What the last load of the page did that no page may do.
pub fn faults_of_loading(tab: &Tab) -> Vec<String> {
    let mut faults = complaints(tab);
    let events = tab.events();
    for asked in events.iter().filter(|event| event["method"] == "Network.requestWillBeSent") {
        let (url, page) = (text(asked, "/request/url"), text(asked, "/documentURL"));
        let is_page = asked["params"]["type"] == "Document";
        if !is_page && !url.starts_with("data:") && origin(url) != origin(page) {
            faults.push(format!("asks {url} for {page}"));
        }
    }
    let bytes = tab.html().len();
    if bytes >= PAGE_BYTES_MAX {
        faults.push(format!("the document has {bytes} bytes"));
    }
    faults
}

/// What the console shows. That the document itself was answered with an error is no complaint: a refused form is.
fn complaints(tab: &Tab) -> Vec<String> {
    let events = tab.events();
    let is_document = |event: &&Value| event["params"]["type"] == "Document";
    let documents: BTreeSet<&str> =
        events.iter().filter(is_document).map(|event| text(event, "/request/url")).collect();
    let mut found = Vec::new();
    for event in &events {
        match event["method"].as_str().unwrap_or_default() {
            "Log.entryAdded" => {
                let (source, url) = (text(event, "/entry/source"), text(event, "/entry/url"));
                if source != "network" || !documents.contains(url) {
                    found.push(format!("{source}: {} ({url})", text(event, "/entry/text")));
                }
            }
            "Runtime.consoleAPICalled" => found.push(format!("console: {}", event["params"]["args"])),
            "Runtime.exceptionThrown" => found.push(format!("exception: {}", event["params"]["exceptionDetails"])),
            _ => {}
        }
    }
    found
}

/// What is wrong with the page as it is shown.
fn faults_of_look(tab: &Tab) -> Vec<String> {
    let found = tab.evaluate(LOOK);
    found.as_array().unwrap().iter().map(|fault| fault.as_str().unwrap().to_owned()).collect()
}

/// Shows the page on a device and in a theme, to somebody whom movement disturbs.
pub fn dress(tab: &Tab, device: &Device, theme: &str) {
    let metrics = json!({
        "width": device.width, "height": device.height, "deviceScaleFactor": 1, "mobile": device.is_mobile
    });
    tab.call("Emulation.setDeviceMetricsOverride", metrics);
    let features = json!([
        { "name": "prefers-color-scheme", "value": theme }, { "name": "prefers-reduced-motion", "value": "reduce" }
    ]);
    tab.call("Emulation.setEmulatedMedia", json!({ "features": features }));
}

fn text<'e>(event: &'e Value, pointer: &str) -> &'e str {
    event["params"].pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn origin(url: &str) -> &str {
    let begin = url.find("://").map_or(0, |at| at + 3);
    url[begin..].find('/').map_or(url, |at| &url[..begin + at])
}

pub struct Device {
    name: &'static str,
    width: u32,
    height: u32,
    is_mobile: bool,
}

pub const DEVICES: [Device; 2] = [
    Device { name: "phone", width: 390, height: 844, is_mobile: true },
    Device { name: "desktop", width: 1280, height: 900, is_mobile: false },
];

const PAGE_BYTES_MAX: usize = 50_000;
const AXE: &str = include_str!("../../browser/axe.min.js");
const LOOK: &str = include_str!("../../browser/look.js");

/// The audit itself can be red.
#[test]
fn an_audit_finds_what_is_wrong_with_a_page() {
    let chromium = super::chromium::Chromium::start(&super::chromium::World::default());
    let tab = Tab::open(&chromium);
    let page = "<title>x</title><style>*{transition:color 1s}p{color:%23ccc;width:2000px}</style><p>pale and wide</p>\
                <input><img src=http://127.0.0.1:9/x><script>console.log('said')</script>";
    tab.go(&format!("data:text/html,<!doctype html>{page}"));
    let loading = faults_of_loading(&tab).join("\n");
    tab.evaluate(AXE);
    dress(&tab, &DEVICES[0], "light");
    let look = faults_of_look(&tab).join("\n");
    for (reason, found, expected) in [
        ("another origin", &loading, "asks http://127.0.0.1:9/x"),
        ("a complaint", &loading, "said"),
        ("a field without label", &look, "axe label"),
        ("a picture without words", &look, "axe image-alt"),
        ("a page without language", &look, "axe html-has-lang"),
        ("pale text", &look, "axe color-contrast"),
        ("a page wider than the phone", &look, "wider than"),
        ("a movement", &look, "moves"),
    ] {
        assert!(found.contains(expected), "{reason}: {found}");
    }
}
