//! The binary, run as people run it: arguments in, lines and an exit status out, in bounded time.

use serde_json::Value;
use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

/// Runs the binary with the password in `RINGBACK_TEST_PASSWORD`, and sees that it is printed nowhere.
#[track_caller]
pub(crate) fn ringback(password: &str, args: &[&str]) -> Ran {
    within(Duration::from_secs(60), password, args)
}

/// The same with another limit of time.
#[track_caller]
pub(crate) fn within(limit: Duration, password: &str, args: &[&str]) -> Ran {
    let dir = tempfile::tempdir().unwrap();
    let (out, err) = (dir.path().join("out"), dir.path().join("err"));
    let began = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_ringback"))
        .args(args)
        .env("RINGBACK_TEST_PASSWORD", password)
        // Not among the notes of who runs the tests.
        .env("XDG_STATE_HOME", dir.path())
        .env_remove("RINGBACK_LOG")
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(File::create(&out).unwrap())
        .stderr(File::create(&err).unwrap())
        .spawn()
        .unwrap();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > limit {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{args:?} runs longer than {limit:?}: {}", fs::read_to_string(&err).unwrap());
        }
        thread::sleep(Duration::from_millis(5));
    };
    let took = began.elapsed();
    let read = |path| String::from_utf8(fs::read(path).unwrap()).unwrap();
    let ran = Ran { status: status.code().unwrap_or(-1), stdout: read(&out), stderr: read(&err), took };
    assert!(!ran.stdout.contains(password), "the password stands in {}", ran.stdout);
    assert!(!ran.stderr.contains(password), "the password stands in {}", ran.stderr);
    ran
}

impl Ran {
    /// The outcomes that were printed, one JSON object a line and nothing else.
    #[track_caller]
    pub(crate) fn outcomes(&self) -> Vec<Outcome> {
        self.stdout
            .lines()
            .map(|line| Outcome(serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))))
            .collect()
    }

    /// The one outcome that was printed.
    #[track_caller]
    pub(crate) fn outcome(&self) -> Outcome {
        let mut outcomes = self.outcomes();
        assert_eq!(outcomes.len(), 1, "{}\n{}", self.stdout, self.stderr);
        outcomes.remove(0)
    }
}

/// One line of `--json`.
#[derive(Debug)]
pub(crate) struct Outcome(Value);

impl Outcome {
    pub(crate) fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap_or_else(|| panic!("no {key} in {}", self.0))
    }

    pub(crate) fn verdict(&self) -> &str {
        self.text("verdict")
    }

    /// Name and verdict of each step.
    pub(crate) fn steps(&self) -> Vec<(&str, &str)> {
        let steps = self.0["steps"].as_array().unwrap();
        steps.iter().map(|step| (step["name"].as_str().unwrap(), step["verdict"].as_str().unwrap())).collect()
    }

    /// The finding of this name.
    pub(crate) fn finding(&self, code: &str) -> Option<&Value> {
        self.0["findings"].as_array().unwrap().iter().find(|finding| finding["code"] == code)
    }

    /// The codes of all findings, the one that matters most first.
    pub(crate) fn findings(&self) -> Vec<&str> {
        let findings = self.0["findings"].as_array().unwrap();
        findings.iter().map(|finding| finding["code"].as_str().unwrap()).collect()
    }

    /// Severity, side and code of all findings, the one that matters most first.
    pub(crate) fn blamed(&self) -> Vec<String> {
        let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
        let findings = self.0["findings"].as_array().unwrap().iter();
        findings.map(|found| ["severity", "side", "code"].map(|key| text(found, key)).join(" ")).collect()
    }

    /// All values of the fact of this name.
    pub(crate) fn facts(&self, name: &str) -> Vec<&str> {
        let facts = self.0["facts"].as_array().unwrap();
        facts.iter().filter(|fact| fact["name"] == name).map(|fact| fact["value"].as_str().unwrap()).collect()
    }

    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        self.0["metrics"][name].as_f64()
    }

    /// What became of digits, method by method.
    pub(crate) fn dtmf(&self) -> &[Value] {
        self.0["dtmf"].as_array().map_or(&[], Vec::as_slice)
    }

    /// What a transfer came to.
    pub(crate) fn transfer(&self) -> &Value {
        &self.0["transfer"]
    }

    pub(crate) fn number(&self, key: &str) -> u64 {
        self.0[key].as_u64().unwrap_or_else(|| panic!("no {key} in {}", self.0))
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#}", self.0)
    }
}
