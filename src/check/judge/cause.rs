//! What a Reason says where the status of a refusal says little: causes of ISDN (ITU-T Q.850) and statuses of SIP (RFC 3326).

use crate::syntax::Reason;

/// The status that says what was meant: that of the refusal, or where it tells only that the call failed, that of its Reason (RFC 3398
/// sec. 8.2.6.1). B2BUAs fold many causes into one 480, 487, 603 or 5xx.
pub(in crate::check) fn meant(status: u16, reasons: &[String]) -> u16 {
    if !matches!(status, 480 | 487 | 500..=599 | 603) {
        return status;
    }
    reasons.iter().find_map(|reason| told(reason)).unwrap_or(status)
}

fn told(reason: &str) -> Option<u16> {
    let (reason, _) = Reason::parse_first(reason.as_bytes()).ok()?;
    let cause = reason.cause()?;
    if reason.protocol.eq_ignore_ascii_case(b"SIP") {
        return u16::try_from(cause).ok().filter(|status| matches!(status, 400..=699));
    }
    if !reason.protocol.eq_ignore_ascii_case(b"Q.850") {
        return None;
    }
    Some(match cause {
        // Unallocated number, no route to the network that was named.
        1 | 2 => 404,
        17 => 486,
        // No user responding, no answer from the user.
        18 | 19 => 408,
        // No route to the destination, subscriber absent, destination out of order: PBXs say so of users that are not registered.
        3 | 20 | 27 => 480,
        21 => 603,
        22 => 410,
        28 => 484,
        // Barred, not subscribed to, incompatible with the closed user group.
        50 | 55 | 57 | 87 => 403,
        // Bearer capability, incompatible destination.
        58 | 65 | 70 | 79 | 88 => 488,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::meant;

    #[test]
    fn a_reason_says_more_than_a_status_that_says_little() {
        for (status, reason, meaning) in [
            (503, "Q.850;cause=3", 480),
            (480, "Q.850;cause=17;text=\"User busy\"", 486),
            (480, "q.850 ;cause=20", 480),
            (603, "Q.850;cause=1", 404),
            (500, "SIP;cause=486;text=\"Busy Here\"", 486),
            (487, "Q.850;cause=19", 408),
            (503, "Q.850;cause=88", 488),
            // What says nothing, or the same.
            (603, "Q.850;cause=0", 603),
            (503, "Q.850;cause=34", 503),
            (480, "Q.850;cause=16", 480),
            (480, "X.25;cause=17", 480),
            (480, "SIP;cause=200", 480),
            (480, "gone home", 480),
            // What says enough by itself.
            (486, "Q.850;cause=21", 486),
            (404, "Q.850;cause=3", 404),
        ] {
            assert_eq!(meant(status, &[reason.to_owned()]), meaning, "{status} {reason}");
        }
        assert_eq!(meant(480, &[]), 480);
        assert_eq!(meant(480, &["Preemption;cause=5".to_owned(), "Q.850;cause=17".to_owned()]), 486);
    }
}
