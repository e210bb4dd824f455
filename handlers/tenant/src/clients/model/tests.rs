#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;

fn document(text: &str) -> Document {
    serde_json::from_str(text).unwrap()
}

fn check(text: &str) -> Result<Registration, RegistrationFault> {
    Registration::check(&document(text))
}

const KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;

#[test]
fn what_is_not_said_has_the_standard_meaning() {
    let web = check(r#"{"redirect_uris":["https://a.example/cb"]}"#).unwrap();
    assert_eq!(web.auth_method, AuthMethod::ClientSecretBasic);
    assert_eq!(web.grant_types, [GrantType::AuthorizationCode]);
    assert_eq!(web.response_types(), ["code"]);
    let server = check(r#"{"audience":["https://api.example"]}"#).unwrap();
    assert_eq!(server.grant_types, [], "a resource server asks for nothing");
    assert_eq!(server.response_types(), [""; 0]);
}

#[test]
fn good_documents() {
    let rows = [
        (r#"{"grant_types":["client_credentials"],"scope":"b a","resource":["https://api.example"]}"#, "service"),
        (r#"{"grant_types":["authorization_code","refresh_token"],"redirect_uris":["https://a.example/cb"]}"#, "web"),
        (
            r#"{"token_endpoint_auth_method":"none","redirect_uris":["http://127.0.0.1:9/cb"],"response_types":["code"]}"#,
            "single-page application",
        ),
        (
            r#"{"token_endpoint_auth_method":"none","application_type":"native","redirect_uris":["com.example.app:/cb"]}"#,
            "native application",
        ),
        (r#"{"grant_types":[],"audience":["urn:example:api"]}"#, "resource server, said"),
        (
            r#"{"grant_types":["client_credentials"],"contacts":["ops@example.com"],"client_uri":"https://a.example"}"#,
            "contacts",
        ),
        (
            r#"{"grant_types":["client_credentials"],"default_max_age":0,"require_auth_time":true,"default_acr_values":["1"]}"#,
            "OpenID defaults",
        ),
        (r#"{"grant_types":["client_credentials"],"favourite_colour":"blue"}"#, "unknown members are ignored"),
        (r#"{"grant_types":["client_credentials"],"dpop_bound_access_tokens":false,"jwks_uri":""}"#, "harmless values"),
        (r#"{"grant_types":["client_credentials"],"client_name":null,"scope":""}"#, "nothing said"),
    ];
    for (text, why) in rows {
        let registration = check(text).unwrap_or_else(|fault| panic!("{why}: {fault}"));
        let canonical = registration.document();
        assert_eq!(Registration::check(&canonical), Ok(registration), "{why}: canonical");
    }
    let by_key = format!(
        r#"{{"token_endpoint_auth_method":"private_key_jwt","grant_types":["client_credentials"],"jwks":{{"keys":[{KEY}]}}}}"#
    );
    assert!(check(&by_key).is_ok(), "private_key_jwt");
}

#[test]
fn bad_documents() {
    let rows = [
        ("{}", "redirect_uris", "the code grant without an address"),
        (r#"{"redirect_uris":["http://a.example/cb"]}"#, "redirect_uris", "http"),
        (r#"{"redirect_uris":"https://a.example/cb"}"#, "redirect_uris", "a string for an array"),
        (r#"{"redirect_uris":["https://a.example/cb","https://a.example/cb"]}"#, "redirect_uris", "twice"),
        (r#"{"redirect_uris":["com.example.app:/cb"],"application_type":"native"}"#, "redirect_uris", "confidential"),
        (
            r#"{"redirect_uris":["com.example.app:/cb"],"token_endpoint_auth_method":"none"}"#,
            "redirect_uris",
            "a web application has no scheme of its own",
        ),
        (
            r#"{"redirect_uris":["https://a.example/cb"],"post_logout_redirect_uris":["https://a.example/../x"]}"#,
            "post_logout_redirect_uris",
            "dot segment",
        ),
        (r#"{"token_endpoint_auth_method":"magic"}"#, "token_endpoint_auth_method", "unknown method"),
        (r#"{"token_endpoint_auth_method":"tls_client_auth"}"#, "token_endpoint_auth_method", "not in this build"),
        (r#"{"token_endpoint_auth_method":["none"]}"#, "token_endpoint_auth_method", "an array for a string"),
        (r#"{"grant_types":["implicit"]}"#, "grant_types", "implicit"),
        (r#"{"grant_types":["password"]}"#, "grant_types", "password"),
        (r#"{"grant_types":["urn:openid:params:grant-type:ciba"]}"#, "grant_types", "not in this build"),
        (r#"{"grant_types":["magic"]}"#, "grant_types", "unknown grant"),
        (r#"{"grant_types":["refresh_token"]}"#, "grant_types", "nothing to refresh"),
        (r#"{"grant_types":["client_credentials"],"token_endpoint_auth_method":"none"}"#, "grant_types", "public"),
        (r#"{"audience":["https://a.example"],"token_endpoint_auth_method":"none"}"#, "audience", "public"),
        (r#"{"grant_types":["client_credentials"],"response_types":["code"]}"#, "response_types", "no code grant"),
        (
            r#"{"redirect_uris":["https://a.example/cb"],"response_types":["code id_token"]}"#,
            "response_types",
            "hybrid",
        ),
        (r#"{"grant_types":["client_credentials"],"scope":"a  b"}"#, "scope", "two spaces"),
        (r#"{"grant_types":["client_credentials"],"scope":"a\"b"}"#, "scope", "quote"),
        (r#"{"grant_types":["client_credentials"],"scope":["a"]}"#, "scope", "an array for words"),
        (r#"{"grant_types":["client_credentials"],"resource":["/api"]}"#, "resource", "relative"),
        (r#"{"grant_types":["client_credentials"],"resource":["https://a.example/#x"]}"#, "resource", "fragment"),
        (r#"{"audience":["https://a.example","https://a.example/"]}"#, "audience", "one resource, two spellings"),
        (r#"{"token_endpoint_auth_method":"private_key_jwt","grant_types":["client_credentials"]}"#, "jwks", "no keys"),
        (r#"{"grant_types":["client_credentials"],"jwks":{"keys":[]}}"#, "jwks", "empty set"),
        (r#"{"grant_types":["client_credentials"],"jwks":[]}"#, "", "an empty array says nothing"),
        (r#"{"grant_types":["client_credentials"],"jwks":"x"}"#, "jwks", "a string for an object"),
        (r#"{"grant_types":["client_credentials"],"jwks":{"keys":[{"kty":"oct","k":"AAAA"}]}}"#, "jwks", "symmetric"),
        (
            r#"{"grant_types":["client_credentials"],"jwks_uri":"https://a.example/jwks"}"#,
            "jwks_uri",
            "not in this build",
        ),
        (
            r#"{"grant_types":["client_credentials"],"request_uris":["https://a.example/r"]}"#,
            "request_uris",
            "not in this build",
        ),
        (
            r#"{"grant_types":["client_credentials"],"dpop_bound_access_tokens":true}"#,
            "dpop_bound_access_tokens",
            "a promise",
        ),
        (r#"{"grant_types":["client_credentials"],"client_uri":"javascript:alert(1)"}"#, "client_uri", "a script"),
        (r#"{"grant_types":["client_credentials"],"logo_uri":"http://169.254.169.254/"}"#, "logo_uri", "http"),
        (
            r#"{"grant_types":["client_credentials"],"initiate_login_uri":"http://127.0.0.1/"}"#,
            "initiate_login_uri",
            "http",
        ),
        (r#"{"grant_types":["client_credentials"],"client_name":"a\u202eb"}"#, "client_name", "direction override"),
        (r#"{"grant_types":["client_credentials"],"client_name":"a\nb"}"#, "client_name", "newline"),
        (r#"{"grant_types":["client_credentials"],"contacts":["a\r\nBcc: x"]}"#, "contacts", "newline"),
        (r#"{"grant_types":["client_credentials"],"subject_type":"secret"}"#, "subject_type", "unknown"),
        (r#"{"grant_types":["client_credentials"],"application_type":"toaster"}"#, "application_type", "unknown"),
        (
            r#"{"grant_types":["client_credentials"],"id_token_signed_response_alg":"none"}"#,
            "id_token_signed_response_alg",
            "none",
        ),
        (
            r#"{"grant_types":["client_credentials"],"id_token_signed_response_alg":"HS256"}"#,
            "id_token_signed_response_alg",
            "HS256",
        ),
        (r#"{"grant_types":["client_credentials"],"default_max_age":-1}"#, "default_max_age", "negative"),
        (r#"{"grant_types":["client_credentials"],"default_max_age":1.5}"#, "default_max_age", "a fraction"),
        (
            r#"{"grant_types":["client_credentials"],"require_auth_time":"yes"}"#,
            "require_auth_time",
            "a string for a flag",
        ),
        (
            r#"{"grant_types":["client_credentials"],"token_endpoint_auth_signing_alg":"ES256"}"#,
            "token_endpoint_auth_signing_alg",
            "without private_key_jwt",
        ),
    ];
    for (text, member, why) in rows {
        let found = check(text).err().map_or("", |fault| fault.member);
        assert_eq!(found, member, "{why}: {text}");
    }
    let private = KEY.replace("\"kty\"", "\"d\":\"AAAA\",\"kty\"");
    let text = format!(r#"{{"grant_types":["client_credentials"],"jwks":{{"keys":[{private}]}}}}"#);
    assert_eq!(check(&text).err().map(|fault| fault.member), Some("jwks"), "a private key");
}

#[test]
fn a_fault_has_the_code_of_rfc_7591() {
    let code = |text: &str| check(text).err().map(|fault| fault.code());
    assert_eq!(code("{}"), Some("invalid_redirect_uri"));
    assert_eq!(code(r#"{"grant_types":["implicit"]}"#), Some("invalid_client_metadata"));
}

#[test]
fn changes_replace_members() {
    let web =
        check(r#"{"client_name":"Web","redirect_uris":["https://a.example/cb"],"client_uri":"https://a.example"}"#)
            .unwrap();
    let changed = web.changed(&document(r#"{"client_name":"New","client_uri":""}"#)).unwrap();
    assert_eq!(changed.client_name.as_deref(), Some("New"));
    assert!(changed.metadata.is_empty(), "an empty value takes a member away");
    assert_eq!(changed.redirect_uris, web.redirect_uris, "the others stay");
    let service = web.changed(&document(r#"{"grant_types":["client_credentials"],"redirect_uris":[]}"#)).unwrap();
    assert_eq!(service.response_types(), [""; 0], "follows the grant types");
    let none = service.changed(&document(r#"{"grant_types":[]}"#)).unwrap();
    assert_eq!(none.grant_types, [], "no grants is a thing to say");
    assert!(web.changed(&document(r#"{"redirect_uris":[]}"#)).is_err(), "still checked as a whole");
}

#[test]
fn a_resource_has_at_most_two_spellings() {
    let rows: [(&str, &[&str]); 5] = [
        ("https://a.example", &["https://a.example", "https://a.example/"]),
        ("https://a.example/", &["https://a.example/", "https://a.example"]),
        ("https://a.example?x", &["https://a.example?x", "https://a.example/?x"]),
        ("https://a.example/v1", &["https://a.example/v1"]),
        ("urn:example:api", &["urn:example:api"]),
    ];
    for (uri, all) in rows {
        assert_eq!(spellings(uri), all, "{uri}");
    }
}
