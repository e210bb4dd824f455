//! Tokens that must be answered inactive: expired, revoked, malformed, foreign.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::args::Settings;
use crate::auth;
use crate::client::Session;
use crate::discovery::Endpoints;
use crate::fault::Fault;
use crate::issuer::{Issued, Issuer, check_ok, resolve};
use crate::progress::say;
use crate::rng::Rng;
use crate::scenario::introspect::{Card, Expect, judge};
use crate::setup::card;

/// Cards of the kinds that must be answered inactive, with their weights.
pub type DeadKinds = Vec<(u32, Vec<Card>)>;

/// Makes the tokens that are not live.
pub struct Dealer<'a> {
    pub settings: &'a Settings,
    pub endpoints: &'a Endpoints,
    pub issuer: &'a Issuer,
}

impl Dealer<'_> {
    pub async fn dead_kinds(&self) -> Result<DeadKinds, Fault> {
        let mix = self.settings.mix;
        let mut kinds = Vec::new();
        if mix.expired > 0 {
            kinds.push((mix.expired, self.expired().await?));
        }
        if mix.revoked > 0 {
            kinds.push((mix.revoked, self.revoked().await?));
        }
        if mix.malformed + mix.foreign > 0 {
            let sample = self.issuer.issue(&self.issuer.open().await?).await?.token;
            kinds.push((mix.malformed, malformed(&sample)));
            kinds.push((mix.foreign, foreign(&sample, self.settings.seed)));
        }
        Ok(kinds.into_iter().map(|(weight, tokens)| (weight, self.cards(&tokens))).collect())
    }

    fn cards(&self, tokens: &[String]) -> Vec<Card> {
        tokens.iter().map(|token| card(self.settings, token, Expect::Dead)).collect()
    }

    async fn expired(&self) -> Result<Vec<String>, Fault> {
        if let Some(path) = &self.settings.expired_tokens {
            let text = std::fs::read_to_string(path).map_err(|e| Fault::local(&path.display().to_string(), e))?;
            let tokens: Vec<String> =
                text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect();
            return if tokens.is_empty() {
                Err(Fault::Usage(format!("no token in {}", path.display())))
            } else {
                Ok(tokens)
            };
        }
        let issued = self.issuer.issue_many(DEAD_TOKENS).await?;
        if let Some(file) = &self.settings.clock_offset_file {
            self.expire_by_clock(file, &issued).await?;
            return Ok(issued.tokens);
        }
        let life = issued.life.ok_or_else(|| {
            Fault::Refused("the target does not tell expires_in; give --expired-tokens FILE".to_owned())
        })?;
        if life > EXPIRY_WAIT_MAX {
            return Err(Fault::Usage(format!(
                "tokens live {} s, too long to wait for; give --expired-tokens FILE or --clock-offset-file FILE",
                life.as_secs()
            )));
        }
        say(&format!("waiting {} s for tokens to expire", life.as_secs() + 1));
        tokio::time::sleep(life + Duration::from_secs(1)).await;
        Ok(issued.tokens)
    }

    /// Steps the target's clock over the end of their life, and waits until the target has noticed.
    async fn expire_by_clock(&self, file: &Path, issued: &Issued) -> Result<(), Fault> {
        let fault = |e: std::io::Error| Fault::local(&file.display().to_string(), e);
        let shift_s: i64 = match std::fs::read_to_string(file) {
            Ok(text) => text.trim().parse().unwrap_or(0),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => 0,
            Err(e) => return Err(fault(e)),
        };
        let life_s = issued.life.map_or(3600, |life| life.as_secs() as i64);
        // By rename: the target reads it every second, and must not read half of it.
        let next = file.with_extension("next");
        std::fs::write(&next, format!("{}\n", shift_s + life_s + 1)).map_err(fault)?;
        std::fs::rename(&next, file).map_err(fault)?;
        say(&format!("stepping the target's clock by {} s, so that {} tokens expire", life_s + 1, issued.tokens.len()));
        let token = issued.tokens.last().map(String::as_str).unwrap_or_default();
        let uri = self.endpoints.introspection()?;
        let (session, _) = Session::open(&resolve(&uri, self.settings).await?, self.settings.deadline).await?;
        let authorization = auth::authorization(&self.settings.introspect_client, self.settings.auth)?;
        let until = Instant::now() + CLOCK_STEP_MAX;
        while Instant::now() < until {
            let body = auth::form(&[("token", token)], &self.settings.introspect_client, self.settings.auth);
            let answer = session.post_form(&uri, authorization.as_ref(), body).await?;
            if answer.status == 200 && judge(&Expect::Dead, &answer.body).is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(Fault::Refused(format!("tokens do not expire by {}: is the target started with it?", file.display())))
    }

    async fn revoked(&self) -> Result<Vec<String>, Fault> {
        let uri = self.endpoints.revocation()?;
        let (session, _) = Session::open(&resolve(&uri, self.settings).await?, self.settings.deadline).await?;
        let issued = self.issuer.issue_many(DEAD_TOKENS).await?;
        for token in &issued.tokens {
            let body = auth::form(&[("token", token)], &self.settings.client, self.settings.auth);
            let answer = session.post_form(&uri, self.issuer.authorization.as_ref(), body).await?;
            check_ok(&uri, &answer)?;
        }
        say(&format!("{} revoked tokens", issued.tokens.len()));
        Ok(issued.tokens)
    }
}

/// Damaged in ways that reach different depths of a parser; none of them empty, which is another error.
fn malformed(sample: &str) -> Vec<String> {
    let half = sample.get(..sample.len() / 2).unwrap_or("x");
    let mut other_end = sample.to_owned();
    let last = other_end.pop();
    other_end.push(if last == Some('A') { 'B' } else { 'A' });
    let fixed = [
        "x",
        "null",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "..",
        "e30.e30.",
        "!!!.???.###",
        "Bearer abc",
        "{\"active\":true}",
        "\u{1f511}",
    ];
    let mut tokens: Vec<String> = fixed.map(str::to_owned).into();
    tokens.extend([half.to_owned(), format!("{sample}A"), format!("{sample}.{half}"), other_end, "A".repeat(6000)]);
    tokens
}

/// Well-formed tokens nobody here has signed: half of another issuer, half under the target's own key id.
fn foreign(sample: &str, seed: u64) -> Vec<String> {
    let mut rng = Rng::seeded(seed, u64::MAX);
    let ours = sample.split('.').next().filter(|_| sample.split('.').count() == 3);
    let now_s = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    (0..DEAD_TOKENS)
        .map(|index| {
            let theirs = format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{:016x}"}}"#, rng.next());
            let theirs = URL_SAFE_NO_PAD.encode(theirs);
            let header = ours.filter(|_| index % 2 == 0).unwrap_or(&theirs);
            let claims = format!(
                r#"{{"iss":"https://elsewhere.example","sub":"nobody","aud":"https://elsewhere.example","client_id":"nobody","iat":{now_s},"exp":{},"jti":"{:016x}"}}"#,
                now_s + 86_400,
                rng.next()
            );
            let mut signature = [0; 64];
            rng.fill(&mut signature);
            format!("{header}.{}.{}", URL_SAFE_NO_PAD.encode(claims), URL_SAFE_NO_PAD.encode(signature))
        })
        .collect()
}

const DEAD_TOKENS: usize = 64;
const EXPIRY_WAIT_MAX: Duration = Duration::from_mins(5);
const CLOCK_STEP_MAX: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_and_foreign_tokens_are_neither_empty_nor_the_sample() {
        let sample = format!(
            "{}.{}.c2ln",
            URL_SAFE_NO_PAD.encode(r#"{"kid":"ours"}"#),
            URL_SAFE_NO_PAD.encode(r#"{"jti":"1"}"#)
        );
        let mut all = malformed(&sample);
        all.extend(malformed("opaque"));
        let foreign = foreign(&sample, 1);
        assert!(foreign.iter().filter(|t| t.starts_with(sample.split('.').next().unwrap())).count() == DEAD_TOKENS / 2);
        all.extend(foreign);
        assert!(all.iter().all(|t| !t.is_empty() && *t != sample && t != "opaque"));
    }
}
