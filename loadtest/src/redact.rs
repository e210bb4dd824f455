//! Secrets come in by the command line and must not go out by the report. The command is printed with
//! their values replaced; free text from elsewhere is scrubbed of any secret it happens to contain.

use std::fmt;

/// A secret of the command line: no `Display`, no `Serialize`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: String) -> Self {
        Self(value)
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// The exact command, fit for a shell, secrets replaced.
pub fn command(words: &[String], secrets: &[&Secret]) -> String {
    let mut shown = Vec::with_capacity(words.len());
    let mut hide_next = false;
    for word in words {
        let name = word.split('=').next().unwrap_or_default();
        if hide_next {
            shown.push(REDACTED.to_owned());
            hide_next = false;
        } else if SECRET_OPTIONS.contains(&name) {
            hide_next = !word.contains('=');
            shown.push(if hide_next { word.clone() } else { format!("{name}={REDACTED}") });
        } else {
            shown.push(quoted(&scrubbed(word, secrets)));
        }
    }
    shown.join(" ")
}

/// `text` without any of the secrets. Secrets too short to be told from ordinary text are left to `command`.
pub fn scrubbed(text: &str, secrets: &[&Secret]) -> String {
    let mut clean = text.to_owned();
    for secret in secrets.iter().filter(|s| s.0.len() >= SCRUBBED_LENGTH_MIN) {
        clean = clean.replace(&secret.0, REDACTED);
    }
    clean
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+[]".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

const REDACTED: &str = "[redacted]";
const SECRET_OPTIONS: [&str; 2] = ["--client-secret", "--introspect-client-secret"];
const SCRUBBED_LENGTH_MIN: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &[&str]) -> Vec<String> {
        line.iter().map(|w| (*w).to_owned()).collect()
    }

    #[test]
    fn a_secret_leaves_by_no_spelling_of_its_option() {
        let secret = Secret::new("hunter2-hunter2".to_owned());
        for line in [
            &["x", "--client-secret", "hunter2-hunter2", "--out", "d"][..],
            &["x", "--client-secret=hunter2-hunter2", "--out", "d"],
            &["x", "--introspect-client-secret", "hunter2-hunter2"],
            &["x", "--introspect-client-secret=hunter2-hunter2"],
            &["x", "--scope", "a hunter2-hunter2 b"],
        ] {
            let shown = command(&words(line), &[&secret]);
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(shown.contains("[redacted]"), "{shown}");
        }
    }

    #[test]
    fn short_secrets_are_hidden_in_their_place_only() {
        let secret = Secret::new("a".to_owned());
        let shown = command(&words(&["load", "--client-secret", "a", "--out", "data"]), &[&secret]);
        assert_eq!(shown, "load --client-secret [redacted] --out data");
    }

    #[test]
    fn what_is_not_secret_stays_and_is_quoted_for_a_shell() {
        let shown = command(&words(&["x", "--scope", "a b", "it's"]), &[]);
        assert_eq!(shown, r"x --scope 'a b' 'it'\''s'");
    }

    #[test]
    fn debug_tells_nothing() {
        assert_eq!(format!("{:?}", Secret::new("hunter2".into())), "[secret]");
    }
}
