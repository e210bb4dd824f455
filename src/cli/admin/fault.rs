//! Why a command ended without its effect, and with which exit code.

use std::fmt;

use sigid_io::pg::PgFault;
use sigid_login::admin;
use sigid_login::flows::methods::rules;
use sigid_oidc::keys::{self, Refusal};
use sigid_tenant::{brand, clients, tenants};

use super::print;
use crate::cli::password;

/// One line, and a code.
#[derive(Debug)]
pub(super) struct Fault {
    line: String,
    code: u8,
}

impl Fault {
    /// What was asked for is not done: exit 1.
    pub(super) fn refused(line: impl Into<String>) -> Self {
        Self { line: format!("sigid admin: {}", line.into()), code: 1 }
    }

    /// The command line makes no sense: exit 64.
    pub(super) fn usage(line: impl Into<String>) -> Self {
        Self { line: format!("sigid admin: {}", line.into()), code: 64 }
    }

    /// The configuration cannot be used: exit 78. The lines are as `sigid check` prints them.
    pub(super) fn configuration(lines: impl Into<String>) -> Self {
        Self { line: lines.into(), code: 78 }
    }

    /// The connection is some other plane's.
    fn not_control() -> Self {
        Self::configuration(
            "database.control_url: its role has not the rights of the control plane; name a role that is a member of \
             sigid_control, as sigid migrate makes it",
        )
    }

    pub(super) fn exit_code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

impl From<PgFault> for Fault {
    fn from(fault: PgFault) -> Self {
        match &fault {
            PgFault::Settings(what) => Self::configuration(format!("database.url: {what}; see sigid check")),
            PgFault::Unreachable(_) | PgFault::Timeout => Self { line: format!("sigid admin: {fault}"), code: 69 },
            PgFault::Other(state) if &**state == INSUFFICIENT_PRIVILEGE => Self::not_control(),
            _ => Self::refused(fault.to_string()),
        }
    }
}

impl From<tenants::Fault> for Fault {
    fn from(fault: tenants::Fault) -> Self {
        match fault {
            tenants::Fault::Database(fault) => fault.into(),
            tenants::Fault::NotControl => Self::not_control(),
            refused => Self::refused(refused.to_string()),
        }
    }
}

impl From<brand::Fault> for Fault {
    fn from(fault: brand::Fault) -> Self {
        match fault {
            brand::Fault::Database(fault) => fault.into(),
            brand::Fault::Tenant(fault) => fault.into(),
            refused => Self::refused(refused.to_string()),
        }
    }
}

impl From<clients::Fault> for Fault {
    fn from(fault: clients::Fault) -> Self {
        match fault {
            clients::Fault::Database(fault) => fault.into(),
            refused => Self::refused(refused.to_string()),
        }
    }
}

impl From<admin::Fault> for Fault {
    fn from(fault: admin::Fault) -> Self {
        match fault {
            admin::Fault::Database(fault) => fault.into(),
            refused => Self::refused(refused.to_string()),
        }
    }
}

impl From<rules::Fault> for Fault {
    fn from(fault: rules::Fault) -> Self {
        match fault {
            rules::Fault::Database(fault) => fault.into(),
            refused => Self::refused(refused.to_string()),
        }
    }
}

impl From<password::Fault> for Fault {
    fn from(fault: password::Fault) -> Self {
        Self::refused(fault.to_string())
    }
}

impl From<keys::Fault> for Fault {
    fn from(fault: keys::Fault) -> Self {
        match fault {
            keys::Fault::Database(fault) => fault.into(),
            keys::Fault::RootKey => Self::configuration(fault.to_string()),
            keys::Fault::Refused(Refusal::TooYoung { ripe_s }) => Self::refused(format!(
                "the next key is too young: verifiers may not have it before {}; --now rotates all the same",
                print::time(ripe_s)
            )),
            refused => Self::refused(refused.to_string()),
        }
    }
}

/// The SQLSTATE of a right that the role lacks.
const INSUFFICIENT_PRIVILEGE: &str = "42501";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_says_what_the_operator_can_do() {
        let rows: [(Fault, u8, &str); 5] = [
            (PgFault::Other("42501".into()).into(), 78, "database.control_url: its role has not the rights"),
            (tenants::Fault::NotControl.into(), 78, "database.control_url: its role has not the rights"),
            (PgFault::Other("XX000".into()).into(), 1, "sigid admin: database fault XX000"),
            (PgFault::Timeout.into(), 69, "sigid admin: database deadline passed"),
            (keys::Fault::RootKey.into(), 78, "security.root_key_path: "),
        ];
        for (fault, code, start) in rows {
            assert_eq!(fault.exit_code(), code, "{fault}");
            assert!(fault.to_string().starts_with(start), "{fault}");
        }
    }
}
