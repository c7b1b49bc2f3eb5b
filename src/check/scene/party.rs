//! One party: an account of ours with an endpoint of its own, registered where it has to be reached.

use crate::check::address::host_text;
use crate::check::judged::{StepVerdict, way};
use crate::check::register::bindings::foreign;
use crate::check::register::ended::{Bound, Ended};
use crate::check::register::session::Session;
use crate::check::register::{judge, observe};
use crate::check::{Account, Run, Side, Verdict};
use crate::endpoint::agent::{Agent, Arrivals};
use crate::media::party_tone;
use crate::media::tone::Tone;
use crate::message::{Flow, Message};
use crate::sdp::Local;
use crate::syntax::Uri;
use crate::ua::call;
use crate::ua::expected::{Expected, Foreign};
use crate::ua::registration::Command;
use crate::ua::trust::{self, Trust};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Expiry that is asked for a binding that lasts as long as a check, in seconds.
const EXPIRES_S: u32 = 300;

/// A party.
pub(in crate::check) struct Party {
    pub(in crate::check) account: Account,
    pub(in crate::check) agent: Agent,
    pub(super) arrivals: Arrivals,
    session: Session,
    /// Its tone: by it others know that they hear this party.
    pub(in crate::check) tone: party_tone::Party,
    /// It sends silence instead: for ears that are not ours.
    pub(in crate::check) quiet: bool,
    /// Bindings beside its own that its registration showed, other ends of ours among them.
    pub(in crate::check) listed: usize,
    /// Live bindings of others that its registration showed: their devices ring as well.
    pub(in crate::check) others: usize,
    /// The registrar lists our Contact with its token: calls through it carry the token, or show who calls.
    pub(super) keeps_token: bool,
    user_agent: String,
    /// REFERs that it obeys in its calls; none unless the check is about them.
    pub(in crate::check) refers: call::Refers,
    /// Redirections of its calls are followed, to the hosts of its account.
    pub(super) follow_redirects: bool,
    /// Realms that its registrar used when it registered.
    realms: Vec<String>,
    /// Challenges that were answered when it registered.
    answered: Vec<trust::Answered>,
    /// Treatment of the next call to it; without, calls are refused with 486.
    pub(in crate::check) expect: Option<Expect>,
    /// Treatment of the last call to it.
    pub(super) met: Option<Expect>,
    /// Calls that came, with their INVITEs, whatever became of them.
    pub(in crate::check) invitations: Vec<(Instant, Message)>,
    /// Calls that came and were not the expected one: from where, and why not.
    pub(in crate::check) foreign: Vec<(Instant, SocketAddr, Foreign)>,
    /// REFERs that came outside of any call, and were refused: whom they name.
    pub(in crate::check) referred: Vec<String>,
    /// When INVITEs came that were refused with 486, because nothing more was expected.
    pub(in crate::check) refused_busy: Vec<Instant>,
    /// Requests that were refused before any call of it had them.
    pub(in crate::check) strays: Vec<Stray>,
    /// Why a call that came could not be taken: our own limit.
    pub(super) not_taken: Option<String>,
    pub(super) is_closed: bool,
}

/// A request to a party that belongs to no call of it, or cannot be read.
#[derive(Debug)]
pub(in crate::check) struct Stray {
    pub(in crate::check) message: Message,
    /// Status of our answer: 400, or 481 in an unknown dialog.
    pub(in crate::check) status: u16,
    /// Defect of the request, with the header quoted.
    pub(in crate::check) why: String,
}

/// Registration of a party: with a binding of its own, or without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::check) enum Registering {
    /// It has none.
    No,
    /// It has one where no other device of its account is live.
    UnlessLive,
    /// It has one, also beside devices that are live: the user said so.
    BesideLive,
}

impl Registering {
    /// For who is to be registered.
    pub(in crate::check) fn wanted(is_wanted: bool, beside: bool) -> Registering {
        match (is_wanted, beside) {
            (false, _) => Registering::No,
            (true, false) => Registering::UnlessLive,
            (true, true) => Registering::BesideLive,
        }
    }
}

/// Treatment of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::check) struct Expect {
    /// Time from the INVITE to the answer; `None`: only rings.
    pub(in crate::check) answer_after: Option<Duration>,
    /// Refuses with this status instead.
    pub(in crate::check) refuse: Option<u16>,
}

impl Expect {
    /// Rings, and nothing more.
    pub(in crate::check) fn ring() -> Expect {
        Expect { answer_after: None, refuse: None }
    }

    /// Rings, and answers after this time.
    pub(in crate::check) fn answer(after: Duration) -> Expect {
        Expect { answer_after: Some(after), refuse: None }
    }
}

/// The tone of a party by its number: 0 for the first.
fn tone_of(number: usize) -> Option<party_tone::Party> {
    party_tone::Party::new(u8::try_from(number).ok()?)
}

impl Party {
    /// Binds the endpoint of party `number` and reaches its server. A step of this name says what came of it.
    pub(in crate::check) async fn open(
        run: &mut Run,
        account: &Account,
        number: usize,
        step: &'static str,
        registering: Registering,
    ) -> Option<Party> {
        let mark = run.begin(step);
        let opened = match tone_of(number) {
            Some(tone) => open(run, account, tone).await,
            None => Err(StepVerdict::open(
                "probe-limit",
                Side::Probe,
                "too many parties".into(),
                "check fewer at once",
            )),
        };
        let judged = match opened {
            Ok(mut party) => {
                let judged = match registering {
                    Registering::No => StepVerdict::pass(format!("asks {}", way(party.session.flow()))),
                    Registering::UnlessLive => party.register(run, false).await,
                    Registering::BesideLive => party.register(run, true).await,
                };
                if judged.verdict == Verdict::Pass {
                    run.end(mark, Verdict::Pass, judged.detail);
                    return Some(party);
                }
                party.leave(run).await;
                party.agent.endpoint().close().await;
                judged
            }
            Err(judged) => judged,
        };
        run.end(mark, judged.verdict, judged.detail);
        judged.finding.into_iter().for_each(|finding| run.find(finding));
        None
    }

    /// Binds, so that calls come here: where no other device is live, or `beside` those that are.
    async fn register(&mut self, run: &mut Run, beside: bool) -> StepVerdict {
        let bound = self.session.bind_unless_live(run, beside).await;
        let (query, bind, devices) = match &bound {
            Bound::Asked { query, bind, devices } => (&**query, Some(bind), devices.as_slice()),
            Bound::NotBeside { query, devices } | Bound::Withdrawn { bind: query, devices } => {
                (query, None, devices.as_slice())
            }
            Bound::NotQueried { query } => (query, None, &[][..]),
        };
        for ended in [Some(query), bind].into_iter().flatten() {
            let challenges = ended.finished.iter().flat_map(|finished| &finished.challenges);
            for challenge in challenges.filter(|c| c.answered) {
                self.realms.push(challenge.realm.clone());
                let algorithm = challenge.algorithm.as_deref().unwrap_or("MD5");
                self.answered.push(trust::Answered {
                    realm: challenge.realm.clone(),
                    is_md5: algorithm.to_ascii_uppercase().starts_with("MD5"),
                    has_qop: challenge.qop.is_some(),
                });
            }
            observe::rewritten(run, ended);
        }
        self.others = devices.len();
        let token = self.session.sent_contact().rsplit_once(';').map(|(_, token)| token.to_owned());
        let listed = bind.and_then(Ended::answer).map(|answer| &answer.bindings);
        self.keeps_token = listed
            .zip(token)
            .is_some_and(|(listed, token)| listed.iter().any(|binding| binding.uri.contains(&token)));
        self.listed = bind.and_then(Ended::answer).map_or(0, |answer| foreign(&answer.bindings).len());
        let judged = judge::bound(&self.session, &bound, self.account.name(), EXPIRES_S);
        if judged.verdict != Verdict::Pass {
            return judged;
        }
        // A registrar that keeps one binding has dropped the device's: that comes first, whatever the calls say.
        let replaced = bind
            .and_then(|bind| observe::replaced(run, devices, bind.answer(), bind, observe::Upon::Binding));
        replaced.unwrap_or_else(|| StepVerdict::pass(format!("registered at {}", way(self.session.flow()))))
    }

    /// Removes what it has bound.
    pub(super) async fn leave(&mut self, run: &mut Run) {
        if self.session.may_be_bound() {
            run.clean_up();
            let removed = self.session.command(run, Command::Remove).await;
            if !removed.accepted() && !self.session.had_nothing_to_remove(&removed) {
                run.find(crate::check::register::left_behind(&self.session, &removed));
            }
        } else if self.session.is_left_for_a_pause() {
            run.find(crate::check::register::left_for_a_pause(&self.session));
        }
    }

    /// The user of the Contact that it registers.
    pub(in crate::check) fn contact_user(&self) -> String {
        let uri = Uri::parse(self.session.contact().as_bytes()).ok();
        let user = uri.and_then(|uri| uri.user().map(|user| String::from_utf8_lossy(user).into_owned()));
        user.unwrap_or_default()
    }

    /// Has it a binding of its own?
    pub(in crate::check) fn is_registered(&self) -> bool {
        self.session.may_be_bound()
    }

    /// Facts about a call to it that `caller`, a user, may have made by an INVITE with this Call-ID.
    pub(super) fn expected<'a>(&'a self, caller: Option<&'a str>, call_id: Option<&'a str>) -> Expected<'a> {
        Expected {
            contact: self.session.sent_contact(),
            flow: self.flow(),
            hosts: &[],
            domain: self.account.domain(),
            caller,
            call_id,
        }
    }

    /// Destination of its requests.
    pub(in crate::check) fn flow(&self) -> Flow {
        self.session.flow()
    }

    /// Source of its audio while nothing else is played: its tone, or silence.
    pub(super) fn background(&self) -> Option<Tone> {
        (!self.quiet).then(|| self.tone.tone())
    }

    /// The servers whose challenges it answers in calls: its registrar and proxies.
    fn trust(&self) -> Trust {
        let mut realms = self.realms.clone();
        let aor = Uri::parse(self.account.aor().as_bytes()).ok();
        realms.extend(aor.and_then(|uri| uri.host().map(host_text)));
        let hosts = vec![self.session.flow().remote.ip()];
        let mut trust = Trust { realms, hosts, ..Trust::default() };
        trust.first_use = self.realms.is_empty();
        trust.answered.clone_from(&self.answered);
        trust
    }

    /// Hosts to which a redirection of its calls may lead: none unless the user said so, and never one that is not the account's.
    fn redirects(&self) -> call::Redirects {
        if !self.follow_redirects {
            return call::Redirects::Refused;
        }
        let mut hosts = self.account.hosts();
        hosts.push(self.flow().remote.ip().to_string());
        call::Redirects::Hosts(hosts)
    }

    /// Its identity in a call.
    pub(super) fn call_config(&self) -> impl FnOnce(Local) -> call::Config + use<> {
        let (from, contact) = (self.account.aor().to_owned(), self.session.contact().to_owned());
        let (credentials, routes) = (self.account.credentials().clone(), self.account.routes());
        let user_agent = self.user_agent.clone();
        let (trust, refers, redirects) = (self.trust(), self.refers.clone(), self.redirects());
        let timers = &self.agent.endpoint().config().transaction;
        let (t1, t2) = (timers.t1, timers.t2);
        move |local| {
            let mut config = call::Config::new(from, contact, local);
            config.credentials = Some(credentials);
            config.routes = routes;
            config.user_agent = user_agent;
            (config.trust, config.refers, config.redirects) = (trust, refers, redirects);
            (config.t1, config.t2) = (t1, t2);
            config
        }
    }
}

async fn open(run: &mut Run, account: &Account, tone: party_tone::Party) -> Result<Party, StepVerdict> {
    let (agent, arrivals) = run.party(account).await.map_err(|error| {
        StepVerdict::open(
            "probe-limit",
            Side::Probe,
            error.to_string(),
            "free a port, or check fewer at once",
        )
    })?;
    let recorder = agent.recorder().clone();
    let session = Session::reach(run, &recorder, account, EXPIRES_S).await?;
    Ok(Party {
        account: account.clone(),
        agent,
        arrivals,
        session,
        tone,
        quiet: false,
        listed: 0,
        others: 0,
        keeps_token: false,
        user_agent: run.user_agent().to_owned(),
        refers: call::Refers::Declined,
        follow_redirects: false,
        realms: Vec::new(),
        answered: Vec::new(),
        expect: None,
        met: None,
        invitations: Vec::new(),
        foreign: Vec::new(),
        referred: Vec::new(),
        refused_busy: Vec::new(),
        strays: Vec::new(),
        not_taken: None,
        is_closed: false,
    })
}
