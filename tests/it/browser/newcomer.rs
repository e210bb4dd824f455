//! Somebody who has never been here, from the address that `sigid dev` prints to the end of the account, and no
//! other way than by what the pages show and the letters say.
//!
//! Once with eyes on every page ([`Audit`]), once in a browser in which no script may run.

use super::audit::Audit;
use super::chromium::Chromium;
use super::dev::Dev;
use super::tab::Tab;
use super::walk::Walk;

const NAME: &str = "Nora Newcomer";
const EMAIL: &str = "nora@example.org";
const PASSWORD: &str = "a walk before breakfast";
const NEW_PASSWORD: &str = "a swim after supper";

#[test]
fn a_newcomer_finds_the_way_and_every_page_is_sound() {
    let dev = Dev::start();
    let chromium = Chromium::start(&dev.world());
    let audit = Audit::begin("newcomer");
    let walk = Walk::begin(&dev, Tab::open(&chromium), Some(audit), EMAIL, PASSWORD);
    walk.register();
    walk.sign_in();
    walk.sees("profile", "Your profile");
    walk.tab.follow("Sessions");
    walk.sees("sessions", "Where you are signed in");
    walk.reads("You are signed in nowhere else.");
    walk.sign_out();
    walk.recover();
    walk.leaves();
}

#[test]
fn the_same_way_is_whole_without_scripts() {
    let dev = Dev::start();
    let chromium = Chromium::start(&dev.world());
    let walk = Walk::begin(&dev, Tab::without_scripts(&chromium), None, EMAIL, PASSWORD);
    walk.register();
    walk.sign_in();
    walk.changes_the_profile();
    walk.sign_out();
    walk.recover();
    walk.leaves();
    // That none may run, by one that tries.
    let script = "<script>document.querySelector('h1').textContent = 'loud'</script>";
    walk.tab.go(&format!("data:text/html,<!doctype html><title>x</title><h1>quiet</h1>{script}"));
    assert_eq!(walk.tab.heading(), "quiet");
}

impl Walk<'_> {
    fn register(&self) {
        let tab = &self.tab;
        tab.go(&self.dev.printed_link());
        self.sees("login", "Sign in to SigID");
        tab.follow("Create an account");
        self.sees("register", "Create an account");
        tab.fill("Email", "nora");
        tab.fill("Password", "short");
        tab.press("Create account");
        self.sees("register-refused", "Create an account");
        self.reads("things need your attention");
        tab.fill("Your name", NAME);
        tab.fill("Email", EMAIL);
        tab.fill("Password", PASSWORD);
        tab.press("Create account");
        self.sees("mail-sent", "Look into your mail");
        self.opens_letter("Confirm your address for SigID");
        self.sees("letter", "Confirm your address for SigID");
        self.follows_the_link("/verify");
        self.sees("confirm", "Confirm your address");
        tab.press("Confirm address");
        self.sees("login-confirmed", "Sign in to SigID");
        self.reads("Your address is confirmed.");
    }

    fn recover(&self) {
        let tab = &self.tab;
        tab.follow("Sign in again");
        self.sign_in_with("not the right one");
        self.sees("login-refused", "Sign in to SigID");
        self.reads("That email and password do not match.");
        tab.follow("Forgot it?");
        self.sees("recover", "Set a new password");
        tab.fill("Email", EMAIL);
        tab.press("Send the link");
        self.sees("recover-sent", "Look into your mail");
        self.opens_letter("Set a new password for SigID");
        let letter = tab.url();
        self.presses_the_letters_button();
        self.sees("new-password", "Choose a new password");
        tab.fill("New password", NEW_PASSWORD);
        tab.press("Set password");
        self.sees("login-new-password", "Sign in to SigID");
        self.reads("Your new password is set.");
        tab.go(&letter);
        self.follows_the_link("/recover/password");
        self.sees("link-used", "This link cannot be used");
        tab.go(&self.dev.printed_link());
        self.sign_in();
        self.reads("That email and password do not match.");
        self.password.replace(NEW_PASSWORD.to_owned());
        self.sign_in();
        assert_eq!(tab.heading(), "Your profile");
    }

    fn leaves(&self) {
        let tab = &self.tab;
        tab.follow("Delete account");
        tab.fill("Current password", NEW_PASSWORD);
        tab.press("Delete account");
        self.sees("login-leaving", "Sign in to SigID");
        self.reads("Your account will be erased");
        self.sign_in();
        let heading = tab.heading();
        assert!(heading.starts_with("Your account will be erased on "), "{heading}");
        self.sees("deleting", &heading);
    }
}
