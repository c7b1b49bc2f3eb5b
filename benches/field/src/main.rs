//! ringback's parser beside the other Rust parsers of SIP and what the machine can do at best, in one run.
//!
//! `cargo run --release` in this folder. The messages are those of `tests/data/messages`. "frame" is a stack's cheapest complete
//! parse, "full" adds every Via, From, To, CSeq, Call-ID, Contact, Route and Record-Route as typed values. All take turns, and
//! the least of many turns counts, so that what disturbs one disturbs all; the ratios are what carries over to another machine.

mod reference;
mod stacks;

use bytes::Bytes;
use std::cell::RefCell;
use std::time::{Duration, Instant};

/// Turns of each contender, and rounds over all messages in a turn.
const TURNS: usize = 200;
const ROUNDS: usize = 20;

/// One message, in the forms that the contenders want.
struct Input {
    name: String,
    sip: Bytes,
    text: String,
    /// The same headers behind a start line of HTTP.
    http: Vec<u8>,
    /// Room for a copy.
    room: RefCell<Vec<u8>>,
}

/// What a contender does with a message; the number of typed values that it gave, or why it gave none.
type Work = fn(&Input) -> Result<usize, String>;

struct Contender {
    name: &'static str,
    what: &'static str,
    work: Work,
}

/// How one contender did.
struct Row {
    nanos: f64,
    values: usize,
    allocations: f64,
    refused: Vec<String>,
}

fn inputs() -> Vec<Input> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/messages");
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).expect("the messages").map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    assert_eq!(paths.len(), 11, "all messages are there");
    let read = |path: &std::path::PathBuf| {
        let bytes = std::fs::read(path).expect("a message");
        let sip = Bytes::from(bytes.clone());
        // The first clone of a `Bytes` allocates its counter: that is not the parser's doing.
        drop(sip.clone());
        Input {
            name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            http: reference::as_http(&bytes),
            room: RefCell::new(bytes.clone()),
            text: String::from_utf8(bytes).expect("the messages are ASCII"),
            sip,
        }
    };
    paths.iter().map(read).collect()
}

fn contenders() -> Vec<Contender> {
    let row = |name, what, work| Contender { name, what, work };
    vec![
        row("memcpy", "", reference::copy),
        row("memchr LF, then ':'", "", reference::memchr_pass),
        row("httparse 1.10.1", "as HTTP", reference::http),
        row("ringback", "frame", stacks::ringback_frame),
        row("rsip 0.4.0", "frame", stacks::rsip_frame),
        row("ezk-sip-types 0.6.5", "frame", stacks::ezk_frame),
        row("rsipstack 0.7.14", "frame", stacks::rsipstack_frame),
        row("rsiprtp 0.4.1", "frame", stacks::rsiprtp_frame),
        row("sipx-sip 1.0.1", "frame", stacks::sipx_frame),
        row("ringback", "full", stacks::ringback_full),
        row("rsip 0.4.0", "full", stacks::rsip_full),
        row("ezk-sip-types 0.6.5", "full", stacks::ezk_full),
        row("rsipstack 0.7.14", "full", stacks::rsipstack_full),
        row("rsiprtp 0.4.1", "full", stacks::rsiprtp_full),
        row("sipx-sip 1.0.1", "full", stacks::sipx_full),
    ]
}

fn measure(inputs: &[Input], contenders: &[Contender]) -> Vec<Row> {
    let mut rows: Vec<Row> = contenders
        .iter()
        .map(|contender| {
            let (mut values, mut allocations, mut refused) = (0, 0, Vec::new());
            for input in inputs {
                let info = allocation_counter::measure(|| match (contender.work)(input) {
                    Ok(count) => values += count,
                    Err(why) => refused.push(format!("{}: {why}", input.name)),
                });
                allocations += info.count_total;
            }
            Row { nanos: f64::MAX, values, allocations: allocations as f64 / inputs.len() as f64, refused }
        })
        .collect();
    for _ in 0..TURNS {
        for (row, contender) in rows.iter_mut().zip(contenders) {
            let began = Instant::now();
            for _ in 0..ROUNDS {
                for input in inputs {
                    let _ = std::hint::black_box((contender.work)(std::hint::black_box(input)));
                }
            }
            let per_message = |took: Duration| took.as_nanos() as f64 / (ROUNDS * inputs.len()) as f64;
            row.nanos = row.nanos.min(per_message(began.elapsed()));
        }
    }
    rows
}

fn main() {
    let inputs = inputs();
    let contenders = contenders();
    let rows = measure(&inputs, &contenders);
    let bytes: usize = inputs.iter().map(|input| input.sip.len()).sum();
    let mean = bytes as f64 / inputs.len() as f64;
    let of = |name: &str, what: &str| {
        let at = contenders.iter().position(|c| c.name == name && c.what == what).expect("it takes part");
        &rows[at]
    };
    let ours = |what: &str| of("ringback", what).nanos;
    println!("{} messages, {mean:.0} bytes on average\n", inputs.len());
    println!(
        "{:<20} {:<8} {:>8} {:>8} {:>11} {:>7} {:>7} {:>10}",
        "", "", "ns/msg", "MB/s", "messages/s", "allocs", "values", "/ringback"
    );
    for (contender, row) in contenders.iter().zip(&rows) {
        // The references are no SIP parsers: they stand beside the framing.
        let beside = ours(if contender.what == "full" { "full" } else { "frame" });
        println!(
            "{:<20} {:<8} {:>8.0} {:>8.0} {:>11.0} {:>7.1} {:>7} {:>10.2}",
            contender.name,
            contender.what,
            row.nanos,
            mean / row.nanos * 1e3,
            1e9 / row.nanos,
            row.allocations,
            row.values,
            row.nanos / beside
        );
        row.refused.iter().for_each(|why| println!("    refuses {why}"));
    }
    println!(
        "\nvalues: how many typed values came out; fewer than ringback's means that a list lost some, and less work done."
    );

    let others = || contenders.iter().zip(&rows).filter(|(c, _)| c.what == "full" && c.name != "ringback");
    let best = others().map(|(_, row)| row.nanos).fold(f64::MAX, f64::min);
    println!(
        "\nframe / memchr pass     {:>6.2}   goal: at most 1.4",
        ours("frame") / of("memchr LF, then ':'", "").nanos
    );
    println!(
        "frame / httparse        {:>6.2}   goal: below 1",
        ours("frame") / of("httparse 1.10.1", "as HTTP").nanos
    );
    println!("full / frame            {:>6.2}   goal: at most 5", ours("full") / ours("frame"));
    println!(
        "rsip full / full        {:>6.2}   goal: at least 5",
        of("rsip 0.4.0", "full").nanos / ours("full")
    );
    println!("best other full / full  {:>6.2}   goal: at least 3.5", best / ours("full"));
}
