//! The calls of the demo: digits from one account to others, and through a menu.

use super::password;
use futures_util::future::join_all;
use ringback::check::{Dtmf, DtmfMethod, Outcome, Probe, Verdict};
use ringback::error::Error;
use ringback::message::Transport;
use ringback::sim::{Ivr, Lab, User};

/// An account that is called, and what should come of it.
struct Case {
    user: &'static str,
    fault: &'static str,
    verdict: Verdict,
    code: &'static str,
}

const CALLER: &str = "olga";
const MENU: &str = "700";
const CHOICE: &str = "1,2#";
/// A digit pressed twice is among them.
const DIGITS: &str = "1159#";

const CASES: &[Case] = &[
    Case { user: "paul", fault: "", verdict: Verdict::Pass, code: "" },
    Case { user: "quinn", fault: "D04", verdict: Verdict::Fail, code: "doubled-in-band" },
    Case { user: "rosa", fault: "D06", verdict: Verdict::Fail, code: "digits-merged" },
];

/// Results of the calls.
pub(super) struct Called {
    pub(super) rows: Vec<(String, Outcome)>,
    /// Difference from the expected verdict.
    pub(super) objections: Vec<String>,
}

pub(super) async fn run(probe: &Probe) -> Result<Called, Error> {
    let mut lab = Lab::builder().user(User::new(CALLER, password(CALLER)));
    for case in CASES {
        let user = User::new(case.user, password(case.user));
        lab = lab.user(if case.fault.is_empty() { user } else { user.fault(case.fault)? });
    }
    // The menu rings somebody whom nobody else calls meanwhile.
    lab = lab.user(User::new("sven", password("sven"))).ivr(Ivr::new(MENU).option(CHOICE, "sven")?);
    let lab = lab.start().await?;
    let account = |user: &str| lab.account(user, Transport::Udp);
    let caller = account(CALLER)?;
    let mut calls = Vec::new();
    for case in CASES {
        let check = Dtmf::between(&caller, &account(case.user)?).digits(DIGITS)?.method(DtmfMethod::Rfc4733);
        let fault = if case.fault.is_empty() { String::new() } else { format!(":{}", case.fault) };
        calls.push((format!("{CALLER} {DIGITS} {}{fault}", case.user), check, case.verdict, case.code));
    }
    let menu = Dtmf::routing(&caller, MENU, &account("sven")?)?.digits(CHOICE)?;
    calls.push((format!("{CALLER} {MENU} sven"), menu, Verdict::Pass, ""));
    let outcomes = calls.into_iter().map(|(name, check, verdict, code)| async move {
        let outcome = probe.check(check).await;
        let objection = super::objection(&name, (verdict, code), &outcome);
        (name, outcome, objection)
    });
    let mut called = Called { rows: Vec::new(), objections: Vec::new() };
    for (name, outcome, objection) in join_all(outcomes).await {
        called.rows.push((name, outcome));
        called.objections.extend(objection);
    }
    lab.shutdown().await;
    Ok(called)
}
