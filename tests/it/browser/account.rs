//! Somebody who has an account, and every page of it: the demo person, who owns every claim there is.

use super::audit::Audit;
use super::chromium::Chromium;
use super::dev::Dev;
use super::tab::Tab;
use super::walk::Walk;

const NEW_EMAIL: &str = "demo@example.net";

#[test]
fn whoever_has_an_account_changes_what_it_holds_and_every_page_is_sound() {
    let dev = Dev::start();
    let chromium = Chromium::start(&dev.world());
    let demo = &dev.said["users"][0];
    let (email, password) = (demo["email"].as_str().unwrap(), demo["password"].as_str().unwrap());
    let walk = Walk::begin(&dev, Tab::open(&chromium), Some(Audit::begin("account")), email, password);
    walk.tab.go(&dev.printed_link());
    walk.sign_in();
    walk.sees("profile", "Your profile");
    walk.finds_every_page();
    walk.is_signed_in_twice(&chromium);
    walk.changes_the_profile();
    walk.changes_the_address();
    walk.goes_astray();
}

impl Walk<'_> {
    fn finds_every_page(&self) {
        for (link, name, heading) in [
            ("Password", "password", "Change password"),
            ("Email", "email", "Your email address"),
            ("Delete account", "deletion", "Delete your account"),
            ("Sessions", "sessions", "Where you are signed in"),
        ] {
            self.tab.follow(link);
            self.sees(name, heading);
        }
        self.reads("You are signed in nowhere else.");
        self.reads("on Linux</strong>");
    }

    /// A second browser signs in; the first sees it, ends it, and the second is out.
    fn is_signed_in_twice(&self, chromium: &Chromium) {
        let tab = &self.tab;
        let elsewhere = Walk::begin(self.dev, Tab::open(chromium), None, &self.email.borrow(), &self.password.borrow());
        elsewhere.tab.go(&self.dev.printed_link());
        elsewhere.sign_in();
        elsewhere.sees("", "Your profile");
        tab.follow("Sessions");
        self.sees("sessions-two", "Where you are signed in");
        tab.press("End");
        self.sees("session-ended", "Where you are signed in");
        self.reads("was ended.");
        elsewhere.tab.follow("Email");
        elsewhere.sees("", "Sign in to SigID");
    }

    fn changes_the_address(&self) {
        let tab = &self.tab;
        tab.follow("Email");
        tab.fill("New email", NEW_EMAIL);
        tab.fill("Current password", "not the right one");
        tab.press("Send the link");
        self.sees("email-refused", "Your email address");
        self.reads("That is not your current password.");
        tab.fill("Current password", &self.password.borrow());
        tab.press("Send the link");
        self.sees("email-sent", "Look into your mail");
        self.opens_letter("Confirm your new address");
        self.follows_the_link("/email/confirm");
        self.sees("email-confirm", "Confirm your new address");
        tab.press("Change address");
        self.sees("email-changed", "Your email address");
        self.reads("Your address is changed.");
        self.email.replace(NEW_EMAIL.to_owned());
        self.reads(NEW_EMAIL);
    }

    fn goes_astray(&self) {
        self.tab.go(&format!("{}/nothing-here", self.dev.printed_link()));
        self.sees("nothing-here", "There is nothing here");
        self.tab.follow("Go to your account");
        assert_eq!(self.tab.heading(), "Your profile");
    }
}
