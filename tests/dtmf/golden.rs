//! What a person reads of digits.

use crate::report::assert_report;
use crate::scene::Scene;
use ringback::check::{Dtmf, DtmfMethod};
use ringback::sim::Ivr;

#[tokio::test(start_paused = true)]
async fn digits_between_two_accounts_look_like_this() {
    for (name, faults, method) in [
        ("healthy", &[][..], None),
        ("not-agreed", &["D01"], Some(DtmfMethod::Rfc4733)),
        ("doubled", &["D04"], Some(DtmfMethod::Rfc4733)),
        ("info-refused", &["D11"], Some(DtmfMethod::Info)),
        ("events-dropped", &["D18"], Some(DtmfMethod::Rfc4733)),
    ] {
        let scene = Scene::new(faults).await;
        let outcome = scene.check(scene.between("159#", method)).await;
        assert_report("dtmf", name, &outcome);
    }
}

#[tokio::test(start_paused = true)]
async fn digits_for_a_menu_look_like_this() {
    for (name, digits) in [("menu", "2"), ("menu-did-not-ring", "3")] {
        let menu = Ivr::new("700").option("2", "bob").unwrap();
        let scene = Scene::with(&[], |lab| lab.ivr(menu)).await;
        let check = Dtmf::routing(&scene.alice, "700", &scene.bob).unwrap().digits(digits).unwrap();
        assert_report("dtmf", name, &scene.check(check).await);
    }
}
