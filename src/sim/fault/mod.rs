//! Faults of a registrar and of a PBX, switched on per account by their id in the failure catalogue.

mod list;

use crate::error::{Argument, Error, Problem};
use crate::media::dtmf::DtmfMethod;
use crate::message::Transport;
use crate::sdp::Direction;
use list::ENTRIES;
use std::fmt;
use std::str::FromStr;

/// One fault of one account, read from its spelling: an id, or an id, a colon and a variant.
///
/// A fault of registration is met by the user's own REGISTERs, one of the transport (R15, T, N04) by everything that it sends. One of calls (D, N12, H, S, F, X, A14, U05, U14) is met in every call that the user makes or
/// takes, in both directions where none is named; a menu may have faults of its own ([`Ivr::fault`](super::Ivr::fault)).
///
/// | spelling | what goes wrong |
/// |---|---|
/// | `A01` | the platform holds another password: a right answer gets 401 and a fresh nonce, without stale, again and again |
/// | `A02` | the challenge names a new realm, the stored hash was made under the old one: 401 again and again |
/// | `A04` | a reused nonce is refused with 401 without stale; an answer to the fresh nonce is accepted |
/// | `A05` | every right answer gets 401 with stale=true and a fresh nonce, for ever |
/// | `A09` | two challenges, SHA-256 in the first header and MD5 in the second; either is accepted |
/// | `A10` | SHA-256 is the only algorithm offered |
/// | `A10:sha-512-256` | SHA-512-256 is the only algorithm offered |
/// | `A11` | offers qop="auth,auth-int" and refuses (400) an answer whose qop is not one of the two, without quotes |
/// | `A12` | 403 at once, without a challenge |
/// | `A13` | 403 after a right answer |
/// | `A16` | 401 without WWW-Authenticate |
/// | `A16:407` | 407 without Proxy-Authenticate |
/// | `R01` | 423 with Min-Expires 1800 to anything shorter |
/// | `R01:SECONDS` | the same with another minimum |
/// | `R02` | 423 without Min-Expires, whatever was asked for |
/// | `R02:second` | 423 with a Min-Expires that is again too short once it is obeyed, up to 7,200 s |
/// | `R02:useless` | 423 with a Min-Expires of 1 second |
/// | `R05` | 200 without an expiry: neither in the Contact nor in Expires |
/// | `R05:zero` | 200 with expires=0, and nothing is bound; from the 51st on 503 with Retry-After 60, for phones that would register for ever |
/// | `R06` | old bindings fill the limit: a new one gets 403 |
/// | `R06:503` | the same with 503 and the list of bindings |
/// | `R06:603` | the same with 603 |
/// | `R10` | 302 with another registrar in Contact |
/// | `R12` | 404: the registrar does not know the user |
/// | `R14` | 503 with Retry-After 120 |
/// | `R14:SECONDS` | the same with another time |
/// | `R15` | silence over UDP, to calls as well; other transports are answered |
/// | `R15:tcp` | silence over TCP, to calls as well; other transports are answered |
/// | `R18` | a removal is answered 200 and the binding stays, in that answer too |
/// | `R18:hidden` | the same, but only a later query shows it |
/// | `T02` | 513 to requests over 600 bytes, in calls as well |
/// | `T02:BYTES` | the same with another limit |
/// | `T02:truncated` | every 200 is cut in the middle, in calls as well |
/// | `T12` | the connection is closed right after each 200 |
/// | `T12:SECONDS` | the connection is closed after this time without a message in either direction |
/// | `T12:lost` | after a 200 the next request on the connection is lost with the connection |
/// | `N04` | answers go to the port in the Via (UDP), in calls as well; rport is neither honoured nor filled in |
/// | `N04:PORT` | the same, as if the Via named this port |
/// | `B01` | after two 200s no answer at all to this address, for this account |
/// | `B01:NUMBER` | the same after another number of 200s |
/// | `B01:ip` | after two 200s no answer at all to this address, for any account |
/// | `B06` | one contact at most, and a new one silently replaces the live binding of another device |
/// | `D01` | no telephone-event in any description: neither offered nor answered |
/// | `D02` | events are passed on with a payload type that was not agreed on |
/// | `D03` | durations of events on a clock of 16,000 Hz, though 8,000 is agreed on |
/// | `D03:HERTZ` | the same with another clock |
/// | `D04` | beside each event its tones are in the audio |
/// | `D04:info` | beside each event an INFO with its digit is sent |
/// | `D05` | the repeated end packets of an event have timestamps of their own: the event begins again |
/// | `D06` | a digit pressed again goes under the timestamp of the press before |
/// | `D07` | the first packet of an event has no marker |
/// | `D08` | no packet ends an event |
/// | `D08:one` | only one packet ends an event |
/// | `D09` | events end after 30 ms |
/// | `D09:quiet` | events say -50 dBm0 |
/// | `D10` | events come from another SSRC than the voice, with sequence numbers of their own |
/// | `D11` | INFO gets 405, with an Allow that does not name it |
/// | `D11:501` | INFO gets 501 |
/// | `D12` | INFO gets 415 without Accept |
/// | `D12:dtmf` | INFO with application/dtmf-relay gets 415, with Accept: application/dtmf |
/// | `D12:dtmf-relay` | INFO with application/dtmf gets 415, with Accept: application/dtmf-relay |
/// | `D13` | INFO gets 200, and nothing of it is passed on |
/// | `D16` | the answer to a re-INVITE or UPDATE has no telephone-event any more, and no event is passed on from then on |
/// | `D17` | a menu plays in early media for 8 s before it answers, and takes digits only then |
/// | `D17:SECONDS` | the same with another time |
/// | `D17:never` | the menu never answers and takes no digit |
/// | `D18` | telephone-event is offered and accepted, and the events are thrown away: only INFO counts |
/// | `N12` | no RTP is passed on in either direction |
/// | `N12:forward` | none from the caller to the callee |
/// | `N12:backward` | none from the callee to the caller |
/// | `H02` | a hold (sendonly) is answered sendrecv |
/// | `H02:inactive` | it is answered inactive |
/// | `H03` | after a hold the resuming offer is answered recvonly, and no audio is passed on to who resumed |
/// | `H03:inactive` | it is answered inactive, and no audio is passed on in either direction |
/// | `H11` | voice goes out in packets of 30 ms, whatever ptime was agreed on |
/// | `H11:MILLISECONDS` | the same with another time, 10 to 120 |
/// | `H12` | ringing is told by 183 with SDP, and no RTP comes before the answer |
/// | `H15` | BYE with Reason "RTP timeout" when one side sends no RTP for 30 s |
/// | `H15:SECONDS` | the same after another time |
/// | `S01` | 422 with Min-SE 3600 to a session interval that is shorter |
/// | `S01:SECONDS` | the same with another Min-SE |
/// | `S01:always` | 422 with a Min-SE that is again too long for whoever obeys it |
/// | `S02` | the 200 makes the PBX the refresher of a session of 90 s, no refresh comes, and the call ends after 60 s |
/// | `S02:SECONDS` | the same with another session interval (90 and more) |
/// | `S02:unanswered` | a session of 90 s; requests that refresh it get no answer |
/// | `S03` | the ACK never arrives: the 200 is repeated, and BYE comes after 32 s |
/// | `S03:contact` | the same because the Contact of the 200 leads to a port where nobody listens |
/// | `S04` | 420 to who names 100rel, required or not |
/// | `S04:required` | the INVITE to the callee has Require: 100rel |
/// | `A14` | a REFER, re-INVITE or BYE of the caller inside its dialog is challenged as its INVITE was (407) |
/// | `X23` | keys that ask the PBX for a transfer are passed on like others, and nothing follows |
/// | `X23:rfc4733` | the same with keys by RFC 4733 only: the PBX does not look into the media |
/// | `X23:info` | the same with keys by INFO only |
/// | `X23:swallowed` | the number behind the code is not passed on, and nothing follows |
/// | `F01` | the first refusal of a device cancels all others, and the caller gets it |
/// | `F02` | when one device answers, the others get no CANCEL |
/// | `F04` | when one device answers, the others get no CANCEL; who answers as well gets an ACK and no media, and its leg stays |
/// | `F05` | a user with a call gets no second one: 486, and the device is not asked |
/// | `F06` | of the devices that are called as one only the first two are rung |
/// | `F06:NUMBER` | the same with another number |
/// | `U14` | of several devices of a user only the one that registered last is rung |
/// | `U14:line` | the Request-URI of a call names another user than the one who is called: a device with several accounts rings the wrong line |
/// | `U05` | the number that was called appears only in To; the Request-URI names the user of the Contact, on a [trunk](super::User::trunk) too |
/// | `H01` | a hold with the address 0.0.0.0 is told to nobody, and after 10 s the call is dropped with Reason "RTP timeout" |
/// | `H07` | after a transfer the audio of the target still goes to the transferor's leg, which stays; the transferee hears nothing |
/// | `X01` | REFER gets 405, with an Allow that does not name it |
/// | `X01:501` | REFER gets 501 |
/// | `X02` | REFER gets 403 |
/// | `X03` | REFER gets 202, the target is not called, and the NOTIFY says 404 |
/// | `X03:403` | the same with 403 |
/// | `X04` | a Refer-To that is no sip: URI with a user part gets 501 |
/// | `X04:400` | the same with 400 |
/// | `X05` | a REFER to a number that the PBX answers itself gets 202, the transferee BYE, and the NOTIFY says 404 |
/// | `X06` | REFER gets 603 |
/// | `X07` | REFER without Referred-By gets 429 |
/// | `X07:always` | REFER gets 429 whatever it has |
/// | `X08` | REFER gets 420 with Unsupported: replaces, norefersub |
/// | `X09` | REFER gets 400: its Refer-To cannot be read |
/// | `X10` | the Replaces in a Refer-To arrives escaped twice: the dialog is not found (481) |
/// | `X11` | a Replaces of a live dialog gets 481, in an INVITE and in the NOTIFY of a transfer that the PBX carries out |
/// | `X12` | a transfer to a call that still rings comes to nothing: the NOTIFY says 481 |
/// | `X13` | Replaces is ignored, in REFER and INVITE: the target is called a second time, and the first call stays |
/// | `X14` | REFER gets 202 and a NOTIFY of 100, and is never carried out |
/// | `X14:silent` | REFER gets 202 and is carried out, and no NOTIFY comes at all |
/// | `X14:trying` | REFER gets 202 and is carried out, and no NOTIFY comes but that of 100 |
/// | `X14:active` | the last NOTIFY says active, not terminated |
/// | `X15` | when the target refuses, the NOTIFY says 200 |
/// | `X16` | where REFER is relayed, the NOTIFYs of the transferee get 481 |
/// | `X17` | REFER gets 491 within a second of an INVITE or ACK of its leg |
/// | `X18` | a BYE of the transferor before the target answers ends the transferee's leg, and the target's is cancelled |
/// | `X19` | the target is joined with the transferor and the transferee gets BYE; the NOTIFY says 200 |
/// | `X19:consult` | after an attended transfer the transferor's call with the target gets no BYE, though nobody is there any more |
/// | `X20` | REFER gets 202, and the NOTIFY says 482: a loop |
/// | `X20:483` | the same with 483 |
/// | `X21` | a referred call finds users by name only: an extension or a group gets 404, in the NOTIFY |
/// | `X21:484` | the same with 484 |
/// | `X22` | the call to the target says that the transferor calls, without Referred-By, and nobody is told of the new far party |
/// | `X22:anonymous` | the same, and that an anonymous caller calls |
/// | `X22:empty` | the same, and that an address without a user calls |
/// | `F03` | a CANCEL has no Reason, whatever Reason the PBX was given |
/// | `leaky-hold` | a hold is answered as it should be, nobody is told, and what the held party says is still passed on (in no catalogue) |
/// | `raise-expires` | a shorter time than 600 s is raised silently instead of refused (in no catalogue: what some registrars do) |
/// | `raise-expires:SECONDS` | the same with another minimum |
/// | `rewrite-contact` | our own Contact is listed with the address that it came from, TRANSPORT in capitals and one second less (in no catalogue) |
/// | `one-line` | all bindings are listed in one Contact line (in no catalogue: what Kamailio does) |
/// | `expires-header` | the expiry is only in the Expires header, not in the Contact (in no catalogue: what some registrars do) |
///
/// ```
/// use ringback::sim::Fault;
/// let fault: Fault = "R01:3600".parse()?;
/// assert_eq!((fault.id(), fault.to_string().as_str()), ("R01", "R01:3600"));
/// assert!("R99".parse::<Fault>().is_err());
/// # Ok::<(), ringback::error::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub(super) kind: Kind,
    entry: usize,
    number: Option<u32>,
}

/// One line of [`Fault::list`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FaultEntry {
    /// How it is written; capitals after the colon stand for a number.
    pub spelling: String,
    /// What is seen on the wire, in one line.
    pub symptom: &'static str,
    /// The names of the checks that can show it (see [`Fault::shown_by`]).
    pub shown_by: &'static [&'static str],
}

/// What a fault does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    OtherPassword,
    OtherRealm,
    ReuseRefused,
    StaleForEver,
    StrongFirst,
    OnlySha256,
    OnlySha512,
    SingleQop,
    ForbiddenAtOnce,
    ForbiddenAfterDigest,
    NoChallenge { status: u16 },
    MinExpires(u32),
    TooBrief(Brief),
    NoExpires,
    ZeroExpires,
    Full { status: u16 },
    Redirects,
    UnknownUser,
    Overload { retry_after: u32 },
    Silent(Transport),
    KeepsRemoved { hidden: bool },
    TooLarge { limit: u32 },
    Truncates,
    ClosesAfterAnswer,
    ClosesWhenIdle { seconds: u32 },
    LosesNext,
    ViaPort(Option<u16>),
    Bans { after: u32, everybody: bool },
    Replaces,
    RaisesExpires(u32),
    ExpiresHeader,
    RewritesContact,
    OneLine,
    NoTelephoneEvent,
    OtherPayloadType,
    EventClock(u32),
    LeaksInBand,
    LeaksInfo,
    RestartsEvents,
    MergesRepeats,
    NoMarker,
    EndPackets(u8),
    ShortEvents,
    QuietEvents,
    OtherSsrc,
    InfoRefused(u16),
    InfoType(InfoType),
    InfoDropped,
    ForgetsEvents,
    LateMenu { seconds: Option<u32> },
    DiscardsEvents,
    NoRtp { forward: bool, backward: bool },
    HoldAnswered(Direction),
    StaysHeld(Direction),
    PacketTime(u32),
    SilentEarlyMedia,
    RtpTimeout { seconds: u32 },
    LongSessions { min_se: u32 },
    LongerSessions,
    NoRefresh { seconds: u32 },
    RefreshUnanswered,
    AckLost,
    AckNowhere,
    NoReliable,
    RequiresReliable,
    NoReason,
    ReferRefused(u16),
    ReferredByRequired,
    ForeignScheme(u16),
    ReferTooSoon,
    ReferredCallGets(u16),
    NumbersUnknown(u16),
    OwnNumbersLost,
    MangledReplaces,
    ReplacesUnknown,
    EarlyReplacesUnknown,
    ReplacesIgnored,
    NeverCarriedOut,
    NoNotify,
    NotifiesTryingOnly,
    NeverTerminated,
    RefusalToldAsSuccess,
    NotifyRefused,
    ByeEndsTransfer,
    WrongParties,
    LegLeftOpen,
    IdentityLost(Instead),
    HoldLeaks,
    OldMedia,
    ZeroAddressLive,
    ChallengesInDialog,
    FirstRefusalEnds,
    LosersRing,
    BothAnswered,
    OneCall,
    FirstDevices(u32),
    OneBinding,
    OtherLine,
    NumberInToOnly,
    TransferCodeIgnored(Option<DtmfMethod>),
    TransferCodeSwallowed,
}

/// Who calls the target instead of the transferee, as far as it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instead {
    Transferor,
    Anonymous,
    Empty,
}

/// The only type of INFO that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InfoType {
    Dtmf,
    DtmfRelay,
}

/// Which Min-Expires a 423 has that never ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Brief {
    None,
    AlwaysMore,
    Useless,
}

impl Fault {
    /// All that there are.
    pub fn list() -> impl Iterator<Item = FaultEntry> {
        ENTRIES.iter().map(|entry| FaultEntry {
            spelling: entry.spelling(),
            symptom: entry.symptom,
            shown_by: entry.shown_by(),
        })
    }
    /// The id in the catalogue, e.g. `A01`.
    pub fn id(&self) -> &'static str {
        ENTRIES[self.entry].id
    }
    /// What is seen on the wire, in one line.
    pub fn symptom(&self) -> &'static str {
        ENTRIES[self.entry].symptom
    }
    /// The names of the checks (`Check::name`) that can show it, some with options; in any other it goes unnoticed.
    pub fn shown_by(&self) -> &'static [&'static str] {
        ENTRIES[self.entry].shown_by()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            Some(number) => write!(f, "{}:{number}", self.id()),
            None => f.write_str(&ENTRIES[self.entry].spelling()),
        }
    }
}

impl FromStr for Fault {
    type Err = Error;

    /// Reads a spelling; letter case does not matter.
    ///
    /// # Errors
    /// [`Error::Usage`]: an unknown id, or an unknown variant with those of its id.
    fn from_str(text: &str) -> Result<Fault, Error> {
        let (id, variant) = text.trim().split_once(':').unwrap_or((text.trim(), ""));
        let of_id = || ENTRIES.iter().enumerate().filter(|(_, entry)| entry.id.eq_ignore_ascii_case(id));
        let word =
            of_id().find(|(_, entry)| !entry.takes_number() && entry.variant.eq_ignore_ascii_case(variant));
        if let Some((index, entry)) = word {
            return Ok(Fault { kind: (entry.make)(0), entry: index, number: None });
        }
        let number = variant.parse::<u32>().ok();
        let counted = of_id().find(|(_, entry)| entry.takes_number());
        if let (Some((index, entry)), Some(number)) = (counted, number)
            && (entry.least()..=entry.largest()).contains(&number)
        {
            return Ok(Fault { kind: (entry.make)(number), entry: index, number: Some(number) });
        }
        let known: Vec<_> = of_id().map(|(_, entry)| entry.spelling()).collect();
        let problem = match known.is_empty() {
            true => Problem::unusable("not known", "ringback sim --faults lists all of them"),
            false => Problem::Unknown { known },
        };
        Err(Error::usage(Argument::Fault, text.escape_default(), problem))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_spelling_is_documented_read_and_printed_back() {
        let source = include_str!("mod.rs");
        for entry in ENTRIES {
            assert!(source.contains(&format!("/// | `{}` |", entry.spelling())), "{}", entry.spelling());
            let text = if entry.takes_number() {
                format!("{}:{}", entry.id, entry.least().max(7))
            } else {
                entry.spelling()
            };
            let fault: Fault = text.parse().unwrap();
            assert_eq!(fault.to_string(), text);
            assert_eq!(fault.symptom(), entry.symptom);
            assert_eq!(text.to_lowercase().parse::<Fault>().unwrap(), fault);
        }
    }

    #[test]
    fn an_unknown_id_is_told_where_the_known_ones_are_listed() {
        let error = "A99".parse::<Fault>().unwrap_err().to_string();
        assert!(error.contains("\"A99\"") && error.contains("ringback sim --faults"), "{error}");
        assert!(error.len() < 100, "{error}");
    }

    #[test]
    fn each_is_shown_by_a_check() {
        for (text, checks) in [
            ("A01", &["register", "call", "dtmf", "hold", "cancel", "fork", "transfer"][..]),
            ("D04", &["dtmf"]),
            ("X19:consult", &["transfer"]),
            ("U14", &["fork"]),
        ] {
            assert_eq!(text.parse::<Fault>().unwrap().shown_by(), checks, "{text}");
        }
        assert!(Fault::list().all(|fault| !fault.shown_by.is_empty()));
    }

    #[test]
    fn an_unknown_variant_is_answered_with_those_of_its_id() {
        for text in ["R05:nine", "R05:9", "N04:70000", "T12:0", "A10:"] {
            match text.parse::<Fault>() {
                Ok(fault) => assert_eq!((text, fault.to_string().as_str()), ("A10:", "A10")),
                Err(error) => {
                    let error = error.to_string();
                    assert!(error.contains(&text[..3]) && !error.contains("A01"), "{error}");
                }
            }
        }
    }

    #[test]
    fn numbers_reach_the_fault() {
        assert_eq!("R01:90".parse::<Fault>().unwrap().kind, Kind::MinExpires(90));
        assert_eq!("N04:5099".parse::<Fault>().unwrap().kind, Kind::ViaPort(Some(5_099)));
        assert_eq!("R06:503".parse::<Fault>().unwrap().kind, Kind::Full { status: 503 });
    }
}
