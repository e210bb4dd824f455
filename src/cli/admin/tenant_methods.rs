//! `sigid admin tenant methods`: by which ways people sign in to a tenant's applications, and whether it takes new ones.

use serde_json::{Value, json};
use sigid_edge::tables::SignInRules;
use sigid_login::flows::methods;
use sigid_login::flows::methods::rules::{self, Methods, Wish};
use sigid_tenant::tenants::{self, Slug, Tenant};

use super::context::Context;
use super::fault::Fault;
use super::print;

/// Without an option: shows what is decided.
#[derive(clap::Args)]
pub(super) struct Args {
    slug: Slug,
    /// Let a method count.
    #[arg(long, value_name = "METHOD", conflicts_with_all = ["close", "default"])]
    on: Vec<String>,
    /// Let a method count no more. The last one stays on; see --close. Cookies that were made by it live to their end.
    #[arg(long, value_name = "METHOD", conflicts_with_all = ["close", "default"])]
    off: Vec<String>,
    /// The operator's methods, whatever they will be.
    #[arg(long, conflicts_with = "close")]
    default: bool,
    /// No method: nobody signs in to the tenant's applications, and nobody is let in who did.
    #[arg(long)]
    close: bool,
    /// Whether somebody who was not invited becomes a member by coming.
    #[arg(long, value_name = "YES|NO")]
    registration: Option<Answer>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Answer {
    Yes,
    No,
}

impl Args {
    fn wish(&self) -> Wish {
        let methods = match (self.close, self.default) {
            (true, _) => Some(Methods::Closed),
            (_, true) => Some(Methods::Operators),
            _ if self.on.is_empty() && self.off.is_empty() => None,
            _ => Some(Methods::Switched { on: self.on.clone(), off: self.off.clone() }),
        };
        Wish { methods, takes_new: self.registration.map(|answer| matches!(answer, Answer::Yes)) }
    }
}

pub(super) async fn run(args: Args, context: &Context) -> Result<(), Fault> {
    let tenant = tenants::load(context.pool(), &args.slug).await?;
    let wish = args.wish();
    let rules = if wish == Wish::default() {
        rules::load(context.pool(), tenant.tenant_id).await?
    } else {
        rules::change(context.pool(), tenant.tenant_id, &wish, context.act()).await?
    };
    context.print(|| document(&tenant, &rules), || text(&tenant, &rules));
    Ok(())
}

/// `methods` is null where the tenant has decided nothing; `in_force` is what follows.
fn document(tenant: &Tenant, rules: &SignInRules) -> Value {
    json!({
        "tenant_id": tenant.tenant_id.to_string(),
        "slug": tenant.slug.as_str(),
        "methods": rules.methods,
        "in_force": in_force(rules),
        "closed": in_force(rules).is_empty(),
        "registration": rules.takes_new,
    })
}

fn text(tenant: &Tenant, rules: &SignInRules) -> String {
    let row = |method: &str, counts: bool| [method.to_owned(), if counts { "on" } else { "off" }.to_owned()];
    let known = methods::ALL.iter().map(|method| row(method.name, in_force(rules).contains(&method.name)));
    let whose = if rules.methods.is_none() { "the operator's methods" } else { "its own methods" };
    let new = if rules.takes_new { "new people become members" } else { "by invitation only" };
    let table = print::table(["METHOD", "STATE"], &known.collect::<Vec<_>>());
    format!("tenant {}: {whose}, {new}\n{table}", tenant.slug)
}

fn in_force(rules: &SignInRules) -> Vec<&'static str> {
    let counts = |name: &str| rules.methods.as_ref().is_none_or(|names| names.iter().any(|known| known == name));
    methods::ALL.iter().map(|method| method.name).filter(|name| counts(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn wish(line: &str) -> Option<Wish> {
        Line::try_parse_from(format!("methods demo {line}").split_whitespace()).ok().map(|line| line.args.wish())
    }

    #[test]
    fn a_line_is_one_wish() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let methods = |methods| Some(Wish { methods: Some(methods), takes_new: None });
        for (reason, line, expected) in [
            ("to look", "", Some(Wish::default())),
            ("on", "--on a --on b", methods(Methods::Switched { on: names(&["a", "b"]), off: vec![] })),
            ("on and off", "--on a --off b", methods(Methods::Switched { on: names(&["a"]), off: names(&["b"]) })),
            ("closed", "--close", methods(Methods::Closed)),
            ("the operator's", "--default", methods(Methods::Operators)),
            ("no new people", "--registration no", Some(Wish { methods: None, takes_new: Some(false) })),
            (
                "both",
                "--close --registration yes",
                Some(Wish { methods: Some(Methods::Closed), takes_new: Some(true) }),
            ),
            ("closed and on", "--close --on a", None),
            ("closed and the operator's", "--close --default", None),
            ("the operator's and off", "--default --off a", None),
            ("perhaps", "--registration perhaps", None),
        ] {
            assert_eq!(wish(line), expected, "{reason}");
        }
    }
}
