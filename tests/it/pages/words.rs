//! `[i18n]`: which languages are offered, and an operator's own words.

use crate::support::ask::Ask;
use crate::support::cli;
use crate::support::place;
use crate::support::site::Site;

const EXIT_CONFIGURATION: i32 = 78;

/// A directory with these catalogs.
fn catalogs(files: &[(&str, &str)]) -> String {
    let directory = place::directory("catalogs");
    for (name, text) in files {
        std::fs::write(directory.join(name), text).unwrap();
    }
    directory.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn only_offered_languages_are_spoken_in_the_operators_words() {
    let site = Site::new().await;
    let own = catalogs(&[("de.ftl", "login-button = Herein\n"), ("fr.ftl", "login-button = Entrez\n")]);
    let settings = site.settings().text("i18n.default_locale", "de").set("i18n.locales", "[\"de\", \"fr\"]");
    let server = site.serve_with(settings.text("i18n.catalog_dir", own)).await;
    for (reason, accept, lang, button) in [
        ("nobody asks", "", "de", "Herein"),
        ("one that is offered", "fr", "fr", "Entrez"),
        ("one that is not", "en", "de", "Herein"),
        ("the next that is", "en, fr;q=0.2", "fr", "Entrez"),
    ] {
        let page = server.ask(Ask::get("/login").header("accept-language", accept)).await.expect(200);
        assert!(page.text().contains(&format!("<html lang=\"{lang}\">")), "{reason}");
        assert!(page.text().contains(&format!(">{button}</button>")), "{reason}: {}", page.text());
        assert!(!page.text().contains("/language?to=en"), "{reason}: what is not offered is no choice");
    }
    let chosen = server.ask(Ask::get("/language?to=en&next=%2Flogin")).await.expect(303);
    assert_eq!(chosen.header("set-cookie"), None, "it cannot be chosen by hand either");
}

#[tokio::test]
async fn a_hole_in_the_operators_words_is_refused_at_the_start() {
    let site = Site::new().await;
    for (reason, files, said) in [
        (
            "no message of ours",
            vec![("en.ftl", "login-butten = x")],
            "en.ftl: login-butten is no message of this build",
        ),
        ("no Fluent", vec![("en.ftl", "login-button = { $x")], "en.ftl: login-button, line 1 is no Fluent"),
        (
            "a letter without its link",
            vec![("en.ftl", "mail-setup-plain = x")],
            "en.ftl: mail-setup-plain has lost $link",
        ),
        ("half of the languages", vec![("en.ftl", "login-button = x")], "de.ftl: login-button is missing"),
        ("none at all", vec![], "holds no catalog"),
    ] {
        let settings = site.settings().text("i18n.catalog_dir", catalogs(&files));
        let (directory, furnished) = site.furnish(settings);
        let config = furnished.write(&directory);
        let served = cli::run(&["serve", "-c", config.to_str().unwrap()], &[]);
        assert_eq!(served.code, EXIT_CONFIGURATION, "{reason}: {}", served.err);
        let checked = cli::run(&["check", "-c", config.to_str().unwrap()], &[]);
        for text in [&served.err, &checked.out] {
            assert!(text.contains("i18n.catalog_dir: ") && text.contains(said), "{reason}: {said} in {text}");
        }
    }
}
