//! Parsing and full typed access do not touch the heap; a transaction takes little of it.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use ringback::message::{Builder, Flow, Ids, Message, Transport};
use ringback::syntax::{HeaderName, Limits, Method, Multipart, Tel, Uri};
use ringback::transaction::{Config, Layer, Output};

/// Allocations of this thread while `work` runs; a buffer that grows counts each time.
fn allocations<T>(work: impl FnOnce() -> T) -> (u64, T) {
    let mut result = None;
    let info = allocation_counter::measure(|| result = Some(work()));
    (info.count_total, result.unwrap())
}

/// Every Via, From, To, CSeq, Call-ID, Contact, Route and Record-Route, with all their parameters.
fn read_all(message: &Message) -> usize {
    let mut seen = 0;
    for via in message.vias() {
        let via = via.unwrap();
        seen += via.params().iter().count() + via.branch().map_or(0, <[u8]>::len) + via.transport().len();
        seen += usize::from(via.received().is_some()) + usize::from(via.rport().is_some());
    }
    for address in [message.from().unwrap(), message.to().unwrap()] {
        seen += address.tag().map_or(0, <[u8]>::len)
            + address.uri().as_bytes().len()
            + address.display_name_unquoted().len();
    }
    seen += message.cseq().unwrap().number as usize + message.call_id().unwrap().len();
    for contact in message.contacts() {
        seen += contact.unwrap().expires().map_or(0, |e| e as usize);
    }
    for name in [HeaderName::Route, HeaderName::RecordRoute] {
        for address in message.addresses(name) {
            seen += address.unwrap().uri().params().iter().count();
        }
    }
    if let Some(uri) = message.request_uri() {
        seen += uri.unwrap().user().map_or(0, <[u8]>::len);
    }
    seen + message.tokens(HeaderName::Allow).count() + message.body().len()
}

fn count_parts(parts: Multipart<'_>) -> usize {
    parts
        .map(Result::unwrap)
        .map(|part| 1 + part.headers().count() + part.parts().map_or(0, |inner| count_parts(inner.unwrap())))
        .sum()
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| std::hint::black_box(vec![1_u8; 10])).0, 1);
    let grown = allocations(|| {
        let mut bytes = std::hint::black_box(vec![1_u8; 10]);
        bytes.reserve_exact(1000);
        bytes
    });
    assert_eq!(grown.0, 2);
}

#[test]
fn values_of_calls_and_transfers_do_not_allocate() {
    let text = b"REFER sip:h SIP/2.0\r\nr: <sip:b@h;method=BYE?Replaces=1>\r\nb: <sip:a@h>;cid=\"x@y\"\r\nDiversion: <tel:+1-2;ext=3>;reason=\"away\";counter=2\r\nHistory-Info: <sip:a@h?Reason=SIP>;index=1.1;mp=1\r\nRemote-Party-ID: <sip:a@h>;party=called;privacy=\"off\"\r\nP-Asserted-Identity: <sip:a@h>, <tel:+1>\r\nAuthentication-Info: nextnonce=\"n\",nc=01\r\n\r\n";
    let message = Message::parse(Bytes::from_static(text), &Limits::default()).unwrap();
    let (count, seen) = allocations(|| {
        let target = message.refer_to().unwrap().unwrap();
        let mut seen = usize::from(target.method() == Method::Bye) + target.replaces().unwrap().len();
        seen += message.referred_by().unwrap().unwrap().cid().unwrap().len();
        for diversion in message.diversions() {
            let diversion = diversion.unwrap();
            let tel = Tel::from_uri(&diversion.address.uri()).unwrap();
            seen += tel.digits().count() + usize::from(tel.is_equivalent(&tel));
            seen += diversion.reason().unwrap().len() + diversion.counter().unwrap() as usize;
        }
        for entry in message.history() {
            let entry = entry.unwrap();
            seen += entry.levels().count() + entry.reason().unwrap().len();
        }
        for id in message.remote_party_ids() {
            seen += id.unwrap().party().unwrap().len();
        }
        let info = message.authentication_info().unwrap().unwrap();
        seen += info.next_nonce().unwrap().len() + info.nonce_count().unwrap() as usize;
        seen + usize::from(message.asserted_identity().unwrap().unwrap().tel.is_some())
    });
    assert_eq!((count, seen), (0, 1 + 1 + 3 + 3 + 1 + 4 + 2 + 2 + 3 + 6 + 1 + 1 + 1));
}

#[test]
fn comparing_uris_does_not_allocate() {
    let parse = |text: &'static str| Uri::parse(text.as_bytes()).unwrap();
    let one = parse("sip:%61l%3Bce@h;Transport=t%63p;lr?Subject=next%20%6Deeting&Priority=urgent");
    let other = parse("sip:al%3bce@H;lr;transport=TCP?Priority=urgent&subject=next%20meeting");
    assert_eq!(allocations(|| one.is_equivalent(&other)), (0, true));
}

#[test]
fn parts_in_parts_do_not_allocate() {
    let text = b"MESSAGE sip:h SIP/2.0\r\nc: multipart/mixed;boundary=\"a b\"\r\n\r\n--a b\r\nContent-Type: multipart/alternative;boundary=c\r\n\r\n--c\r\n\r\n1\r\n--c\r\n\r\n2\r\n--c--\r\n--a b\r\n\r\n3\r\n--a b--\r\n";
    let limits = Limits::default();
    let message = Message::parse(Bytes::from_static(text), &limits).unwrap();
    let (count, seen) = allocations(|| count_parts(message.parts(&limits).unwrap().unwrap()));
    assert_eq!((count, seen), (0, 5));
}

#[test]
fn a_live_transaction_takes_less_than_a_kibibyte_beside_its_request() {
    let flow = Flow {
        transport: Transport::Udp,
        local: "192.0.2.1:5070".parse().unwrap(),
        remote: "192.0.2.2:5060".parse().unwrap(),
    };
    let request = Builder::request(Method::Options, "sip:pbx.example.com")
        .header(HeaderName::From, "<sip:probe@192.0.2.1>;tag=a73kszlfl")
        .header(HeaderName::To, "<sip:pbx.example.com>")
        .header(HeaderName::CallId, "1j9FpLxk3uxtm8tn@192.0.2.1")
        .header(HeaderName::CSeq, "2 OPTIONS")
        .build()
        .unwrap();
    for live in [1_000, 20_000] {
        let (mut layer, mut requests) = (Layer::new(Config::default(), Ids::from_seed([1; 32])), 0);
        let now = std::time::Instant::now();
        let info = allocation_counter::measure(|| {
            for _ in 0..live {
                layer.send(now, &request, flow).unwrap();
                while let Some(output) = layer.poll_output() {
                    if let Output::Transmit { bytes, .. } = output {
                        requests += bytes.len() as i64;
                    }
                }
            }
        });
        assert_eq!(layer.len(), live);
        let beside = (info.bytes_current - requests) / live as i64;
        assert!((100..1_024).contains(&beside), "{beside} bytes each");
    }
}

#[test]
fn parsing_and_full_typed_access_do_not_allocate() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/messages");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = Bytes::from(std::fs::read(&path).unwrap());
        let (while_framing, message) = allocations(|| Message::parse(bytes, &Limits::default()).unwrap());
        let (while_reading, seen) = allocations(|| read_all(&message));
        let (while_cloning, _copy) = allocations(|| message.clone());
        assert!(seen > 0);
        assert_eq!((while_framing, while_reading), (0, 0), "{}", path.display());
        // The first clone of bytes that were a vector makes their counter.
        assert!(while_cloning <= 1, "{}", path.display());
        files += 1;
    }
    assert_eq!(files, 11);
}

/// What an inventory of this many accounts takes at its peak, in bytes for each account, the file itself included.
#[cfg(feature = "accounts")]
fn of_each_account(count: u64, ending: &str) -> u64 {
    use ringback::campaign::inventory::Inventory;
    use std::fmt::Write;
    let mut text = String::from(if ending == "csv" { "name,aor,password,site\n" } else { "" });
    for number in 0..count {
        let name = format!("customer-{number:06}");
        let aor = format!("sip:+4930{number:07}@pbx.example.com");
        let _ = match ending {
            "csv" => writeln!(text, "{name},{aor},Zk3-{number:08}-qQ,Kiel"),
            _ => writeln!(
                text,
                "[[account]]\nname = \"{name}\"\naor = \"{aor}\"\npassword = \"Zk3-{number:08}-qQ\"\nsite = \"Kiel\"\n"
            ),
        };
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("accounts.{ending}"));
    std::fs::write(&path, &text).unwrap();
    drop(text);
    let mut inventory = None;
    let info = allocation_counter::measure(|| inventory = Some(Inventory::from_path(&path).unwrap()));
    assert_eq!(inventory.unwrap().entries.len() as u64, count);
    info.bytes_max / count
}

#[test]
#[cfg(feature = "accounts")]
fn three_hundred_thousand_accounts_load_in_200_megabytes() {
    // What each takes does not depend on their number: a thirtieth of them shows it.
    for ending in ["csv", "toml"] {
        let bytes = of_each_account(10_000, ending);
        assert!(bytes * 300_000 < 200_000_000, "{ending}: {bytes} bytes for each account");
    }
}
