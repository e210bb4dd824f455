//! `sigid admin tenant brand`: name, colour, logo and addresses that pages and letters of a tenant carry.
//!
//! A logo is read from a file or fetched once; afterwards it is SigID's. Production fetches from the internet over https
//! only, development from this machine as well.

use std::io::{self, Read as _};
use std::path::Path;

use serde_json::{Value, json};
use sigid_io::fetch::Reach;
use sigid_tenant::brand::{self, Brand, LOGO_BYTES_MAX, Logo, Member, Wanted};
use sigid_tenant::tenants::{Slug, Tenant};

use super::context::Context;
use super::fault::Fault;

#[derive(clap::Subcommand)]
pub(super) enum Verb {
    /// Give a tenant a brand, or change the named members of the one it has.
    Set {
        slug: Slug,
        #[command(flatten)]
        members: Members,
    },
    /// Show a tenant's brand.
    Show { slug: Slug },
    /// Take a tenant's brand and its logos away.
    Clear { slug: Slug },
}

#[derive(clap::Args)]
pub(super) struct Members {
    /// What people read; the tenant's name when a new brand has none.
    #[arg(long)]
    name: Option<String>,
    /// The colour of buttons and links, #rrggbb. Text on it and links are computed so that they can be read.
    #[arg(long, value_name = "COLOUR")]
    accent: Option<String>,
    #[arg(long, conflicts_with = "accent")]
    no_accent: bool,
    /// A PNG, JPEG or WebP: a file, or an address that is asked once.
    #[arg(long, value_name = "FILE|URL")]
    logo: Option<String>,
    #[arg(long, conflicts_with = "logo")]
    no_logo: bool,
    /// The privacy notice.
    #[arg(long, value_name = "URL")]
    privacy_uri: Option<String>,
    #[arg(long, conflicts_with = "privacy_uri")]
    no_privacy_uri: bool,
    /// The terms.
    #[arg(long, value_name = "URL")]
    terms_uri: Option<String>,
    #[arg(long, conflicts_with = "terms_uri")]
    no_terms_uri: bool,
    /// Pages that no application asked for have this brand, too; another tenant's has it no more.
    #[arg(long)]
    operator: bool,
    #[arg(long, conflicts_with = "operator")]
    no_operator: bool,
}

pub(super) async fn run(verb: Verb, context: &Context) -> Result<(), Fault> {
    let pool = context.pool();
    match verb {
        Verb::Set { slug, members } => {
            let wanted = members.wanted(context).await?;
            let (tenant, brand) = brand::set(pool, &slug, wanted, context.act()).await?;
            print(context, &tenant, &brand);
        }
        Verb::Show { slug } => {
            let (tenant, found) = brand::find(pool, &slug).await?;
            let brand = found.ok_or_else(|| Fault::refused(format!("tenant {} has no brand", tenant.slug)))?;
            print(context, &tenant, &brand);
        }
        Verb::Clear { slug } => {
            let tenant = brand::clear(pool, &slug, context.act()).await?;
            let document = || json!({ "tenant_id": tenant.tenant_id.to_string(), "slug": tenant.slug.as_str() });
            context.print(document, || format!("tenant {} has no brand", tenant.slug));
        }
    }
    Ok(())
}

impl Members {
    async fn wanted(self, context: &Context) -> Result<Wanted, Fault> {
        let wanted = Wanted {
            name: self.name,
            accent: member(self.accent, self.no_accent),
            logo: match (self.logo, self.no_logo) {
                (Some(place), _) => Member::Set(logo(&place, context).await?),
                (None, true) => Member::Gone,
                (None, false) => Member::Kept,
            },
            privacy_uri: member(self.privacy_uri, self.no_privacy_uri),
            terms_uri: member(self.terms_uri, self.no_terms_uri),
            is_operator: (self.operator || self.no_operator).then_some(self.operator),
        };
        if wanted.is_empty() {
            return Err(Fault::usage("name at least one member to set, see --help"));
        }
        Ok(wanted)
    }
}

fn member(value: Option<String>, is_gone: bool) -> Member<String> {
    if is_gone { Member::Gone } else { value.map_or(Member::Kept, Member::Set) }
}

/// What has a scheme is an address, everything else a file.
async fn logo(place: &str, context: &Context) -> Result<Logo, Fault> {
    if place.contains("://") {
        let reach = if context.config.security.production { Reach::Internet } else { Reach::InternetAndLoopback };
        return Ok(brand::fetch_logo(place, reach).await?);
    }
    let content = read(Path::new(place)).map_err(|error| Fault::refused(format!("the logo {place}: {error}")))?;
    Logo::read(content).map_err(|fault| brand::Fault::from(fault).into())
}

/// One byte more than is taken, so that too much is seen.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    std::fs::File::open(path)?.take(LOGO_BYTES_MAX as u64 + 1).read_to_end(&mut content)?;
    Ok(content)
}

fn print(context: &Context, tenant: &Tenant, brand: &Brand) {
    context.print(|| document(tenant, brand), || text(brand));
}

/// A member a line; those that are not there are left out.
fn text(brand: &Brand) -> String {
    let logo = brand.logo.as_ref().map(|logo| {
        let path = sigid_pages::paths::logo(&logo.digest);
        format!("{path} ({}, {} x {}, {} bytes)", logo.media_type, logo.width, logo.height, logo.bytes)
    });
    let accent = brand.accent.as_ref().map(|accent| match brand::shades(accent) {
        Some([on, light, dark]) => format!("{accent}, text on it {on}, links {light} in light and {dark} in dark"),
        None => accent.clone(),
    });
    let rows = [
        ("name", Some(brand.name.clone())),
        ("accent", accent),
        ("logo", logo),
        ("privacy_uri", brand.privacy_uri.clone()),
        ("terms_uri", brand.terms_uri.clone()),
        ("operator", Some(if brand.is_operator { "yes" } else { "no" }.to_owned())),
    ];
    let lines = rows.into_iter().filter_map(|(name, value)| value.map(|value| format!("{name:<11}  {value}")));
    lines.collect::<Vec<_>>().join("\n")
}

fn document(tenant: &Tenant, brand: &Brand) -> Value {
    let logo = brand.logo.as_ref().map(|logo| {
        json!({
            "path": sigid_pages::paths::logo(&logo.digest),
            "media_type": logo.media_type,
            "bytes": logo.bytes,
            "width": logo.width,
            "height": logo.height,
        })
    });
    json!({
        "tenant_id": tenant.tenant_id.to_string(),
        "slug": tenant.slug.as_str(),
        "name": brand.name,
        "accent": brand.accent,
        "logo": logo,
        "privacy_uri": brand.privacy_uri,
        "terms_uri": brand.terms_uri,
        "operator": brand.is_operator,
        "updated_at": brand.updated_s,
    })
}
