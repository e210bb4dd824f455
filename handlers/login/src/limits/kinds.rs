//! Which limits there are, where their counters lie, and how it is named whose they are.

use super::model::Rule;
use super::table::Table;
use super::{ACCOUNT_COUNTERS_MAX, MINUTE_S, NETWORK_SHARES_MAX, OTHER_COUNTERS_MAX};
use ring::hmac;
use sigid_core::secret::Secret;
use std::net::IpAddr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    Account,
    Address,
    Network,
    Device,
    KnownDevices,
    Registration,
    RegistrationNetwork,
    Notices,
    Guesses,
}

impl Limit {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Address => "address",
            Self::Network => "network",
            Self::Device => "device",
            Self::KnownDevices => "known_devices",
            Self::Registration => "registration",
            Self::RegistrationNetwork => "registration_network",
            Self::Notices => "notices",
            Self::Guesses => "guesses",
        }
    }
}

pub(super) struct Tables {
    account: Table,
    address: Table,
    network: Table,
    device: Table,
    known_devices: Table,
    registration: Table,
    registration_network: Table,
    notices: Table,
    guesses: Table,
}

impl Tables {
    pub(super) fn new() -> Self {
        let other = |limit: Limit| Table::new(limit.name(), OTHER_COUNTERS_MAX);
        Self {
            account: Table::new(Limit::Account.name(), ACCOUNT_COUNTERS_MAX),
            address: other(Limit::Address),
            network: other(Limit::Network),
            device: other(Limit::Device),
            known_devices: other(Limit::KnownDevices),
            registration: other(Limit::Registration),
            registration_network: other(Limit::RegistrationNetwork),
            notices: other(Limit::Notices),
            guesses: other(Limit::Guesses),
        }
    }

    pub(super) fn of(&self, limit: Limit) -> &Table {
        match limit {
            Limit::Account => &self.account,
            Limit::Address => &self.address,
            Limit::Network => &self.network,
            Limit::Device => &self.device,
            Limit::KnownDevices => &self.known_devices,
            Limit::Registration => &self.registration,
            Limit::RegistrationNetwork => &self.registration_network,
            Limit::Notices => &self.notices,
            Limit::Guesses => &self.guesses,
        }
    }

    pub(super) fn all(&self) -> [&Table; 9] {
        [
            &self.account,
            &self.address,
            &self.network,
            &self.device,
            &self.known_devices,
            &self.registration,
            &self.registration_network,
            &self.notices,
            &self.guesses,
        ]
    }
}

/// Names counters: 16 bytes of an HMAC, the same on every node.
pub(super) struct Digests(hmac::Key);

impl Digests {
    pub(super) fn new(key: &Secret<[u8; 32]>) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.expose()))
    }

    /// Each part goes in with its length, so that no two lists are one.
    pub(super) fn of(&self, parts: &[&[u8]]) -> u128 {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let bytes = context.sign().as_ref().first_chunk().copied().unwrap_or_default();
        // 0 is a free place.
        u128::from_be_bytes(bytes).max(1)
    }
}

pub(super) fn shown(key: u128) -> String {
    format!("{key:032x}")
}

/// A network spends as much as eight of its parts.
pub(super) fn network_rule(per_minute: u32) -> Rule {
    Rule::budget(per_minute.saturating_mul(NETWORK_SHARES_MAX), MINUTE_S)
}

/// What counts as one address, and the network of an IPv6 one: its /64 and /48.
pub(super) fn prefixes(address: IpAddr) -> (Vec<u8>, Option<Vec<u8>>) {
    match address.to_canonical() {
        IpAddr::V4(address) => (address.octets().to_vec(), None),
        IpAddr::V6(address) => {
            let prefix = |bytes: usize| address.octets().into_iter().take(bytes).collect::<Vec<u8>>();
            (prefix(8), Some(prefix(6)))
        }
    }
}
