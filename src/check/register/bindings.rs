//! Bindings of others: which there are, and which are missing later.

use crate::check::journal::{Left, LeftOpen};
use crate::check::judge::quote::quoted;
use crate::check::result::Bound;
use crate::ua::registration::{Answer, Binding};

/// A binding that is not ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::check) struct Foreign {
    pub(in crate::check) uri: String,
    pub(in crate::check) instance: Option<String>,
    pub(in crate::check) user_agent: Option<String>,
    pub(in crate::check) expires: Option<u32>,
    /// A program of ours that is no more has left it, as its notes say.
    pub(in crate::check) is_left: bool,
}

impl Foreign {
    /// Text for people: where to, whose, how long.
    pub(in crate::check) fn describe(&self) -> String {
        let mut text = quoted(self.uri.as_bytes());
        if let Some(agent) = &self.user_agent {
            text.push_str(&format!(" ({agent})"));
        }
        if let Some(seconds) = self.expires {
            text.push_str(&format!(", {seconds} s left"));
        }
        if self.is_left {
            text.push_str(", left by an earlier run of this program");
        }
        text
    }
}

/// The live bindings that are not ours, each Contact once.
pub(in crate::check) fn foreign(bindings: &[Binding]) -> Vec<Foreign> {
    let live = once(bindings).filter(|b| !b.own && b.expires != Some(0));
    live.map(|b| Foreign {
        uri: b.uri.clone(),
        instance: b.instance.clone(),
        user_agent: b.user_agent.clone(),
        expires: b.expires,
        is_left: false,
    })
    .collect()
}

/// Bindings that may be live devices of others in an answer: one that cannot be read counts; `ours` are bindings of this check's other ends, by
/// URI or by a part of it.
pub(in crate::check) fn devices(answer: &Answer, ours: &[String]) -> Vec<Foreign> {
    let is_ours = |uri: &str| ours.iter().any(|own| uri.contains(own.as_str()));
    let mut devices = foreign(&answer.bindings);
    let unreadable = answer.unreadable.iter().map(|value| Foreign {
        uri: quoted(value.as_bytes()),
        instance: None,
        user_agent: None,
        expires: None,
        is_left: false,
    });
    devices.extend(unreadable.filter(|_| answer.unreadable_own.is_none()));
    devices.retain(|device| !is_ours(&device.uri));
    devices
}

/// Marks those among `devices` that are what an earlier run has left: their Contacts have the tokens of its notes.
pub(in crate::check) fn mark_left(devices: &mut [Foreign], left: &[Left]) {
    let contacts = left.iter().filter_map(|left| match &left.open {
        LeftOpen::Binding { contact, .. } => contact.rsplit_once(';').map(|(_, token)| token),
        LeftOpen::Call { .. } => None,
    });
    for token in contacts {
        devices
            .iter_mut()
            .filter(|device| device.uri.contains(token))
            .for_each(|device| device.is_left = true);
    }
}

/// What to do where all of these devices are what an earlier run has left.
pub(in crate::check) fn advice_on_left(devices: &[Foreign]) -> Option<&'static str> {
    devices.iter().all(|device| device.is_left).then_some(
        "nobody's phone: a run that was killed has left it; remove it with `ringback clean` and the same account file (or account), then run this again",
    )
}

/// Those of `now` that are not among `before`: a device that moved is.
pub(in crate::check) fn unseen(now: Vec<Foreign>, before: &[Foreign]) -> Vec<Foreign> {
    let known = |device: &Foreign| {
        before.iter().any(|b| b.uri == device.uri || (b.instance.is_some() && b.instance == device.instance))
    };
    now.into_iter().filter(|device| !known(device)).collect()
}

/// A number of devices, in words.
pub(in crate::check) fn counted(devices: &[Foreign]) -> String {
    match devices.len() {
        1 => "1 device is registered".to_owned(),
        number => format!("{number} devices are registered"),
    }
}

/// Each Contact once, with the longest time that it is listed with: the same URI again is the same device.
fn once(bindings: &[Binding]) -> impl Iterator<Item = &Binding> {
    bindings.iter().enumerate().filter_map(|(at, binding)| {
        let same = || bindings.iter().enumerate().filter(|(_, other)| other.uri == binding.uri);
        let is_first = same().next().is_some_and(|(first, _)| first == at);
        same()
            .map(|(_, other)| other)
            .max_by_key(|other| other.expires.unwrap_or(u32::MAX))
            .filter(|_| is_first)
    })
}

/// URIs that are listed more than once, as live.
pub(in crate::check) fn twice(bindings: &[Binding]) -> Vec<&str> {
    let mut uris: Vec<&str> =
        bindings.iter().filter(|b| b.expires != Some(0)).map(|b| b.uri.as_str()).collect();
    uris.sort_unstable();
    let mut twice: Vec<&str> =
        uris.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    twice.dedup();
    twice
}

/// All live bindings, as programs get them.
pub(in crate::check) fn bound(bindings: &[Binding]) -> Vec<Bound> {
    let live = once(bindings).filter(|b| b.expires != Some(0));
    live.map(|b| {
        let mut bound = Bound::new(quoted(b.uri.as_bytes()));
        bound.user_agent.clone_from(&b.user_agent);
        bound.expires_s = b.expires;
        bound.q_thousandths = b.q_thousandths;
        bound.instance.clone_from(&b.instance);
        bound
    })
    .collect()
}

/// Those of `before` that are not among `now`, although they had more than `elapsed_s` seconds to live. A device that moved (same
/// instance, other address) is still there.
pub(in crate::check) fn missing<'a>(
    before: &'a [Foreign],
    now: &[Foreign],
    elapsed_s: u32,
) -> Vec<&'a Foreign> {
    let there = |b: &Foreign| {
        now.iter().any(|n| n.uri == b.uri || (b.instance.is_some() && n.instance == b.instance))
    };
    before.iter().filter(|b| b.expires.is_none_or(|s| s > elapsed_s.saturating_add(1)) && !there(b)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(uri: &str, expires: u32, instance: Option<&str>) -> Foreign {
        Foreign {
            uri: uri.into(),
            instance: instance.map(Into::into),
            user_agent: None,
            expires: Some(expires),
            is_left: false,
        }
    }

    #[test]
    fn a_binding_that_ran_out_by_itself_is_not_missing() {
        let before = [binding("sip:a@192.0.2.1", 3, None), binding("sip:a@192.0.2.2", 300, None)];
        assert_eq!(missing(&before, &[], 5), [&before[1]]);
    }

    #[test]
    fn a_device_that_moved_is_not_missing() {
        let before = [binding("sip:a@192.0.2.1", 300, Some("urn:uuid:1"))];
        assert!(missing(&before, &[binding("sip:a@192.0.2.9", 300, Some("urn:uuid:1"))], 0).is_empty());
    }
}
