//! What a person reads: outcomes and ladders. `UPDATE_GOLDEN=1 cargo test` rewrites them.

use super::scene::{End, Scene, Script};
use crate::pbx::World;
use crate::transfer::Three;
use ringback::check::TransferKind;
use ringback::report::ladder;
use ringback::sim::Link;
use std::path::Path;
use std::time::Duration;

fn assert_golden(name: &str, seen: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/call").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        return std::fs::write(&path, seen).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert_eq!(seen, golden, "{} differs; UPDATE_GOLDEN=1 rewrites it", path.display());
}

#[tokio::test(start_paused = true)]
async fn calls_between_two_ends_look_like_this() {
    for (name, faults) in [("healthy", &[][..]), ("one-way", &["N12:forward"]), ("ack-lost", &["S03"])] {
        let world = World::new(faults).await;
        world.network.link_all(Link::new().delay(Duration::from_millis(10)));
        let outcome = world.check(world.between()).await;
        assert_golden(&format!("{name}.txt"), &format!("{outcome}\n"));
        assert_golden(&format!("{name}.ladder"), &ladder(&outcome.transcript));
    }
}

#[tokio::test(start_paused = true)]
async fn calls_with_one_end_look_like_this() {
    for (name, end) in [("answered", End::Answer), ("busy", End::Refuse(486, Some("Q.850;cause=17")))] {
        let scene = Scene::new(Script::ending(end)).await;
        scene.network.link_all(Link::new().delay(Duration::from_millis(10)));
        let outcome = scene.check(scene.call()).await;
        assert_golden(&format!("{name}.txt"), &format!("{outcome}\n"));
        assert_golden(&format!("{name}.ladder"), &ladder(&outcome.transcript));
    }
}

/// What a telephony engineer draws: alice, the PBX, bob, carol.
#[tokio::test(start_paused = true)]
async fn a_transfer_looks_like_this() {
    let three = Three::new().await;
    three.network.link_all(Link::new().delay(Duration::from_millis(10)));
    let outcome = three.probe.check(three.transfer(TransferKind::Attended)).await;
    assert_golden("transfer.ladder", &ladder(&outcome.transcript));
}
