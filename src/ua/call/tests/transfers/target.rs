//! The target, who gives up a call for another, and a far party that changes; against a script.
use super::*;

#[test]
fn an_invite_with_replaces_is_read_and_one_with_two_is_refused() {
    let mut world = World::scripted();
    world.ask(
        "INVITE",
        1,
        &["Replaces: 5@h;to-tag=a;from-tag=b;early-only"],
        ("application/sdp", &sdp_of(7000)),
    );
    let replaces = world.call(0).replaces().unwrap();
    assert_eq!(
        (replaces.value(), replaces.early_only),
        (b"5@h;to-tag=a;from-tag=b;early-only".to_vec(), true)
    );
    world.command(0, Command::Refuse { status: 486, reason: None }).run(5);
    for headers in [
        &["Replaces: 5@h;to-tag=a;from-tag=b", "Replaces: 6@h;to-tag=a;from-tag=b"][..],
        &["Replaces: 5@h;to-tag=a;from-tag=b", "Join: 6@h;to-tag=a;from-tag=b"],
        &["Replaces: 5@h;to-tag=a"],
        &["Replaces: <"],
    ] {
        let mut world = World::scripted();
        world.ask("INVITE", 1, headers, ("application/sdp", &sdp_of(7000)));
        assert_eq!(world.status(), 400, "{headers:?}");
    }
}

#[test]
fn a_call_that_is_replaced_says_by_which_and_hangs_up() {
    let mut world = up();
    world.command(0, Command::GiveWay { by: "other".to_owned() }).run(5);
    let bye = world.last("BYE");
    world.reply(&bye, 200, "", &[], "").run(100_000);
    assert_eq!(world.events(0)[1..], ["replaced by other", "ended Local HungUp"]);
    // Not answered: CANCEL.
    let mut world = World::scripted();
    world.dial().run(5);
    let invite = world.last("INVITE");
    world.reply(&invite, 180, "b", &[CONTACT], "");
    let ringing = world.call(0).dialogs().map(|(_, state)| state).collect::<Vec<_>>();
    assert_eq!(ringing, [crate::ua::transfer::DialogState::EarlyCaller]);
    world.command(0, Command::GiveWay { by: "other".to_owned() }).run(5);
    let cancel = world.last("CANCEL");
    world.reply(&cancel, 200, "b", &[], "").reply(&invite, 487, "b", &[], "").run(100_000);
    assert_eq!(world.events(0)[1..], ["replaced by other", "ended Local Cancelled"]);
}

#[test]
fn somebody_else_at_the_far_end_is_told() {
    let told = |world: &World| -> Vec<FarParty> {
        let events = world.sides[0].events.iter();
        let far = events.filter_map(|(_, e)| if let Event::FarParty(far) = e { Some(far) } else { None });
        far.map(|far| (**far).clone()).collect()
    };
    let mut world = up();
    assert_eq!(world.call(0).far_party().unwrap().uri.as_deref(), Some("sip:bob@lab.example"));
    let asserted = "P-Asserted-Identity: \"Carol\" <sip:carol@lab.example>";
    world.ask("INVITE", 1, &[asserted], ("application/sdp", &sdp_of(7000))).ask("ACK", 1, &[], ("", ""));
    assert_eq!(told(&world)[0].asserted.as_deref(), Some("\"Carol\" <sip:carol@lab.example>"));
    // The same again is no news; another session is.
    world.ask("UPDATE", 2, &[asserted], ("", ""));
    assert_eq!(told(&world).len(), 1);
    let other = sdp_of(7000).replace("o=- 5", "o=- 6");
    world.ask("INVITE", 3, &[asserted], ("application/sdp", &other)).ask("ACK", 3, &[], ("", ""));
    assert_eq!((told(&world).len(), told(&world)[1].origin.as_deref()), (2, Some("- 6 127.0.0.1")));
    hangs_up_clean(&mut world);
}
