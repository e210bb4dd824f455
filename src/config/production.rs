//! Production mode: when it must be on, what it wants beside it, and the operator's checklist.
//!
//! Anything that leaves this machine (issuer, listener, cookie domain, database) without
//! `security.production = true` is refused, so that development's shortcuts cannot slip into service.
//! Production wants the key service, which this build does not have: it therefore always ends here, and
//! still hears of everything else that is missing.

use sigid_core::settings::{Problems, Values, is_local_host};

use super::raw::KMS;
use super::{Config, database};

/// What production depends on, beside the checked configuration.
pub struct Facts<'a> {
    pub config: &'a Config,
    pub server: &'a Values,
    pub database: &'a Values,
    pub security: &'a Values,
    pub email: &'a Values,
}

pub fn check(facts: &Facts<'_>, problems: &mut Problems) {
    if facts.config.security.production {
        check_companions(facts, problems);
    } else if !problems.mentions("security.production") {
        check_local(facts, problems);
    }
}

/// Without production mode nothing may leave this machine.
fn check_local(facts: &Facts<'_>, problems: &mut Problems) {
    let signs = non_local_signs(facts);
    if !signs.is_empty() {
        let what = format!("is not true, yet this reaches beyond this machine: {}", signs.join(", "));
        let cure = "set production = true, or use only loopback addresses and localhost";
        facts.security.refuse(problems, "production", what, cure);
    }
}

/// The settings that name another machine, or let other machines in.
fn non_local_signs(facts: &Facts<'_>) -> Vec<String> {
    let config = facts.config;
    let (issuer, domain) = (config.oidc.issuer_host.as_str(), config.base_domain.as_str());
    let own = [
        ("server.host", !config.server.host.to_canonical().is_loopback()),
        ("server.base_domain", facts.server.is_written("base_domain") && !is_local_host(domain)),
        ("oidc.issuer", !issuer.is_empty() && !is_local_host(issuer)),
    ];
    let own = own.into_iter().filter(|(_, is_sign)| *is_sign).map(|(name, _)| name.to_owned());
    own.chain(database::find_remote(facts.database)).collect()
}

fn check_companions(facts: &Facts<'_>, problems: &mut Problems) {
    problems.add(
        KMS,
        "production needs the key service, and [kms] is not in this build",
        "set security.production = false and stay on localhost until a build has it",
    );
    let (server, database, security) = (facts.server, facts.database, facts.security);
    if !server.is_written("trusted_proxies") && !problems.mentions("server.trusted_proxies") {
        let cure = "list the proxies in front, or write trusted_proxies = [] where there is none";
        server.refuse(problems, "trusted_proxies", "is missing, which production wants written", cure);
    }
    if server.list("allowed_hosts").is_empty() && !problems.mentions("server.allowed_hosts") {
        let cure = "list the hosts this server answers for, such as [\"auth.example.com\"]";
        server.refuse(problems, "allowed_hosts", "is empty, which in production answers any Host header", cure);
    }
    if !database.boolean("require_ssl") && !problems.mentions("database.require_ssl") {
        let cure = "set require_ssl = true";
        database.refuse(problems, "require_ssl", "is not true, which production wants", cure);
    }
    if !facts.email.is_written("provider") && !problems.mentions("email.provider") {
        let cure = "set provider = \"smtp\" or \"http_api\", with its section";
        facts.email.refuse(problems, "provider", "is missing, which production wants", cure);
    }
    if facts.config.security.webhook_allow_non_standard_ports {
        let what = "is true, which production refuses";
        security.refuse(problems, "webhook_allow_non_standard_ports", what, "set it to false");
    }
}

/// One line of the operator's production checklist.
pub struct Item {
    pub item: &'static str,
    pub verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Ok,
    Missing,
    NotInThisBuild,
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missing => "missing",
            Self::NotInThisBuild => "not in this build",
        }
    }
}

/// The checklist of the operator's reference, in its order; then what this build adds.
pub fn checklist(facts: &Facts<'_>, problems: &Problems) -> Vec<Item> {
    let is = |good: bool, key: &str| {
        if good && !problems.mentions(key) { Verdict::Ok } else { Verdict::Missing }
    };
    let (server, database, security) = (facts.server, facts.database, facts.security);
    let webhooks = "security.webhook_allow_non_standard_ports";
    let certificates = !problems.mentions("server.tls.key_pem_path");
    let items = [
        ("security.production = true", is(security.boolean("production"), "security.production")),
        ("[kms] client is configured and the KMS daemon is reachable", Verdict::NotInThisBuild),
        ("server.transport = \"tls_h2_only\" is set", is(server.is_written("transport"), "server.transport")),
        ("server.tls names a certificate and its key", is(certificates, "server.tls.cert_pem_path")),
        (
            "server.trusted_proxies lists only known infrastructure IPs",
            is(server.is_written("trusted_proxies"), "server.trusted_proxies"),
        ),
        (
            "server.allowed_hosts lists only expected domain names",
            is(!server.list("allowed_hosts").is_empty(), "server.allowed_hosts"),
        ),
        ("Database connections require SSL", is(database.boolean("require_ssl"), "database.require_ssl")),
        ("The OIDC issuer URL uses https://", is(!facts.config.oidc.issuer_host.is_empty(), "oidc.issuer")),
        ("Passkey origin uses https://", Verdict::NotInThisBuild),
        ("Outbound proxy is configured for external calls", Verdict::NotInThisBuild),
        (
            "security.webhook_allow_non_standard_ports is false",
            is(!facts.config.security.webhook_allow_non_standard_ports, webhooks),
        ),
        (
            "Email delivery is configured with a production provider",
            is(facts.config.email.settings.is_some(), "email.provider"),
        ),
        (
            "security.root_key_path, where it is set, is its owner's alone",
            is(!facts.config.security.root_key_shared, "security.root_key_path"),
        ),
    ];
    items.into_iter().map(|(item, verdict)| Item { item, verdict }).collect()
}
