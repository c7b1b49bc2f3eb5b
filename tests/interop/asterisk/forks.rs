//! Several that Asterisk rings as one.

use super::{ask, did, says};
use crate::peer::asterisk::Asterisk;

#[test]
fn several_contacts_of_one_user_ring_as_one() {
    let asterisk = Asterisk::start();
    let outcome = ask(&asterisk, &["fork", "alice", "devices", "--bindings", "3"]);
    says(&outcome, "pass", &[]);
    did(&asterisk, &["answered PJSIP/alice-00000000", "answered PJSIP/alice-"]);
    assert_eq!(asterisk.log().matches("Added contact 'sip:devices@").count(), 3, "{outcome}");
}

#[test]
fn the_members_of_a_group_ring_as_one() {
    let asterisk = Asterisk::start();
    let outcome = ask(&asterisk, &["fork", "alice", "613", "bob", "carol", "dan"]);
    says(&outcome, "pass", &[]);
    for name in ["bob", "carol", "dan"] {
        did(&asterisk, &[&format!("PJSIP/{name}-0000000"), "is ringing"]);
    }
}
