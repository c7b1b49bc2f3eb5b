//! Runs the binary, bounded in time.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// No run of a test takes longer than this.
const LIMIT: Duration = Duration::from_secs(60);

/// A run is tried this many times on a machine that is too busy for it.
const TRIES: usize = 6;

/// What a run gave.
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}\n--- stdout\n{}--- stderr\n{}", self.status, self.stdout, self.stderr)
    }
}

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringback"));
    command.args(arguments).env_remove("RINGBACK_LOG");
    // Not among the notes of who runs the tests.
    command.env("XDG_STATE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/state"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it to its end.
pub(crate) fn ringback(arguments: &[&str]) -> Ran {
    ringback_with(arguments, &[])
}

pub(crate) fn ringback_with(arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    let start = || command(arguments).envs(environment.iter().copied()).spawn().unwrap();
    undisturbed(finish(start()), start)
}

/// Runs them all at the same time, to their ends: they are to have nothing in common. In their order.
pub(crate) fn at_once<R: AsRef<[A]>, A: AsRef<str>>(runs: impl IntoIterator<Item = R>) -> Vec<Ran> {
    let start = |run: &R| {
        let arguments: Vec<&str> = run.as_ref().iter().map(AsRef::as_ref).collect();
        command(&arguments).spawn().unwrap()
    };
    let runs: Vec<R> = runs.into_iter().collect();
    let children: Vec<Child> = runs.iter().map(start).collect();
    let ended: Vec<Ran> = children.into_iter().map(finish).collect();
    runs.iter().zip(ended).map(|(run, ran)| undisturbed(ran, || start(run))).collect()
}

/// The first run in which our own packets went out in time: where they did not, the program says so, and has no verdict.
fn undisturbed(mut ran: Ran, start: impl Fn() -> Child) -> Ran {
    for _ in 1..TRIES {
        if !ran.stdout.contains("this machine is too busy") {
            break;
        }
        ran = finish(start());
    }
    ran
}

/// Waits for the end of a run and takes what it wrote.
pub(crate) fn finish(mut child: Child) -> Ran {
    let read = |pipe: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let stdout = read(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let stderr = read(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let status = wait(&mut child);
    Ran { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

/// The exit status; a program that does not end is ended and fails the test.
fn wait(child: &mut Child) -> i32 {
    let until = Instant::now() + LIMIT;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().unwrap_or(-1);
        }
        if Instant::now() > until {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the program did not end in {LIMIT:?}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The words of a line of a shell: blanks part them, quotes hold them together, two blanks or more begin a remark.
pub(crate) fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    let mut rest = line.trim().chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => {
                words.push(std::mem::take(&mut word));
                if rest.peek() == Some(&' ') {
                    return words;
                }
            }
            '>' if !quoted => return words,
            _ => word.push(c),
        }
    }
    words.push(word);
    words
}

/// Sends a signal by its name.
pub(crate) fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// `ringback sim` on a port that the system chose; ended when dropped.
pub(crate) struct Sim {
    pub(crate) child: Child,
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
    output: BufReader<ChildStdout>,
    seen: String,
    /// Its standard error, and who reads it.
    told: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Sim {
    pub(crate) fn start(users: &[&str]) -> Sim {
        Sim::start_with(users, &[])
    }

    pub(crate) fn start_with(users: &[&str], more: &[&str]) -> Sim {
        let mut arguments = vec!["sim", "--bind", "127.0.0.1:0"];
        arguments.extend(more);
        for user in users {
            arguments.extend(["--user", user]);
        }
        Sim::run(&mut command(&arguments)).unwrap_or_else(|ran| panic!("no address: {ran}"))
    }

    /// On all addresses of this host, with the port that it got.
    pub(crate) fn start_open(more: &[&str]) -> (Sim, u16) {
        // A port that was free a moment ago; another program may have it by now.
        for _ in 0..20 {
            let port = std::net::UdpSocket::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port();
            let bind = format!("0.0.0.0:{port}");
            match Sim::run(&mut command(&[&["sim", "--bind", &bind][..], more].concat())) {
                Ok(sim) => return (sim, port),
                Err(ran) => assert!(ran.stderr.contains("another program has this port"), "{ran}"),
            }
        }
        panic!("no port is free");
    }

    /// Once it answers: as soon as it tells its address; or what it said instead.
    pub(crate) fn run(command: &mut Command) -> Result<Sim, Ran> {
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let told = Arc::new(Mutex::new(String::new()));
        let errors = told.clone();
        let reader = std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                *errors.lock().unwrap() += &(line + "\n");
            }
        });
        let mut seen = String::new();
        output.read_line(&mut seen).unwrap();
        let address = seen.split_once("sip:").and_then(|(_, rest)| rest.split_whitespace().next());
        let address = address.map(str::to_owned);
        let mut sim = Sim { address: String::new(), child, output, seen, told, reader: Some(reader) };
        match address {
            Some(address) => sim.address = address,
            None => return Err(sim.ended()),
        }
        Ok(sim)
    }

    /// Waits until this stands on its standard error.
    pub(crate) fn until_told(&self, text: &str) {
        let until = Instant::now() + LIMIT;
        while !self.told.lock().unwrap().contains(text) {
            assert!(Instant::now() < until, "{text:?} is not told");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn aor(&self, user: &str) -> String {
        format!("sip:{user}@{}", self.address)
    }

    /// Ends it by a signal; its exit status, and all that it wrote.
    pub(crate) fn end(mut self, name: &str) -> Ran {
        signal(&self.child, name);
        self.ended()
    }

    fn ended(&mut self) -> Ran {
        let status = wait(&mut self.child);
        self.output.read_to_string(&mut self.seen).unwrap();
        self.reader.take().unwrap().join().unwrap();
        Ran { status, stdout: self.seen.clone(), stderr: self.told.lock().unwrap().clone() }
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Shown where a test fails.
        if let Some(Ok(())) = self.reader.take().map(JoinHandle::join) {
            eprint!("{}", self.told.lock().unwrap());
        }
    }
}
