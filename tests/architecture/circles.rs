//! Circles of files inside a floor: which file names which, by its `use` statements and paths, re-exports followed.

use crate::source::Source;
use std::collections::{BTreeMap, BTreeSet};

/// A module's path, e.g. `["check", "register", "judge"]`; the crate's root is empty.
type Module = Vec<String>;

/// Which of these files stand in a circle with others of their floor. Parent and child may name each other: a folder is one subject.
pub(crate) fn in_circles(files: &[(String, String)]) -> BTreeSet<String> {
    let sources: BTreeMap<Module, Source> =
        files.iter().filter_map(|(path, whole)| Some((module_of(path)?, Source::new(path, whole)))).collect();
    let uses: BTreeMap<&Module, Vec<Use>> =
        sources.iter().map(|(module, source)| (module, uses_of(&source.code))).collect();
    let crate_of = Crate { modules: sources.keys().collect(), uses: &uses };
    let mut edges: BTreeMap<&Module, BTreeSet<&Module>> = BTreeMap::new();
    for (module, source) in &sources {
        let paths = uses[module].iter().map(|one| one.path.clone()).chain(paths_of(&source.code));
        let named = paths.filter_map(|path| crate_of.resolve(module, &path, 0));
        let beside = |other: &&Module| {
            other.first() == module.first() && !other.starts_with(module) && !module.starts_with(other)
        };
        edges.insert(module, named.filter(beside).collect());
    }
    let reach = |from: &Module| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(module) = open.pop() {
            open.extend(edges[module].iter().copied().filter(|next| seen.insert((*next).clone())));
        }
        seen
    };
    let circled = sources.keys().filter(|module| !module.is_empty() && reach(module).contains(*module));
    circled.map(|module| sources[module].path.clone()).collect()
}

/// One name that a `use` statement brings in.
#[derive(Debug)]
struct Use {
    /// Under which it is known; `*` for all.
    name: String,
    path: Vec<String>,
}

struct Crate<'a> {
    modules: BTreeSet<&'a Module>,
    uses: &'a BTreeMap<&'a Module, Vec<Use>>,
}

impl<'a> Crate<'a> {
    /// The module in which the item of a path stands, seen from `from`.
    fn resolve(&self, from: &Module, path: &[String], depth: u32) -> Option<&'a Module> {
        let (mut at, mut rest) = (from.clone(), path);
        match rest.first().map(String::as_str)? {
            "crate" => (at, rest) = (Module::new(), &rest[1..]),
            "self" => rest = &rest[1..],
            "super" => {}
            first => {
                let mut child = at.clone();
                child.push(first.to_owned());
                // Another crate's, or an item of this file.
                if !self.modules.contains(&child) {
                    return None;
                }
            }
        }
        while rest.first().is_some_and(|part| part == "super") {
            at.pop()?;
            rest = &rest[1..];
        }
        self.descend(&at, rest, depth)
    }

    fn descend(&self, at: &Module, rest: &[String], depth: u32) -> Option<&'a Module> {
        let here = self.modules.get(at).copied();
        let Some(name) = rest.first() else { return here };
        let mut child = at.clone();
        child.push(name.clone());
        if self.modules.contains(&child) {
            return self.descend(&child, &rest[1..], depth);
        }
        // A name that another module lends to this one is that module's.
        let lent = self.uses.get(at)?.iter().find(|one| one.name == *name);
        match lent.filter(|_| depth < 8) {
            Some(lent) => self.resolve(at, &lent.path, depth + 1).or(here),
            None => here,
        }
    }
}

/// `src/check/mod.rs` and `src/check.rs` are `check`; binaries and tests are no modules of the library.
fn module_of(path: &str) -> Option<Module> {
    let below = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    if below.starts_with("bin/") || below == "tests" || below.ends_with("/tests") || below.contains("/tests/")
    {
        return None;
    }
    let below = below.strip_suffix("/mod").unwrap_or(below);
    Some(if below == "lib" { Module::new() } else { below.split('/').map(str::to_owned).collect() })
}

fn uses_of(code: &str) -> Vec<Use> {
    let mut found = Vec::new();
    for at in Source::find(code, "use") {
        let statement = code[at + 3..].split(';').next().unwrap_or_default();
        spread(&[], statement, &mut found);
    }
    found
}

/// `a::{b, c::d as e}` as `a::b` and `a::c::d`.
fn spread(before: &[String], text: &str, found: &mut Vec<Use>) {
    let text = text.trim();
    if let Some((head, group)) = text.split_once('{') {
        let group = group.rfind('}').map_or(group, |end| &group[..end]);
        let head: Vec<String> = before.iter().cloned().chain(names(head)).collect();
        let (mut depth, mut from) = (0_i32, 0);
        for (at, byte) in group.bytes().enumerate() {
            match byte {
                b'{' => depth += 1,
                b'}' => depth -= 1,
                b',' if depth == 0 => {
                    spread(&head, &group[from..at], found);
                    from = at + 1;
                }
                _ => {}
            }
        }
        return spread(&head, &group[from..], found);
    }
    let (path, alias) =
        text.split_once(" as ").map_or((text, None), |(path, alias)| (path, Some(alias.trim())));
    let mut path: Vec<String> = before.iter().cloned().chain(names(path)).collect();
    if path.len() > before.len().max(1) || !before.is_empty() && path.len() > before.len() {
        if path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let name = alias.map(str::to_owned).or_else(|| path.last().cloned()).unwrap_or_default();
        found.push(Use { name, path });
    }
}

fn names(text: &str) -> impl Iterator<Item = String> {
    text.split("::").map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned)
}

/// Paths outside of `use` statements, as far as they begin with `crate`, `super` or `self`.
fn paths_of(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '$')) {
                continue;
            }
            let length = code[at..]
                .bytes()
                .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'))
                .count();
            found.push(names(&code[at..at + length]).collect());
        }
    }
    found
}
