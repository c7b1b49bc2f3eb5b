//! What `ringback licenses` shows is what Cargo.lock builds in: `UPDATE_GOLDEN=1` rewrites it.

use super::program::ringback;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the binary is built and tested; elsewhere a few packages differ.
const TARGET: &str = "x86_64-unknown-linux-gnu";
const FILE: &str = "src/bin/ringback/notices.txt";

/// Whose text each of our choices is, in the order in which we choose.
const CHOICES: [&str; 2] = ["MIT", "Apache-2.0"];

fn cargo(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).args(["--locked", "--offline"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A package that is in the binary.
struct Package {
    name: String,
    version: String,
    terms: String,
    authors: Vec<String>,
    folder: PathBuf,
}

/// All of them but ourselves, by name and version. Macros and build scripts are not in it.
fn packages() -> Vec<Package> {
    let tree = ["tree", "-e", "normal,no-proc-macro", "--features", "cli", "--target", TARGET];
    let tree = cargo(&[&tree[..], &["--prefix", "none", "--format", "{p}"]].concat());
    let built: Vec<(&str, &str)> = tree
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.next()?.strip_prefix('v')?))
        })
        .collect();
    let metadata = cargo(&["metadata", "--format-version", "1", "--all-features"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut all: Vec<Package> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|package| {
            let (name, version) = (text(&package["name"]), text(&package["version"]));
            name != "ringback" && built.contains(&(name.as_str(), version.as_str()))
        })
        .map(|package| Package {
            name: text(&package["name"]),
            version: text(&package["version"]),
            terms: text(&package["license"]).replace('/', " OR "),
            authors: package["authors"].as_array().unwrap().iter().map(text).collect(),
            folder: Path::new(&text(&package["manifest_path"])).parent().unwrap().to_owned(),
        })
        .collect();
    all.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    all
}

impl Package {
    /// Under which of its terms we take it.
    fn taken_under(&self) -> &'static str {
        let offers = |choice: &&&str| self.terms.split([' ', '(', ')']).any(|word| word == **choice);
        CHOICES.iter().find(offers).unwrap_or_else(|| panic!("{}: {}", self.name, self.terms))
    }

    /// The texts that go with it: that of the terms that we take it under, else all that it brings; what else it wants to be said, too.
    fn texts(&self) -> Vec<String> {
        let mut names: Vec<(String, PathBuf)> = Vec::new();
        for folder in
            [self.folder.clone(), self.folder.join("c_src/mimalloc/v2"), self.folder.join("c_src/mimalloc")]
        {
            let Ok(files) = std::fs::read_dir(folder) else { continue };
            names.extend(
                files
                    .map(|file| file.unwrap())
                    .filter(|file| file.file_type().unwrap().is_file())
                    .map(|file| (file.file_name().to_string_lossy().to_ascii_uppercase(), file.path())),
            );
        }
        names.retain(|(name, _)| {
            ["LICENSE", "LICENCE", "COPYING", "NOTICE"].iter().any(|word| name.contains(word))
        });
        names.sort();
        let word = if self.taken_under() == "MIT" { "MIT" } else { "APACHE" };
        let is_ours = |name: &str| name.contains(word) || name.contains("NOTICE");
        if names.iter().any(|(name, _)| name.contains(word)) {
            names.retain(|(name, _)| is_ours(name));
        }
        let read = |(_, path): &(String, PathBuf)| {
            let text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).replace("\r\n", "\n");
            let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
            lines.join("\n").trim_matches('\n').to_owned()
        };
        names.iter().map(read).filter(|text| text.len() > 100).collect()
    }
}

fn expected() -> String {
    let packages = packages();
    let mut out = String::from("Built in, each under its own licence:\n\n");
    for Package { name, version, terms, .. } in &packages {
        let _ = writeln!(out, "  {name} {version}: {terms}");
    }
    out.push_str("  the Rust standard library: MIT OR Apache-2.0\n");
    let mut texts: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for package in &packages {
        let mut found = package.texts();
        if found.is_empty() {
            // It brings no text: the terms are those above, and this is who holds the rights.
            let (terms, authors) = (package.taken_under(), package.authors.join(", "));
            let who = if authors.is_empty() { format!("the authors of {}", package.name) } else { authors };
            found.push(format!("Copyright (c) {who}\n\nLicensed under the terms of {terms}, whose text is that of ringback's own licence above."));
        }
        for text in found {
            let users = texts.entry(text).or_default();
            if !users.contains(&package.name.as_str()) {
                users.push(&package.name);
            }
        }
    }
    let mut texts: Vec<(String, Vec<&str>)> = texts.into_iter().collect();
    texts.sort_by(|a, b| a.1.cmp(&b.1));
    for (text, users) in texts {
        let _ = write!(out, "\n{}\n{}:\n\n{text}\n", "-".repeat(80), users.join(", "));
    }
    out
}

#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn the_licences_that_are_shown_are_those_of_what_is_built_in() {
    let expected = expected();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, &expected).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(&file).unwrap();
    let differs = expected.lines().zip(kept.lines()).find(|(new, old)| new != old);
    assert!(
        kept == expected,
        "{FILE} is not what Cargo.lock builds in, first at {differs:?}; UPDATE_GOLDEN=1 rewrites it"
    );
    let ran = ringback(&["licenses"]);
    assert_eq!(ran.status, 0, "{ran}");
    assert!(
        ran.stdout.starts_with("ringback ") && ran.stdout.ends_with(&kept),
        "own terms first, then those of others"
    );
    for package in packages() {
        assert!(
            ran.stdout.contains(&format!("  {} {}: ", package.name, package.version)),
            "{}",
            package.name
        );
    }
    assert!(!ran.stdout.contains(".cargo"), "no path of a machine");
}
