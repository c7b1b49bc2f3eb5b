//! Why a call was refused, where the status says little: causes of ISDN (ITU-T Q.850), statuses of SIP in a Reason (RFC 3326), and words.
//!
//! A Reason is believed before words, and words before a status that only says that the call failed: B2BUAs fold many causes into one 480, 487,
//! 603 or 5xx.

use crate::syntax::Reason;

/// Why a call was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::check) enum Why {
    /// The callee is in a call.
    Busy,
    /// It was rung, and nobody answered.
    NoAnswer,
    /// It takes no calls now, by a setting of its own.
    DoNotDisturb,
    /// No device of it is registered, or there is no route to one.
    Absent,
    /// Its device or line is known, and does not work.
    OutOfOrder,
    /// It, or a rule, refuses this call.
    Declined,
    /// There is no such number.
    Unknown,
    /// There was such a number.
    Changed,
    /// The number is too short.
    Incomplete,
    /// The caller may not call it.
    Barred,
    /// More calls than the account or trunk may have at once.
    CallLimit,
    /// There is no credit left.
    NoCredit,
    /// There are no common media.
    Media,
    /// No line or channel is free.
    Congested,
}

/// Why, for a refusal with this status; `None` where that says it best. `words` are its phrase, its warnings and what vendors add.
pub(in crate::check) fn why<'a>(
    status: u16,
    reasons: &[String],
    words: impl IntoIterator<Item = &'a str>,
) -> Option<Why> {
    let says_little = matches!(status, 403 | 408 | 480 | 487 | 500..=599 | 603);
    let by_reason = || reasons.iter().find_map(|reason| of_reason(reason));
    if let Some(why) = says_little.then(by_reason).flatten() {
        return Some(why);
    }
    let found = words.into_iter().find_map(|words| of_words(&words.to_lowercase()))?;
    let fits = match found {
        // Phones say 486 to what is set not to disturb, and platforms to a limit of the account; a server that takes no more calls at
        // all says 5xx.
        Why::DoNotDisturb => says_little || matches!(status, 486 | 600),
        Why::CallLimit => matches!(status, 403 | 480 | 486 | 600 | 603),
        // The party that is not known or not registered may be the caller.
        Why::Absent | Why::Unknown => says_little && status != 403,
        _ => says_little,
    };
    fits.then_some(found)
}

fn of_reason(reason: &str) -> Option<Why> {
    let (reason, _) = Reason::parse_first(reason.as_bytes()).ok()?;
    let cause = reason.cause()?;
    if reason.protocol.eq_ignore_ascii_case(b"SIP") {
        return of_status(cause);
    }
    let is_isdn = [&b"Q.850"[..], b"Q850"].iter().any(|name| reason.protocol.eq_ignore_ascii_case(name));
    is_isdn.then(|| of_isdn(cause)).flatten()
}

/// Meaning of a cause of Q.850; those for "normal" (16, 31) and for faults of any kind say nothing.
fn of_isdn(cause: u32) -> Option<Why> {
    Some(match cause {
        // Unallocated number, no route to the network that was named.
        1 | 2 => Why::Unknown,
        // No route to the destination, subscriber absent: PBXs say so of users that are not registered.
        3 | 20 => Why::Absent,
        17 => Why::Busy,
        // No user responding, no answer from the user.
        18 | 19 => Why::NoAnswer,
        21 => Why::Declined,
        22 => Why::Changed,
        27 => Why::OutOfOrder,
        28 => Why::Incomplete,
        // No circuit or channel, network out of order, congestion, resources.
        34 | 38 | 42 | 44 | 47 => Why::Congested,
        // Barred, not subscribed to, incompatible with the closed user group.
        50 | 52..=55 | 57 | 87 => Why::Barred,
        // Bearer capability, incompatible destination.
        58 | 65 | 70 | 79 | 88 => Why::Media,
        _ => return None,
    })
}

fn of_status(status: u32) -> Option<Why> {
    Some(match status {
        404 | 604 => Why::Unknown,
        410 => Why::Changed,
        402 => Why::NoCredit,
        408 => Why::NoAnswer,
        415 | 488 | 606 => Why::Media,
        484 => Why::Incomplete,
        486 | 600 => Why::Busy,
        603 | 607 | 608 => Why::Declined,
        _ => return None,
    })
}

/// Meaning of words in the languages of the platforms that were met; in small letters.
fn of_words(words: &str) -> Option<Why> {
    let has = |known: &[&str]| known.iter().any(|known| words.contains(known));
    let is_word = |wanted: &str| words.split(|c: char| !c.is_alphanumeric()).any(|word| word == wanted);
    let is_limit = has(&["limit", "exceed", "too many", "maximum", "превыш", "überschritten"]);
    let is_of_calls =
        has(&["call", "channel", "session", "concurren", "simultan", "вызов", "канал", "anruf", "gespräch"])
            || is_word("line")
            || is_word("lines");
    if has(&["too busy", "server busy", "circuit", "congest", "no channel", "no trunk", "overload"]) {
        Some(Why::Congested)
    } else if is_word("dnd")
        || has(&[
            "do not disturb",
            "do-not-disturb",
            "donotdisturb",
            "не беспокоить",
            "nicht stören",
            "ne pas déranger",
            "no molestar",
            "non disturbare",
        ])
    {
        Some(Why::DoNotDisturb)
    } else if is_limit && is_of_calls {
        Some(Why::CallLimit)
    } else if has(&["balance", "credit", "insufficient funds", "баланс", "недостаточно средств", "guthaben"])
    {
        Some(Why::NoCredit)
    } else if has(&["busy", "занят", "besetzt", "occupé", "ocupado", "occupato"]) {
        Some(Why::Busy)
    } else if has(&[
        "no answer",
        "not answer",
        "unanswered",
        "no reply",
        "no user responding",
        "не отвечает",
        "нет ответа",
        "keine antwort",
        "pas de réponse",
    ]) {
        Some(Why::NoAnswer)
    } else if has(&[
        "not registered",
        "unregistered",
        "not logged",
        "subscriber absent",
        "user absent",
        "offline",
        "не зарегистрирован",
        "nicht registriert",
        "nicht angemeldet",
    ]) {
        Some(Why::Absent)
    } else if has(&["unallocated", "unassigned", "invalid number", "not in service", "user not found"]) {
        Some(Why::Unknown)
    } else if has(&["rejected", "blacklist", "blocked"]) {
        Some(Why::Declined)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, reason: &str, words: &str) -> Option<Why> {
        let reasons: Vec<String> = (!reason.is_empty()).then(|| reason.to_owned()).into_iter().collect();
        why(status, &reasons, [words])
    }

    #[test]
    fn a_reason_is_read_in_every_status_that_says_little_and_before_all_words() {
        for (reason, meant) in [
            ("Q.850;cause=1", Why::Unknown),
            ("Q.850;cause=3", Why::Absent),
            ("Q.850;cause=17;text=\"User busy\"", Why::Busy),
            ("q.850 ;cause=17", Why::Busy),
            ("Q850;cause=17", Why::Busy),
            ("Q.850;cause=18", Why::NoAnswer),
            ("Q.850;cause=19;text=\"No answer from the user\"", Why::NoAnswer),
            ("Q.850;cause=20", Why::Absent),
            ("Q.850;cause=21;text=\"Call Rejected\"", Why::Declined),
            ("Q.850;cause=22", Why::Changed),
            ("Q.850;cause=27", Why::OutOfOrder),
            ("Q.850;cause=28", Why::Incomplete),
            ("Q.850;cause=34", Why::Congested),
            ("Q.850;cause=57", Why::Barred),
            ("Q.850;cause=88", Why::Media),
            ("SIP;cause=486;text=\"Busy Here\"", Why::Busy),
            ("SIP;cause=603", Why::Declined),
        ] {
            for status in [403, 408, 480, 487, 500, 503, 603] {
                for words in ["", "Do Not Disturb", "Busy", "No answer", "Call limit exceeded"] {
                    assert_eq!(of(status, reason, words), Some(meant), "{status} {reason} {words}");
                }
            }
        }
        let two = ["Preemption;cause=5".to_owned(), "Q.850;cause=17".to_owned()];
        assert_eq!(why(480, &two, []), Some(Why::Busy));
    }

    #[test]
    fn a_reason_that_says_nothing_leaves_it_to_words_and_these_to_the_status() {
        for reason in
            ["", "Q.850;cause=0", "Q.850;cause=16", "Q.850;cause=31", "Q.850;cause=127", "X.25;cause=17"]
        {
            for status in [480, 503, 603] {
                for (words, meant) in [
                    ("Do Not Disturb", Some(Why::DoNotDisturb)),
                    ("399 pbx \"DND active\"", Some(Why::DoNotDisturb)),
                    ("Не беспокоить", Some(Why::DoNotDisturb)),
                    ("Bitte nicht stören", Some(Why::DoNotDisturb)),
                    ("User Busy", Some(Why::Busy)),
                    ("Абонент занят", Some(Why::Busy)),
                    ("Besetzt", Some(Why::Busy)),
                    ("No Answer", Some(Why::NoAnswer)),
                    ("Абонент не отвечает", Some(Why::NoAnswer)),
                    ("User not registered", Some(Why::Absent)),
                    ("399 x \"Concurrent calls exceeded\"", Some(Why::CallLimit)),
                    ("Превышено число вызовов", Some(Why::CallLimit)),
                    ("Channel limit reached", Some(Why::CallLimit)),
                    ("Insufficient balance", Some(Why::NoCredit)),
                    ("All circuits are busy now", Some(Why::Congested)),
                    ("Temporarily Unavailable", None),
                    ("Decline", None),
                    ("Service Unavailable", None),
                    ("gone home", None),
                ] {
                    let meant = meant.filter(|why| status != 503 || *why != Why::CallLimit);
                    assert_eq!(of(status, reason, words), meant, "{status} {reason} {words}");
                }
            }
        }
    }

    #[test]
    fn a_status_that_says_enough_is_left_alone() {
        for (status, reason, words) in [
            (486, "Q.850;cause=21", "Busy Here"),
            (404, "Q.850;cause=3", "Not Found"),
            (486, "", "Busy Here"),
            (488, "Q.850;cause=17", "Not Acceptable Here"),
            // It may be the caller who is not registered or known.
            (403, "", "User not registered"),
            (403, "", "User not found"),
            (403, "", "Forbidden"),
        ] {
            assert_eq!(of(status, reason, words), None, "{status} {reason} {words}");
        }
        assert_eq!(of(486, "", "Do Not Disturb"), Some(Why::DoNotDisturb));
        assert_eq!(of(403, "", "399 x \"Concurrent calls exceeded\""), Some(Why::CallLimit));
        assert_eq!(of(600, "", "Call limit reached"), Some(Why::CallLimit));
    }
}
