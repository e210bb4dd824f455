//! Hands that never leave the keyboard: every step is a key, and where the focus is can be seen at each.

use std::time::{Duration, Instant};

use super::chromium::Chromium;
use super::site_world;
use super::tab::Tab;
use crate::account::people::{PASSWORD, make};
use crate::support::site::Site;

#[tokio::test]
async fn a_person_signs_in_and_out_by_keys_alone() {
    let site = Site::new().await;
    make(&site, "ann@example.com").await;
    let server = site.serve_unbudgeted().await;
    let chromium = Chromium::start(&site_world(&server));
    let tab = Tab::open(&chromium);

    tab.go(&format!("{}/login", server.issuer));
    // The page asks one thing: it begins there.
    at(&tab, "textbox", "Email");
    tab.write("ann@example.com");
    // The next key is for the password: what helps those who forgot it comes after.
    tab.key("Tab");
    at(&tab, "textbox", "Password");
    tab.write("not the right one");
    tab.load("Enter", || tab.key("Enter"));
    // What is wrong has the focus.
    at(&tab, "textbox", "Password");
    tab.write(PASSWORD);
    tab.key("Tab");
    at(&tab, "link", "Forgot it?");
    tab.key("Tab");
    at(&tab, "button", "Sign in");
    tab.load("Enter", || tab.key("Enter"));
    assert_eq!(tab.heading(), "Your profile");

    // Past the navigation, and back to it.
    tab.key("Tab");
    at(&tab, "link", "Skip to the content");
    tab.key("Enter");
    tab.key("Tab");
    at(&tab, "textbox", "Full name");
    tab.go(&format!("{}/account/sessions", server.issuer));
    for name in ["Skip to the content", "Profile", "Password", "Email", "Sessions", "Delete account", "Sign out"] {
        tab.key("Tab");
        at(&tab, "link", name);
    }
    tab.load("Enter", || tab.key("Enter"));
    assert_eq!(tab.heading(), "Sign out?");
    tab.key("Tab");
    at(&tab, "link", "Stay");
    tab.key("Tab");
    at(&tab, "button", "Sign out");
    tab.load("Enter", || tab.key("Enter"));
    assert_eq!(tab.heading(), "You are signed out");
}

/// How long the focus may take to get where it is wanted.
const FOCUS_DEADLINE: Duration = Duration::from_secs(10);

/// The focus is there, and an eye finds it: it is in view, and drawn.
#[track_caller]
fn at(tab: &Tab, role: &str, name: &str) {
    let wanted = (role.to_owned(), name.to_owned());
    // A page that begins in a field gives it the focus with its first frame, which can be after it has loaded.
    let deadline = Instant::now() + FOCUS_DEADLINE;
    while tab.focused() != wanted && Instant::now() < deadline {}
    assert_eq!(tab.focused(), wanted, "{}", tab.url());
    let seen = tab.evaluate(
        "(() => {
            const focused = document.activeElement, style = getComputedStyle(focused)
            const { top, bottom } = focused.getBoundingClientRect()
            const drawn = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2
            return drawn && top >= 0 && bottom <= innerHeight
        })()",
    );
    assert_eq!(seen, true, "{name} has the focus, and nobody sees it");
}
