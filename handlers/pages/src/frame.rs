//! What a template can say beside its own fields: words, the parts that every page has, the fields of a form.
//!
//! Only [`Html`] reaches a document unescaped, and only askama or [`escape`] makes one. Templates hand over references:
//! hence `Borrow` and `AsRef`.

use crate::assets::ICON_ADDRESS;
use crate::brand::Brand;
use crate::catalog::Words;
use crate::field::{Asked, Faults, Field};
use crate::locale::Locale;
use crate::look::{Asking, Look};
use crate::views::Notice;
use crate::{device, when};
use askama::Template;
use sigid_core::form;
use std::borrow::Borrow;

/// The context of a page.
pub struct Frame<'a> {
    look: &'a Look,
    nonce: &'a str,
    is_switchable: bool,
}

/// Written already; not escaped again.
pub(crate) type Html = String;

impl<'a> Frame<'a> {
    pub(crate) fn new(look: &'a Look, nonce: &'a str, holds_link: bool) -> Self {
        Self { look, nonce, is_switchable: !(look.is_elsewhere() || holds_link && look.is_answer()) }
    }

    pub(crate) fn words(&self) -> Words<'_> {
        self.look.words()
    }

    pub(crate) fn brand(&self) -> &Brand {
        &self.look.brand
    }

    pub(crate) fn nonce(&self) -> &str {
        self.nonce
    }

    pub(crate) fn lang(&self) -> &'static str {
        self.look.locale.tag()
    }

    /// The page stands under a host that has nothing else of ours.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.look.is_elsewhere()
    }

    /// The logo where there is one: a page asks for two things at most.
    pub(crate) fn icon(&self) -> &str {
        self.look.brand.logo.as_deref().unwrap_or(ICON_ADDRESS)
    }

    /// Declarations that hold colours of our own making.
    pub(crate) fn style(&self) -> Option<String> {
        self.look.brand.accent.map(|accent| accent.style())
    }

    pub(crate) fn asking(&self) -> Option<&Asking> {
        self.look.asking.as_ref()
    }

    /// What the person signs in to.
    pub(crate) fn place(&self) -> &str {
        self.asking().map_or(&self.look.brand.name, |asking| &asking.name)
    }

    pub(crate) fn languages(&self) -> Vec<(Locale, String)> {
        let others = self.look.others().filter(|_| self.is_switchable);
        others.map(|locale| (locale, self.look.switch_to(locale))).collect()
    }

    pub(crate) fn t(&self, id: &str) -> String {
        self.words().text(id, &[])
    }

    pub(crate) fn t1(&self, id: &str, name: &str, value: impl AsRef<str>) -> String {
        self.words().text(id, &[(name, value.as_ref())])
    }

    pub(crate) fn count(&self, id: &str, n: impl Borrow<u64>) -> String {
        self.words().count(id, *n.borrow())
    }

    /// A sentence with one value that stands out. The value is put in after everything is escaped.
    pub(crate) fn strong(&self, id: &str, name: &str, value: &str) -> Html {
        let sentence = escape(&self.words().text(id, &[(name, PLACE)]));
        sentence.replace(PLACE, &format!("<strong>{}</strong>", escape(value)))
    }

    /// The title of a form that was refused says so first, for those who hear it.
    pub(crate) fn title(&self, title: impl AsRef<str>, faults: &Faults) -> String {
        let title = title.as_ref();
        if faults.is_empty() { title.to_owned() } else { self.t1("title-wrong", "title", title) }
    }

    pub(crate) fn ago(&self, now_s: impl Borrow<i64>, then_s: impl Borrow<i64>) -> String {
        when::ago(self.words(), *now_s.borrow(), *then_s.borrow())
    }

    pub(crate) fn date(&self, unix_s: impl Borrow<i64>) -> String {
        when::date(self.words(), *unix_s.borrow())
    }

    pub(crate) fn date_time(&self, unix_s: impl Borrow<i64>) -> String {
        when::date_time(self.words(), *unix_s.borrow())
    }

    pub(crate) fn device(&self, user_agent: &str) -> String {
        device(self.words(), user_agent)
    }

    /// How somebody signed in, in words: `amr` values (RFC 8176).
    pub(crate) fn methods(&self, methods: &[String]) -> String {
        let mut words: Vec<String> = Vec::new();
        for method in methods {
            let word = self.t(method_id(method));
            if !words.contains(&word) {
                words.push(word);
            }
        }
        words.join(" + ")
    }

    /// Notice or fault of the form, and the summary of fields when several are wrong.
    pub(crate) fn top(&self, faults: &Faults, notice: Option<&Notice>) -> Result<Html, askama::Error> {
        self.top_with(faults, notice, |field| field.asked().label)
    }

    /// The same where the account is not there yet, see [`Frame::first_password`].
    pub(crate) fn first_top(&self, faults: &Faults) -> Result<Html, askama::Error> {
        self.top_with(faults, None, |field| match field {
            Field::NewPassword => FIRST_PASSWORD,
            field => field.asked().label,
        })
    }

    fn top_with(
        &self,
        faults: &Faults,
        notice: Option<&Notice>,
        label: impl Fn(Field) -> &'static str,
    ) -> Result<Html, askama::Error> {
        let fields = if faults.fields.len() > 1 { faults.fields.as_slice() } else { &[] };
        let summary = fields.iter().map(|(field, fault)| Wrong {
            name: field.name(),
            label: self.t(label(*field)),
            text: fault.text(self.words()),
        });
        let top = Top {
            f: self,
            form: faults.form.map(|fault| fault.text(self.words())),
            summary: summary.collect(),
            notice: notice.filter(|_| faults.is_empty()),
        };
        top.render()
    }

    /// A field with its label, its hint and what is wrong with it.
    pub(crate) fn input(&self, field: Field, value: &str, faults: &Faults) -> Result<Html, askama::Error> {
        let is_focused = faults.is_first(field);
        self.field(field, value, faults, is_focused)
    }

    /// The first field of a page that asks one thing.
    pub(crate) fn first_input(&self, field: Field, value: &str, faults: &Faults) -> Result<Html, askama::Error> {
        let is_focused = faults.fields.is_empty() || faults.is_first(field);
        self.field(field, value, faults, is_focused)
    }

    /// The password of an account that is not there yet: nothing about it is new.
    pub(crate) fn first_password(&self, faults: &Faults) -> Result<Html, askama::Error> {
        let is_focused = faults.is_first(Field::NewPassword);
        let asked = Asked { label: FIRST_PASSWORD, ..Field::NewPassword.asked() };
        self.labelled(asked, Field::NewPassword, "", faults, is_focused)
    }

    /// The name, where none may be given: the first question of its page.
    pub(crate) fn optional_name(&self, value: &str, faults: &Faults) -> Result<Html, askama::Error> {
        let is_focused = faults.fields.is_empty() || faults.is_first(Field::DisplayName);
        let asked = Asked { is_required: false, ..Field::DisplayName.asked() };
        self.labelled(asked, Field::DisplayName, value, faults, is_focused)
    }

    fn field(&self, field: Field, value: &str, faults: &Faults, is_focused: bool) -> Result<Html, askama::Error> {
        self.labelled(field.asked(), field, value, faults, is_focused)
    }

    fn labelled(
        &self,
        asked: Asked,
        field: Field,
        value: &str,
        faults: &Faults,
        is_focused: bool,
    ) -> Result<Html, askama::Error> {
        let label = asked.label;
        let wrong = faults.find(field).map(|fault| fault.text(self.words()));
        let ids = [
            wrong.as_ref().map(|_| format!("{}-wrong", asked.name)),
            asked.hint.map(|_| format!("{}-hint", asked.name)),
        ];
        let described_by = ids.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let value = if asked.kind == "password" { "" } else { value };
        let is_forgettable = field == Field::Password;
        InputHtml { f: self, asked, label, value, wrong, described_by, is_focused, is_forgettable }.render()
    }
}

/// A path of ours that carries on where to go afterwards.
pub(crate) fn onward(path: &str, next: &str) -> String {
    let mut address = path.to_owned();
    if !next.is_empty() {
        address.push_str("?next=");
        form::escape_into(next, &mut address);
    }
    address
}

fn method_id(method: &str) -> &'static str {
    match method {
        "pwd" => "method-password",
        "hwk" | "swk" | "pop" => "method-passkey",
        "otp" => "method-code",
        "email" | "link" => "method-link",
        _ => "method-other",
    }
}

/// What a page writes for a value that has no template.
pub(crate) fn escape(text: &str) -> Html {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// RFC 3339, for machines that read the page.
pub(crate) fn iso(unix_s: impl Borrow<i64>) -> String {
    when::iso(*unix_s.borrow())
}

/// A text whose web addresses can be followed.
pub(crate) fn linked(text: &str) -> Html {
    let mut out = String::with_capacity(text.len() * 2);
    for piece in text.split_inclusive(char::is_whitespace) {
        let word = piece.trim_end();
        let escaped = escape(word);
        if word.starts_with("https://") || word.starts_with("http://") {
            out.push_str("<a href=\"");
            out.push_str(&escaped);
            out.push_str("\">");
            out.push_str(&escaped);
            out.push_str("</a>");
        } else {
            out.push_str(&escaped);
        }
        out.push_str(piece.strip_prefix(word).unwrap_or_default());
    }
    out
}

/// What a password is called before there is another one.
const FIRST_PASSWORD: &str = "field-password";

/// Stands for a value until the sentence around it is escaped; no catalog holds it.
const PLACE: &str = "\u{1}";

struct Wrong {
    name: &'static str,
    label: String,
    text: String,
}

#[derive(Template)]
#[template(path = "top.html")]
struct Top<'a> {
    f: &'a Frame<'a>,
    form: Option<String>,
    summary: Vec<Wrong>,
    notice: Option<&'a Notice>,
}

#[derive(Template)]
#[template(path = "input.html")]
struct InputHtml<'a> {
    f: &'a Frame<'a>,
    asked: Asked,
    label: &'static str,
    value: &'a str,
    wrong: Option<String>,
    described_by: String,
    is_focused: bool,
    is_forgettable: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_a_text_can_be_followed_and_nothing_else() {
        for (reason, text, expected) in [
            (
                "an address",
                "see https://a.example/?x=1&y=2\nnow",
                "see <a href=\"https://a.example/?x=1&amp;y=2\">https://a.example/?x=1&amp;y=2</a>\nnow",
            ),
            ("markup", "<b>'\"", "&lt;b&gt;&#39;&quot;"),
            ("a script is no address", "javascript:alert(1)", "javascript:alert(1)"),
            (
                "a way out of the attribute",
                "https://a/\"onclick=x",
                "<a href=\"https://a/&quot;onclick=x\">https://a/&quot;onclick=x</a>",
            ),
            ("nothing", "", ""),
        ] {
            assert_eq!(linked(text), expected, "{reason}");
        }
    }

    #[test]
    fn a_value_that_stands_out_is_escaped_too() {
        let look = Look::default();
        let frame = Frame::new(&look, "", false);
        let written = frame.strong("signed-in-as", "email", "<i>\u{1}");
        assert_eq!(written, "You are signed in as <strong>&lt;i&gt;\u{1}</strong>.");
    }
}
