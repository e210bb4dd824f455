//! How a tenant looks to people, as the tables know it. What is made of it is the pages' part.

/// A tenant's brand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantBrand {
    pub name: String,
    /// `#rrggbb`.
    pub accent: Option<String>,
    /// The SHA-256 of the logo, 64 hexadecimal digits: what its address is made of.
    pub logo: Option<String>,
    pub privacy_uri: Option<String>,
    pub terms_uri: Option<String>,
    /// Also the brand of pages that no application asked for.
    pub is_operator: bool,
}
