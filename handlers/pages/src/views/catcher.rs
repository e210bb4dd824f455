//! The mail catcher of `sigid dev`.

use super::Page;
use crate::frame::Frame;
use askama::Template;

pub struct CatcherList {
    pub now_s: i64,
    /// Newest first.
    pub messages: Vec<CatcherRow>,
}

pub struct CatcherRow {
    /// Where the message is shown: a path of our own.
    pub path: String,
    pub to: String,
    pub subject: String,
    pub at_s: i64,
}

pub struct CatcherMessage {
    /// Back to the list.
    pub list_path: String,
    /// The HTML part under a path of its own, answered with [`crate::render_html`]; none: there is only text.
    pub html_path: Option<String>,
    pub from: String,
    pub to: String,
    pub subject: String,
    pub at_s: i64,
    /// The text part; its links are made so.
    pub text: String,
}

#[derive(Template)]
#[template(path = "catcher_list.html")]
struct ListHtml<'a> {
    f: &'a Frame<'a>,
    p: &'a CatcherList,
}

impl Page for CatcherList {
    fn html(&self, frame: &Frame<'_>) -> Result<String, askama::Error> {
        ListHtml { f: frame, p: self }.render()
    }
}

#[derive(Template)]
#[template(path = "catcher_message.html")]
struct MessageHtml<'a> {
    f: &'a Frame<'a>,
    p: &'a CatcherMessage,
}

impl Page for CatcherMessage {
    fn html(&self, frame: &Frame<'_>) -> Result<String, askama::Error> {
        MessageHtml { f: frame, p: self }.render()
    }

    fn has_frame(&self) -> bool {
        self.html_path.is_some()
    }
}
