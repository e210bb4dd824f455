//! The migrations this program carries. A new file in `migrations/` is one more line here; a test compares.

use sigid_io::migrate::Migration;

macro_rules! migration {
    ($name:literal) => {
        Migration { name: $name, sql: include_str!(concat!("../migrations/", $name, ".sql")) }
    };
}

/// In the order in which they are applied, which is that of their names.
pub const ALL: &[Migration] = &[
    migration!("202611240900_edge_foundation"),
    migration!("202611241720_identity_people"),
    migration!("202611241730_auth_limits"),
    migration!("202611242010_tenant_sign_in"),
    migration!("202611242020_tenant_brand"),
    migration!("202611242030_auth_registrations_by_address"),
    migration!("202611242040_async_mail_by_mailbox"),
];

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn every_file_is_listed_once_and_in_order() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let file_name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let mut files: Vec<String> = std::fs::read_dir(directory)
            .unwrap()
            .map(file_name)
            .filter_map(|name| name.strip_suffix(".sql").map(str::to_owned))
            .filter(|name| name != "schema")
            .collect();
        files.sort();
        let listed: Vec<&str> = ALL.iter().map(|migration| migration.name).collect();
        assert_eq!(listed, files);
        assert!(files.iter().all(|name| name.as_bytes()[..12].iter().all(u8::is_ascii_digit)), "YYYYMMDDHHMM_...");
    }
}
