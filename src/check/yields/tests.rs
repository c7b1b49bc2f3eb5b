//! The lists are held against the sources here, and against every outcome of every test by the probe (in builds with debug assertions).

#![allow(clippy::unwrap_used)]

use super::{ANY, CALL, Kind, MEDIA, REGISTRATION, names, unlisted};
use crate::check::{
    Check, DtmfMethod, Fact, Finding, Outcome, Probe, Run, Severity, Side, Step, Transcript, Verdict,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::SystemTime;

/// Literals with a hyphen that are no name in an outcome.
const NO_NAMES: &[&str] = &["call-id", "kebab-case", "not-run", "time-out"];

/// The files of this floor, and of its own folder where that is deeper.
fn files(extension: &str) -> BTreeMap<String, String> {
    let floor = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/check");
    let (mut found, mut folders) = (BTreeMap::new(), vec![floor.clone()]);
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                let name = path.strip_prefix(&floor).unwrap().to_string_lossy().replace('\\', "/");
                found.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

/// String literals of a file outside of its comments and tests.
fn literals(source: &str) -> BTreeSet<&str> {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut found = BTreeSet::new();
    for line in source.lines().map(str::trim_start).filter(|line| !line.starts_with("//")) {
        found.extend(line.split('"').skip(1).step_by(2));
    }
    found
}

/// Everything that these files name in quotes.
fn named(files: &BTreeMap<String, String>, is_meant: impl Fn(&str) -> bool + Copy) -> BTreeSet<&str> {
    let code = files.iter().filter(|(path, _)| {
        !path.contains("tests") && !path.starts_with("yields/") && is_meant(path.as_str())
    });
    code.flat_map(|(_, source)| literals(source)).collect()
}

#[test]
fn every_check_shows_its_lists_on_its_page_and_is_held_to_them() {
    let (sources, lists) = (files("rs"), files("md"));
    let mut without = Vec::new();
    let mut with = 0;
    for (path, source) in &sources {
        for name in source.split("\nimpl Check for ").skip(1).filter_map(|rest| rest.split(' ').next()) {
            if matches!(name, "BoxedCheck") || path.contains("tests") {
                continue;
            }
            let file = path.strip_suffix("mod.rs").map_or_else(
                || format!("{}.md", path.trim_end_matches(".rs")),
                |folder| format!("{folder}yields.md"),
            );
            let Some(_) = lists.get(&file) else {
                without.push(name);
                continue;
            };
            with += 1;
            let included = format!("include_str!(\"{}\")", file.rsplit('/').next().unwrap());
            let page = source.split(&format!("pub struct {name} ")).next().unwrap();
            let page = page.rsplit("\n\n").next().unwrap();
            assert!(page.contains(&format!("#[doc = {included}]")), "{path}: {name} does not show {file}");
            let held = source.split("fn yields(&self)").nth(1).and_then(|rest| rest.split("\n    }").next());
            assert!(
                held.is_some_and(|held| held.contains(&included)),
                "{path}: {name} is not held to {file}"
            );
        }
    }
    assert!(without.is_empty(), "checks without a list of what they yield: {without:?}");
    assert!(with >= 9, "only {with} checks were found");
}

#[test]
fn what_is_listed_is_named_by_the_code() {
    let sources = files("rs");
    let named = named(&sources, |_| true);
    for (path, list) in files("md") {
        let list: &'static str = list.leak();
        let names = names(&[list]);
        assert!(!names.is_empty(), "{path} lists nothing");
        for (kind, name) in names {
            // The steps of `dtmf` have the names of the methods.
            let is_method = DtmfMethod::ALL.iter().any(|method| method.as_str() == name);
            assert!(
                is_method || named.contains(name),
                "{path} lists the {kind:?} `{name}`, which no code of this floor names"
            );
        }
    }
}

#[test]
fn what_the_code_names_is_listed() {
    let lists: Vec<&'static str> = files("md").into_values().map(|list| &*list.leak()).collect();
    let listed: BTreeSet<&str> = names(&lists).into_iter().map(|(_, name)| name).collect();
    let sources = files("rs");
    let is_name = |text: &&&str| {
        text.contains('-')
            && text.split('-').all(|part| {
                !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            })
    };
    // What becomes JSON in the details has words of its own.
    let all = named(&sources, |path| !path.starts_with("result/"));
    let missing: Vec<_> = all
        .iter()
        .filter(is_name)
        .filter(|name| !listed.contains(*name) && !NO_NAMES.contains(name))
        .collect();
    assert!(missing.is_empty(), "no list of a check has {missing:?}");
    let calls = ["fact(\"", "metric(\"", "begin(\"", "skip(\""];
    let code = sources.iter().filter(|(path, _)| !path.contains("tests"));
    for (path, source) in code {
        let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for name in
            calls.iter().flat_map(|call| source.split(call).skip(1)).filter_map(|rest| rest.split('"').next())
        {
            assert!(listed.contains(name), "{path}: no list of a check has `{name}`");
        }
    }
}

#[test]
fn items_are_read_by_their_kind_and_prose_is_not() {
    let list = "\n# Names\n- `before`: no kind yet\n\n**Steps**\n- `a`, `b`: as `c` does\n\n**Codes**\n- `d-e`\nprose with `f`\n";
    let found: Vec<_> = names(&[list]).into_iter().collect();
    assert_eq!(found, [(Kind::Step, "a"), (Kind::Step, "b"), (Kind::Code, "d-e")]);
    assert!(names(&[ANY, REGISTRATION, CALL, MEDIA]).contains(&(Kind::Code, "credentials-refused")));
}

#[test]
fn a_name_in_no_list_is_found_and_one_of_another_kind_is_no_excuse() {
    let now = tokio::time::Instant::now().into_std();
    let transcript = Transcript::empty(now, SystemTime::UNIX_EPOCH);
    let mut outcome = Outcome::new("ping", "sip:a@example.com", Verdict::Fail, "", transcript);
    outcome.steps.push(Step::new("ask", Verdict::Fail, ""));
    outcome.facts.push(Fact::new("answer", "no"));
    outcome.findings.push(Finding::new("no-answer", Severity::Error, Side::Path, "", ""));
    let list = "**Steps**\n- `ask`, `answer`\n**Codes**\n- `no-answer`: nothing came";
    assert_eq!(unlisted(&outcome, &[list]), [(Kind::Fact, "answer".to_owned())]);
    assert_eq!(unlisted(&outcome, &[list, "**Facts**\n- `answer`"]), []);
}

/// A check whose documentation lists one fact.
struct Says(&'static str);

impl Check for Says {
    fn name(&self) -> &'static str {
        "says"
    }

    fn subject(&self) -> String {
        "nobody".to_owned()
    }

    fn yields(&self) -> &'static [&'static str] {
        &["**Facts**\n- `word`: what it says\n**Steps**\n- `say`"]
    }

    async fn run(&self, run: &mut Run) {
        let step = run.begin("say");
        run.fact(self.0, "hello");
        run.end(step, Verdict::Pass, "said");
    }
}

#[cfg(debug_assertions)]
#[tokio::test]
async fn an_outcome_with_a_name_in_no_list_is_a_defect_of_the_check_however_it_is_asked() {
    let probe = Probe::bind("udp:127.0.0.1:0").await.unwrap();
    assert_eq!(probe.check(Says("word")).await.verdict, Verdict::Pass);
    let (boxed, within) = (Says("byte").boxed(), std::time::Duration::from_secs(1));
    for outcome in [
        probe.check(Says("byte")).await,
        probe.check(boxed).await,
        probe.check_within(within, Says("byte")).await,
    ] {
        assert_eq!(outcome.verdict, Verdict::Inconclusive, "{outcome}");
        assert_eq!(outcome.findings[0].code, "probe-broken", "{outcome}");
    }
}
