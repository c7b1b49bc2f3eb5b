//! Removes what a probe left that was killed: one binding or one call, and nothing else.
//!
//! ```no_run
//! use ringback::check::{Abandoned, Account, Clean, Probe, Verdict};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let probe = Probe::bind("udp:0.0.0.0:0").await?;
//! let alice = Account::new("sip:alice@pbx.example.com", "secret")?;
//! for mut file in Abandoned::in_folder("/var/lib/prober/open")?.files {
//!     let left: Vec<_> = file.left().map(|(id, left)| (id, left.clone())).collect();
//!     for (id, left) in left.iter().filter(|(_, left)| left.aor == alice.aor()) {
//!         if probe.check(Clean::new(&alice, left)?).await.verdict == Verdict::Pass {
//!             file.done(*id)?;
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod binding;

use super::address::host_text;
use super::journal::{Left, LeftOpen};
use super::judged::{self, StepVerdict};
use super::yields;
use super::{Account, Answered, Check, Destination, Reply, Run, Side, Verdict};
use crate::error::{Argument, Error, Problem};
use crate::message::{Builder, Flow, Message};
use crate::syntax::{HeaderName, Method, NameAddr, Uri};
use crate::ua::challenged::{Challenged, Next};
use std::time::Duration;

/// Most BYEs for one call: one, one with an answer to a challenge, one to a stale nonce.
const MOST_BYES: u32 = 3;

/// Removes what a killed probe left of an account ([`Left`]), and nothing else.
///
/// A binding is removed only where the registrar lists it with the token or the instance that no other
/// binding has, and lists no second one with the same URI: some registrars would drop both. Anything else is left alone, and said: it runs out
/// by itself. A query behind the removal shows whether it is gone, and whether others are. A binding that was granted for longer than until now
/// and is not listed is gone only where the registrar lists others: an empty list shows nothing. A call gets a BYE in its dialog, or a CANCEL where nobody had answered it; challenges are answered only where it went to the account's own server.
///
/// It passes when what was left is gone, also where it was gone before. It fails with `binding-replaced` where the removal took away the binding
/// of another device as well: what was left is gone then too.
#[doc = include_str!("clean.md")]
#[derive(Debug, Clone)]
pub struct Clean {
    account: Account,
    left: Left,
    time_limit: Option<Duration>,
}

impl Clean {
    /// One thing that was left of this account.
    ///
    /// # Errors
    /// [`Error::Usage`] where it is not this account's, or its requests went to another server than this account's: that one gets no
    /// answer that is made from its password.
    pub fn new(account: &Account, left: &Left) -> Result<Clean, Error> {
        let usage = |why: String, instead: &'static str| {
            Error::usage(Argument::Account, account.name(), Problem::unusable(why, instead))
        };
        if account.aor() != left.aor {
            return Err(usage(format!("what was left is of {}", left.aor), "give that account"));
        }
        let server = account.next_hop().to_string();
        if server != left.server {
            let why = match left.open {
                LeftOpen::Binding { .. } => {
                    format!("the binding was left at {}, and this account is at {server}", left.server)
                }
                LeftOpen::Call { .. } => {
                    format!("the call was left at {}, and this account is at {server}", left.server)
                }
            };
            return Err(usage(why, "give the same registrar or proxy as then"));
        }
        Ok(Clean { account: account.clone(), left: left.clone(), time_limit: None })
    }

    /// The time for the whole check.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Clean {
        self.time_limit = Some(limit);
        self
    }
}

impl Check for Clean {
    fn name(&self) -> &'static str {
        "clean"
    }

    fn accounts(&self) -> Vec<String> {
        vec![self.account.name().to_owned()]
    }

    fn subject(&self) -> String {
        self.account.aor().to_owned()
    }

    fn time_limit(&self) -> Option<Duration> {
        self.time_limit
    }

    fn yields(&self) -> &'static [&'static str] {
        &[include_str!("clean.md"), yields::ANY, yields::REGISTRATION, yields::REGISTRAR]
    }

    async fn run(&self, run: &mut Run) {
        run.fact("left", self.left.to_string());
        match &self.left.open {
            LeftOpen::Binding { contact, instance } => {
                binding::unbind(run, &self.account, &self.left, (contact, instance.as_deref())).await;
            }
            LeftOpen::Call { bye, cancel: Some(cancel), .. } => {
                self.cancel(run, cancel, bye.as_ref()).await;
            }
            LeftOpen::Call { bye: Some(bye), .. } => self.hang_up(run, bye).await,
            LeftOpen::Call { bye: None, .. } => {
                let step = run.begin("hang-up");
                // RFC 3261 sec. 13.3.1.4: an answer that nobody acknowledges ends after 64*T1.
                let why = "nobody had answered it: nothing can end it from outside, and it ends by itself";
                run.end(step, Verdict::Pass, why);
                run.conclude(why);
            }
        }
    }
}

impl Clean {
    /// Ends an INVITE that nobody had answered: where it was sent to, and as what it was sent (RFC 3261 sec. 9.1). With an answer that came
    /// after our end it is a call, which gets its BYE.
    async fn cancel(&self, run: &mut Run, cancel: &Message, bye: Option<&Message>) {
        run.keep_secret(&self.account);
        let step = run.begin("cancel");
        let server = self.account.next_hop();
        let flow = match run.reach(&server).await {
            Ok(flow) => flow,
            Err(why) => {
                let judged = judged::unreached(&server, &why);
                run.end(step, judged.verdict, judged.detail);
                return judged.finding.into_iter().for_each(|finding| run.find(finding));
            }
        };
        let reply = run.request(cancel.clone(), flow).await;
        let (judged, hangs_up) = cancelled(&reply);
        if judged.verdict == Verdict::Pass {
            run.conclude(judged.detail.clone());
        }
        run.end(step, judged.verdict, judged.detail);
        judged.finding.into_iter().for_each(|finding| run.find(finding));
        if let Some(bye) = bye.filter(|_| hangs_up) {
            self.hang_up(run, bye).await;
        }
    }

    async fn hang_up(&self, run: &mut Run, bye: &Message) {
        run.keep_secret(&self.account);
        let step = run.begin("reach");
        let reached = match self.next_hop(bye) {
            Ok(hop) => run.reach(&hop).await.map_err(|why| judged::unreached(&hop, &why)),
            Err(why) => Err(unusable(why)),
        };
        let flow = match reached {
            Ok(flow) => flow,
            Err(judged) => {
                run.end(step, judged.verdict, judged.detail);
                judged.finding.into_iter().for_each(|finding| run.find(finding));
                return run.skip("hang-up", "the peer was not reached");
            }
        };
        run.end(step, Verdict::Pass, format!("asks {}", judged::way(flow)));
        let step = run.begin("hang-up");
        let judged = match self.bye(run, bye, flow).await {
            Ok(reply) => said(&reply),
            Err(why) => unusable(why),
        };
        if judged.verdict == Verdict::Pass {
            run.conclude(judged.detail.clone());
        }
        run.end(step, judged.verdict, judged.detail);
        judged.finding.into_iter().for_each(|finding| run.find(finding));
    }

    /// Sends the BYE until it is answered for good.
    async fn bye(&self, run: &mut Run, bye: &Message, flow: Flow) -> Result<Reply, String> {
        let mut challenged = Challenged::new(Some(self.account.credentials().clone()), MOST_BYES);
        let uri = bye.request_uri_bytes().unwrap_or_default();
        let mut number = bye.cseq().map_err(|error| error.to_string())?.number;
        loop {
            let mut request = Builder::request(Method::Bye, uri);
            // The builder writes the length itself.
            let own = [HeaderName::CSeq, HeaderName::ContentLength];
            for header in bye.headers().filter(|header| !own.contains(&header.name)) {
                request = request.header(header.name, header.value);
            }
            request = request
                .header(HeaderName::CSeq, format!("{number} BYE"))
                .header(HeaderName::UserAgent, run.user_agent());
            let request = challenged
                .authorize(request, Method::Bye, uri, b"")
                .map_err(|error| error.to_string())?
                .build()
                .map_err(|error| error.to_string())?;
            let reply = run.request(request, flow).await;
            let Answered::Final(received) = &reply.answered else { return Ok(reply) };
            if !matches!(received.message.status(), Some(401 | 407)) || !self.is_home(run, &reply).await {
                return Ok(reply);
            }
            if challenged.handle_challenge(&received.message, run.ids()) != Next::Again {
                return Ok(reply);
            }
            number += 1;
        }
    }

    /// Destination of a request in a dialog: its first Route, else its Request-URI (RFC 3261 sec. 12.2.1.1). What is at the account's own domain went
    /// to its server, as the INVITE did.
    fn next_hop(&self, request: &Message) -> Result<Destination, String> {
        let uri = match request.header(HeaderName::Route).map(NameAddr::parse_first) {
            Some(Ok((route, _))) => route.uri().as_bytes().to_vec(),
            Some(Err(error)) => return Err(format!("the route of the call cannot be read: {error}")),
            None => request.request_uri_bytes().unwrap_or_default().to_vec(),
        };
        let host = Uri::parse(&uri).ok().and_then(|uri| uri.host().map(host_text));
        if host.is_some_and(|host| host.eq_ignore_ascii_case(self.account.domain())) {
            return Ok(self.account.next_hop());
        }
        Destination::parse(Argument::Address, &String::from_utf8_lossy(&uri))
            .map_err(|error| error.to_string())
    }

    /// Did it go to the account's own server? Nobody else gets an answer made from its password.
    async fn is_home(&self, run: &mut Run, reply: &Reply) -> bool {
        let home = run.reach(&self.account.next_hop()).await;
        home.is_ok_and(|home| home.remote.ip() == reply.flow.remote.ip())
    }
}

/// The BYE of a note that cannot be sent.
fn unusable(why: String) -> StepVerdict {
    StepVerdict::open(
        "left-call-unusable",
        Side::Setup,
        format!("the BYE of this call cannot be sent: {why}"),
        "end it at the platform; it ends by itself when its timers run out",
    )
}

/// Meaning of the answer to a BYE.
fn said(reply: &Reply) -> StepVerdict {
    let left = |seen: String| {
        StepVerdict::open(
            "call-left",
            Side::Peer,
            seen,
            "look at the platform for calls that are still up; it ends them by itself when their timers run out",
        )
        .shown_by(&reply.evidence)
    };
    match &reply.answered {
        Answered::Final(received) => match received.message.status().unwrap_or_default() {
            200..300 => StepVerdict::pass("the call was ended"),
            // RFC 3261 sec. 15.1.2: there is no such dialog (any more).
            status @ (404 | 408 | 481) => {
                StepVerdict::pass(format!("the call was over already (BYE was answered {status})"))
            }
            status => left(format!("the BYE of the call was refused with {status}")),
        },
        Answered::Interrupted(why) => judged::interrupted(*why),
        other => left(format!("the BYE of the call: {other}")),
    }
}

/// What the answer to a CANCEL means; is the call to be hung up as well?
fn cancelled(reply: &Reply) -> (StepVerdict, bool) {
    let left = |seen: String| {
        StepVerdict::open(
            "call-left",
            Side::Peer,
            seen,
            "look at the platform for calls that still ring; it ends them by itself when nobody answers",
        )
        .shown_by(&reply.evidence)
    };
    let verdict = match &reply.answered {
        Answered::Final(received) => match received.message.status().unwrap_or_default() {
            200..300 => StepVerdict::pass("the call was cancelled"),
            // RFC 3261 sec. 9.2: there is no such INVITE (any more).
            status @ (404 | 481) => {
                let was_over = format!("the call rings no more (CANCEL was answered {status})");
                return (StepVerdict::pass(was_over), true);
            }
            status => left(format!("the CANCEL of the call was refused with {status}")),
        },
        Answered::Interrupted(why) => judged::interrupted(*why),
        other => left(format!("the CANCEL of the call: {other}")),
    };
    (verdict, false)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const OURS: &str = "sip:alice@192.0.2.1:5070;rb=t0k3n";

    #[test]
    fn what_is_anothers_is_refused() {
        let alice = Account::new("sip:alice@192.0.2.1", "secret").unwrap();
        let open = LeftOpen::Binding { contact: OURS.to_owned(), instance: None };
        let left = Left::of(&alice, &alice.next_hop(), open);
        assert!(Clean::new(&alice, &left).is_ok());
        let bob = Account::new("sip:bob@192.0.2.1", "secret").unwrap();
        assert!(Clean::new(&bob, &left).unwrap_err().to_string().contains("sip:alice@192.0.2.1"));
        let elsewhere = alice.registrar("sip:192.0.2.9").unwrap();
        let error = Clean::new(&elsewhere, &left).unwrap_err().to_string();
        assert!(error.contains("192.0.2.1:5060") && error.contains("192.0.2.9:5060"), "{error}");
    }
}
