#![allow(clippy::unwrap_used)]
use super::*;
use crate::ua::dialog::DialogId;
use proptest::prelude::*;

fn dialog(call_id: &str, local: &str, remote: &str) -> DialogId {
    let bytes = |text: &str| text.as_bytes().into();
    DialogId { call_id: bytes(call_id), local_tag: bytes(local), remote_tag: bytes(remote) }
}

#[test]
fn a_replaces_names_the_dialog_as_its_receiver_sees_it() {
    let ours = dialog("1@h", "mine", "theirs");
    let replaces = Replaces::of_ours(&ours);
    assert_eq!(replaces.value(), b"1@h;to-tag=theirs;from-tag=mine");
    assert!(replaces.names(&dialog("1@h", "theirs", "mine")));
    for other in [&ours, &dialog("1@H", "theirs", "mine"), &dialog("1@h", "THEIRS", "mine")] {
        assert!(!replaces.names(other), "{other:?}");
    }
    // A peer of RFC 2543 has no tag, and is named by 0.
    let old = Replaces::of_ours(&dialog("1", "a", ""));
    assert_eq!(old.value(), b"1;to-tag=0;from-tag=a");
    assert!(Replaces::parse(&old.value()).unwrap().names(&dialog("1", "", "a")));
    assert!(Replaces::parse(b"1;to-tag=0;from-tag=a").unwrap().names(&dialog("1", "0", "a")));
}

#[test]
fn what_a_replaces_gets_is_as_the_rfc_says() {
    use DialogState::*;
    let any = Replaces::of_ours(&dialog("1", "a", "b"));
    let early = Replaces { early_only: true, ..any.clone() };
    for (state, plain, early_only) in [
        (Unknown, Err(481), Err(481)),
        (EarlyCaller, Ok(()), Ok(())),
        (EarlyCalled, Err(481), Err(481)),
        (Confirmed, Ok(()), Err(486)),
        (Ended, Err(603), Err(603)),
    ] {
        assert_eq!((any.judge(state), early.judge(state)), (plain, early_only), "{state:?}");
    }
}

#[test]
fn refer_to_loses_what_must_not_stand_in_a_start_line() {
    let target = Target::parse(b"Carol <sips:c@h:5061;method=BYE;transport=tcp?a=%20b&c>;x=y").unwrap();
    assert_eq!((target.uri.as_str(), target.method.as_str()), ("sips:c@h:5061;transport=tcp", "BYE"));
    assert_eq!(target.headers, [("a".to_owned(), " b".to_owned()), ("c".to_owned(), String::new())]);
    assert_eq!(Target::parse(b"<sip:c@h?>").unwrap().uri, "sip:c@h");
    assert_eq!(Target::parse(b"<sip:c@h;METHOD=INVITE>").unwrap().uri, "sip:c@h");
    let twice = b"<sip:c@h?Replaces=1%3Bto-tag%3Da%3Bfrom-tag%3Db&Replaces=1%3Bto-tag%3Da%3Bfrom-tag%3Db>";
    assert_eq!(Target::parse(twice), Err(TransferError::Repeated("Replaces in Refer-To")));
    let many = format!("<sip:c@h?{}>", ["a=b"; MAX_HEADERS + 1].join("&"));
    assert_eq!(Target::parse(many.as_bytes()), Err(TransferError::TooManyHeaders));
    assert!(!Target::new("tel:+15550100").is_sip() && Target::new(CALLABLE).is_sip());
}

const CALLABLE: &str = "sip:c@192.0.2.1;user=phone";

#[test]
fn only_harmless_headers_go_into_the_new_request() {
    let target =
        ["From", "via", "i", "body", "Route", "a b", "Replaces2", "X-Ok", "Content-Length", "Require"]
            .into_iter()
            .fold(Target::new(CALLABLE), |target, name| target.with_header(name, "replaces, x"))
            .with_header("X-Lines", "a\r\nVia: b");
    let usable: Vec<_> = target.usable_headers().map(|(name, _)| name).collect();
    assert_eq!(usable, ["Replaces2", "X-Ok"]);
    assert!(target.requires_replaces());
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        headers in prop::collection::vec(("[A-Za-z-]{1,12}", "\\PC{0,20}"), 0..5), call_id in "[a-zA-Z0-9.!%*_+`'~@:/?-]{1,30}",
        tags in prop::array::uniform2("[a-zA-Z0-9.~-]{1,12}"), early_only in any::<bool>(),
    ) {
        let mut replaces = Replaces::of_ours(&dialog(&call_id, &tags[0], &tags[1]));
        replaces.early_only = early_only;
        let mut target = Target::new(CALLABLE).with_replaces(replaces);
        for (name, value) in headers.into_iter().filter(|(name, _)| !name.eq_ignore_ascii_case("replaces")) {
            target = target.with_header(name, value);
        }
        prop_assert_eq!(Target::parse(target.value().as_bytes()), Ok(target));
    }

    #[test]
    fn whatever_comes_is_read_or_refused(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Target::parse(&text);
        let _ = Replaces::parse(&text);
    }
}
