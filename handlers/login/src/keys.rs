//! The keys of sign-in: derived from the root key, so that every node has the same and none is stored.

use ring::hmac;
use sigid_core::b64;
use sigid_core::ids::{SessionId, TenantId, UserId};
use sigid_core::opaque::OpaqueKey;
use sigid_core::secret::Secret;

/// Derives the key of a label; boot gives the root key's own function.
pub type Derive<'a> = &'a dyn Fn(&str) -> Secret<[u8; 32]>;

/// One key for each use, so that nothing made for one can be used as another.
pub struct Keys {
    /// Session cookies and links.
    pub opaque: OpaqueKey,
    /// Device cookies.
    pub device: Secret<[u8; 32]>,
    /// Edge cookies.
    pub edge: Secret<[u8; 32]>,
    shown: hmac::Key,
}

impl Keys {
    pub fn derive(derive: Derive<'_>) -> Self {
        Self {
            opaque: OpaqueKey::from_bytes(derive("sign-in opaque values").expose()),
            device: derive("device cookie"),
            edge: derive("edge cookie"),
            shown: hmac::Key::new(hmac::HMAC_SHA256, derive("shown session id").expose()),
        }
    }

    /// The name of a session as a tenant sees it: two tenants cannot tell that it is the same one.
    pub fn shown_session(&self, session: SessionId, tenant: TenantId) -> String {
        self.shown([session.as_uuid().as_bytes(), tenant.as_uuid().as_bytes()])
    }

    /// What stands for an account in a device cookie.
    pub fn shown_account(&self, user: UserId) -> String {
        self.shown([user.as_uuid().as_bytes(), b"a device"])
    }

    fn shown(&self, parts: [&[u8]; 2]) -> String {
        let mut context = hmac::Context::with_key(&self.shown);
        for part in parts {
            context.update(part);
        }
        let tag = context.sign();
        let mut text = String::with_capacity(22);
        b64::encode_into(tag.as_ref().get(..SHOWN_BYTES).unwrap_or_default(), &mut text);
        text
    }
}

const SHOWN_BYTES: usize = 16;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_another_name_for_each_tenant() {
        let keys = Keys::derive(&|label| Secret::new([label.len() as u8; 32]));
        let session: SessionId = "018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2b".parse().unwrap();
        let tenants: [TenantId; 2] = ["018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2c", "018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2d"]
            .map(|id| id.parse().unwrap());
        let shown = tenants.map(|tenant| keys.shown_session(session, tenant));
        assert_ne!(shown[0], shown[1]);
        assert_eq!(shown[0], keys.shown_session(session, tenants[0]), "the same each time");
        assert_eq!(shown[0].len(), 22);
    }
}
