//! Live tokens of the target, by the client_credentials grant (RFC 6749 section 4.4).

use std::time::Duration;

use http::{HeaderValue, Uri};
use serde::Deserialize;
use tokio::task::JoinSet;

use crate::args::Settings;
use crate::auth;
use crate::client::{Answer, Session, Target, Trust};
use crate::discovery::Endpoints;
use crate::fault::Fault;

/// Gets tokens by the client_credentials grant.
pub struct Issuer {
    pub target: Target,
    pub uri: Uri,
    pub authorization: Option<HeaderValue>,
    pub body: String,
    deadline: Duration,
}

pub struct Issued {
    pub tokens: Vec<String>,
    /// The shortest of their lives.
    pub life: Option<Duration>,
}

pub struct Fresh {
    pub token: String,
    life: Option<Duration>,
    pub server: Option<String>,
}

impl Issuer {
    pub async fn new(settings: &Settings, endpoints: &Endpoints) -> Result<Self, Fault> {
        let uri = endpoints.token()?;
        let mut pairs = vec![("grant_type", "client_credentials")];
        pairs.extend(settings.scope.as_deref().map(|scope| ("scope", scope)));
        pairs.extend(settings.resource.as_deref().map(|resource| ("resource", resource)));
        Ok(Self {
            target: resolve(&uri, settings).await?,
            authorization: auth::authorization(&settings.client, settings.auth)?,
            body: auth::form(&pairs, &settings.client, settings.auth),
            deadline: settings.deadline,
            uri,
        })
    }

    pub async fn open(&self) -> Result<Session, Fault> {
        Ok(Session::open(&self.target, self.deadline).await?.0)
    }

    pub async fn issue(&self, session: &Session) -> Result<Fresh, Fault> {
        let answer = session.post_form(&self.uri, self.authorization.as_ref(), self.body.clone()).await?;
        read_fresh(&self.uri, answer)
    }

    pub async fn issue_many(&self, count: usize) -> Result<Issued, Fault> {
        let session = self.open().await?;
        let mut tasks = JoinSet::new();
        let mut issued = Issued { tokens: Vec::with_capacity(count), life: None };
        for started in 0..count {
            if started >= AT_ONCE {
                issued.add(tasks.join_next().await)?;
            }
            let (session, uri, authorization, body) =
                (session.clone(), self.uri.clone(), self.authorization.clone(), self.body.clone());
            tasks.spawn_local(
                async move { read_fresh(&uri, session.post_form(&uri, authorization.as_ref(), body).await?) },
            );
        }
        while !tasks.is_empty() {
            issued.add(tasks.join_next().await)?;
        }
        match issued.life {
            Some(life) if life < LIFE_MIN => Err(Fault::Refused(format!("tokens live only {} s", life.as_secs()))),
            _ => Ok(issued),
        }
    }
}

impl Issued {
    fn add(&mut self, joined: Option<Result<Result<Fresh, Fault>, tokio::task::JoinError>>) -> Result<(), Fault> {
        let Some(joined) = joined else { return Ok(()) };
        let fresh = joined.map_err(|e| Fault::local("getting tokens", e))??;
        self.life = match (self.life, fresh.life) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.tokens.push(fresh.token);
        Ok(())
    }
}

fn read_fresh(uri: &Uri, answer: Answer) -> Result<Fresh, Fault> {
    #[derive(Deserialize)]
    struct Token {
        access_token: String,
        expires_in: Option<u64>,
    }
    check_ok(uri, &answer)?;
    let token: Token =
        serde_json::from_slice(&answer.body).map_err(|e| Fault::Refused(format!("{}: {e}", uri.path())))?;
    Ok(Fresh { token: token.access_token, life: token.expires_in.map(Duration::from_secs), server: answer.server })
}

/// The error code of RFC 6749 section 5.2 is told, nothing else of the body: it may repeat what was sent.
pub fn check_ok(uri: &Uri, answer: &Answer) -> Result<(), Fault> {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    if answer.status == 200 {
        return Ok(());
    }
    let code = serde_json::from_slice::<Refusal>(&answer.body).map(|r| r.error).unwrap_or_default();
    let code: String = code.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(64).collect();
    Err(Fault::Refused(format!("{} answered {} {code}", uri.path(), answer.status.as_u16()).trim_end().to_owned()))
}

/// Where requests to `uri` go.
pub async fn resolve(uri: &Uri, settings: &Settings) -> Result<Target, Fault> {
    let trust = Trust { ca: &settings.ca, streams: settings.streams, http1: settings.http1 };
    Target::resolve(uri, settings.connect, &trust).await
}

const AT_ONCE: usize = 16;
const LIFE_MIN: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn a_refusal_tells_its_code_and_no_more() {
        let answer = Answer {
            status: http::StatusCode::UNAUTHORIZED,
            server: None,
            retry_after: false,
            headers: http::HeaderMap::new(),
            body: Bytes::from_static(br#"{"error":"invalid_client","error_description":"secret hunter2"}"#),
        };
        let told = check_ok(&Uri::from_static("https://a/t"), &answer).unwrap_err().to_string();
        assert_eq!(told, "/t answered 401 invalid_client");
    }
}
