//! Our branches lead to a slot: what a peer makes of them must lead nowhere else.
use super::*;
use std::collections::HashSet;

fn branch_of(request: &Message) -> String {
    String::from_utf8(request.top_via().unwrap().branch().unwrap().to_vec()).unwrap()
}

/// The 200 of a request, as if that had had another branch.
fn answer(request: &Message, branch: &str) -> Message {
    let text = String::from_utf8(request.as_bytes().to_vec()).unwrap();
    let request = parse(text.replace(&branch_of(request), branch));
    Builder::response(&request, 200, "OK", Some("x")).build().unwrap()
}

/// The branch with another slot.
fn with_slot(branch: &str, of: impl Fn(u32) -> u32) -> String {
    let (chance, slot) = branch.split_at(31);
    format!("{chance}{:08x}", of(u32::from_str_radix(slot, 16).unwrap()))
}

#[test]
fn a_forged_slot_in_a_known_branch_matches_nothing() {
    let mut trial = Trial::new();
    let requests: Vec<Message> = (0..300)
        .map(|_| {
            trial.send("OPTIONS", UDP);
            trial.sent()
        })
        .collect();
    trial.log();
    let branch = branch_of(&requests[7]);
    // Every other slot that is in use is among these, and slots far beyond them.
    let forged =
        (1..512).chain((9..32).map(|bit| 1 << bit)).map(|bits| with_slot(&branch, |slot| slot ^ bits));
    let mut strays = 0;
    for forged in forged {
        trial.receive(answer(&requests[7], &forged));
        assert_eq!(trial.layer.client_by_branch(forged.as_bytes()), None);
        strays += 1;
    }
    assert_eq!(trial.log(), vec!["0 stray"; strays]);
    for request in &requests {
        trial.receive(answer(request, &branch_of(request)));
    }
    assert_eq!(trial.log(), vec!["0 response 200"; 300]);
}

#[test]
fn a_known_slot_with_other_chance_matches_nothing() {
    let mut trial = Trial::new();
    trial.send("OPTIONS", UDP);
    let request = trial.sent();
    trial.log();
    let branch = branch_of(&request);
    for at in 7..31 {
        let digit = if &branch[at..=at] == "0" { "1" } else { "0" };
        trial.receive(answer(&request, &format!("{}{digit}{}", &branch[..at], &branch[at + 1..])));
    }
    assert_eq!(trial.log(), ["0 stray"; 24]);
    trial.receive(answer(&request, &branch.to_uppercase()));
    assert_eq!(trial.log(), ["0 response 200"], "tokens have no case");
}

#[test]
fn branches_that_are_not_ours_match_nothing() {
    let mut trial = Trial::new();
    trial.send("OPTIONS", UDP);
    let request = trial.sent();
    trial.log();
    let branch = branch_of(&request);
    let foreign = [
        "z9hG4bK".into(),
        "1".into(),
        "z9hG4bK00000000".into(),
        branch[..31].into(),
        branch[..38].into(),
        format!("{branch}0"),
        format!("{branch}{}", &branch[31..]),
        branch.replace("z9hG4bK", "z9hG4bL"),
        branch[7..].into(),
        format!("z9hG4bK{}", "g".repeat(32)),
        format!("z9hG4bK{}", "f".repeat(32)),
        format!("z9hG4bK{}", "0".repeat(4_000)),
    ];
    let count = foreign.len();
    for foreign in foreign {
        assert_eq!(trial.layer.client_by_branch(foreign.as_bytes()), None);
        trial.receive(answer(&request, &foreign));
    }
    assert_eq!(trial.log(), vec!["0 stray"; count]);
    trial.receive(answer(&request, &branch));
    assert_eq!(trial.log(), ["0 response 200"]);
}

#[test]
fn a_late_response_does_not_match_the_transaction_that_has_its_slot_now() {
    let mut trial = Trial::new();
    let first = trial.send("OPTIONS", TCP);
    let answered = trial.sent();
    trial.receive(answer(&answered, &branch_of(&answered)));
    let second = trial.send("OPTIONS", TCP);
    assert_eq!(first.0.index(), second.0.index());
    trial.log();
    trial.receive(answer(&answered, &branch_of(&answered)));
    assert_eq!(trial.log(), ["0 stray"]);
    assert_eq!(trial.layer.client_by_branch(branch_of(&answered).as_bytes()), None);
    let request = trial.sent();
    trial.receive(answer(&request, &branch_of(&request)));
    assert_eq!(trial.log(), ["0 response 200", "0 gone"]);
    trial.receive(answer(&request, &branch_of(&request)));
    assert_eq!(trial.log(), ["0 stray"]);
    trial.until(100_000).assert_empty();
}

#[test]
fn the_slot_of_another_layer_is_not_ours() {
    let mut layers = [[7; 32], [8; 32]].map(|seed| Layer::new(Config::default(), Ids::from_seed(seed)));
    let now = Instant::now();
    let mut masks = Vec::new();
    for layer in &mut layers {
        let id = layer.send(now, &outgoing("OPTIONS"), flow(UDP)).unwrap();
        let Some(Output::Transmit { bytes, .. }) = layer.poll_output() else { panic!("nothing sent") };
        let branch = branch_of(&parse(bytes.to_vec()));
        assert_eq!(layer.client_by_branch(branch.as_bytes()), Some(id));
        masks.push(branch);
    }
    // The same slot in both, and neither says so.
    assert_ne!(masks[0][31..], masks[1][31..]);
    assert_eq!(layers[0].client_by_branch(masks[1].as_bytes()), None);
    assert_eq!(layers[1].client_by_branch(masks[0].as_bytes()), None);
}

#[test]
fn branches_do_not_show_the_numbers_of_slots() {
    let mut trial = Trial::new();
    let slots: Vec<u32> = (0..500)
        .map(|_| {
            trial.send("OPTIONS", UDP);
            u32::from_str_radix(&branch_of(&trial.sent())[31..], 16).unwrap()
        })
        .collect();
    let differences: HashSet<u32> = slots.windows(2).map(|pair| pair[0] ^ pair[1]).collect();
    assert_eq!(differences.len(), 499, "no two neighbours differ alike");
    assert!(slots.iter().filter(|&&slot| slot < 1 << 16).count() < 5);
}

#[test]
fn the_cancel_of_an_invite_is_found_by_the_same_branch_also_after_the_invite_is_gone() {
    let mut trial = Trial::new();
    let invite = trial.send("INVITE", TCP);
    let request = trial.sent();
    let branch = branch_of(&request);
    // Nothing is cancelled yet.
    let as_cancel = |response: Message| {
        let text = String::from_utf8(response.as_bytes().to_vec()).unwrap();
        parse(text.replace("7 INVITE", "7 CANCEL"))
    };
    trial.receive(as_cancel(answer(&request, &branch)));
    trial.receive(Builder::response(&request, 180, "Ringing", Some("x")).build().unwrap());
    assert_eq!(trial.log(), ["0 > INVITE", "0 stray", "0 response 180"]);
    let cancel = trial.layer.cancel(trial.instant(), invite, None).unwrap();
    trial.drain();
    assert_eq!(branch_of(&trial.sent()), branch);
    assert_eq!(trial.layer.client_by_branch(branch.as_bytes()), Some(invite));
    trial.receive(Builder::response(&request, 487, "Request Terminated", Some("x")).build().unwrap());
    assert_eq!(trial.log(), ["0 > CANCEL", "0 > ACK", "0 response 487", "0 gone"]);
    assert_eq!(trial.layer.client_by_branch(branch.as_bytes()), Some(cancel));
    trial.receive(as_cancel(answer(&request, &branch)));
    assert_eq!(trial.log(), ["0 response 200", "0 gone"]);
    trial.until(100_000).assert_empty();
}

#[test]
fn methods_without_a_name_here_are_told_apart_too() {
    let mut trial = Trial::new();
    trial.send("NEWMETHOD", UDP);
    let request = trial.sent();
    let response = answer(&request, &branch_of(&request));
    let text = String::from_utf8(response.as_bytes().to_vec()).unwrap();
    trial.log();
    trial.receive(parse(text.replace("7 NEWMETHOD", "7 NEWMETHODS")));
    trial.receive(parse(text.replace("7 NEWMETHOD", "7 newmethod")));
    trial.receive(response);
    assert_eq!(trial.log(), ["0 stray", "0 stray", "0 response 200"]);
}
