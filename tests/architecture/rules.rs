//! The rules, as functions of one file.

use crate::source::Source;

/// The floors from the ground up: a file names only floors before its own, or its own.
const FLOORS: [&str; 16] = [
    "error",
    "syntax",
    "message",
    "sdp",
    "auth",
    "media",
    "transaction",
    "ua",
    "transport",
    "endpoint",
    "check",
    "diagnosis",
    "campaign",
    "report",
    "sim",
    "bin",
];

/// The first floor that does I/O and may ask for the time.
const FIRST_WITH_IO: &str = "transport";

/// Where the clock on the wall is read, and where chance comes from. Nowhere else.
const WALL_CLOCK: &[&str] =
    &["src/check/journal/file.rs", "src/check/probe.rs", "src/check/run.rs", "src/endpoint/agent/media.rs"];
const CHANCE: &[&str] = &["src/endpoint/bind.rs", "src/bin/ringback/sim.rs"];

/// Names under which direction gets lost.
const NO_MODULES: [&str; 9] =
    ["util", "utils", "common", "core", "type", "types", "manager", "helpers", "misc"];

/// Below I/O: no clock, no chance (the order of a default `HashMap` is chance too), no sockets, no threads, no runtime.
const NOT_BELOW_IO: [&str; 19] = [
    "Instant::now",
    "SystemTime::now",
    "UNIX_EPOCH",
    "getrandom",
    "thread_rng",
    "rand::rng",
    "from_os_rng",
    "from_entropy",
    "RandomState",
    "sleep",
    "elapsed()",
    "tokio",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "std::thread",
    "std::fs",
    "std::env",
    "env::var",
];

/// One thing that is not as it should be.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// Everything that is wrong with one file of `src/`.
pub(crate) fn violations(path: &str, whole: &str) -> Vec<Violation> {
    let source = Source::new(path, whole);
    let mut found = Vec::new();
    {
        let mut say = |at: usize, what: String| {
            found.push(Violation { path: source.path.clone(), line: source.line(at), what });
        };
        names_only_lower_floors(&source, &mut say);
        asks_nobody_for_time_or_chance(&source, &mut say);
        is_well_kept(&source, &mut say);
        is_bounded_and_quiet(&source, &mut say);
        never_removes_all_bindings(&source, &mut say);
    }
    found.sort();
    found
}

/// The floor of a file: the first name below `src/`; none for `lib.rs`.
fn floor(path: &str) -> Option<&str> {
    let name = path.strip_prefix("src/")?.split('/').next()?;
    let name = name.strip_suffix(".rs").unwrap_or(name);
    (name != "lib").then_some(name)
}

fn height(floor: &str) -> Option<usize> {
    FLOORS.iter().position(|name| *name == floor)
}

fn is_below_io(path: &str) -> bool {
    floor(path).is_some_and(|floor| height(floor) < height(FIRST_WITH_IO))
}

fn names_only_lower_floors(source: &Source, say: &mut dyn FnMut(usize, String)) {
    let Some(own) = floor(&source.path) else { return };
    let Some(own_height) = height(own) else {
        return say(0, format!("`{own}` has no place in the order of the floors"));
    };
    for at in Source::find(&source.code, "crate::") {
        // The binary is a crate of its own above all floors: `crate::` there names its own files.
        if own == "bin" {
            break;
        }
        for (at, name) in names_after(&source.code, at + "crate::".len()) {
            match height(name) {
                Some(height) if height > own_height => {
                    say(at, format!("`{own}` names `{name}`, a floor above it"))
                }
                Some(_) => {}
                None => {
                    say(at, format!("`crate::{name}` is no floor: name it by the floor that it lives on"))
                }
            }
        }
    }
    // `super` must not leave the floor: `src/ua/options.rs` may say it once, `src/ua/mod.rs` and `src/auth.rs` not at all.
    let below = source.path.trim_start_matches("src/").trim_end_matches("/mod.rs");
    let depth = below.split('/').count();
    for at in Source::find(&source.code, "super::") {
        let chained = source.code[..at].ends_with("super::");
        let supers = source.code[at..].split("::").take_while(|part| *part == "super").count();
        if !chained && supers >= depth && own != "bin" {
            say(at, "`super` leaves the floor: write `crate::` and the floor's name".into());
        }
    }
}

/// The first names of a path or of a group of paths: `a` of `a::b`, `a` and `c` of `{a::b, c}`.
fn names_after(code: &str, from: usize) -> Vec<(usize, &str)> {
    let name_at = |at: usize| {
        let start = at + code[at..].len() - code[at..].trim_start().len();
        let length =
            code[start..].bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        (length > 0).then(|| (start, &code[start..start + length]))
    };
    if !code[from..].starts_with('{') {
        return name_at(from).into_iter().collect();
    }
    let (mut names, mut depth) = (Vec::new(), 0_u32);
    for (offset, byte) in code[from..].bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if depth == 1 && matches!(byte, b'{' | b',') {
            names.extend(name_at(from + offset + 1));
        }
    }
    names
}

fn asks_nobody_for_time_or_chance(source: &Source, say: &mut dyn FnMut(usize, String)) {
    if is_below_io(&source.path) {
        for needle in NOT_BELOW_IO {
            for at in Source::find(&source.code, needle) {
                say(
                    at,
                    format!("`{needle}` below `{FIRST_WITH_IO}`: time, chance and bytes are arguments there"),
                );
            }
        }
        for map in ["HashMap", "HashSet"] {
            for made in ["new", "default", "with_capacity", "from"] {
                let needle = format!("{map}::{made}");
                for at in Source::find(&source.code, &needle) {
                    say(
                        at,
                        format!(
                            "`{needle}` below `{FIRST_WITH_IO}`: its hasher takes chance from the system"
                        ),
                    );
                }
            }
        }
        for at in Source::find(&source.tests, "sleep") {
            say(at, "a test below I/O sleeps: let it run in virtual time".into());
        }
        return;
    }
    for at in Source::find(&source.code, "Instant::now") {
        let path = source.code[..at].trim_end_matches("time::");
        let from_tokio = path.len() < at && path.ends_with("tokio::");
        if !from_tokio && !imports_tokio_instant(&source.code) {
            say(at, "the clock of the system: use `tokio::time`, so that time can be virtual".into());
        }
    }
    let listed = |list: &[&str]| list.contains(&source.path.as_str());
    for at in Source::find(&source.code, "SystemTime::now") {
        if !listed(WALL_CLOCK) {
            say(at, "the clock on the wall is read in the places listed here only".into());
        }
    }
    for needle in ["getrandom", "thread_rng", "rand::rng", "from_os_rng", "from_entropy"] {
        for at in Source::find(&source.code, needle) {
            if !listed(CHANCE) {
                say(at, format!("`{needle}`: chance comes from the places listed here only"));
            }
        }
    }
    for needle in ["thread::sleep", "std::thread"] {
        for at in Source::find(&source.code, needle) {
            say(at, format!("`{needle}`: wait with `tokio::time`"));
        }
    }
}

/// Whether a `use` brings in tokio's `Instant` under its own name.
fn imports_tokio_instant(code: &str) -> bool {
    Source::find(code, "use").any(|at| {
        let statement: String = code[at..].split(';').next().unwrap_or_default().split_whitespace().collect();
        let Some(rest) = statement.strip_prefix("usetokio::") else { return false };
        rest.split("time::").skip(1).any(|names| match names.strip_prefix('{') {
            Some(group) => {
                group.split('}').next().unwrap_or_default().split(',').any(|name| name == "Instant")
            }
            None => names.trim_end_matches('}').split(',').next() == Some("Instant"),
        })
    })
}

fn is_well_kept(source: &Source, say: &mut dyn FnMut(usize, String)) {
    let lines = source.whole.lines().count();
    if lines > 600 {
        say(0, format!("{lines} lines: no file has more than 600"));
    }
    if !source.whole.starts_with("//! ") && !source.code.trim().is_empty() {
        say(0, "a file begins with `//!` and one sentence on what it is".into());
    }
    let names = source.path.trim_end_matches(".rs").split('/').skip(1);
    for name in names.filter(|name| NO_MODULES.contains(name)) {
        say(0, format!("`{name}` is no subject: name the module by what it is about"));
    }
    for at in Source::find(&source.code, "mod") {
        let name = source.code[at + 3..].split(['{', ';']).next().unwrap_or_default().trim();
        if NO_MODULES.contains(&name) {
            say(at, format!("`{name}` is no subject: name the module by what it is about"));
        }
    }
    for at in Source::find(&source.code, "pub fn") {
        let signature = source.code[at..].split(['{', ';']).next().unwrap_or_default();
        if signature.contains("nom::") || Source::find(signature, "IResult").next().is_some() {
            say(at, "a public signature names the parser library".into());
        }
    }
}

fn is_bounded_and_quiet(source: &Source, say: &mut dyn FnMut(usize, String)) {
    for needle in
        ["unbounded_channel", "unbounded", "UnboundedSender", "UnboundedReceiver", "mpsc::channel()"]
    {
        for at in Source::find(&source.code, needle) {
            say(at, format!("`{needle}`: every queue has a limit"));
        }
    }
    if floor(&source.path) != Some("bin") {
        for needle in ["println!", "eprintln!", "print!", "eprint!", "dbg!"] {
            for at in Source::find(&source.code, needle) {
                say(
                    at,
                    format!("`{needle}`: the library says things through `tracing` and its results only"),
                );
            }
        }
    }
}

/// `Contact: *` removes the bindings of everybody (RFC 3261 sec. 10.2.2); nothing here may send it.
fn never_removes_all_bindings(source: &Source, say: &mut dyn FnMut(usize, String)) {
    // Without blanks, escapes and the marks of byte strings all ways to write it look the same.
    let places: Vec<usize> = source
        .text
        .char_indices()
        .filter(|(_, c)| !c.is_whitespace() && *c != '\\')
        .map(|(at, _)| at)
        .collect();
    let dense: String =
        places.iter().map(|&at| char::from(source.text.as_bytes()[at]).to_ascii_lowercase()).collect();
    for needle in [
        "contact:*",
        "\"m:*",
        "r\\nm:*",
        "rnm:*",
        "contact,\"*\"",
        "contact,b\"*\"",
        "contact\",\"*\"",
        "contact\",b\"*\"",
    ] {
        for (at, _) in dense.match_indices(needle) {
            say(places[at], "writes `Contact: *`, which removes the bindings of everybody".into());
        }
    }
}
