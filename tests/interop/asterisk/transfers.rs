//! Transfers that Asterisk carries out itself: by REFER, by keys, and to a place to park at.

use super::{ask, did, says};
use crate::peer::asterisk::Asterisk;
use crate::ringback::Outcome;

/// The outcome of a transfer with these arguments, in one line as on a command line.
#[track_caller]
fn transfer(asterisk: &Asterisk, arguments: &str) -> Outcome {
    let arguments: Vec<&str> = arguments.split(' ').collect();
    ask(asterisk, &[&["transfer"], &arguments[..]].concat())
}

/// Asterisk does not tell the one that was moved whom it talks to.
const MOVED: &str = "info peer connected-identity-not-told";
/// It takes the ringback tone that it plays to the transferee for an answer, and tells the transferor 200 while the target still rings.
const EARLY: &str = "warning peer notify-too-early";
/// What the one on hold says still comes to who holds.
const HELD: &str = "warning peer held-party-heard";

#[test]
fn blind() {
    let asterisk = Asterisk::start();
    for how in ["--by caller", "--by callee", "--refer-to 203"] {
        let outcome = transfer(&asterisk, &format!("alice bob carol {how}"));
        says(&outcome, "pass", &[EARLY, MOVED]);
    }
    did(
        &asterisk,
        &[
            "Executing [carol@lab:1] Dial(\"PJSIP/bob-",
            "Executing [carol@lab:1] Dial(\"PJSIP/alice-",
            "Executing [203@lab:1]",
        ],
    );
}

#[test]
fn attended() {
    let asterisk = Asterisk::start();
    for by in ["caller", "callee"] {
        let outcome = transfer(&asterisk, &format!("alice bob carol --kind attended --by {by}"));
        // What the one on hold says is relayed to who holds, and carol is not told that she talks to bob now.
        says(&outcome, "pass", &[HELD, "warning peer caller-identity-lost", MOVED]);
    }
    did(
        &asterisk,
        &[
            "Started music on hold",
            "swapped with PJSIP/alice",
            "Started music on hold",
            "swapped with PJSIP/bob",
        ],
    );
}

#[test]
fn semi_attended() {
    let asterisk = Asterisk::start();
    for by in ["caller", "callee"] {
        let outcome = transfer(&asterisk, &format!("alice bob carol --kind semi-attended --by {by}"));
        says(&outcome, "pass", &[EARLY, MOVED]);
    }
}

#[test]
fn by_phones_that_hang_up_early_or_do_all_at_once() {
    let asterisk = Asterisk::start();
    for how in ["--hang-up-early", "--at-once"] {
        let outcome = transfer(&asterisk, &format!("alice bob carol {how}"));
        says(&outcome, "pass", &[EARLY, MOVED]);
    }
    let outcome = transfer(&asterisk, "alice bob carol --kind semi-attended --early-replaces");
    // Asterisk does not tell carol either whom she talks to.
    says(&outcome, "pass", &["warning peer caller-identity-lost", MOVED]);
}

#[test]
fn identities_are_told_where_asterisk_is_set_up_for_it() {
    let users = [("paul", "told"), ("petra", "told"), ("pia", "told")];
    let asterisk = Asterisk::with_users(&users);
    let outcome = transfer(&asterisk, "paul petra pia");
    says(&outcome, "pass", &[EARLY]);
    let outcome = transfer(&asterisk, "paul petra pia --kind attended");
    says(&outcome, "pass", &[HELD]);
    assert!(outcome.facts("target-was-shown")[0].ends_with("asserted <sip:petra@127.0.0.1>"), "{outcome}");
}

#[test]
fn refused() {
    let asterisk = Asterisk::with_users(&[("ned", "no_transfer"), ("nora", "no_transfer")]);
    // allow_transfer=no: 603 to the REFER.
    let outcome = transfer(&asterisk, "ned nora carol");
    says(&outcome, "fail", &["error peer refer-refused"]);
    // The dial plan has no 999: 404 in the NOTIFY.
    let outcome = transfer(&asterisk, "alice bob carol --refer-to 999");
    says(&outcome, "fail", &["error peer target-unknown"]);
    // Asterisk takes sip: alone: 400 to tel:, and 202 to the same target with sip:.
    let outcome = transfer(&asterisk, "alice bob carol --refer-to tel:203");
    says(&outcome, "fail", &["error peer refer-to-form-refused", EARLY, MOVED]);
}

#[test]
fn blind_to_somebody_who_is_busy() {
    let asterisk = Asterisk::start();
    let outcome = transfer(&asterisk, "alice bob carol --target busy");
    // Carol is busy, and bob hears the busy tone until Asterisk hangs up.
    did(&asterisk, &["Auto fallthrough, channel 'PJSIP/bob-00000001' status is 'BUSY'"]);
    says(&outcome, "fail", &["error peer transferee-not-returned"]);
}

#[test]
fn blind_to_somebody_who_does_not_answer() {
    let asterisk = Asterisk::start();
    let outcome = transfer(&asterisk, "alice bob carol --target rings");
    // Asterisk takes the ringback tone that it plays to bob for an answer, and tells alice 200.
    did(&asterisk, &["PJSIP/carol-00000002 is ringing"]);
    says(&outcome, "fail", &["error peer notify-untrue"]);
}

#[test]
fn attended_to_somebody_who_is_busy() {
    let asterisk = Asterisk::start();
    let outcome = transfer(&asterisk, "alice bob carol --kind attended --asked busy");
    // Carol refuses alice's own call, so there is nothing to transfer to, and bob is taken back.
    says(&outcome, "pass", &[]);
    did(&asterisk, &["Auto fallthrough, channel 'PJSIP/alice-00000002' status is 'BUSY'"]);
    did(&asterisk, &["Started music on hold", "Stopped music on hold on PJSIP/bob"]);
}

#[test]
fn blind_by_keys() {
    let asterisk = Asterisk::start();
    for by in ["caller", "callee"] {
        let outcome = transfer(&asterisk, &format!("kate kim keith --by {by} --by-keys ## --number 303"));
        says(&outcome, "pass", &[]);
    }
    did(
        &asterisk,
        &["Executing [303@keys:1] Goto(\"PJSIP/kim-", "Executing [303@keys:1] Goto(\"PJSIP/kate-"],
    );
}

#[test]
fn attended_by_keys() {
    let asterisk = Asterisk::start();
    for by in ["caller", "callee"] {
        let outcome = transfer(
            &asterisk,
            &format!("kate kim keith --kind attended --by {by} --by-keys *2 --number 303"),
        );
        says(&outcome, "pass", &[]);
    }
    did(
        &asterisk,
        &[
            "Started music on hold, class 'default', on channel 'PJSIP/kim-",
            "Started music on hold, class 'default', on channel 'PJSIP/kate-",
        ],
    );
}

#[test]
fn semi_attended_by_keys() {
    let asterisk = Asterisk::start();
    for by in ["caller", "callee"] {
        let outcome = transfer(
            &asterisk,
            &format!("kate kim keith --kind semi-attended --by {by} --by-keys *2 --number 303"),
        );
        says(&outcome, "pass", &[]);
    }
}

#[test]
fn keys_that_asterisk_does_not_listen_to() {
    let asterisk = Asterisk::start();
    // Dial() without `tT`: the digits go to bob.
    let outcome = transfer(&asterisk, "alice bob carol --by-keys ## --number 203 --wait 5s");
    says(&outcome, "fail", &["error peer feature-code-ignored"]);
    // It listens to kate, but the dial plan has no 999.
    let outcome = transfer(&asterisk, "kate kim keith --by-keys ## --number 999 --wait 5s");
    says(&outcome, "fail", &["error setup number-unknown"]);
    did(&asterisk, &["Playing 'pbx-invalid"]);
}

#[test]
fn blind_by_keys_to_somebody_who_does_not_take_the_call() {
    let asterisk = Asterisk::start();
    for (target, what, code) in [
        ("busy", "keith refused with 486", "error peer target-refused"),
        ("rings", "keith rang", "error peer target-not-answered"),
    ] {
        let outcome =
            transfer(&asterisk, &format!("kate kim keith --by-keys ## --number 303 --target {target}"));
        // Asterisk does not give kim back to kate, but hangs up.
        says(&outcome, "fail", &[code]);
        assert!(outcome.text("summary").contains(what), "{outcome}");
    }
    did(&asterisk, &["status is 'BUSY'", "Nobody picked up in 20000 ms"]);
}

#[test]
fn fetched_by_the_key_that_parks() {
    let asterisk = Asterisk::start();
    let outcome = transfer(&asterisk, "alice bob carol --park 700");
    // 700 parks, and 701 is the place: carol's own call is parked at 702, and nobody was joined.
    did(&asterisk, &["in 'default' at space 701", "in 'default' at space 702"]);
    says(&outcome, "fail", &["error peer not-parked"]);
}

#[test]
fn parked_and_fetched() {
    let asterisk = Asterisk::start();
    let outcome = transfer(&asterisk, "alice bob carol --park 721");
    says(&outcome, "pass", &[]);
    did(&asterisk, &["Parking 'PJSIP/bob-00000001' in 'places' at space 721", "ParkedCall(\"PJSIP/carol-"]);
}

#[test]
fn parked_by_keys_and_fetched() {
    let asterisk = Asterisk::start();
    let outcome = transfer(&asterisk, "kate kim keith --by-keys ## --number 721 --park 721");
    says(&outcome, "pass", &[]);
    // The code that parks at the first place that is free.
    let outcome = transfer(&asterisk, "kate kim keith --by-keys #72 --park 701");
    says(&outcome, "pass", &[]);
    did(&asterisk, &["Parking 'PJSIP/kim-", "in 'default' at space 701", "ParkedCall(\"PJSIP/keith-"]);
    did(&asterisk, &["Parking 'PJSIP/kim-00000001' in 'places' at space 721", "ParkedCall(\"PJSIP/keith-"]);
}
