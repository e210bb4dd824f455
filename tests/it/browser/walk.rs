//! What somebody does at the pages, whoever it is: one method a step, by what the page shows and the letter says.

use std::cell::RefCell;

use super::audit::Audit;
use super::dev::Dev;
use super::tab::Tab;
use crate::support::wait::until_blocking;

pub struct Walk<'d> {
    pub dev: &'d Dev,
    pub tab: Tab,
    /// Whether every page is looked at, or only walked by.
    pub audit: Option<Audit>,
    /// Whose account it is. Addresses and passwords change on the way.
    pub email: RefCell<String>,
    pub password: RefCell<String>,
}

impl<'d> Walk<'d> {
    pub fn begin(dev: &'d Dev, tab: Tab, audit: Option<Audit>, email: &str, password: &str) -> Self {
        Self { dev, tab, audit, email: email.to_owned().into(), password: password.to_owned().into() }
    }

    /// Where the person is now; `name` is for the picture.
    #[track_caller]
    pub fn sees(&self, name: &str, heading: &str) {
        assert_eq!(self.tab.heading(), heading, "{}", self.tab.url());
        if let Some(audit) = &self.audit {
            audit.check(&self.tab, name);
        }
    }

    #[track_caller]
    pub fn reads(&self, text: &str) {
        assert!(self.tab.shows(text), "{text:?} is not on {}: {}", self.tab.url(), self.tab.html());
    }

    pub fn sign_in(&self) {
        self.sign_in_with(&self.password.borrow());
    }

    pub fn sign_in_with(&self, password: &str) {
        self.tab.fill("Email", &self.email.borrow());
        self.tab.fill("Password", password);
        self.tab.press("Sign in");
    }

    pub fn sign_out(&self) {
        self.tab.follow("Sign out");
        self.sees("logout", "Sign out?");
        self.tab.press("Sign out");
        self.sees("logged-out", "You are signed out");
    }

    pub fn changes_the_profile(&self) {
        let tab = &self.tab;
        tab.follow("Profile");
        tab.fill("Date of birth", "tomorrow");
        tab.fill("Town", "Lund");
        tab.press("Save profile");
        self.sees("profile-refused", "Your profile");
        self.reads("Write the date as 1985-04-23.");
        tab.fill("Date of birth", "1985-04-23");
        tab.press("Save profile");
        self.sees("profile-saved", "Your profile");
        self.reads("Your profile is saved.");
        self.reads("value=\"Lund\"");
    }

    /// The catcher's page, until the letter is there; then the letter.
    pub fn opens_letter(&self, subject: &str) {
        let tab = &self.tab;
        until_blocking(&format!("the letter {subject:?}"), || {
            tab.go(self.dev.mail_page());
            tab.find_all("link").into_iter().find(|link| link.name == subject)
        });
        self.sees("catcher", "Caught mail");
        tab.follow(subject);
    }

    /// The address in the letter's text that leads to `path`.
    pub fn follows_the_link(&self, path: &str) {
        let begin = format!("{}{path}?", self.dev.printed_link());
        let links = self.tab.find_all("link");
        let found = links.iter().find(|link| link.name.starts_with(&begin));
        let link = found.unwrap_or_else(|| panic!("no link to {path}: {links:?}"));
        self.tab.load(path, || self.tab.click(link));
    }

    /// The button of the letter as most people see it, which is a document of its own in a frame: two keys away.
    pub fn presses_the_letters_button(&self) {
        self.tab.key("Tab");
        assert_eq!(self.tab.focused(), ("link".to_owned(), "All messages".to_owned()));
        self.tab.key("Tab");
        self.tab.load("the letter's button", || self.tab.key("Enter"));
    }
}
