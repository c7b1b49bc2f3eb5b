//! Golden ladders: who said what, in order. `UPDATE_GOLDEN=1 cargo test` rewrites them.

use super::scene::{Scene, check_with_fault};
use ringback::check::Outcome;
use ringback::message::Transport::{Tcp, Udp};
use ringback::report::ladder;
use ringback::sim::{Link, User};
use std::path::Path;
use std::time::Duration;

fn assert_golden(name: &str, outcome: &Outcome) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name).with_extension("ladder");
    let seen = ladder(&outcome.transcript);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        return std::fs::write(&path, seen).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert_eq!(seen, golden, "{} differs; UPDATE_GOLDEN=1 rewrites it", path.display());
}

#[tokio::test(start_paused = true)]
async fn a_healthy_registration_looks_like_this() {
    let scene = Scene::new([User::new("alice", "alicepw")]).await;
    scene.network.link_all(Link::new().delay(Duration::from_millis(10)));
    assert_golden("register-udp", &scene.check(scene.register("alice", Udp)).await);
    assert_golden("register-tcp", &scene.check(scene.register("alice", Tcp)).await);
}

#[tokio::test(start_paused = true)]
async fn faults_look_like_this() {
    for (fault, transport) in [
        ("A01", Udp),
        ("A04", Udp),
        ("A05", Udp),
        ("R01", Udp),
        ("R15", Udp),
        ("T02:truncated", Udp),
        ("T12:lost", Tcp),
        ("B01", Udp),
    ] {
        let name = format!("fault-{}", fault.to_lowercase().replace(':', "-"));
        assert_golden(&name, &check_with_fault(fault, transport).await);
    }
}
