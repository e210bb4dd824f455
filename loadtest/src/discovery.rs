//! Endpoints of the target: RFC 8414 first, OpenID Connect Discovery second, options above both.

use http::Uri;
use serde::Deserialize;

use crate::args::Settings;
use crate::client::Session;
use crate::fault::Fault;

#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names of RFC 8414")]
pub struct Metadata {
    token_endpoint: Option<String>,
    introspection_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
}

/// What a run may need; an endpoint is missed only by who asks for it.
pub struct Endpoints(Metadata);

impl Endpoints {
    pub async fn find(session: &Session, settings: &Settings) -> Result<Self, Fault> {
        let given = Metadata {
            token_endpoint: settings.token_endpoint.clone(),
            introspection_endpoint: settings.introspection_endpoint.clone(),
            revocation_endpoint: settings.revocation_endpoint.clone(),
        };
        if given.token_endpoint.is_some()
            && given.introspection_endpoint.is_some()
            && given.revocation_endpoint.is_some()
        {
            return Ok(Self(given));
        }
        match discover(session, &settings.target).await {
            Ok(found) => Ok(Self(over(given, found))),
            Err(_) if given != Metadata::default() => Ok(Self(given)),
            Err(fault) => Err(fault),
        }
    }

    pub fn token(&self) -> Result<Uri, Fault> {
        endpoint("token_endpoint", self.0.token_endpoint.as_deref())
    }

    pub fn introspection(&self) -> Result<Uri, Fault> {
        endpoint("introspection_endpoint", self.0.introspection_endpoint.as_deref())
    }

    pub fn revocation(&self) -> Result<Uri, Fault> {
        endpoint("revocation_endpoint", self.0.revocation_endpoint.as_deref())
    }
}

async fn discover(session: &Session, target: &Uri) -> Result<Metadata, Fault> {
    let mut seen = Vec::new();
    for path in document_paths(target.path()) {
        let uri = at(target, &path)?;
        let answer = session.find(&uri).await?;
        if answer.status == 200 {
            return serde_json::from_slice(&answer.body).map_err(|e| Fault::Refused(format!("{uri}: {e}")));
        }
        seen.push(format!("{path} answered {}", answer.status.as_u16()));
    }
    Err(Fault::Refused(format!("no discovery document: {}; name the endpoints by option", seen.join(", "))))
}

/// RFC 8414 section 3.1 inserts before the issuer's path, OpenID Connect Discovery section 4 appends.
fn document_paths(issuer_path: &str) -> [String; 2] {
    let path = issuer_path.trim_end_matches('/');
    [format!("/.well-known/oauth-authorization-server{path}"), format!("{path}/.well-known/openid-configuration")]
}

fn at(target: &Uri, path: &str) -> Result<Uri, Fault> {
    let mut parts = target.clone().into_parts();
    parts.path_and_query = Some(path.parse().map_err(|e| Fault::local("path of the target", e))?);
    Uri::from_parts(parts).map_err(|e| Fault::local("URL of the target", e))
}

fn over(given: Metadata, found: Metadata) -> Metadata {
    Metadata {
        token_endpoint: given.token_endpoint.or(found.token_endpoint),
        introspection_endpoint: given.introspection_endpoint.or(found.introspection_endpoint),
        revocation_endpoint: given.revocation_endpoint.or(found.revocation_endpoint),
    }
}

fn endpoint(name: &str, value: Option<&str>) -> Result<Uri, Fault> {
    let text = value.ok_or_else(|| {
        Fault::Refused(format!("the target names no {name}; give it by --{}", name.replace('_', "-")))
    })?;
    let uri: Uri = text.parse().map_err(|e| Fault::Refused(format!("{name} {text}: {e}")))?;
    if uri.scheme_str() == Some("https") && uri.host().is_some() {
        return Ok(uri);
    }
    Err(Fault::Refused(format!("{name} {text} is not an https URL")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_where_the_specifications_put_them() {
        let root = ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"];
        assert_eq!(document_paths("/"), root);
        let tenant = ["/.well-known/oauth-authorization-server/t/a", "/t/a/.well-known/openid-configuration"];
        assert_eq!(document_paths("/t/a"), tenant);
    }

    #[test]
    fn options_stand_above_the_document() {
        let one = |t: &str| Metadata { token_endpoint: Some(t.to_owned()), ..Metadata::default() };
        assert_eq!(over(one("given"), one("found")), one("given"));
        assert_eq!(over(Metadata::default(), one("found")), one("found"));
    }

    #[test]
    fn an_endpoint_must_be_named_and_https() {
        assert!(endpoint("token_endpoint", Some("https://a/b")).is_ok());
        assert!(endpoint("token_endpoint", Some("http://a/b")).is_err());
        assert!(endpoint("token_endpoint", None).is_err());
    }
}
