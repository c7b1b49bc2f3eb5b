//! Every fault: its id and variant, what is seen of it, and what it does.

use super::{Brief, InfoType, Instead, Kind};
use crate::media::dtmf::DtmfMethod;
use crate::message::Transport;
use crate::sdp::Direction;

pub(super) struct Entry {
    pub(super) id: &'static str,
    /// Empty, a word, or in capitals what the number means.
    pub(super) variant: &'static str,
    pub(super) symptom: &'static str,
    pub(super) make: fn(u32) -> Kind,
}

const fn entry(
    id: &'static str,
    variant: &'static str,
    symptom: &'static str,
    make: fn(u32) -> Kind,
) -> Entry {
    Entry { id, variant, symptom, make }
}

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    entry("A01", "", "a right answer gets 401 again: the platform holds another password", |_| Kind::OtherPassword),
    entry("A02", "", "401 again under a new realm: the stored hash belongs to the old one", |_| Kind::OtherRealm),
    entry("A04", "", "a reused nonce gets 401 without stale", |_| Kind::ReuseRefused),
    entry("A05", "", "every right answer gets 401 with stale=true", |_| Kind::StaleForEver),
    entry("A09", "", "two challenges, SHA-256 first, then MD5", |_| Kind::StrongFirst),
    entry("A10", "", "only SHA-256 is offered", |_| Kind::OnlySha256),
    entry("A10", "sha-512-256", "only SHA-512-256 is offered", |_| Kind::OnlySha512),
    entry("A11", "", "offers qop=\"auth,auth-int\", refuses a list or a quoted token with 400", |_| Kind::SingleQop),
    entry("A12", "", "403 at once, without a challenge", |_| Kind::ForbiddenAtOnce),
    entry("A13", "", "403 after a right answer", |_| Kind::ForbiddenAfterDigest),
    entry("A16", "", "401 without a challenge", |_| Kind::NoChallenge { status: 401 }),
    entry("A16", "407", "407 without a challenge", |_| Kind::NoChallenge { status: 407 }),
    entry("R01", "", "423 with Min-Expires 1800", |_| Kind::MinExpires(1_800)),
    entry("R01", "SECONDS", "423 with this Min-Expires", Kind::MinExpires),
    entry("R02", "", "423 without Min-Expires", |_| Kind::TooBrief(Brief::None)),
    entry("R02", "second", "a second 423 after Min-Expires was obeyed, and more up to 7200 s", |_| Kind::TooBrief(Brief::AlwaysMore)),
    entry("R02", "useless", "423 with a Min-Expires of 1", |_| Kind::TooBrief(Brief::Useless)),
    entry("R05", "", "200 without an expiry anywhere", |_| Kind::NoExpires),
    entry("R05", "zero", "200 with expires=0, fifty times", |_| Kind::ZeroExpires),
    entry("R06", "", "403: old bindings fill the limit", |_| Kind::Full { status: 403 }),
    entry("R06", "503", "503: old bindings fill the limit", |_| Kind::Full { status: 503 }),
    entry("R06", "603", "603: old bindings fill the limit", |_| Kind::Full { status: 603 }),
    entry("R10", "", "302 with another registrar", |_| Kind::Redirects),
    entry("R12", "", "404: unknown user", |_| Kind::UnknownUser),
    entry("R14", "", "503 with Retry-After 120", |_| Kind::Overload { retry_after: 120 }),
    entry("R14", "SECONDS", "503 with this Retry-After", |retry_after| Kind::Overload { retry_after }),
    entry("R15", "", "silence over UDP only", |_| Kind::Silent(Transport::Udp)),
    entry("R15", "tcp", "silence over TCP only", |_| Kind::Silent(Transport::Tcp)),
    entry("R18", "", "a removal gets 200, the binding stays", |_| Kind::KeepsRemoved { hidden: false }),
    entry("R18", "hidden", "a removal gets 200 without it, the binding stays", |_| Kind::KeepsRemoved { hidden: true }),
    entry("T02", "", "513 to requests over 600 bytes", |_| Kind::TooLarge { limit: 600 }),
    entry("T02", "BYTES", "513 to requests over this number of bytes", |limit| Kind::TooLarge { limit }),
    entry("T02", "truncated", "every 200 is cut in the middle", |_| Kind::Truncates),
    entry("T12", "", "the connection is closed right after each 200", |_| Kind::ClosesAfterAnswer),
    entry("T12", "SECONDS", "the connection is closed after this time without a message", |seconds| Kind::ClosesWhenIdle { seconds }),
    entry("T12", "lost", "after a 200 the next request is lost with its connection", |_| Kind::LosesNext),
    entry("N04", "", "answers go to the port in the Via, rport is ignored", |_| Kind::ViaPort(None)),
    entry("N04", "PORT", "answers go to this port, rport is ignored", |port| Kind::ViaPort(Some(port as u16))),
    entry("B01", "", "after two 200s silence to this address, for this account", |_| Kind::Bans { after: 2, everybody: false }),
    entry("B01", "NUMBER", "after this number of 200s silence to this address, for this account", |after| Kind::Bans { after, everybody: false }),
    entry("B01", "ip", "after two 200s silence to this address, for every account", |_| Kind::Bans { after: 2, everybody: true }),
    entry("B06", "", "a new contact silently replaces the live binding of another device", |_| Kind::Replaces),
    entry("D01", "", "no telephone-event in offers and answers", |_| Kind::NoTelephoneEvent),
    entry("D02", "", "events come with a payload type that was not agreed on", |_| Kind::OtherPayloadType),
    entry("D03", "", "durations of events on a clock of 16,000 Hz", |_| Kind::EventClock(16_000)),
    entry("D03", "HERTZ", "durations of events on this clock", Kind::EventClock),
    entry("D04", "", "each digit comes as an event and as tones", |_| Kind::LeaksInBand),
    entry("D04", "info", "each digit comes as an event and as an INFO", |_| Kind::LeaksInfo),
    entry("D05", "", "end packets of an event have timestamps of their own", |_| Kind::RestartsEvents),
    entry("D06", "", "a repeated digit goes under the timestamp of the one before", |_| Kind::MergesRepeats),
    entry("D07", "", "events begin without a marker", |_| Kind::NoMarker),
    entry("D08", "", "events have no end packet", |_| Kind::EndPackets(0)),
    entry("D08", "one", "events have one end packet", |_| Kind::EndPackets(1)),
    entry("D09", "", "events end after 30 ms", |_| Kind::ShortEvents),
    entry("D09", "quiet", "events say -50 dBm0", |_| Kind::QuietEvents),
    entry("D10", "", "events come from another SSRC", |_| Kind::OtherSsrc),
    entry("D11", "", "INFO gets 405", |_| Kind::InfoRefused(405)),
    entry("D11", "501", "INFO gets 501", |_| Kind::InfoRefused(501)),
    entry("D12", "", "INFO gets 415 without Accept", |_| Kind::InfoRefused(415)),
    entry("D12", "dtmf", "INFO with dtmf-relay gets 415: only dtmf is taken", |_| Kind::InfoType(InfoType::Dtmf)),
    entry("D12", "dtmf-relay", "INFO with dtmf gets 415: only dtmf-relay is taken", |_| Kind::InfoType(InfoType::DtmfRelay)),
    entry("D13", "", "INFO gets 200 and goes no further", |_| Kind::InfoDropped),
    entry("D16", "", "a re-INVITE is answered without telephone-event; no event comes after it", |_| Kind::ForgetsEvents),
    entry("D17", "", "a menu plays in early media and takes digits only after its 200, 8 s later", |_| Kind::LateMenu { seconds: Some(8) }),
    entry("D17", "SECONDS", "a menu plays in early media and takes digits only after its 200, this number of seconds later", |seconds| Kind::LateMenu { seconds: Some(seconds) }),
    entry("D17", "never", "a menu plays in early media and never answers", |_| Kind::LateMenu { seconds: None }),
    entry("D18", "", "telephone-event is agreed on, events are thrown away", |_| Kind::DiscardsEvents),
    entry("N12", "", "no RTP in both directions", |_| Kind::NoRtp { forward: true, backward: true }),
    entry("N12", "forward", "no RTP from the caller to the callee", |_| Kind::NoRtp { forward: true, backward: false }),
    entry("N12", "backward", "no RTP from the callee to the caller", |_| Kind::NoRtp { forward: false, backward: true }),
    entry("H02", "", "a hold is answered sendrecv", |_| Kind::HoldAnswered(Direction::SendRecv)),
    entry("H02", "inactive", "a hold is answered inactive", |_| Kind::HoldAnswered(Direction::Inactive)),
    entry("H03", "", "after a hold the answer stays recvonly, and there is no audio", |_| Kind::StaysHeld(Direction::RecvOnly)),
    entry("H03", "inactive", "after a hold the answer is inactive, and there is no audio", |_| Kind::StaysHeld(Direction::Inactive)),
    entry("H11", "", "voice comes in packets of 30 ms, not as agreed", |_| Kind::PacketTime(30)),
    entry("H11", "MILLISECONDS", "voice comes in packets of this number of ms, not as agreed", Kind::PacketTime),
    entry("H12", "", "183 with SDP, and no RTP before the answer", |_| Kind::SilentEarlyMedia),
    entry("H15", "", "BYE with Reason \"RTP timeout\" after 30 s without RTP", |_| Kind::RtpTimeout { seconds: 30 }),
    entry("H15", "SECONDS", "BYE with Reason \"RTP timeout\" after this number of seconds without RTP", |seconds| Kind::RtpTimeout { seconds }),
    entry("S01", "", "422 with Min-SE 3600", |_| Kind::LongSessions { min_se: 3_600 }),
    entry("S01", "SECONDS", "422 with this Min-SE", |min_se| Kind::LongSessions { min_se }),
    entry("S01", "always", "422 again after Min-SE was obeyed", |_| Kind::LongerSessions),
    entry("S02", "", "the PBX does not refresh a session of 90 s: the call ends after 60 s", |_| Kind::NoRefresh { seconds: 90 }),
    entry("S02", "SECONDS", "the PBX does not refresh a session of this number of seconds: the call ends before it expires", |seconds| Kind::NoRefresh { seconds }),
    entry("S02", "unanswered", "refreshes of a session of 90 s are not answered", |_| Kind::RefreshUnanswered),
    entry("S03", "", "no ACK arrives: the 200 is repeated, and BYE comes after 32 s", |_| Kind::AckLost),
    entry("S03", "contact", "the Contact of the 200 leads nowhere: no ACK arrives, BYE after 32 s", |_| Kind::AckNowhere),
    entry("S04", "", "420 with Unsupported: 100rel", |_| Kind::NoReliable),
    entry("S04", "required", "the called device gets Require: 100rel", |_| Kind::RequiresReliable),
    entry("F03", "", "CANCEL without Reason", |_| Kind::NoReason),
    entry("A14", "", "REFER, re-INVITE and BYE in a dialog get a challenge", |_| Kind::ChallengesInDialog),
    entry("F01", "", "one refusal ends all branches", |_| Kind::FirstRefusalEnds),
    entry("F02", "", "when one device answers, the others ring on", |_| Kind::LosersRing),
    entry("F04", "", "a second 200 is taken, and its leg stays open", |_| Kind::BothAnswered),
    entry("F05", "", "a second call to the user gets 486", |_| Kind::OneCall),
    entry("F06", "", "only the first two devices of a group ring", |_| Kind::FirstDevices(2)),
    entry("F06", "NUMBER", "only this number of devices of a group rings", Kind::FirstDevices),
    entry("U05", "", "the number that was called appears only in To, not in the Request-URI", |_| Kind::NumberInToOnly),
    entry("U14", "line", "calls name another user's line in the Request-URI", |_| Kind::OtherLine),
    entry("U14", "", "of several bindings only the latest is rung", |_| Kind::OneBinding),
    entry("H01", "", "a hold with the address 0.0.0.0 is not understood", |_| Kind::ZeroAddressLive),
    entry("H07", "", "after a transfer the audio of the target goes to the transferor", |_| Kind::OldMedia),
    entry("X01", "", "REFER gets 405", |_| Kind::ReferRefused(405)),
    entry("X01", "501", "REFER gets 501", |_| Kind::ReferRefused(501)),
    entry("X02", "", "REFER gets 403", |_| Kind::ReferRefused(403)),
    entry("X03", "", "202, and a NOTIFY of 404: the target is not called", |_| Kind::ReferredCallGets(404)),
    entry("X03", "403", "202, and a NOTIFY of 403: the target is not called", |_| Kind::ReferredCallGets(403)),
    entry("X04", "", "REFER to a tel: URI, or to one without user, gets 501", |_| Kind::ForeignScheme(501)),
    entry("X04", "400", "REFER to a tel: URI, or to one without user, gets 400", |_| Kind::ForeignScheme(400)),
    entry("X05", "", "202 to a REFER to a number of the PBX, BYE to the transferee, NOTIFY of 404", |_| Kind::OwnNumbersLost),
    entry("X06", "", "REFER gets 603", |_| Kind::ReferRefused(603)),
    entry("X07", "", "REFER without Referred-By gets 429", |_| Kind::ReferredByRequired),
    entry("X07", "always", "REFER gets 429", |_| Kind::ReferRefused(429)),
    entry("X08", "", "REFER gets 420 with Unsupported: replaces, norefersub", |_| Kind::ReferRefused(420)),
    entry("X09", "", "REFER gets 400", |_| Kind::ReferRefused(400)),
    entry("X10", "", "the Replaces in Refer-To is mangled on its way", |_| Kind::MangledReplaces),
    entry("X11", "", "Replaces gets 481", |_| Kind::ReplacesUnknown),
    entry("X12", "", "Replaces of a call that still rings gets 481", |_| Kind::EarlyReplacesUnknown),
    entry("X13", "", "Replaces is ignored: the target is called a second time", |_| Kind::ReplacesIgnored),
    entry("X14", "", "202 and a NOTIFY of 100, and nothing more", |_| Kind::NeverCarriedOut),
    entry("X14", "silent", "202 and no NOTIFY; the transfer is carried out", |_| Kind::NoNotify),
    entry("X14", "trying", "no NOTIFY but that of 100; the transfer is carried out", |_| Kind::NotifiesTryingOnly),
    entry("X14", "active", "no NOTIFY says terminated", |_| Kind::NeverTerminated),
    entry("X15", "", "NOTIFY of 200 when the target refused", |_| Kind::RefusalToldAsSuccess),
    entry("X16", "", "NOTIFY gets 481", |_| Kind::NotifyRefused),
    entry("X17", "", "REFER within a second of an INVITE gets 491", |_| Kind::ReferTooSoon),
    entry("X18", "", "the transferor's BYE ends the transfer", |_| Kind::ByeEndsTransfer),
    entry("X19", "", "the transferor is joined with the target", |_| Kind::WrongParties),
    entry("X19", "consult", "the transferor's call with the target stays", |_| Kind::LegLeftOpen),
    entry("X20", "", "202, and a NOTIFY of 482", |_| Kind::ReferredCallGets(482)),
    entry("X20", "483", "202, and a NOTIFY of 483", |_| Kind::ReferredCallGets(483)),
    entry("X21", "", "202, and a NOTIFY of 404 where the target is named by an extension", |_| Kind::NumbersUnknown(404)),
    entry("X21", "484", "202, and a NOTIFY of 484 where the target is named by an extension", |_| Kind::NumbersUnknown(484)),
    entry("X22", "", "the target sees the transferor, and no Referred-By", |_| Kind::IdentityLost(Instead::Transferor)),
    entry("X22", "anonymous", "the target sees Anonymous, and no Referred-By", |_| Kind::IdentityLost(Instead::Anonymous)),
    entry("X22", "empty", "the target sees an address without a user, and no Referred-By", |_| Kind::IdentityLost(Instead::Empty)),
    entry("X23", "", "keys that ask for a transfer are ignored", |_| Kind::TransferCodeIgnored(None)),
    entry("X23", "rfc4733", "keys by RFC 4733 that ask for a transfer are ignored", |_| Kind::TransferCodeIgnored(Some(DtmfMethod::Rfc4733))),
    entry("X23", "info", "keys by INFO that ask for a transfer are ignored", |_| Kind::TransferCodeIgnored(Some(DtmfMethod::Info))),
    entry("X23", "swallowed", "keys that ask for a transfer are taken, and nothing follows", |_| Kind::TransferCodeSwallowed),
    entry("leaky-hold", "", "a hold is answered as it should be, but the held party is not told, and is still heard", |_| Kind::HoldLeaks),
    entry("raise-expires", "", "an expiry below 600 s is raised silently", |_| Kind::RaisesExpires(600)),
    entry("raise-expires", "SECONDS", "an expiry below this number of seconds is raised silently", Kind::RaisesExpires),
    entry("rewrite-contact", "", "our own Contact comes back changed", |_| Kind::RewritesContact),
    entry("one-line", "", "all bindings are listed in one Contact line", |_| Kind::OneLine),
    entry("expires-header", "", "the expiry is only in the Expires header, not in the Contact", |_| Kind::ExpiresHeader),
];

/// Every check: each registers an account.
const EVERY: &[&str] = &["register", "call", "dtmf", "hold", "cancel", "fork", "transfer"];
/// Every check that makes calls.
const CALLS: &[&str] = &["call", "dtmf", "hold", "cancel", "fork", "transfer"];
/// Those in which the two ends talk.
const TALKS: &[&str] = &["call", "dtmf", "hold", "fork", "transfer"];

impl Entry {
    /// The names of the checks that show it, with the options that bring it out.
    pub(super) fn shown_by(&self) -> &'static [&'static str] {
        match (self.id, self.variant) {
            ("A09" | "A10" | "A11" | "R01" | "R18", _) => &["register"],
            ("raise-expires" | "rewrite-contact" | "one-line" | "expires-header", _) => &["register"],
            ("B06", _) => &["register", "fork"],
            ("A14" | "leaky-hold", _) => &["hold", "transfer"],
            ("N12", _) | ("S03", _) => TALKS,
            ("S04", "") | ("S01", "always") => CALLS,
            ("S02", "unanswered") => &["call", "dtmf", "hold", "transfer"],
            ("S02", _) => &["call", "hold"],
            ("H11" | "H12" | "S01" | "S04" | "U05", _) => &["call"],
            ("H01" | "H02" | "H03" | "H15", _) => &["hold"],
            ("U14", "line") => &["call", "fork"],
            ("F03", _) => &["cancel", "fork"],
            ("H07", _) => &["transfer"],
            (id, _) => match id.as_bytes().first() {
                Some(b'D') => &["dtmf"],
                Some(b'F' | b'U') => &["fork"],
                Some(b'X') => &["transfer"],
                _ => EVERY,
            },
        }
    }
    pub(super) fn takes_number(&self) -> bool {
        self.variant.starts_with(|c: char| c.is_ascii_uppercase())
    }
    /// The largest number that makes sense.
    pub(super) fn largest(&self) -> u32 {
        match (self.id, self.variant) {
            (_, "PORT") => u32::from(u16::MAX),
            ("H11", _) => 120,
            ("D03", _) => 384_000,
            ("D17" | "H15" | "S01" | "S02", _) => 86_400,
            _ => u32::MAX,
        }
    }
    /// The smallest.
    pub(super) fn least(&self) -> u32 {
        match self.id {
            "H11" => 10,
            "D03" => 8_001,
            "S01" | "S02" => 90,
            _ => 1,
        }
    }
    pub(super) fn spelling(&self) -> String {
        match self.variant {
            "" => self.id.to_owned(),
            variant => format!("{}:{variant}", self.id),
        }
    }
}
