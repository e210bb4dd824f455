//! A tenant's members for another system, page by page: nothing is held but the page.
//!
//! Hashes are left out: the role of the control plane cannot read them, and a file of them is a breach that waits. Of
//! somebody who was invited and has not accepted, the tenant learns what it knew, the address, and nothing of the
//! account: an import would otherwise be a way to read the profiles of strangers.
//!
//! A cell of the table is what a person wrote, which may begin with `=`: a spreadsheet has to read it as text.

use super::{ADMIN, Fault, import, sql};
use crate::accounts::{MembershipState, UserState};
use crate::claims::CLAIMS;
use serde_json::{Map, Value, json};
use sigid_core::ids::TenantId;
use sigid_io::pg::Pool;

/// Members read at once.
pub const PAGE_ROWS_MAX: i64 = 1000;

/// A member as the tenant may have them.
#[derive(Clone, Debug)]
pub struct Exported {
    pub sub: String,
    pub membership: MembershipState,
    pub email: String,
    pub is_email_verified: bool,
    pub state: UserState,
    pub claims: Map<String, Value>,
    pub created_s: i64,
    pub has_password: bool,
}

/// Members after the subject `after` (empty: from the first), at most [`PAGE_ROWS_MAX`].
///
/// # Errors
/// The database.
pub async fn page(pool: &Pool, tenant: TenantId, after: &str) -> Result<Vec<Exported>, Fault> {
    let mut tx = pool.begin(ADMIN).await?;
    let members = sql::load_members(&mut tx, tenant, after, PAGE_ROWS_MAX).await?;
    tx.rollback().await?;
    Ok(members)
}

/// The first line of the table.
pub fn header() -> String {
    let own = OWN.into_iter().chain(CLAIMS.into_iter().map(|(name, _)| name));
    own.collect::<Vec<_>>().join(",")
}

impl Exported {
    /// One line of JSON.
    pub fn document(&self) -> Value {
        let mut document = Map::new();
        document.insert("sub".to_owned(), json!(self.sub));
        document.insert("membership".to_owned(), json!(self.membership.as_str()));
        document.insert("email".to_owned(), json!(self.email));
        if self.is_known() {
            document.insert("email_verified".to_owned(), json!(self.is_email_verified));
            document.insert("state".to_owned(), json!(self.state.as_str()));
            document.insert("created_at".to_owned(), json!(self.created_s));
            document.insert("has_password".to_owned(), json!(self.has_password));
            document.extend(self.claims.clone());
        }
        Value::Object(document)
    }

    /// One line of the table.
    pub fn line(&self) -> String {
        let document = self.document();
        let names = OWN.into_iter().chain(CLAIMS.into_iter().map(|(name, _)| name));
        names.map(|name| import::csv::quote(&cell(document.get(name)))).collect::<Vec<_>>().join(",")
    }

    fn is_known(&self) -> bool {
        matches!(self.membership, MembershipState::Active | MembershipState::Suspended)
    }
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

/// What is said of a member beside the claims.
const OWN: [&str; 7] = ["sub", "membership", "email", "email_verified", "state", "created_at", "has_password"];

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn member(membership: MembershipState) -> Exported {
        let claims = json!({ "name": "Ann, \"the\" first", "address": { "country": "AT" }, "phone_number": "+4315550100", "phone_number_verified": true });
        Exported {
            sub: "s".repeat(22),
            membership,
            email: "ann@example.com".to_owned(),
            is_email_verified: true,
            state: UserState::Active,
            claims: claims.as_object().unwrap().clone(),
            created_s: 1_700_000_000,
            has_password: true,
        }
    }

    #[test]
    fn who_has_not_accepted_is_an_address_and_nothing_more() {
        let document = member(MembershipState::Invited).document();
        let names: Vec<&String> = document.as_object().unwrap().keys().collect();
        assert_eq!(names, ["email", "membership", "sub"]);
        assert_eq!(member(MembershipState::Active).document()["name"], "Ann, \"the\" first");
    }

    #[test]
    fn a_line_of_the_table_can_be_read_again() {
        let header = import::csv::split(&header()).unwrap();
        let cells = import::csv::split(&member(MembershipState::Active).line()).unwrap();
        assert_eq!(header.len(), cells.len());
        let columns = import::Columns::read(&header).unwrap();
        let row = columns.row(cells, u32::MAX).unwrap();
        assert_eq!(row.email.key, "ann@example.com");
        assert_eq!(Value::Object(row.claims), Value::Object(member(MembershipState::Active).claims));
    }
}
