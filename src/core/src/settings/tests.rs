#![allow(clippy::unwrap_used, reason = "a test may stop")]

use super::names::nearest;
use super::*;

static SECTION: Section = Section {
    name: "lamp",
    doc: "A lamp.",
    keys: &[
        Key::integer("bright", (1, 9), 5, "How bright."),
        Key::boolean("lit", true, "Lit at dusk."),
        Key::new(
            "colour",
            Kind::Word { meaning: "a colour of lamps", words: &["red", "green"] },
            Standard::Text("red"),
            "Its colour.",
        )
        .env("LAMP_COLOUR"),
        Key::new("key", Kind::Secret, Standard::Required("\"k\""), "Opens it."),
        Key::list("rooms", "Where it hangs."),
        Key::new("label", Kind::Text, Standard::Absent("\"hall\""), "Its label."),
    ],
};
static INNER: Section = Section { name: "lamp.shade", doc: "Its shade.", keys: &[] };

fn lamp(entries: &[(&str, Value)]) -> Table {
    let inner = entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Table::from([("lamp".to_owned(), Value::Table(inner))])
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn lines(root: &Table, environment: Environment<'_>) -> Vec<String> {
    let mut problems = Problems::default();
    check_names(root, &[&SECTION, &INNER], &["bell"], &mut problems);
    read(&SECTION, root, environment, &mut problems);
    problems.iter().map(Problem::to_string).collect()
}

#[test]
fn each_wrong_value_has_its_line() {
    let cases: [(&str, Value, &str); 10] = [
        ("bright", Value::Integer(10), "lamp.bright: 10 is out of range; use 1 to 9"),
        ("bright", text("5"), "lamp.bright: is a string; write an integer from 1 to 9, without quotes"),
        ("lit", text("true"), "lamp.lit: is a string; write true or false, without quotes"),
        ("colour", text("blue"), "lamp.colour: \"blue\" is not a colour of lamps; use \"red\" or \"green\""),
        ("label", text(" "), "lamp.label: is empty; write a value, or leave the setting out"),
        ("label", Value::Other("a date"), "lamp.label: is a date; write a string in quotes"),
        ("rooms", text("hall"), "lamp.rooms: is a string; write an array of strings, such as [\"a\", \"b\"]"),
        ("rooms", Value::List(vec![text("a"), text("A")]), "lamp.rooms: \"A\" is listed twice; list it once"),
        ("brigth", Value::Integer(1), "lamp.brigth: is not a setting of [lamp]; did you mean \"bright\"?"),
        ("shade", Value::Integer(1), "lamp.shade: is an integer; write it once, as the section [lamp.shade]"),
    ];
    for (name, value, expected) in cases {
        let root = lamp(&[("key", text("k")), (name, value)]);
        assert_eq!(lines(&root, &|_| None), [expected], "{name}");
    }
}

#[test]
fn a_good_table_has_no_problem_and_all_problems_come_at_once() {
    assert_eq!(lines(&lamp(&[("key", text("k"))]), &|_| None), [""; 0]);
    let root = lamp(&[("bright", Value::Integer(0)), ("colour", text("blue"))]);
    assert_eq!(lines(&root, &|_| None).len(), 3);
}

#[test]
fn names_outside_are_refused() {
    let root = Table::from([
        ("bell".to_owned(), Value::Table(Table::new())),
        ("lmap".to_owned(), Value::Table(Table::new())),
        ("rooms".to_owned(), Value::List(Vec::new())),
        ("zebra".to_owned(), Value::Integer(1)),
    ]);
    let expected = [
        "bell: the section belongs to a feature that is not in this build; remove it",
        "lmap: is not a section SigID knows; did you mean [lamp]?",
        "rooms: stands outside every section; move it under [lamp]",
        "zebra: is not a section SigID knows; remove it",
        "lamp.key: is missing; write key = \"k\"",
    ];
    assert_eq!(lines(&root, &|_| None), expected);
}

#[test]
fn the_environment_wins_and_is_named() {
    let root = lamp(&[("key", text("k")), ("colour", Value::Integer(3))]);
    let mut problems = Problems::default();
    let values = read(&SECTION, &root, &|name| (name == "LAMP_COLOUR").then(|| "green".to_owned()), &mut problems);
    assert!(problems.is_empty());
    assert_eq!(values.text("colour"), "green");
    assert!(values.is_written("colour") && !values.is_written("bright"));
    let bad = lines(&root, &|name| (name == "LAMP_COLOUR").then(|| "blue".to_owned()));
    assert_eq!(bad, ["lamp.colour: \"blue\" is not a colour of lamps (from LAMP_COLOUR); use \"red\" or \"green\""]);
    let unset = read(&SECTION, &lamp(&[("colour", text("green"))]), &|_| Some(String::new()), &mut problems);
    assert_eq!(unset.text("colour"), "green", "an empty variable is not set");
}

#[test]
fn a_problem_is_one_line_without_credentials() {
    let root = lamp(&[("key", text("k")), ("a\nb", Value::Integer(1)), ("colour", text("x://u:hunter2@h"))]);
    for line in lines(&root, &|_| None) {
        assert!(!line.contains('\n') && !line.contains("hunter2"), "{line}");
    }
    assert_eq!(shown(&"a".repeat(60)).len(), 48 + 5);
    assert_eq!(shown("user=a password=b"), "the value");
}

#[test]
fn nearest_names() {
    let names = ["host", "port", "cert_pem_path", "max_connections", "url"];
    let cases = [
        ("prot", Some("port")),
        ("Port", Some("port")),
        ("cert_path", Some("cert_pem_path")),
        ("max", Some("max_connections")),
        ("max-connections", Some("max_connections")),
        ("urls", Some("url")),
        ("colour", None),
        ("", None),
    ];
    for (word, expected) in cases {
        assert_eq!(nearest(word, names.into_iter()), expected, "{word}");
    }
}

#[test]
fn the_example_shows_every_setting() {
    let shown = example(&[&SECTION, &INNER], "Heading.");
    let expected = "# Heading.\n\n# A lamp.\n[lamp]\n\n# How bright.\n# 1 to 9.\n#bright = 5\n\n\
        # Lit at dusk.\n#lit = true\n\n\
        # Its colour.\n# \"red\" or \"green\". LAMP_COLOUR in the environment overrides it.\n#colour = \"red\"\n\n\
        # Opens it.\n# Required; what follows is an example.\nkey = \"k\"\n\n# Where it hangs.\n#rooms = []\n\n\
        # Its label.\n# No default; what follows is an example.\n#label = \"hall\"\n\n# Its shade.\n[lamp.shade]\n";
    assert_eq!(shown, expected);
}

#[test]
fn origins() {
    assert_eq!(Origin::parse("https://a.example").unwrap().host, "a.example");
    assert_eq!(
        Origin::parse("https://[0:0::1]:8443").unwrap(),
        Origin { scheme: "https", host: "::1".into(), port: Some(8443) }
    );
    assert_eq!(Origin::parse("http://127.0.0.1:81").unwrap().port, Some(81));
    let bad = [
        ("a.example", OriginFault::Scheme),
        ("ftp://a.example", OriginFault::Scheme),
        ("https://u:p@a.example", OriginFault::UserInfo),
        ("https://a.example/", OriginFault::TrailingSlash),
        ("https://a.example/x", OriginFault::Path),
        ("https://a.example?x", OriginFault::Query),
        ("https://a.example#x", OriginFault::Fragment),
        ("https://A.example", OriginFault::UpperCase),
        ("https://", OriginFault::Host),
        ("https://a..example", OriginFault::Host),
        ("https://-a.example", OriginFault::Host),
        ("https://1.2.3", OriginFault::Host),
        ("https://0x7f", OriginFault::Host),
        ("https://a.0x7f", OriginFault::Host),
        ("https://0177.0.0.1", OriginFault::Host),
        ("https://*.example", OriginFault::Host),
        ("https://[::1", OriginFault::Host),
        ("https://a.example:", OriginFault::Port),
        ("https://a.example:0", OriginFault::Port),
        ("https://a.example:70000", OriginFault::Port),
        ("https://a.example:443", OriginFault::DefaultPort),
        ("http://[::1]:80000", OriginFault::Port),
    ];
    for (origin, fault) in bad {
        assert_eq!(Origin::parse(origin), Err(fault), "{origin}");
    }
}

#[test]
fn local_hosts() {
    for host in
        ["localhost", "LOCALHOST", "auth.localhost", "127.0.0.1", "127.8.8.8", "::1", "[::1]", "::ffff:127.0.0.1"]
    {
        assert!(is_local_host(host), "{host}");
    }
    for host in ["", "localhost.example", "10.0.0.1", "0.0.0.0", "::", "example.com", "127.0.0.1.example"] {
        assert!(!is_local_host(host), "{host}");
    }
}
