//! Every page in every language: what it must hold, and what it must not.

use crate::assets::SHEET_ADDRESS;
use crate::brand::{Accent, Brand};
use crate::*;
use http::StatusCode;
use std::collections::{BTreeMap, BTreeSet};

/// What an attacker would like to see come out as it went in.
const HOSTILE: &str = "');alert(1)//<script>alert(2)</script>\" onfocus=\"x' autofocus>&amp;\u{1}";

/// Every page, with `text` wherever a person or a client can put something.
fn pages(text: &str) -> Vec<(&'static str, Box<dyn Page>)> {
    let s = || text.to_owned();
    let row = |id: &str, agent: &str, seen_s| SessionRow {
        id: id.into(),
        user_agent: agent.into(),
        methods: vec!["pwd".into(), s()],
        since_s: NOW_S - 1_400_000,
        seen_s,
        address: s(),
        is_near: true,
    };
    let both = || Faults {
        fields: vec![(Field::Email, FieldFault::NotAnAddress), (Field::NewPassword, FieldFault::TooShort(10))],
        form: None,
    };
    let limited = || Faults::form(FormFault::Limited { retry_after_s: 240 });
    let values = ProfileValues {
        name: s(),
        given_name: s(),
        middle_name: s(),
        family_name: s(),
        nickname: s(),
        preferred_username: s(),
        profile: s(),
        picture: s(),
        website: s(),
        gender: s(),
        birthdate: s(),
        zoneinfo: s(),
        locale: s(),
        phone_number: s(),
        street_address: s(),
        locality: s(),
        region: s(),
        postal_code: s(),
        country: s(),
    };
    let login =
        |email: String, faults, notice| Login { csrf: s(), next: s(), email, faults, notice, may_register: true };
    let confirm = |what| Confirm {
        csrf: s(),
        email: s(),
        link: s(),
        what,
        asks_password: what == ConfirmWhat::Registration,
        faults: Faults::none(),
    };
    let email = |faults, notice, pending| EmailChange {
        csrf: s(),
        email: s(),
        is_verified: true,
        pending,
        new_email: s(),
        faults,
        notice,
    };
    let agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Mobile/15E148 Safari/604.1";
    vec![
        ("login", Box::new(login(String::new(), Faults::none(), None))),
        ("login-notice", Box::new(login(s(), Faults::none(), Some(Notice::Verified)))),
        ("login-wrong", Box::new(login(s(), Faults::field(Field::Password, FieldFault::Mismatch), None))),
        ("login-leaving", Box::new(login(String::new(), Faults::none(), Some(Notice::DeletionBegun)))),
        ("login-limited", Box::new(login(s(), limited(), None))),
        (
            "register",
            Box::new(Register { csrf: s(), next: s(), email: s(), display_name: s(), faults: Faults::none() }),
        ),
        ("register-wrong", Box::new(Register { csrf: s(), next: s(), email: s(), display_name: s(), faults: both() })),
        ("mail-sent", Box::new(MailSent { email: s(), sent_for: SentFor::Registration })),
        ("mail-sent-recovery", Box::new(MailSent { email: s(), sent_for: SentFor::Recovery })),
        ("mail-sent-email", Box::new(MailSent { email: s(), sent_for: SentFor::EmailChange })),
        ("confirm", Box::new(confirm(ConfirmWhat::Registration))),
        ("confirm-email", Box::new(confirm(ConfirmWhat::EmailChange))),
        ("undo-email", Box::new(confirm(ConfirmWhat::EmailUndo))),
        (
            "new-password",
            Box::new(NewPassword {
                csrf: s(),
                link: s(),
                email: s(),
                new_for: NewPasswordFor::Recovery,
                display_name: None,
                faults: Faults::field(Field::NewPassword, FieldFault::Common),
            }),
        ),
        (
            "setup",
            Box::new(NewPassword {
                csrf: s(),
                link: s(),
                email: s(),
                new_for: NewPasswordFor::Setup,
                display_name: Some(s()),
                faults: Faults::none(),
            }),
        ),
        ("recover", Box::new(Recover { csrf: s(), email: s(), faults: Faults::none() })),
        ("logout", Box::new(Logout { csrf: s(), email: s(), faults: Faults::none() })),
        ("logged-out", Box::new(LoggedOut)),
        ("wait", Box::new(Wait { retry_after_s: 200 })),
        ("error-link", Box::new(ErrorPage::link_dead(text))),
        ("error-form", Box::new(ErrorPage::form_refused(text))),
        ("error-expired", Box::new(ErrorPage::form_expired(text))),
        ("error-failed", Box::new(ErrorPage::failed(text))),
        ("error-unavailable", Box::new(ErrorPage::unavailable(text))),
        ("error-not-found", Box::new(ErrorPage::not_found(text))),
        ("error-method", Box::new(ErrorPage::another_method(""))),
        ("error-closed", Box::new(ErrorPage::sign_in_closed(text))),
        ("error-no-registration", Box::new(ErrorPage::registration_closed(text))),
        ("error-too-large", Box::new(ErrorPage::too_large(text))),
        ("error-elsewhere", Box::new(views::Elsewhere { issuer: s() })),
        (
            "error-developer",
            Box::new(ErrorPage {
                developer: Some("The return_to of this request is not registered for the client. Register it exactly."),
                ..ErrorPage::bad_request(text)
            }),
        ),
        (
            "profile",
            Box::new(Profile {
                csrf: s(),
                email: s(),
                values: values.clone(),
                faults: Faults::none(),
                notice: Some(Notice::Saved),
            }),
        ),
        (
            "profile-wrong",
            Box::new(Profile {
                csrf: s(),
                email: s(),
                values,
                faults: Faults {
                    fields: vec![
                        (Field::Birthdate, FieldFault::NotADate),
                        (Field::Website, FieldFault::NotAUrl),
                        (Field::StreetAddress, FieldFault::TooLong(1024)),
                    ],
                    form: None,
                },
                notice: None,
            }),
        ),
        (
            "password",
            Box::new(PasswordChange {
                csrf: s(),
                email: s(),
                has_password: true,
                faults: Faults::field(Field::CurrentPassword, FieldFault::WrongPassword),
                notice: None,
            }),
        ),
        (
            "password-set",
            Box::new(PasswordChange {
                csrf: s(),
                email: s(),
                has_password: false,
                faults: Faults::none(),
                notice: Some(Notice::PasswordChanged),
            }),
        ),
        ("email", Box::new(email(Faults::none(), Some(Notice::EmailAsked), Some(s())))),
        ("email-wrong", Box::new(email(Faults::field(Field::NewEmail, FieldFault::Unchanged), None, None))),
        (
            "sessions",
            Box::new(Sessions {
                csrf: s(),
                email: s(),
                now_s: NOW_S,
                here: row("", agent, NOW_S),
                others: vec![row(text, text, NOW_S - 1200), row("b", agent, NOW_S - 900_000)],
                faults: Faults::none(),
                notice: Some(Notice::DeviceEnded(s())),
            }),
        ),
        (
            "sessions-none",
            Box::new(Sessions {
                csrf: s(),
                email: s(),
                now_s: NOW_S,
                here: row("", agent, NOW_S),
                others: Vec::new(),
                faults: Faults::none(),
                notice: Some(Notice::OthersEnded(2)),
            }),
        ),
        (
            "deletion",
            Box::new(Deletion { csrf: s(), email: s(), has_password: true, grace_days: 14, faults: Faults::none() }),
        ),
        ("deleting", Box::new(Deleting { csrf: s(), email: s(), deletes_s: NOW_S + 1_000_000, faults: limited() })),
        (
            "catcher",
            Box::new(CatcherList {
                now_s: NOW_S,
                messages: vec![CatcherRow { path: s(), to: s(), subject: s(), at_s: NOW_S - 5 }],
            }),
        ),
        ("catcher-none", Box::new(CatcherList { now_s: NOW_S, messages: Vec::new() })),
        (
            "catcher-message",
            Box::new(CatcherMessage {
                list_path: s(),
                html_path: Some(s()),
                from: s(),
                to: s(),
                subject: s(),
                at_s: NOW_S,
                text: format!("Hello,\n\nopen https://localhost:8443/verify?link=abc now.\n{text}"),
            }),
        ),
    ]
}

/// 2026-03-09T08:14:00Z.
const NOW_S: i64 = 1_773_044_040;

fn document(look: &Look, page: &dyn Page) -> String {
    String::from_utf8(render(look, StatusCode::OK, page).body.to_vec()).unwrap()
}

fn look(locale: Locale, brand: &Brand) -> Look {
    Look::new(locale, brand.clone())
}

#[test]
fn hostile_values_are_escaped_on_every_page() {
    let brand = Brand {
        name: HOSTILE.into(),
        accent: Accent::parse("#7a3cff").ok(),
        logo: Some(HOSTILE.into()),
        privacy: Some(HOSTILE.into()),
        terms: Some(HOSTILE.into()),
        is_given: true,
    };
    for locale in Locale::ALL {
        let asking = Asking { name: HOSTILE.into(), host: HOSTILE.into() };
        let look = look(locale, &brand).asked_by(asking);
        for (name, page) in pages(HOSTILE) {
            let document = document(&look, &*page);
            for bad in ["<script", "\" onfocus", "' autofocus", "alert(1)//<"] {
                assert!(!document.contains(bad), "{name} in {}: {bad}: {document}", locale.tag());
            }
            assert!(
                !document.contains("style=\"") && !document.contains("javascript:"),
                "{name}: the policy forbids it"
            );
        }
    }
}

#[test]
fn every_page_is_whole_and_light() {
    let sheet = include_str!("../assets/sigid.css").len();
    for locale in Locale::ALL {
        let look = look(locale, &Brand::default());
        for (name, page) in pages("Ada Lovelace, 12 St James's Square, London") {
            let document = document(&look, &*page);
            assert!(document.len() + sheet < 50_000, "{name}: {} bytes", document.len() + sheet);
            assert!(document.starts_with(&format!("<!doctype html>\n<html lang=\"{}\">", locale.tag())), "{name}");
            assert_eq!(document.matches("<h1>").count(), 1, "{name}: one question a page");
            assert_eq!(document.matches("<main").count(), 1, "{name}");
            assert!(document.matches("<form").count() <= 1, "{name}: one form a page");
            assert!(document.contains(SHEET_ADDRESS), "{name}: its sheet");
            let title = document.split_once("<title>").unwrap().1.split_once("</title>").unwrap().0;
            assert!(title.ends_with(" · SigID") && title.len() > " · SigID".len() + 3, "{name}: {title}");
            for id in ids(&document) {
                assert_eq!(document.matches(&format!(" id=\"{id}\"")).count(), 1, "{name}: {id} is one element");
            }
            for tied in attributes(&document, "aria-describedby").iter().flat_map(|list| list.split(' ')) {
                assert!(ids(&document).contains(tied), "{name}: nothing is called {tied}");
            }
            assert_eq!(document.matches("autofocus").count().min(2), document.matches("autofocus").count(), "{name}");
            let is_post = document.contains("method=\"post\"");
            assert_eq!(is_post, document.contains("name=\"csrf\""), "{name}: a form has its key");
        }
    }
}

#[test]
fn a_wrong_field_is_tied_to_its_reason() {
    let look = look(Locale::En, &Brand::default());
    let find = |name| pages("x").into_iter().find(|(known, _)| *known == name).unwrap().1;
    let document = document(&look, &*find("login-wrong"));
    assert!(document.contains("aria-invalid=\"true\" aria-describedby=\"password-wrong\" autofocus>"), "{document}");
    assert!(document.contains("<p class=\"wrong\" id=\"password-wrong\">That email and password do not match.</p>"));
    assert!(document.contains("<title>Check the form: Sign in to SigID · SigID</title>"), "{document}");
    assert!(!document.contains("role=\"alert\""), "one fault needs no summary");
    let document = self::document(&look, &*find("register-wrong"));
    assert!(document.contains("<strong>2 things need your attention</strong>"), "{document}");
    assert!(document.contains("<a href=\"#email\">Email: Write the whole address"), "{document}");
    assert!(
        document.contains("<a href=\"#new_password\">Password: Use at least"),
        "called as its field is: {document}"
    );
    assert!(document.contains("aria-describedby=\"new_password-wrong new_password-hint\""), "{document}");
}

#[test]
fn a_password_is_never_written_back() {
    let look = look(Locale::En, &Brand::default());
    for (name, page) in pages("x") {
        for input in document(&look, &*page).split("<input ").filter(|input| input.starts_with("type=\"password\"")) {
            assert!(input.starts_with("type=\"password\" value=\"\""), "{name}: {input}");
        }
    }
}

#[test]
fn an_answer_about_a_link_offers_no_way_that_loses_it() {
    use http::{HeaderMap, Method};
    let page = Confirm {
        csrf: String::new(),
        email: String::new(),
        link: String::new(),
        what: ConfirmWhat::Registration,
        asks_password: true,
        faults: Faults::none(),
    };
    for (reason, method, has_switch) in
        [("shown by its link", Method::GET, true), ("an answer to its form", Method::POST, false)]
    {
        let look = Look::read(I18n::builtin(), Brand::default(), &method, "/verify", Some("link=x"), &HeaderMap::new());
        assert_eq!(document(&look, &page).contains("/language?to=de&"), has_switch, "{reason}");
        assert!(document(&look, &LoggedOut).contains("/language?to=de&"), "{reason}: other pages keep theirs");
    }
}

/// The values of an attribute.
fn attributes<'d>(document: &'d str, name: &str) -> Vec<&'d str> {
    let start = format!(" {name}=\"");
    document.split(&start).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

fn ids(document: &str) -> BTreeSet<&str> {
    attributes(document, "id").into_iter().collect()
}

/// A logo wider than high, as many are.
const LOGO: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 48"><rect width="96" height="48" rx="8" fill="#222"/><text x="48" y="33" font-size="26" font-family="sans-serif" fill="#ffd400" text-anchor="middle">ACME</text></svg>"##;

/// Every page and letter as a file in `target/pages`, for eyes and for axe.
#[test]
fn the_pages_can_be_looked_at() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/pages");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("sigid.css"), include_str!("../assets/sigid.css")).unwrap();
    std::fs::write(folder.join("icon.svg"), include_str!("../assets/icon.svg")).unwrap();
    std::fs::write(folder.join("logo.svg"), LOGO).unwrap();
    let acme = Brand {
        name: "Acme".into(),
        accent: Accent::parse("#ffd400").ok(),
        logo: Some("logo.svg".into()),
        privacy: Some("https://acme.example/privacy".into()),
        terms: Some("https://acme.example/terms".into()),
        is_given: true,
    };
    for (locale, brand) in [(Locale::En, Brand::default()), (Locale::De, acme.clone()), (Locale::Fr, Brand::default())]
    {
        for (name, page) in pages("ada@acme.example") {
            let asking = Asking { name: "Ledger".into(), host: "ledger.acme.example".into() };
            let is_asked = brand.is_given && (name.starts_with("login") || name.starts_with("register"));
            let look = look(locale, &brand);
            let look = if is_asked { look.asked_by(asking) } else { look };
            let document = document(&look, &*page);
            let document = document.replace(SHEET_ADDRESS, "sigid.css").replace(assets::ICON_PATH, "icon.svg");
            let document = document.replace("src=\"ada@acme.example\"", "src=\"letter-register-en.html\"");
            std::fs::write(folder.join(format!("{name}-{}.html", locale.tag())), document).unwrap();
        }
        let args = mail::Args {
            to: "ada@acme.example",
            new_email: "ada@new.example",
            link: Some("https://localhost:8443/verify?link=sgd_v_5xDq0Qm0nq3uVvH8hZkS0dJm3o1k2l3m4n5o6p7q8r9s0t1u2v"),
            more: Some("https://localhost:8443/recover"),
            device: "Firefox on Linux",
            when_s: Some(NOW_S),
            logo: brand.logo.as_deref(),
            ..mail::Args::default()
        };
        for template in mail::Template::ALL {
            let letter = mail::letter(Words::of(locale), &brand, template, &args);
            let path = |kind| folder.join(format!("letter-{}-{}.{kind}", template.name(), locale.tag()));
            std::fs::write(path("html"), letter.html).unwrap();
            std::fs::write(path("txt"), format!("{}\n\n{}", letter.subject, letter.text)).unwrap();
        }
    }
}

// --- catalogs --------------------------------------------------------------------------------------------------

/// Message -> the arguments it uses, of one language.
fn messages(locale: Locale) -> BTreeMap<String, BTreeSet<String>> {
    let mut messages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in catalog::sources(locale) {
        let parsed = fluent_bundle::FluentResource::try_new(source.to_owned());
        let parsed = parsed.unwrap_or_else(|(_, faults)| panic!("{}: {faults:?}", locale.tag()));
        let shapes = own::shapes(&parsed);
        let count = parsed.entries().filter(|entry| matches!(entry, fluent_syntax::ast::Entry::Message(_))).count();
        assert_eq!(count, shapes.len(), "{}: a message is there twice", locale.tag());
        for (id, args) in shapes {
            assert!(messages.insert(id.clone(), args).is_none(), "{}: {id} twice", locale.tag());
        }
    }
    messages
}

#[test]
fn every_language_has_every_message_with_its_arguments() {
    let english = messages(Locale::En);
    assert!(english.len() > 200, "the catalog is read: {}", english.len());
    for locale in Locale::ALL {
        assert_eq!(messages(locale), english, "{}", locale.tag());
    }
}

#[test]
fn every_message_is_used_and_every_used_one_is_there() {
    let mut used = BTreeSet::new();
    for text in sources() {
        for word in text.split('"').filter(|word| word.contains('-')) {
            used.insert(word.to_owned());
        }
    }
    for template in mail::Template::ALL {
        for kind in ["subject", "lead", "button", "after", "plain"] {
            used.insert(format!("mail-{}-{kind}", template.name().replace('_', "-")));
        }
    }
    let english = messages(Locale::En);
    let odd = |id: &&String| !id.contains('-') && !sources().iter().any(|text| text.contains(&format!("\"{id}\"")));
    let unused: Vec<&String> =
        english.keys().filter(|id| if id.contains('-') { !used.contains(*id) } else { odd(id) }).collect();
    assert!(unused.is_empty(), "no page says {unused:?}");
    let look = look(Locale::Fr, &Brand::default());
    for (name, page) in pages("x") {
        let document = document(&look, &*page);
        let holes: Vec<&str> = texts(&document).filter(|text| looks_like_an_id(text)).collect();
        assert!(holes.is_empty(), "{name}: there are no messages {holes:?}");
    }
}

/// What stands between two tags, and in the attributes that are read out; a title without its brand.
fn texts(document: &str) -> impl Iterator<Item = &str> {
    let between = document.split('>').skip(1).filter_map(|rest| rest.split('<').next());
    let read_out = attributes(document, "aria-label");
    between.map(|text| text.split(" · ").next().unwrap_or_default().trim()).chain(read_out)
}

/// A message that there is not shows its name.
fn looks_like_an_id(text: &str) -> bool {
    let mut words = text.split('-');
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    words.clone().count() > 1 && words.all(is_word)
}

#[test]
fn a_message_that_is_missing_is_noticed() {
    let look = look(Locale::En, &Brand::default());
    let holed = ErrorPage { title_id: "error-nowhere-title", ..ErrorPage::not_found("x") };
    let document = document(&look, &holed);
    let holes: Vec<&str> = texts(&document).filter(|text| looks_like_an_id(text)).collect();
    assert_eq!(holes, ["error-nowhere-title", "error-nowhere-title"], "title and heading: {document}");
}

#[test]
fn the_voice_is_calm() {
    for locale in Locale::ALL {
        for source in catalog::sources(locale) {
            let words = source.to_lowercase();
            for bad in ["!", "please", "oops", "bitte", "hoppla", "s'il vous pla", "veuillez"] {
                assert!(!words.contains(bad), "{}: {bad}", locale.tag());
            }
        }
    }
}

/// Our templates and sources, without this file.
fn sources() -> Vec<String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = Vec::new();
    for folder in ["src", "src/views", "templates"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() && path.file_name().is_some_and(|name| name != "tests.rs") {
                texts.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    texts
}
