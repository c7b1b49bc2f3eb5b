//! Session timers (RFC 4028).

use super::body::lists;
use super::event::{By, Cause, Event};
use super::state::Phase;
use super::{Call, Config};
use crate::message::{Builder, Message};
use crate::syntax::{HeaderName, Refresher, SessionExpires};
use std::time::{Duration, Instant};

/// The highest Min-SE that is obeyed, in seconds (one day): what asks for more is no minimum, but a fault.
pub const MAX_MIN_SE: u32 = 86_400;

/// A session timer that runs.
#[derive(Debug)]
pub(super) struct Session {
    /// The interval.
    pub(super) seconds: u32,
    /// Do we refresh? Else the peer does, and we hang up when it does not.
    pub(super) we_refresh: bool,
    /// When to refresh (half of the interval), or to hang up (the interval less a third, at most 32 seconds).
    pub(super) due: Instant,
}

impl Session {
    fn new(now: Instant, seconds: u32, we_refresh: bool) -> Session {
        // What is shorter than a peer may ask for (RFC 4028 sec. 4) does not make us send all the time.
        let whole = Duration::from_secs(seconds.max(10).into());
        let due = if we_refresh { whole / 2 } else { whole - (whole / 3).min(Duration::from_secs(32)) };
        Session { seconds, we_refresh, due: now + due }
    }
}

/// What a 2xx of ours says of the session timer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Granted {
    seconds: u32,
    refresher: Refresher,
    /// The caller knows session timers.
    supported: bool,
}

/// Why an interval is not granted: 422 with this Min-SE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooSmall(pub(super) u32);

impl Config {
    /// Session-Expires and Min-SE of a request that we send.
    pub(super) fn session_headers(
        &self,
        seconds: Option<u32>,
        refresher: Option<Refresher>,
    ) -> Vec<(HeaderName, String)> {
        let (Some(wish), mut headers) = (self.session_expires, Vec::new()) else { return Vec::new() };
        let refresher = match refresher {
            Some(Refresher::Uac) => ";refresher=uac",
            Some(Refresher::Uas) => ";refresher=uas",
            None => "",
        };
        headers.push((HeaderName::SessionExpires, format!("{}{refresher}", seconds.unwrap_or(wish))));
        if self.min_se > 90 {
            headers.push((HeaderName::MinSe, self.min_se.to_string()));
        }
        headers
    }

    /// What to grant a request that wants (or does not want) a session timer (RFC 4028 sec. 9).
    pub(super) fn grant_session(&self, request: &Message) -> Result<Option<Granted>, TooSmall> {
        let asked = request.parsed(HeaderName::SessionExpires, SessionExpires::parse);
        let (Some(Ok(asked)), Some(wish)) = (asked, self.session_expires) else { return Ok(None) };
        let supported =
            lists(request, HeaderName::Supported, "timer") || lists(request, HeaderName::Require, "timer");
        let least = self.min_se.max(90);
        if asked.seconds < least && supported {
            return Err(TooSmall(least));
        }
        let theirs = request.seconds(HeaderName::MinSe).and_then(Result::ok).unwrap_or(90).max(least);
        let seconds = asked.seconds.min(wish).max(theirs.min(asked.seconds)).max(1);
        let refresher = match asked.refresher() {
            Some(given) if supported => given,
            _ if supported => Refresher::Uac,
            _ => Refresher::Uas,
        };
        Ok(Some(Granted { seconds, refresher, supported }))
    }
}

impl Granted {
    pub(super) fn write(self, builder: Builder) -> Builder {
        let refresher = if self.refresher == Refresher::Uac { "uac" } else { "uas" };
        let builder =
            builder.header(HeaderName::SessionExpires, format!("{};refresher={refresher}", self.seconds));
        // Require tells a caller that knows timers that it has to refresh.
        if self.supported { builder.header(HeaderName::Require, "timer") } else { builder }
    }
}

/// The Min-SE of a 422 that can be obeyed: more than was asked for.
pub(super) fn min_se(response: &Message, asked: Option<u32>) -> Option<u32> {
    let least = response.seconds(HeaderName::MinSe)?.ok()?;
    (least > asked? && least <= MAX_MIN_SE).then_some(least)
}

impl Call {
    /// We sent a 2xx to INVITE or UPDATE.
    pub(super) fn session_granted(&mut self, now: Instant, granted: Option<Granted>) {
        self.session =
            granted.map(|granted| Session::new(now, granted.seconds, granted.refresher == Refresher::Uas));
    }

    /// We got a 2xx to INVITE or UPDATE. Without Session-Expires no timer runs.
    pub(super) fn session_answered(&mut self, now: Instant, response: &Message) {
        let given = response.parsed(HeaderName::SessionExpires, SessionExpires::parse);
        let known = self.config.session_expires.is_some();
        self.session = given
            .and_then(Result::ok)
            .filter(|given| known && given.seconds > 0)
            .map(|given| Session::new(now, given.seconds, given.refresher() != Some(Refresher::Uas)));
    }

    pub(super) fn session_due(&mut self, now: Instant) {
        let Some(session) = self.session.as_mut().filter(|session| session.due <= now) else { return };
        if self.phase != Phase::Up {
            self.session = None;
        } else if session.we_refresh {
            // A refresh that gets lost is tried once more before the peer hangs up.
            session.due = now + Duration::from_secs(session.seconds.into()) / 4 + Duration::from_secs(1);
            self.refresh_session();
        } else {
            self.end_up(
                By::Local,
                Cause::SessionExpired,
                Some("SIP;cause=408;text=\"session expired\"".to_owned()),
            );
        }
    }

    pub(super) fn refreshed(&mut self, by: By) {
        if self.session.is_some() {
            self.event(Event::Refreshed { by });
        }
    }
}
