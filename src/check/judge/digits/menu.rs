//! A menu that was given digits and rang nobody.

use super::{Agreed, DigitsVerdict, Events, Fate, Pressed, judge};
use crate::check::Side;
use crate::check::judged::StepVerdict;
use crate::media::digit::Digit;
use crate::media::dtmf::DtmfMethod;
use crate::message::Message;
use crate::ua::call::By;
use std::ops::Range;
use std::time::Duration;

/// Facts about a call to a menu.
#[derive(Debug)]
pub(in crate::check) struct Menu<'a> {
    /// Number as it was dialled.
    pub(in crate::check) number: &'a str,
    /// Digits and pauses.
    pub(in crate::check) digits: String,
    pub(in crate::check) way: DtmfMethod,
    /// It speaks in early media and was not answered.
    pub(in crate::check) is_early: bool,
    /// The party that ended the call, where it is over.
    pub(in crate::check) ended_by: Option<By>,
    /// Digits that went out before the end, as far as the stream tells.
    pub(in crate::check) sent_before_the_end: usize,
    /// Digits in all.
    pub(in crate::check) of: usize,
    /// The account that it had to ring.
    pub(in crate::check) callee: &'a str,
    /// Time for which that was waited for.
    pub(in crate::check) wait: Duration,
}

/// Why it rang nobody.
pub(in crate::check) fn not_rung(menu: &Menu<'_>) -> StepVerdict {
    let Menu { number, digits, way, callee, .. } = menu;
    if menu.is_early {
        return StepVerdict::fail(
            "menu-in-early-media",
            Side::Peer,
            format!(
                "{number} speaks in early media and never answers; digits {digits} by {way} rang nobody (D17)"
            ),
            "platform: answer before the menu; phones send no digits before the answer",
        );
    }
    if let Some(by) = menu.ended_by {
        let after = match (way, menu.sent_before_the_end) {
            (DtmfMethod::Info, _) | (_, 0) => "while digits were sent".to_owned(),
            (_, sent) => format!("after digit {sent} of {}", menu.of),
        };
        let who = if by == By::Peer { "the menu hung up" } else { "the call ended" };
        return StepVerdict::fail(
            "menu-hung-up",
            Side::Peer,
            format!("{who} {after}; {callee} did not ring"),
            "compare the menu's options with the digits; a menu that times out did not take them",
        );
    }
    StepVerdict::fail(
        "menu-did-not-ring",
        Side::Peer,
        format!(
            "{number}, given {digits} by {way}, did not ring {callee} in {:.0} s",
            menu.wait.as_secs_f32()
        ),
        "check the menu's option for these digits; if it is right the digits were not taken: try --method info and inband, and the check between two accounts",
    )
}

/// Why digits could not be sent, where nobody looks at what arrives.
pub(in crate::check) fn unsent(
    way: DtmfMethod,
    sent: Vec<Digit>,
    fate: Fate,
    answer: Option<&Message>,
    evidence: Range<usize>,
) -> StepVerdict {
    let answer = answer.and_then(|answer| Events::of(answer.body()));
    let pressed = Pressed { way, sent, fate, agreed: Agreed { answer, ..Agreed::default() }, evidence };
    let DigitsVerdict { verdict, detail, findings, .. } = judge(&pressed, true);
    StepVerdict { verdict, detail, finding: findings.into_iter().next() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn menu() -> Menu<'static> {
        Menu {
            number: "700",
            digits: "1,2#".to_owned(),
            way: DtmfMethod::Rfc4733,
            is_early: false,
            ended_by: None,
            sent_before_the_end: 2,
            of: 3,
            callee: "sip:bob@pbx.example.com",
            wait: Duration::from_secs(20),
        }
    }

    #[test]
    fn a_menu_that_rings_nobody_is_told_by_what_it_did() {
        let cases: [(Menu<'_>, &str, &str); 5] = [
            (menu(), "menu-did-not-ring", "did not ring sip:bob@pbx.example.com in 20 s"),
            (Menu { is_early: true, ..menu() }, "menu-in-early-media", "never answers"),
            (
                Menu { ended_by: Some(By::Peer), ..menu() },
                "menu-hung-up",
                "the menu hung up after digit 2 of 3",
            ),
            (Menu { ended_by: Some(By::Local), ..menu() }, "menu-hung-up", "the call ended after digit 2"),
            (
                Menu { ended_by: Some(By::Peer), way: DtmfMethod::Info, ..menu() },
                "menu-hung-up",
                "the menu hung up while digits were sent",
            ),
        ];
        for (menu, code, words) in cases {
            let judged = not_rung(&menu);
            let finding = judged.finding.as_ref().map(|finding| (finding.code.as_ref(), finding.side));
            assert_eq!(finding, Some((code, Side::Peer)), "{}", judged.detail);
            assert!(judged.detail.contains(words), "{words} is missing: {}", judged.detail);
        }
    }
}
