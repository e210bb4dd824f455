//! What an operator's input could be made to tell or to reach: files that the configuration names, variables that its
//! text seems to name, and registrations through the command line that would open a door.

use std::fs;

use crate::support::cli;
use crate::support::site::Site;

const CANARY: &str = "swordfish-4711";
const EXIT_CONFIGURATION: i32 = 78;

/// A file of the wrong kind is refused by its name; what is in it is not shown, whoever asks.
#[tokio::test]
async fn files_that_the_configuration_names_are_looked_at_and_never_shown() {
    let site = Site::new().await;
    for key in [
        "server.tls.cert_pem_path",
        "server.tls.key_pem_path",
        "server.tls.ca_pem_path",
        "security.root_key_path",
        "database.ca_pem_path",
    ] {
        let (directory, settings) = site.furnish(site.settings());
        fs::write(directory.join("secret"), format!("{CANARY}\nroot:{CANARY}:0:0\n")).unwrap();
        for path in
            ["secret", "./x/../secret", "/proc/self/environ", "/proc/self/cmdline", "/dev/zero", "/dev/null", "/"]
        {
            let config = settings.clone().text(key, path).write(&directory);
            for command in ["check", "serve"] {
                let ended = cli::run(&[command, "-c", config.to_str().unwrap()], &[("CANARY", CANARY)]);
                assert_eq!(ended.code, EXIT_CONFIGURATION, "{command} {key} = {path}: {}{}", ended.out, ended.err);
                assert!(!(ended.out + &ended.err).contains(CANARY), "{command} {key} = {path}");
            }
        }
    }
}

/// The text of a setting is its value: nothing in it is looked up, run or filled in.
#[tokio::test]
async fn nothing_in_the_configuration_is_expanded() {
    let site = Site::new().await;
    let (directory, settings) = site.furnish(site.settings());
    fs::copy(directory.join("server.pem"), directory.join(CANARY)).unwrap();
    for template in [
        "${CANARY}",
        "$CANARY",
        "%CANARY%",
        "{{ env.CANARY }}",
        "{{CANARY}}",
        "$(printenv CANARY)",
        "`printenv CANARY`",
        "#{ENV['CANARY']}",
        "<%= ENV['CANARY'] %>",
        "file://secret",
        "env:CANARY",
        "@secret",
    ] {
        let config = settings.clone().text("server.tls.cert_pem_path", template).write(&directory);
        let ended = cli::run(&["check", "-c", config.to_str().unwrap()], &[("CANARY", CANARY)]);
        assert_eq!(ended.code, EXIT_CONFIGURATION, "{template}: {}", ended.out);
        assert!(!ended.out.contains(CANARY), "{template}: {}", ended.out);
    }
}

/// Registration through the command line is the same narrow gate as any other: a refused client is not there.
#[tokio::test]
async fn registrations_that_would_open_a_door_are_refused_at_the_command_line() {
    let site = Site::new().await;
    let public = ["--token-endpoint-auth-method", "none"];
    let redirect = |uri: &'static str| [&public[..], &["--redirect-uri", uri]].concat();
    let private =
        r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"AA"}]}"#;
    let symmetric = r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#;
    let service = |flags: &[&'static str]| [&["--grant-type", "client_credentials"][..], flags].concat();
    let signs = |keys: &'static str| service(&["--token-endpoint-auth-method", "private_key_jwt", "--jwks", keys]);
    // What is sent, and the word that the refusal must hold.
    let rows: Vec<(&str, Vec<&str>, &str)> = vec![
        ("a dot segment with a parameter", redirect("https://app.example/..;/cb"), "redirect_uris"),
        ("escaped dots", redirect("https://app.example/%2e%2e/cb"), "redirect_uris"),
        ("a backslash", redirect("https://app.example\\@evil.example/cb"), "redirect_uris"),
        ("somebody's name", redirect("https://app.example@evil.example/cb"), "redirect_uris"),
        ("a wildcard", redirect("https://*.example/cb"), "redirect_uris"),
        ("a fragment", redirect("https://app.example/cb#x"), "redirect_uris"),
        ("a response parameter", redirect("https://app.example/cb?code=1"), "redirect_uris"),
        ("script", redirect("javascript:alert(1)"), "redirect_uris"),
        ("no TLS", redirect("http://app.example/cb"), "redirect_uris"),
        ("a host that a browser rewrites", redirect("https://127.1/cb"), "redirect_uris"),
        ("a host in decimal", redirect("https://2130706433/cb"), "redirect_uris"),
        ("an end of line", redirect("https://app.example/cb\r\nlocation: https://evil.example"), "redirect_uris"),
        ("a private key", signs(private), "jwks"),
        ("a symmetric key", signs(symmetric), "jwks"),
        ("a grant that is none", vec!["--grant-type", "password"], "grant_type"),
        ("a method of later", service(&["--token-endpoint-auth-method", "tls_client_auth"]), "auth_method"),
        ("a scope with a quote", service(&["--scope", "read\"write"]), "scope"),
        ("an audience with somebody's name", service(&["--audience", "https://a@b.example"]), "audience"),
        ("an audience with a fragment", service(&["--audience", "https://api.example#x"]), "audience"),
        ("an audience that is taken", service(&["--audience", crate::support::seed::API]), "audience"),
        ("an id with a slash", service(&["--client-id", "../admin"]), "client-id"),
        ("an id with an escape", service(&["--client-id", "a%00b"]), "client-id"),
        ("a name that turns the text around", service(&["--client-name", "good\u{202e}live"]), "client_name"),
    ];
    let count = || site.admin(&["client", "list", "--tenant", "one"]).json();
    let before = count();
    for (reason, flags, word) in rows {
        let ended = site.admin(&[&["client", "create", "--tenant", "one"][..], &flags].concat());
        let said = ended.out + &ended.err;
        assert!(ended.code != 0 && said.contains(word), "{reason}: exit {}: {said}", ended.code);
    }
    assert_eq!(count(), before, "nothing was registered on the way");
}
