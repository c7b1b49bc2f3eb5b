//! The order of the floors and the rule of time, held over every file of `src/`.
//!
//! What it cannot see (a macro that builds a path, a type re-exported under another name) is left to review; what it
//! can see is shown by the tests at the end, which feed it what it must catch and what it must leave alone.
#![allow(clippy::unwrap_used)]

#[path = "architecture/circles.rs"]
mod circles;
#[path = "architecture/rules.rs"]
mod rules;
#[path = "architecture/source.rs"]
mod source;

use circles::in_circles;
use rules::violations;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every Rust file below `folder`, relative to the package.
fn rust_files(folder: &str) -> Vec<(String, String)> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut found, mut folders) = (Vec::new(), vec![package.join(folder)]);
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((relative(package, &path), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn relative(package: &Path, path: &Path) -> String {
    let parts: PathBuf = path.strip_prefix(package).unwrap().into();
    parts.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

#[test]
fn every_file_of_the_library_keeps_the_rules() {
    let files = rust_files("src");
    assert!(files.len() > 20, "only {} files were found", files.len());
    let found: Vec<String> = files
        .iter()
        .flat_map(|(path, whole)| violations(path, whole))
        .map(|found| found.to_string())
        .collect();
    assert!(found.is_empty(), "{} violations\n{}", found.len(), found.join("\n"));
}

#[test]
fn every_promise_about_security_names_what_holds_it() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(package.join("SECURITY.md")).unwrap();
    let rows: Vec<&str> =
        text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise")).collect();
    assert!(rows.len() >= 10, "{} promises", rows.len());
    for row in rows {
        let held_by = row.rsplit('|').nth(1).unwrap();
        let named: Vec<&str> = held_by.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "nothing holds: {row}");
        let missing: Vec<&&str> = named.iter().filter(|path| !package.join(path).exists()).collect();
        assert!(missing.is_empty(), "{missing:?} of: {row}");
    }
}

/// Files that stand in a circle with others of their floor today. The list may only shrink: whoever opens a circle takes its files off.
const CIRCLES: &[&str] = &[];

#[test]
fn no_file_stands_in_a_circle_but_those_that_did() {
    let found = in_circles(&rust_files("src"));
    let listed: BTreeSet<String> = CIRCLES.iter().map(|path| (*path).to_owned()).collect();
    let new: Vec<&String> = found.difference(&listed).collect();
    assert!(
        new.is_empty(),
        "these files name each other in a circle: move what both need below them\n{new:#?}"
    );
    let gone: Vec<&String> = listed.difference(&found).collect();
    assert!(gone.is_empty(), "no circle any more: take these off the list\n{gone:#?}");
}

#[test]
fn a_circle_is_seen_through_groups_aliases_paths_and_what_a_parent_lends() {
    let circles = |files: &[(&str, &str)]| -> Vec<String> {
        let files: Vec<(String, String)> =
            files.iter().map(|(path, code)| ((*path).to_owned(), (*code).to_owned())).collect();
        in_circles(&files).into_iter().collect()
    };
    let lends = ("src/check/mod.rs", "mod a; mod b; pub use a::One; pub use b::{Two, Three as Third};");
    for (a, b) in [
        ("use super::b::Two;", "use crate::check::a::One;"),
        ("use super::{Third, x};", "use super::One;"),
        ("use crate::{check::{b::{Two, Three}}, ua};", "fn f() { super::a::one() }"),
        ("use super::b as other;", "use crate::check::One;"),
    ] {
        let files = [lends, ("src/check/a.rs", a), ("src/check/b.rs", b)];
        assert_eq!(circles(&files), ["src/check/a.rs", "src/check/b.rs"], "{a} {b}");
    }
    // One way only, parent and child, tests, and other floors are none.
    for (a, b) in [
        ("use super::b::Two;", "use std::fmt;"),
        ("use super::Check;", "use super::One;"),
        ("use super::Two;", "#[cfg(test)]\nmod tests { use super::super::One; }"),
        ("use crate::ua::Two;", "use super::One;"),
    ] {
        let files = [
            lends,
            ("src/check/a.rs", a),
            ("src/check/b.rs", b),
            ("src/ua/mod.rs", "use crate::check::One;"),
        ];
        assert_eq!(circles(&files), Vec::<String>::new(), "{a} {b}");
    }
    let folder = [
        ("src/check/a/mod.rs", "mod inner; use inner::Part;"),
        ("src/check/a/inner.rs", "use super::One;"),
        ("src/check/mod.rs", "mod a;"),
    ];
    assert_eq!(circles(&folder), Vec::<String>::new());
    let three = [
        ("src/check/mod.rs", "mod a; mod b; mod c;"),
        ("src/check/a.rs", "use super::b::B;"),
        ("src/check/b.rs", "use super::c::C;"),
        ("src/check/c.rs", "use super::a::A;"),
    ];
    assert_eq!(circles(&three).len(), 3);
}

#[test]
fn no_file_outside_the_library_is_too_long_either() {
    for folder in ["tests", "benches", "examples", "fuzz"] {
        for (path, whole) in rust_files(folder) {
            assert!(whole.lines().count() <= 600, "{path} has more than 600 lines");
        }
    }
}

/// What the rules say to a file at `path` with this code in it.
fn said(path: &str, code: &str) -> String {
    let found = violations(path, &format!("//! A file.\n{code}\n"));
    found.iter().map(|found| found.what.as_str()).collect::<Vec<_>>().join("; ")
}

#[track_caller]
fn caught(path: &str, code: &str, why: &str) {
    let said = said(path, code);
    assert!(said.contains(why), "{path} with {code:?}: {said:?} does not say {why:?}");
}

#[track_caller]
fn let_pass(path: &str, code: &str) {
    assert_eq!(said(path, code), "", "{path} with {code:?}");
}

#[test]
fn a_floor_that_names_a_higher_one_is_caught() {
    caught("src/syntax/via.rs", "use crate::message::Message;", "`syntax` names `message`");
    caught("src/message/mod.rs", "fn f() { crate::transport::open() }", "`message` names `transport`");
    caught("src/ua/mod.rs", "use crate::{auth::Credentials, endpoint::Endpoint};", "names `endpoint`");
    caught("src/ua/mod.rs", "use crate::{\n    auth::{A, B},\n    check,\n};", "names `check`");
    caught("src/check/mod.rs", "pub use crate::sim::Lab;", "`check` names `sim`");
    caught("src/auth.rs", "use super::ua::options;", "`super` leaves the floor");
    caught("src/ua/options.rs", "use super::super::check::Account;", "`super` leaves the floor");
    caught("src/ua/mod.rs", "use crate::Probe;", "`crate::Probe` is no floor");
    caught("src/extras.rs", "", "no place in the order");
}

#[test]
fn lower_floors_the_own_floor_and_tests_may_be_named() {
    let_pass("src/transaction/mod.rs", "use crate::{error::Error, message::Message, transaction::layer};");
    let_pass("src/ua/options.rs", "use super::registration::Config;");
    let_pass("src/transport/udp/batch.rs", "use super::super::capture::Record;");
    let_pass(
        "src/syntax/via.rs",
        "// crate::message is above\n/* crate::ua /* nested */ */\nconst A: &str = \"crate::ua\";",
    );
    let_pass(
        "src/syntax/via.rs",
        "const A: &[u8] = br#\"crate::ua \" \"#; fn f<'a>(c: &'a u8) -> char { '\"' }",
    );
    let_pass("src/syntax/via.rs", "#[cfg(test)]\nmod tests {\n    use crate::message::Message;\n}");
    let_pass("src/syntax/tests.rs", "use crate::message::Message;");
    let_pass("src/lib.rs", "pub use crate::check::Outcome;");
    let_pass("src/bin/ringback/main.rs", "use ringback::sim::Lab; use super::args; use crate::exit::Exit;");
}

#[test]
fn what_follows_a_test_module_is_read_again() {
    caught("src/syntax/via.rs", "#[cfg(test)]\nmod tests { fn f() {} }\nuse crate::ua::A;", "names `ua`");
    caught("src/syntax/via.rs", "#[cfg(test)]\nmod tests;\nuse crate::ua::A;", "names `ua`");
}

#[test]
fn a_clock_or_chance_below_transport_is_caught() {
    for code in [
        "let now = Instant::now();",
        "let now = std::time::Instant::now();",
        "let at = SystemTime::now();",
        "getrandom::fill(&mut seed);",
        "let x = rand::rng().random();",
        "let x = thread_rng();",
        "std::thread::sleep(T1);",
        "tokio::time::sleep(T1).await;",
        "use tokio::sync::mpsc;",
        "let socket = UdpSocket::bind(a);",
    ] {
        caught("src/transaction/client.rs", &format!("fn f() {{ {code} }}"), "below `transport`");
    }
    caught("src/transaction/mod.rs", "let table = HashMap::new();", "takes chance from the system");
    caught("src/ua/mod.rs", "#[cfg(test)]\nmod tests { fn f() { sleep(T1) } }", "a test below I/O sleeps");
    let_pass("src/transaction/mod.rs", "let table = HashMap::with_hasher(seeded);");
    let_pass("src/transaction/mod.rs", "#[cfg(test)]\nmod tests { fn f() { let start = Instant::now(); } }");
    let_pass("src/transaction/mod.rs", "/// Never `Instant::now()`.\nfn f(now: Instant) { asleep(now) }");
}

#[test]
fn above_only_the_time_of_tokio_is_taken() {
    caught("src/endpoint/mod.rs", "use std::time::Instant;\nfn f() { Instant::now() }", "use `tokio::time`");
    caught("src/endpoint/mod.rs", "fn f() { std::time::Instant::now() }", "use `tokio::time`");
    caught("src/sim/pbx.rs", "fn f() { std::thread::sleep(T1) }", "wait with `tokio::time`");
    caught("src/report/text.rs", "fn f() { SystemTime::now() }", "clock on the wall");
    caught("src/check/register.rs", "fn f() { getrandom::fill(&mut seed) }", "chance comes from");
    let_pass("src/endpoint/mod.rs", "fn f() { tokio::time::Instant::now().into_std() }");
    let_pass("src/endpoint/mod.rs", "use tokio::{sync::mpsc, time::Instant};\nfn f() { Instant::now(); }");
    let_pass(
        "src/endpoint/mod.rs",
        "use tokio::time::{Instant, sleep};\nasync fn f() { Instant::now(); sleep(T1).await }",
    );
}

#[test]
fn long_nameless_and_undocumented_files_are_caught() {
    caught("src/check/mod.rs", &"fn f() {}\n".repeat(600), "no file has more than 600");
    caught("src/ua/utils.rs", "", "`utils` is no subject");
    caught("src/common/mod.rs", "", "`common` is no subject");
    caught("src/ua/mod.rs", "mod types;", "`types` is no subject");
    let undocumented = violations("src/ua/mod.rs", "use std::fmt;\n");
    assert!(undocumented[0].what.contains("begins with `//!`"));
    assert_eq!(violations("src/ua/tests.rs", "use super::*;\n"), []);
    caught(
        "src/syntax/via.rs",
        "pub fn via(input: &[u8]) -> nom::IResult<&[u8], Via> {}",
        "names the parser library",
    );
}

#[test]
fn endless_queues_and_printing_are_caught() {
    caught("src/endpoint/mod.rs", "let (a, b) = mpsc::unbounded_channel();", "every queue has a limit");
    caught("src/endpoint/mod.rs", "let (a, b) = std::sync::mpsc::channel();", "every queue has a limit");
    caught("src/check/mod.rs", "fn f() { println!(\"x\") }", "through `tracing`");
    let_pass("src/endpoint/mod.rs", "let (a, b) = mpsc::channel(QUEUE);");
    let_pass("src/bin/ringback/main.rs", "fn main() { println!(\"x\") }");
}

#[test]
fn removing_the_bindings_of_everybody_is_caught() {
    for code in [
        "let line = \"Contact: *\\r\\n\";",
        "let line = b\"contact:*\";",
        "let line = \"Expires: 0\\r\\nm: *\\r\\n\";",
        "builder.header(HeaderName::Contact, \"*\");",
        "builder.header(\"Contact\", b\"*\");",
    ] {
        caught("src/ua/registration.rs", code, "bindings of everybody");
    }
    let_pass("src/ua/registration.rs", "// never `Contact: *`\nif value == b\"*\" { return Contacts::All; }");
    let_pass("src/sim/registrar.rs", "#[cfg(test)]\nmod tests { const ALL: &str = \"Contact: *\"; }");
}

#[test]
fn a_violation_names_its_line() {
    let found = violations("src/syntax/via.rs", "//! A file.\n\nuse crate::ua::A;\n");
    assert_eq!(found[0].to_string(), "src/syntax/via.rs:3: `syntax` names `ua`, a floor above it");
}
