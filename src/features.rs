//! Every feature of this build, sorted by name: what the router, the jobs and the documents are made of.

use sigid_edge::feature::Feature;

pub static ALL: &[&Feature] = &[
    &sigid_account::FEATURE,
    &sigid_edge::discovery::FEATURE,
    &sigid_edge::health::FEATURE,
    &sigid_edge::introspect::FEATURE,
    &sigid_edge::session_check::FEATURE,
    &sigid_login::admin::FEATURE,
    &sigid_login::flows::application::FEATURE,
    &sigid_login::flows::login::FEATURE,
    &sigid_login::flows::recovery::FEATURE,
    &sigid_login::flows::registration::FEATURE,
    &sigid_login::limits::FEATURE,
    &sigid_login::password::FEATURE,
    &sigid_login::sessions::FEATURE,
    &sigid_oidc::bench::FEATURE,
    &sigid_oidc::keyring::FEATURE,
    &sigid_oidc::revoke::FEATURE,
    &sigid_oidc::token::FEATURE,
    &sigid_pages::FEATURE,
    &sigid_platform::bench::FEATURE,
    &sigid_platform::jobs::FEATURE,
    &sigid_platform::mail::FEATURE,
    &sigid_tenant::bench::FEATURE,
    &sigid_tenant::clients::FEATURE,
    &sigid_tenant::tenants::FEATURE,
];

/// What a process mounts: everything, but work on request only where `--bench` asks for it.
pub fn mounted(is_bench: bool) -> Vec<&'static Feature> {
    ALL.iter().copied().filter(|feature| is_bench || feature.name != BENCH).collect()
}

/// The name of the features that give work on request.
const BENCH: &str = "bench";
