//! What both read, they read alike, but for the known deviations.
use super::compare::{Field, differences};
use super::generate;
use super::known::{DEVIATIONS, datagram};
use super::messages;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// The names of the deviations that explain the differences, each counted, and the differences that none explains.
fn compared(bytes: &[u8]) -> (BTreeMap<&'static str, usize>, Vec<String>) {
    let (mut known, mut unknown) = (BTreeMap::new(), Vec::new());
    differences(bytes, |case| match case.explanation() {
        Some(deviation) => *known.entry(deviation.name).or_default() += 1,
        None => unknown.push(format!(
            "{:?}: ours {:?} {:?}, rsip's {:?}",
            case.field,
            case.ours,
            case.message.err(),
            case.theirs
        )),
    });
    (known, unknown)
}

#[test]
fn the_messages_of_the_corpus_are_read_alike_but_for_compact_names() {
    for (name, bytes) in messages() {
        let (known, unknown) = compared(&bytes);
        assert!(unknown.is_empty(), "{name}: {unknown:#?}");
        let expected: &[&str] = if name.starts_with("10_") { &["compact-name"] } else { &[] };
        assert_eq!(known.keys().copied().collect::<Vec<_>>(), expected, "{name}");
    }
}

#[test]
fn each_known_deviation_is_still_there() {
    for deviation in DEVIATIONS {
        let (example, field) = deviation.example;
        let bytes = if deviation.name == "limits" { many_headers() } else { datagram(example) };
        let mut found = Vec::new();
        differences(&bytes, |case| {
            let explanation = case.explanation().map(|d| d.name);
            found.push((case.field, explanation, format!("{:?} {:?}", case.ours, case.theirs)));
        });
        let expected = found.iter().find(|(f, _, _)| *f == field);
        assert_eq!(expected.map(|f| f.1), Some(Some(deviation.name)), "{}: {found:#?}", deviation.name);
        assert!(deviation.reason.len() > 10, "{}", deviation.name);
        assert!(field != Field::Message || found.len() == 1, "{}: {found:?}", deviation.name);
    }
}

#[test]
fn a_scheme_across_lines_hides_what_is_no_header_line() {
    let (known, unknown) = compared(&datagram("OPTIONS urn:a SIP/2.0|no header||x://h SIP/2.0||c"));
    assert_eq!((known.into_keys().collect::<Vec<_>>(), unknown), (vec!["odd-line"], vec![]));
}

fn many_headers() -> Vec<u8> {
    datagram(&format!("OPTIONS sip:h SIP/2.0|{}|", "Subject: a|".repeat(300)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn generated_messages_are_read_alike(message in generate::plain()) {
        prop_assert_eq!(compared(&message.0), Default::default());
    }

    #[test]
    fn what_is_read_differently_is_known(message in generate::rich()) {
        prop_assert_eq!(compared(&message.0).1, Vec::<String>::new());
    }

    #[test]
    fn damaged_messages_differ_only_as_known(
        message in generate::rich(), at in any::<prop::sample::Index>(), octet in prop::sample::select(b" \t;,:<>\"@.*[]?=%\r\n0aZ/".as_slice()),
    ) {
        let mut bytes = message.0;
        let at = at.index(bytes.len());
        bytes[at] = octet;
        prop_assert_eq!(compared(&bytes).1, Vec::<String>::new(), "{}", bytes.escape_ascii());
    }
}
