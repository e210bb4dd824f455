//! Letters: the same words and the same look as the pages, as the two parts of a message.
//!
//! One column, one button, the link also in clear; the plain text is written for itself in the catalogs. Nothing is
//! loaded from anywhere but the brand's logo. What a person typed (an address, a device's words) is escaped in the one
//! part and stands as it is in the other; a line break in it cannot end a header, for the subject holds none.

use crate::brand::{Brand, Colour};
use crate::catalog::Words;
use crate::frame::linked;
use crate::when;
use askama::Template as _;

/// The letters there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Template {
    /// `link`: proves the address of a new account.
    Register,
    /// `link`: signs in; `more`: recovery. Answers a registration where there is an account already.
    Exists,
    /// `link`: sets a password.
    Recover,
    /// `link`: recovery.
    PasswordChanged,
    /// `link`: proves the new address; `email` is the one so far.
    EmailConfirm,
    /// To the old address; `link`: takes it back.
    EmailChangedOld,
    /// To the new address; `link`: the account.
    EmailChangedNew,
    /// `link`: signs in; `when_s`: when the account is erased.
    DeletionBegun,
    /// No link.
    DeletionDone,
    /// `link`: sets the first password.
    Setup,
    /// `link`: the sessions; `device`, `when_s`.
    NewSignIn,
}

/// What a letter says beside its words.
#[derive(Clone, Copy, Default)]
pub struct Args<'a> {
    /// Who gets it.
    pub to: &'a str,
    /// The account's address; `to` when empty.
    pub email: &'a str,
    pub new_email: &'a str,
    /// Where the button leads; whole, below the issuer.
    pub link: Option<&'a str>,
    pub more: Option<&'a str>,
    pub device: &'a str,
    pub when_s: Option<i64>,
    /// The brand's logo, whole, below the issuer.
    pub logo: Option<&'a str>,
}

/// A letter, ready to be put into a message.
pub struct LetterParts {
    /// One line.
    pub subject: String,
    pub text: String,
    pub html: String,
}

impl Template {
    pub const ALL: [Self; 11] = [
        Self::Register,
        Self::Exists,
        Self::Recover,
        Self::PasswordChanged,
        Self::EmailConfirm,
        Self::EmailChangedOld,
        Self::EmailChangedNew,
        Self::DeletionBegun,
        Self::DeletionDone,
        Self::Setup,
        Self::NewSignIn,
    ];

    /// As it is kept with the mail.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Exists => "exists",
            Self::Recover => "recover",
            Self::PasswordChanged => "password_changed",
            Self::EmailConfirm => "email_confirm",
            Self::EmailChangedOld => "email_changed_old",
            Self::EmailChangedNew => "email_changed_new",
            Self::DeletionBegun => "deletion_begun",
            Self::DeletionDone => "deletion_done",
            Self::Setup => "setup",
            Self::NewSignIn => "new_sign_in",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|template| template.name() == name)
    }

    /// Its message of a kind: `mail-new-sign-in-lead`.
    fn message(self, kind: &str) -> String {
        format!("mail-{}-{kind}", self.name().replace('_', "-"))
    }
}

/// Writes a letter.
pub fn letter(words: Words<'_>, brand: &Brand, template: Template, args: &Args<'_>) -> LetterParts {
    let when = args.when_s.map(|when_s| match template {
        Template::DeletionBegun => when::date(words, when_s),
        _ => when::date_time(words, when_s),
    });
    // There is nothing left to go to.
    let link = args.link.filter(|_| template != Template::DeletionDone);
    let given = [
        ("brand", brand.name.as_str()),
        ("to", args.to),
        ("email", if args.email.is_empty() { args.to } else { args.email }),
        ("new_email", args.new_email),
        ("link", link.unwrap_or_default()),
        ("more", args.more.unwrap_or_default()),
        ("device", args.device),
        ("when", when.as_deref().unwrap_or_default()),
    ];
    let say = |id: &str| words.text(id, &given);
    let of = |kind| say(&template.message(kind));
    let (lead, after) = (of("lead"), of("after"));
    let subject: String = of("subject").chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let html = LetterHtml {
        lang: words.locale().tag(),
        brand,
        logo: args.logo,
        subject: &subject,
        lead: lead.split("\n\n").collect(),
        link,
        button: link.map(|_| of("button")).unwrap_or_default(),
        clear: say("mail-clear"),
        after: after.split("\n\n").map(|text| linked(text).replace("<a ", "<a style=\"color:#565e6e\" ")).collect(),
        foot: say("mail-foot"),
        fill: brand.accent.map_or(FILL, |accent| accent.fill),
        ink: brand.accent.map_or(Colour::WHITE, |accent| accent.text),
    };
    let html = html.render().unwrap_or_default();
    let text = format!("{}\n\n-- \n{}\n", of("plain"), say("mail-foot"));
    LetterParts { subject, text, html }
}

#[derive(askama::Template)]
#[template(path = "letter.html")]
struct LetterHtml<'a> {
    lang: &'static str,
    brand: &'a Brand,
    logo: Option<&'a str>,
    subject: &'a str,
    lead: Vec<&'a str>,
    link: Option<&'a str>,
    button: String,
    clear: String,
    after: Vec<String>,
    foot: String,
    fill: Colour,
    ink: Colour,
}

/// The accent of the sheet, for a brand without.
const FILL: Colour = Colour { red: 0x3b, green: 0x5b, blue: 0xdb };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locale::Locale;

    #[test]
    fn every_letter_is_whole_in_every_language() {
        let brand = Brand { name: "Acme".into(), ..Brand::default() };
        let args = Args {
            to: "ada@example.com",
            email: "ada@example.com",
            new_email: "new@example.com",
            link: Some("https://a.example/verify?link=x&y"),
            more: Some("https://a.example/recover"),
            device: "Firefox on Linux",
            when_s: Some(1_773_044_040),
            logo: Some("https://a.example/logo.png"),
        };
        for locale in Locale::ALL {
            for template in Template::ALL {
                let letter = letter(Words::of(locale), &brand, template, &args);
                let name = format!("{} in {}", template.name(), locale.tag());
                for part in [&letter.subject, &letter.text, &letter.html] {
                    assert!(!part.contains("mail-") && !part.contains("{$"), "{name}: a message is missing: {part}");
                }
                assert!(!letter.subject.contains('\n') && letter.subject.len() < 120, "{name}: {}", letter.subject);
                assert!(letter.text.contains("Acme") && !letter.text.contains('<'), "{name}: {}", letter.text);
                let count = if template == Template::DeletionDone { 0 } else { 2 };
                let address = "<a href=\"https://a.example/verify?link=x&#38;y\"";
                assert_eq!(letter.html.matches(address).count(), count, "{name}: button and in clear");
                assert_eq!(
                    letter
                        .text
                        .matches(
                            "https://a.example/verify?link=x&y
"
                        )
                        .count(),
                    count / 2,
                    "{name}"
                );
                assert_eq!(Template::from_name(template.name()), Some(template));
            }
        }
        assert_eq!(Template::from_name("invoice"), None);
    }

    #[test]
    fn what_people_typed_is_escaped_and_ends_no_line() {
        let brand = Brand { name: "A<b>\r\nBcc: x".into(), ..Brand::default() };
        let args = Args {
            to: "\"<script>\"@a.example",
            device: "<img src=x>",
            link: Some("https://a/\"><script>"),
            ..Args::default()
        };
        for template in Template::ALL {
            let letter = letter(Words::of(Locale::En), &brand, template, &args);
            assert!(!letter.subject.contains(['\r', '\n']), "{}", template.name());
            for bad in ["<script>", "<img src=x", "A<b>"] {
                assert!(!letter.html.contains(bad), "{}: {bad}", template.name());
            }
        }
    }
}
