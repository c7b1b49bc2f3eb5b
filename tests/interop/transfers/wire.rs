//! What is written down of a transfer: its packets as tshark reads them, and its ladder as a telephony engineer would draw it.

use super::accounts;
use crate::peer::kamailio::Kamailio;
use crate::peer::tshark;
use crate::ringback::{Outcome, ringback};
use std::path::Path;

/// A transfer through Kamailio with these further arguments: the outcome, what else was printed, and Kamailio's port.
fn transfer(transport: &str, kind: &str, more: &[&str]) -> (Outcome, String, u16) {
    let kamailio = Kamailio::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let file = accounts(&kamailio, dir.path(), "127.0.0.1", transport);
    let mut args = vec!["transfer", "--accounts", &file, "--bind", "udp:127.0.0.1:0", "--json"];
    args.extend(["alice", "bob", "carol", "--kind", kind]);
    args.extend(more);
    let ran = ringback("alicepw", &args);
    let outcome = ran.outcome();
    assert_eq!(outcome.verdict(), "pass", "{transport} {kind}\n{outcome}");
    (outcome, ran.stderr, kamailio.port())
}

fn count(frames: &[tshark::Frame], protocol: &str) -> usize {
    frames.iter().filter(|frame| frame.protocols.split(':').any(|name| name == protocol)).count()
}

/// Packets of media that the ladder has.
fn drawn(ladder: &str) -> usize {
    let packets = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let at = words.iter().position(|word| word.starts_with("packet"))?;
        words[at - 1].parse::<usize>().ok()
    };
    ladder.lines().filter(|line| line.contains(" RTP ")).filter_map(packets).sum()
}

#[test]
fn every_packet_of_each_kind_is_decoded_and_none_is_malformed() {
    let cases = [("udp", "blind"), ("udp", "attended"), ("tcp", "semi-attended"), ("tcp", "attended")];
    std::thread::scope(|scope| {
        for (transport, kind) in cases {
            scope.spawn(move || judge(transport, kind));
        }
    });
}

fn judge(transport: &str, kind: &str) {
    let dir = tempfile::tempdir().unwrap();
    let capture = dir.path().join("transfer.pcap");
    let (outcome, printed, port) =
        transfer(transport, kind, &["--ladder", "--pcap", capture.to_str().unwrap()]);
    let frames = tshark::read(&capture, port);
    let objected: Vec<_> = frames.iter().filter(|frame| !frame.complaints.is_empty()).collect();
    assert!(objected.is_empty(), "{transport} {kind}: {objected:#?}");
    // Nothing is left that tshark takes for data of an unknown kind. A TCP segment without data has none.
    let undecoded: Vec<_> = frames
        .iter()
        .filter(|frame| !["sip", "rtp", "rtcp", "tcp"].iter().any(|name| frame.protocols.contains(name)))
        .collect();
    assert!(undecoded.is_empty(), "{transport} {kind}: {undecoded:#?}");
    assert_eq!(count(&frames, "sip") as u64, outcome.number("messages"), "{transport} {kind}");
    // Both ends of all media are ours: each packet is there once, as it is in the ladder.
    let rtp = count(&frames, "rtp");
    assert!(rtp > 200, "{transport} {kind}: {rtp}");
    assert_eq!(rtp, drawn(&printed), "{transport} {kind}\n{printed}");
    assert!(count(&frames, "rtcp") >= 4, "{transport} {kind}: {}", count(&frames, "rtcp"));
    assert_eq!(methods(&capture, port, "REFER"), 1, "{transport} {kind}: {frames:#?}");
    assert!(methods(&capture, port, "NOTIFY") >= 2, "{transport} {kind}: {frames:#?}");
    let refer_to = tshark::fields(&capture, port, "sip.Method == \"REFER\"", &["sip.Refer-To"]);
    assert_eq!(refer_to[0][0].contains("Replaces="), kind == "attended", "{refer_to:?}");
}

/// Requests of this method that left an end of ours, retransmissions not counted.
fn methods(capture: &Path, port: u16, method: &str) -> usize {
    let filter = format!("sip.Method == \"{method}\" && (udp.dstport == {port} || tcp.dstport == {port})");
    let rows = tshark::fields(capture, port, &filter, &["sip.Call-ID", "sip.CSeq"]);
    rows.into_iter().collect::<std::collections::BTreeSet<_>>().len()
}

/// An arrow: the time, from which lane to which, and what.
type Arrow = (f64, usize, usize, String);

/// The lanes of a ladder, and its arrows.
fn read(ladder: &str) -> (Vec<String>, Vec<Arrow>) {
    let mut lines = ladder.lines().skip_while(|line| !line.trim_start().starts_with("alice "));
    let (head, bars) = (lines.next().unwrap(), lines.next().unwrap());
    let starts: Vec<usize> = bars.match_indices('|').map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([head.len()]);
    let lanes = starts.iter().zip(ends).map(|(start, end)| head[*start..end].trim().to_owned()).collect();
    let arrow = |line: &str| {
        let time = line.split_whitespace().next()?.parse().ok()?;
        let dashes = |at: usize| line.get(at + 1..at + 3).is_some_and(|next| ["--", "<-"].contains(&next));
        let from = starts.iter().position(|start| dashes(*start))?;
        let close = starts[from] + 1 + line[starts[from] + 1..].find('|')?;
        let to = starts.iter().position(|start| *start == close)?;
        let inner = &line[starts[from] + 1..close];
        let text = inner.trim_matches(['-', '<', '>', ' ']).to_owned();
        Some(if inner.starts_with('<') { (time, to, from, text) } else { (time, from, to, text) })
    };
    (lanes, lines.filter_map(arrow).collect())
}

#[test]
fn the_ladder_has_all_three_parties_and_the_proxy_where_an_engineer_would_draw_them() {
    let (outcome, printed, port) = transfer("udp", "attended", &["--ladder"]);
    let (lanes, arrows) = read(&printed);
    let names: Vec<&str> = lanes.iter().map(|lane| lane.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["alice", "udp", "bob", "carol"], "{printed}");
    assert_eq!(lanes[1], format!("udp 127.0.0.1:{port}"));
    let messages = arrows.iter().filter(|(.., text)| !text.starts_with("RTP ")).count();
    // What Kamailio tells is there as well, so that the number is that of the outcome.
    assert_eq!(messages as u64, outcome.number("messages"), "{printed}");
    assert!(arrows.windows(2).all(|two| two[0].0 <= two[1].0), "in the order of time\n{printed}");

    let (alice, proxy, bob, carol) = (0, 1, 2, 3);
    // The line of the next arrow that is wanted.
    let next = |after: usize, (from, to): (usize, usize), begins: &str| {
        let fits = |(_, f, t, text): &Arrow| (*f, *t) == (from, to) && text.starts_with(begins);
        let found = arrows[after..].iter().position(fits);
        after + 1 + found.unwrap_or_else(|| panic!("no {begins} after line {after}\n{printed}"))
    };
    let along = |after: usize, steps: &[(usize, usize, &str)]| {
        steps.iter().fold(after, |after, (from, to, begins)| next(after, (*from, *to), begins))
    };
    let referred = along(
        0,
        &[
            (alice, proxy, "INVITE sip:bob@"),
            (proxy, bob, "INVITE sip:bob@"),
            (bob, proxy, "200 OK"),
            (proxy, alice, "200 OK"),
            (alice, proxy, "ACK"),
            // The hold, the consultation, the transfer.
            (alice, proxy, "INVITE sip:bob@"),
            (alice, proxy, "INVITE sip:carol@"),
            (proxy, carol, "INVITE sip:carol@"),
            (carol, proxy, "200 OK"),
            (alice, proxy, "ACK"),
            (alice, proxy, "REFER sip:bob@"),
            (proxy, bob, "REFER sip:bob@"),
        ],
    );
    // Nothing says which of these comes first, nor which of those behind.
    along(referred, &[(bob, proxy, "202 Accepted"), (proxy, alice, "202 Accepted")]);
    let called = [(bob, proxy, "INVITE sip:carol@"), (proxy, carol, "INVITE sip:carol@")];
    let carried_out = next(along(referred, &called), (carol, proxy), "200 OK");
    let told = along(carried_out, &[(bob, proxy, "NOTIFY"), (proxy, alice, "NOTIFY")]);
    let replaced = along(carried_out, &[(carol, proxy, "BYE"), (proxy, alice, "BYE")]);
    let left = along(told.max(replaced), &[(alice, proxy, "BYE"), (proxy, bob, "BYE")]);
    along(left, &[(bob, proxy, "BYE"), (proxy, carol, "BYE")]);
    // The media of the two after the transfer goes between them, past the proxy.
    for (from, to) in [(alice, bob), (bob, alice), (bob, carol), (carol, bob)] {
        assert!(
            arrows.iter().any(|(_, f, t, text)| (*f, *t) == (from, to) && text.starts_with("RTP ")),
            "no media from {from} to {to}\n{printed}"
        );
    }
}
