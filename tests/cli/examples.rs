//! The examples of README and help are what people copy: each is taken as it is written, and README's pass on README's own network.

use crate::program::{Sim, at_once, ringback, words};
use std::path::Path;

/// The examples of a help text.
fn of_help(command: &str) -> Vec<String> {
    let arguments: Vec<&str> = [command, "--help"].into_iter().filter(|word| !word.is_empty()).collect();
    let help = ringback(&arguments).stdout;
    let examples = help.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    examples
        .filter(|line| line.trim_start().trim_start_matches("PW=secret ").starts_with("ringback "))
        .map(str::to_owned)
        .collect()
}

/// README's block of commands that begins so, without its fences.
fn of_readme(begins: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let blocks = readme.split("```").filter_map(|block| block.split_once('\n'));
    let block = blocks.map(|(_, text)| text).find(|text| text.starts_with(begins));
    block
        .unwrap_or_else(|| panic!("README has no block that begins with {begins}"))
        .lines()
        .map(str::to_owned)
        .collect()
}

/// README's account file, with its registrar at this address.
fn accounts_of_readme(folder: &Path, address: &str) -> String {
    let text = of_readme("[[account]]").join("\n").replace("127.0.0.1:5060", address);
    let path = folder.join("accounts.toml");
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// README's own network, on a port that is free.
fn network_of_readme() -> Sim {
    let line = of_readme("ringback sim").concat();
    let arguments = words(&line);
    let arguments: Vec<&str> = arguments.iter().skip(2).map(String::as_str).collect();
    Sim::start_with(&[], &arguments)
}

#[test]
fn what_the_readme_shows_passes_on_its_network_with_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let lines = of_readme("ringback register");
    assert!(lines.len() > 10, "{lines:?}");
    // A network for each: what one binds would be a live device to the others.
    let networks: Vec<Sim> = lines.iter().map(|_| network_of_readme()).collect();
    let runs: Vec<Vec<String>> = lines
        .iter()
        .zip(&networks)
        .map(|(line, sim)| {
            let own = folder.path().join(sim.address.replace(':', "-"));
            std::fs::create_dir(&own).unwrap();
            let here = |word: String| match word.as_str() {
                "accounts.toml" => accounts_of_readme(&own, &sim.address),
                "127.0.0.1" | "sip:127.0.0.1" => format!("sip:{}", sim.address),
                "closed-today.wav" => sound(folder.path()),
                "--password-env" => "--password".to_owned(),
                "SIP_PASSWORD" => "alicepw".to_owned(),
                _ => word,
            };
            words(line).into_iter().skip(1).map(here).collect()
        })
        .collect();
    for (line, ran) in lines.iter().zip(at_once(&runs)) {
        assert_eq!(ran.status, 0, "{line}: {ran}");
    }
}

/// A WAV file of half a second of silence.
fn sound(folder: &Path) -> String {
    let path = folder.join("closed-today.wav");
    let data = [0_u8; 8_000];
    let mut wav = b"RIFF".to_vec();
    wav.extend((36 + data.len() as u32).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend(8_000_u32.to_le_bytes());
    wav.extend(16_000_u32.to_le_bytes());
    wav.extend(b"\x02\0\x10\0data");
    wav.extend((data.len() as u32).to_le_bytes());
    wav.extend(data);
    std::fs::write(&path, wav).unwrap();
    path.display().to_string()
}

const COMMANDS: [&str; 11] =
    ["", "register", "reachable", "call", "dtmf", "hold", "cancel", "transfer", "fork", "clean", "sim"];

/// A capture that cannot be written: everything else is taken, and nothing is sent.
const NOWHERE: [&str; 2] = ["--pcap", "/nowhere/a.pcap"];

#[test]
fn every_example_of_the_help_is_taken_as_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = accounts_of_readme(folder.path(), "127.0.0.1:9");
    let examples: Vec<String> = COMMANDS.into_iter().flat_map(of_help).collect();
    let runs: Vec<(&str, Vec<String>)> = examples
        .iter()
        .map(|example| {
            let here = |word: String| match word.as_str() {
                "accounts.toml" | "accounts.csv" => file.clone(),
                "closed-today.wav" => sound(folder.path()),
                // Neither is there, nor somebody to be asked.
                "--password-env" | "--password-file" => "--password".to_owned(),
                _ => word,
            };
            let line = example.trim_start().trim_start_matches("PW=secret ");
            let mut words: Vec<String> = words(line).into_iter().skip(1).map(here).collect();
            if words[0] == "register"
                && !words.iter().any(|word| word == "--accounts" || word == "--password")
            {
                words.extend(["--password", "secret"].map(str::to_owned));
            }
            words.extend(NOWHERE.map(str::to_owned));
            (example.as_str(), words)
        })
        .filter(|(_, words)| !matches!(words[0].as_str(), "demo" | "sim"))
        .collect();
    assert!(runs.len() > 30, "{runs:?}");
    for ((example, _), ran) in runs.iter().zip(at_once(runs.iter().map(|(_, words)| words))) {
        let taken = ran.stderr.lines().any(|line| line.starts_with("error: --pcap /nowhere/a.pcap: "));
        assert!(ran.status == 2 && taken, "{example}: {ran}");
    }
}

#[test]
fn every_network_of_the_help_starts() {
    for example in of_help("sim").into_iter().chain(of_help("")) {
        let words = words(&example);
        if words[1] != "sim" || words.contains(&"--faults".to_owned()) {
            continue;
        }
        // On a port that is free, and for this host alone.
        let mut own: Vec<&str> = Vec::new();
        let mut rest = words.iter().skip(2).map(String::as_str);
        while let Some(word) = rest.next() {
            match word {
                "--bind" => drop(rest.next()),
                word => own.push(word),
            }
        }
        let sim = Sim::start_with(&[], &own);
        let ran = ringback(&["reachable", &format!("sip:{}", sim.address)]);
        assert_eq!(ran.status, 0, "{example}: {ran}");
    }
    let ran = ringback(&["sim", "--faults"]);
    assert_eq!(ran.status, 0, "{ran}");
}
