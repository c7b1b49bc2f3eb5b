//! Hold through Asterisk, which plays music to the held end itself, or with direct media passes the hold on.

use super::{ask, did, says};
use crate::peer::asterisk::Asterisk;

#[test]
fn the_held_end_hears_music() {
    let asterisk = Asterisk::start();
    for by in ["caller", "callee"] {
        for how in ["sendonly", "inactive", "zero"] {
            let outcome = ask(&asterisk, &["hold", "alice", "bob", "--by", by, "--how", how]);
            // Asterisk goes on relaying the held end's voice to who holds: now and then with `inactive`, always else.
            match (how, outcome.blamed().as_slice()) {
                ("inactive", []) => says(&outcome, "pass", &[]),
                _ => says(&outcome, "pass", &["warning peer held-party-heard"]),
            }
        }
    }
    did(
        &asterisk,
        &[
            "Started music on hold, class 'default', on channel 'PJSIP/bob",
            "Stopped music on hold on PJSIP/bob",
        ],
    );
    did(&asterisk, &["Started music on hold, class 'default', on channel 'PJSIP/alice"]);
}

#[test]
fn a_hold_is_passed_on_where_media_goes_past_asterisk() {
    let asterisk = Asterisk::start();
    let outcome = ask(&asterisk, &["hold", "dora", "dirk"]);
    says(&outcome, "pass", &[]);
    // Asterisk 16 plays music nevertheless.
    let heard = outcome.facts("held-end-hears")[0];
    assert!(heard == "dora's tone" || heard.starts_with("music"), "{outcome}");
    did(&asterisk, &["Remotely bridged 'PJSIP/dora-00000000' and 'PJSIP/dirk-00000001'"]);
}
