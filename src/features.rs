//! Every feature of this build, sorted by name: what the router, the jobs and the documents are made of.

use sigid_edge::feature::Feature;

pub static ALL: &[&Feature] = &[
    &sigid_edge::discovery::FEATURE,
    &sigid_edge::health::FEATURE,
    &sigid_edge::introspect::FEATURE,
    &sigid_oidc::keyring::FEATURE,
    &sigid_oidc::revoke::FEATURE,
    &sigid_oidc::token::FEATURE,
    &sigid_platform::jobs::FEATURE,
    &sigid_tenant::clients::FEATURE,
    &sigid_tenant::tenants::FEATURE,
];
