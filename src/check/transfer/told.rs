//! What the answer to a REFER says, and what a NOTIFY says of the call to the target: the names of refusals.

use super::play::Played;
use super::{Transfer, TransferTarget, name};
use crate::check::Side;
use crate::check::judged::Judged;
use crate::check::scene::trace::header;
use crate::message::Message;
use crate::syntax::HeaderName;
use std::time::Duration;

/// The REFER was refused; `tried` is the time after which it was sent once more.
pub(super) fn refused(
    (status, phrase): (u16, &str),
    response: Option<&Message>,
    tried: Option<Duration>,
) -> Judged {
    let again = tried.map_or_else(String::new, |time| format!(" (again {:.1} s later)", time.as_secs_f32()));
    let says = |name| response.map(|response| header(response, name)).filter(|value| !value.is_empty());
    let (warning, unsupported) = (says(HeaderName::Warning), says(HeaderName::Unsupported));
    let mut seen = format!("the REFER was refused: {status} {phrase}{again}");
    if let Some(warning) = warning {
        seen += &format!(" (Warning: {warning})");
    }
    let (code, advice) = match status {
        405 | 501 => (
            "refer-refused",
            "the far side knows no REFER: transfer by the PBX's feature code (e.g. ##), or let the platform take REFER",
        ),
        403 | 603 => (
            "refer-refused",
            "the platform forbids transfer for this account, class of service or target; on trunks: bridge inside instead of sending REFER to the carrier",
        ),
        400 | 416 => (
            "refer-refused",
            "the Refer-To was not understood: <> around a URI with ? or ; in it, a domain, sip: instead of tel:",
        ),
        429 => {
            seen += ", although it had a Referred-By";
            (
                "referred-by-required",
                "platform: it wants a signed Referred-By (RFC 3892 sec. 5), which phones do not have; do not require it",
            )
        }
        420 => {
            seen += &format!("; not known there: {}", unsupported.as_deref().unwrap_or("(not said)"));
            (
                "refer-refused",
                "phone: switch the extension off that Unsupported names (norefersub?); platform: learn it",
            )
        }
        481 => ("refer-refused", "the platform does not know this call any more: the dialog is misrouted"),
        491 if tried.is_some() => (
            "refer-refused",
            "platform: nothing is pending in this call any more; a transaction was not cleared (H05)",
        ),
        _ => ("refer-refused", "see the status in the ladder"),
    };
    Judged::fail(code, Side::Peer, seen, advice)
}

/// The REFER was refused by one form of the target's name, and accepted by another.
pub(super) fn form_refused(refusal: &str, form: &str, status: u16, accepted: &str) -> Judged {
    Judged::fail(
        "refer-to-form-refused",
        Side::Peer,
        format!(
            "the REFER to {form} was refused ({refusal}), the same one to {accepted} was accepted ({status}) (X04)"
        ),
        "phone: write the target as sip:NUMBER@DOMAIN; platform: take tel: and bare numbers in Refer-To as in a Request-URI",
    )
}

pub(super) fn refer_lost(why: &str) -> Judged {
    Judged::fail(
        "refer-not-answered",
        Side::Peer,
        format!("the REFER came to nothing: {why}"),
        "platform: requests in the call get lost; look at the route of the dialog",
    )
}

/// The target was not reached, and the transferor was told so by this status.
pub(super) fn failed(check: &Transfer, played: &Played, status: u16) -> Judged {
    let names = check.names();
    let (transferor, transferee, target) = check.roles();
    let (t, e, c) = (&names[transferor], &names[transferee], &names[target]);
    let fate = name::fate(check, played);
    let told = format!("{t} was told {status}; {e} {fate}");
    if !played.is_back(check) {
        let early = if check.hang_up_early { format!(": {t} had hung up already") } else { String::new() };
        return Judged::fail(
            "transferee-dropped",
            Side::Peer,
            format!("{c} was not reached, {told}{early}"),
            "platform or phone: the old call may end only when the new one is there",
        );
    }
    let uri = check.refer_to.uri(check.c.aor());
    let (code, seen, advice) = match (status, check.target) {
        (408 | 480 | 487, TransferTarget::Rings) => (
            "target-not-answered",
            format!("{c} rang and did not answer: {told}"),
            "as it should be, when the one to be transferred is back with the transferor",
        ),
        (_, TransferTarget::Refuses(own)) => {
            let other = if own == status { String::new() } else { format!(" ({c} said {own})") };
            (
                "target-refused",
                format!("{c} did not take the call{other}, and {told}"),
                "as it should be, when the one to be transferred is back with the transferor",
            )
        }
        (_, TransferTarget::Rings) => (
            "target-refused",
            format!("{c} did not take the call, and {told}"),
            "as it should be, when the one to be transferred is back with the transferor",
        ),
        (482 | 483, _) => (
            "transfer-loops",
            format!("the call to {uri} went round in circles: {told}"),
            "platform: the Refer-To leads back to where it came from; look at the routing of that domain",
        ),
        (404 | 410 | 484 | 485 | 604, _) => (
            "target-unknown",
            format!("{uri} is not known where the transfer is carried out: {told}"),
            "transfer by the full number or the account's own domain; platform: the same normalisation and domains for referred calls as for dialled ones",
        ),
        (481, _) if check.replaces() && played.is_mangled => (
            "replaces-mangled",
            format!("the Replaces that arrived is not the one that {t} sent: {told}"),
            "platform: pass the escapes in Refer-To on as they are (RFC 3261 sec. 19.1.2); try TLS where an ALG may be the reason",
        ),
        (481, _) if check.early_replaces => (
            "early-replaces-refused",
            format!("{c} rang for {t}, and that call could not be taken over: {told}"),
            "wait for the answer, or give the call up and transfer blindly: RFC 3891 lets Replaces match a call that rings at the side only that began it; platform: convert it",
        ),
        (481 | 603, _) if check.replaces() => (
            "replaces-not-found",
            format!("the call of {t} with {c} was not found by its Replaces: {told}"),
            "platform: it hides Call-ID or tags, or changes them on the way: translate Replaces",
        ),
        (480, _) => (
            "transfer-failed",
            format!("{c} was not reached: {told}, nobody is registered there or answers"),
            "look whether calls to the target come through that are dialled",
        ),
        _ => (
            "transfer-failed",
            format!("{c} was not reached: {told}"),
            "see what the status says: 403 forbidden for referred calls, 480 nobody registered, 486 busy",
        ),
    };
    Judged::fail(code, Side::Peer, seen, advice)
}
