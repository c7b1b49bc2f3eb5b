//! `ringback call` on the embedded network, and through a file of accounts.

use crate::program::{Sim, at_once, command, finish, ringback, signal};
use std::time::Duration;

#[test]
fn a_healthy_call_is_one_json_line_and_status_0() {
    let ran = ringback(&["call", "alice", "bob", "--ring-for", "2", "--listen", "1", "--json"]);
    assert_eq!((ran.status, ran.stdout.lines().count()), (0, 1), "{ran}");
    let line: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&line["check"], &line["verdict"]), (&"call".into(), &"pass".into()), "{line}");
    let metrics = &line["metrics"];
    assert!(metrics["srd_ms"].as_f64().is_some_and(|srd| srd < 5_000.0), "{line}");
    // Two seconds, less what a busy machine takes to tell that it rings; half a second is what it rings by default.
    assert!(metrics["sdd_ms"].is_number() && metrics["ring_ms"].as_f64().unwrap() >= 750.0, "{line}");
    assert_eq!(metrics["loss_a_to_b_percent"].as_f64(), Some(0.0), "{line}");
}

#[test]
fn one_way_audio_is_named_and_status_1_and_the_ladder_shows_the_media() {
    let ran = ringback(&["call", "alice", "bob", "--fault", "N12:backward", "--ladder"]);
    assert_eq!(ran.status, 1, "{ran}");
    assert!(ran.stdout.contains("no RTP came from bob to alice"), "{ran}");
    let rtp = ran.stdout.lines().filter(|line| line.contains("RTP PCMA")).count();
    assert_eq!(rtp, 3, "{ran}");
}

#[test]
fn an_account_or_a_number_of_a_real_server_is_called_with_a_file() {
    let sim = Sim::start(&["alice:alicepw", "bob:bobpw", "carol:carolpw"]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("accounts.toml");
    let account = |name: &str| {
        format!("[[account]]\nname = \"{name}\"\naor = \"{}\"\npassword = \"{name}pw\"\n", sim.aor(name))
    };
    std::fs::write(&file, ["alice", "bob", "carol"].map(account).concat()).unwrap();
    let file = file.display().to_string();
    let runs = at_once([
        &["call", "--accounts", &file, "alice", "bob", "--hang-up-by", "callee", "--listen", "1"][..],
        &["call", "--accounts", &file, "carol", "999"],
    ]);
    let [both, unknown] = &runs[..] else { unreachable!() };
    assert_eq!(both.status, 0, "{both}");
    assert!(both.stdout.contains("hung-up-by") && both.stdout.contains("  bob"), "{both}");
    assert_eq!(unknown.status, 1, "{unknown}");
    assert!(unknown.stdout.contains("[number-unknown]"), "{unknown}");
}

#[test]
fn a_number_of_a_real_server_is_called_with_an_address_and_a_sound() {
    let sim = Sim::start(&["alice:alicepw"]);
    let dir = tempfile::tempdir().unwrap();
    let sound = dir.path().join("hello.wav");
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 44_100,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(&sound, spec).unwrap();
    (0..44_100 * 2).for_each(|n| writer.write_sample(((n / 100 % 2) * 8_000 - 4_000) as i16).unwrap());
    writer.finalize().unwrap();
    let sound = sound.display().to_string();
    let aor = sim.aor("alice");
    let played =
        ringback(&["call", &aor, "*43", "--password", "alicepw", "--play", &sound, "--bind", "127.0.0.1"]);
    assert_eq!(played.status, 0, "{played}");
    assert!(played.stdout.contains("all 1.0 s were played"), "{played}");
    assert!(!played.stdout.contains("alicepw"), "{played}");
}

#[test]
fn ctrl_c_and_a_lost_terminal_hang_up_and_show_what_was_seen() {
    let start =
        |name| (name, command(&["call", "alice", "bob", "--listen", "30", "--ladder"]).spawn().unwrap());
    let children = ["INT", "HUP"].map(start);
    // Half a second of ringing, and a part of the 30 s in which each listens.
    std::thread::sleep(Duration::from_secs(3));
    for (name, child) in children {
        signal(&child, name);
        let ran = finish(child);
        assert_eq!(ran.status, 3, "{name}: {ran}");
        assert!(ran.stdout.contains(" BYE sip:") && ran.stdout.contains("200 OK"), "{name}: {ran}");
        let by =
            if name == "INT" { "stopped by Ctrl-C" } else { "stopped by SIGHUP (the terminal was lost)" };
        assert!(ran.stdout.contains(&format!("{by} during the step \"audio-")), "{name}: {ran}");
        assert!(ran.stdout.contains("into it; the call was hung up [stopped]"), "{name}: {ran}");
        assert!(
            !ran.stdout.contains("[call-left]") && !ran.stdout.contains("[binding-left]"),
            "{name}: {ran}"
        );
    }
}

#[test]
fn what_cannot_be_called_is_refused_before_a_call() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("accounts.toml");
    std::fs::write(
        &file,
        "[[account]]\nname = \"alice\"\naor = \"sip:alice@127.0.0.1:9\"\npassword = \"x\"\n",
    )
    .unwrap();
    let file = file.display().to_string();
    for (arguments, said) in [
        (&["call", "alice"][..], "<TARGET>"),
        (&["call", "alice", "alice"], "twice"),
        (&["call", "alice", "http://x"], "not a sip: URI"),
        (&["call", "alice", "5", "--dial", "6"], "--dial is for calls between two accounts"),
        (&["call", "alice", "5", "--play", "/nowhere/hello.wav"], "/nowhere/hello.wav"),
        (&["call", "alice", "bob", "--password", "x"], "address of record"),
        (&["call", "sip:alice@127.0.0.1:9", "5", "--fault", "N12"], "embedded network"),
        (&["call", "--accounts", &file, "alice", "bob"], "is no account of the file"),
        (&["call", "--accounts", &file, "alyce", "5"], "did you mean \"alice\"?"),
    ] {
        let ran = ringback(arguments);
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{arguments:?}: {ran}");
        assert!(ran.stderr.contains(said), "{arguments:?}: {ran}");
    }
}
