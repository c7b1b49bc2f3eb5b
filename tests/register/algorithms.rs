//! Every algorithm and quality of protection that the registrar can ask for.

use super::scene::{ALL_PASS, Scene};
use crate::seen::{fact, steps};
use ringback::auth::{Algorithm, Qop};
use ringback::message::Transport::Udp;
use ringback::sim::User;

#[tokio::test(start_paused = true)]
async fn every_algorithm_with_every_quality_of_protection_registers() {
    let qops: [&[Qop]; 4] = [&[], &[Qop::Auth], &[Qop::AuthInt], &[Qop::Auth, Qop::AuthInt]];
    for algorithm in Algorithm::ALL {
        for qop in qops {
            let user = User::new("alice", "alicepw").algorithm(algorithm).qop(qop.iter().copied());
            let scene = Scene::new([user]).await;
            let outcome = scene.check(scene.register("alice", Udp)).await;
            assert_eq!(steps(&outcome), ALL_PASS, "{algorithm:?} {qop:?}:\n{outcome}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_proxy_and_a_registrar_may_both_challenge() {
    let scene = Scene::new([User::new("alice", "alicepw").behind_proxy()]).await;
    let outcome = scene.check(scene.register("alice", Udp)).await;
    assert_eq!(steps(&outcome), ALL_PASS, "{outcome}");
    let answered = outcome.facts.iter().filter(|f| f.name == "answered").count();
    assert_eq!(answered, 2, "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn userhash_hides_the_name_and_registers() {
    let user =
        User::new("alice", "alicepw").algorithm(Algorithm::ALL[2]).userhash().opaque("an opaque value");
    let scene = Scene::new([user]).await;
    let outcome = scene.check(scene.register("alice", Udp)).await;
    assert_eq!(steps(&outcome), ALL_PASS, "{outcome}");
    assert!(fact(&outcome, "answered").contains("Digest"));
}
