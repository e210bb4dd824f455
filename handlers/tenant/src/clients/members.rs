//! The members of a registration document, in one table.
//!
//! Sources: RFC 7591 section 2, OpenID Connect Dynamic Registration 1.0 section 2, RP-Initiated, Front-
//! and Back-Channel Logout, RFC 8705, RFC 9101, RFC 9126, RFC 9396, RFC 9449, RFC 9701, CIBA. `resource` and
//! `audience` are ours. The command line derives its flags from this table and the model its checks of
//! form, so a member that is listed here is reachable and bounded everywhere.
//!
//! A member of a feature that this build has not is refused by name: accepting `dpop_bound_access_tokens`
//! without binding anything would be a promise not kept. Its harmless value (`false`, nothing) passes.
//! Members that nobody here knows are ignored, as RFC 7591 section 2 asks.

/// One member of the document.
pub struct Member {
    /// The name in the document.
    pub name: &'static str,
    /// The name of its flag, without the hyphens; arrays as repeated singulars.
    pub flag: &'static str,
    pub shape: Shape,
    pub standing: Standing,
    pub help: &'static str,
}

/// The JSON form of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A string.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number of seconds.
    Seconds,
    /// An array of strings.
    List,
    /// A string of words parted by spaces.
    Words,
    /// An object.
    Object,
}

/// Where a member lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Has a field of its own in the model and a column in the table.
    Field,
    /// Kept as registered.
    Metadata,
    /// Known, and not in this build.
    Absent,
}

/// The member of that name.
pub fn find(name: &str) -> Option<&'static Member> {
    MEMBERS.iter().find(|member| member.name == name)
}

const fn member(
    name: &'static str,
    flag: &'static str,
    shape: Shape,
    standing: Standing,
    help: &'static str,
) -> Member {
    Member { name, flag, shape, standing, help }
}

use Shape::{Flag, List, Object, Seconds, Text, Words};
use Standing::{Absent, Field, Metadata};

/// Every member, in the order of the command line's help.
#[rustfmt::skip]
pub const MEMBERS: &[Member] = &[
    member("client_name", "client-name", Text, Field, "Name shown to people"),
    member("token_endpoint_auth_method", "token-endpoint-auth-method", Text, Field, "client_secret_basic (default), client_secret_post, private_key_jwt or none"),
    member("grant_types", "grant-type", List, Field, "authorization_code (default), refresh_token, client_credentials"),
    member("response_types", "response-type", List, Field, "code, when the client uses authorization_code"),
    member("scope", "scope", Words, Field, "Scope the client may ask for"),
    member("resource", "resource", List, Field, "Resource (RFC 8707) the client may ask for; the first is the default"),
    member("audience", "audience", List, Field, "The client is this resource server; unique in its tenant"),
    member("redirect_uris", "redirect-uri", List, Field, "Where authorization responses may go, matched exactly"),
    member("post_logout_redirect_uris", "post-logout-redirect-uri", List, Field, "Where a browser may go after logout"),
    member("jwks", "jwks", Object, Field, "Public keys of the client, a JWK Set as JSON"),
    member("client_uri", "client-uri", Text, Metadata, "Home page of the client"),
    member("logo_uri", "logo-uri", Text, Metadata, "Logo of the client"),
    member("contacts", "contact", List, Metadata, "Somebody responsible, usually an e-mail address"),
    member("tos_uri", "tos-uri", Text, Metadata, "Terms of service"),
    member("policy_uri", "policy-uri", Text, Metadata, "Privacy policy"),
    member("software_id", "software-id", Text, Metadata, "Identifies the software in all its installations"),
    member("software_version", "software-version", Text, Metadata, "Version of the software"),
    member("application_type", "application-type", Text, Metadata, "web (default) or native"),
    member("subject_type", "subject-type", Text, Metadata, "public (default) or pairwise"),
    member("sector_identifier_uri", "sector-identifier-uri", Text, Metadata, "https address whose host names the sector of pairwise subjects"),
    member("id_token_signed_response_alg", "id-token-signed-response-alg", Text, Metadata, "ES256 or EdDSA"),
    member("token_endpoint_auth_signing_alg", "token-endpoint-auth-signing-alg", Text, Metadata, "Algorithm of private_key_jwt"),
    member("default_max_age", "default-max-age", Seconds, Metadata, "Oldest login accepted, in seconds, where a request says nothing"),
    member("require_auth_time", "require-auth-time", Flag, Metadata, "ID tokens always carry auth_time"),
    member("default_acr_values", "default-acr-value", List, Metadata, "Authentication context asked for where a request says nothing"),
    member("initiate_login_uri", "initiate-login-uri", Text, Metadata, "https address that begins a login at the client"),
    member("jwks_uri", "jwks-uri", Text, Absent, "Address of the client's public keys"),
    member("software_statement", "software-statement", Text, Absent, "Signed statement about the software"),
    member("request_uris", "request-uri", List, Absent, "Addresses of request objects"),
    member("request_object_signing_alg", "request-object-signing-alg", Text, Absent, "Algorithm of signed request objects"),
    member("request_object_encryption_alg", "request-object-encryption-alg", Text, Absent, "Key encryption of request objects"),
    member("request_object_encryption_enc", "request-object-encryption-enc", Text, Absent, "Content encryption of request objects"),
    member("require_signed_request_object", "require-signed-request-object", Flag, Absent, "Only signed request objects"),
    member("require_pushed_authorization_requests", "require-pushed-authorization-requests", Flag, Absent, "Only pushed authorization requests"),
    member("id_token_encrypted_response_alg", "id-token-encrypted-response-alg", Text, Absent, "Key encryption of ID tokens"),
    member("id_token_encrypted_response_enc", "id-token-encrypted-response-enc", Text, Absent, "Content encryption of ID tokens"),
    member("userinfo_signed_response_alg", "userinfo-signed-response-alg", Text, Absent, "Algorithm of signed UserInfo answers"),
    member("userinfo_encrypted_response_alg", "userinfo-encrypted-response-alg", Text, Absent, "Key encryption of UserInfo answers"),
    member("userinfo_encrypted_response_enc", "userinfo-encrypted-response-enc", Text, Absent, "Content encryption of UserInfo answers"),
    member("introspection_signed_response_alg", "introspection-signed-response-alg", Text, Absent, "Algorithm of signed introspection answers"),
    member("introspection_encrypted_response_alg", "introspection-encrypted-response-alg", Text, Absent, "Key encryption of introspection answers"),
    member("introspection_encrypted_response_enc", "introspection-encrypted-response-enc", Text, Absent, "Content encryption of introspection answers"),
    member("authorization_signed_response_alg", "authorization-signed-response-alg", Text, Absent, "Algorithm of signed authorization responses"),
    member("authorization_details_types", "authorization-details-type", List, Absent, "Types of authorization details (RFC 9396)"),
    member("dpop_bound_access_tokens", "dpop-bound-access-tokens", Flag, Absent, "Only tokens bound by DPoP"),
    member("tls_client_certificate_bound_access_tokens", "tls-client-certificate-bound-access-tokens", Flag, Absent, "Only tokens bound to a client certificate"),
    member("tls_client_auth_subject_dn", "tls-client-auth-subject-dn", Text, Absent, "Subject of the client certificate"),
    member("tls_client_auth_san_dns", "tls-client-auth-san-dns", Text, Absent, "DNS name in the client certificate"),
    member("tls_client_auth_san_uri", "tls-client-auth-san-uri", Text, Absent, "URI in the client certificate"),
    member("tls_client_auth_san_ip", "tls-client-auth-san-ip", Text, Absent, "Address in the client certificate"),
    member("tls_client_auth_san_email", "tls-client-auth-san-email", Text, Absent, "E-mail address in the client certificate"),
    member("frontchannel_logout_uri", "frontchannel-logout-uri", Text, Absent, "Logout page of the client, loaded in the browser"),
    member("frontchannel_logout_session_required", "frontchannel-logout-session-required", Flag, Absent, "The front-channel logout names the session"),
    member("backchannel_logout_uri", "backchannel-logout-uri", Text, Absent, "Where logout tokens are sent"),
    member("backchannel_logout_session_required", "backchannel-logout-session-required", Flag, Absent, "Logout tokens name the session"),
    member("backchannel_token_delivery_mode", "backchannel-token-delivery-mode", Text, Absent, "How CIBA delivers tokens"),
    member("backchannel_client_notification_endpoint", "backchannel-client-notification-endpoint", Text, Absent, "Where CIBA notifies the client"),
    member("backchannel_authentication_request_signing_alg", "backchannel-authentication-request-signing-alg", Text, Absent, "Algorithm of signed CIBA requests"),
    member("backchannel_user_code_parameter", "backchannel-user-code-parameter", Flag, Absent, "CIBA requests carry a user code"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_and_flags_are_unique_and_related() {
        let names: BTreeSet<_> = MEMBERS.iter().map(|member| member.name).collect();
        let flags: BTreeSet<_> = MEMBERS.iter().map(|member| member.flag).collect();
        assert_eq!(names.len(), MEMBERS.len());
        assert_eq!(flags.len(), MEMBERS.len());
        for Member { name, flag, shape, .. } in MEMBERS {
            let kebab = name.replace('_', "-");
            let singular = kebab.strip_suffix('s').filter(|_| *shape == Shape::List);
            assert!(*flag == kebab || Some(*flag) == singular, "{name} is spelled {flag}");
        }
    }
}
