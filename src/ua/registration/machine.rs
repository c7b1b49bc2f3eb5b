//! The machine of a registration: one command at a time, and a refresh when it is due.

use super::answer::{Answer, Own, TOKEN};
use super::{Command, Config, End, Finished, Input, Output};
use crate::message::{Builder, Decimal, Ids, Message};
use crate::syntax::{HeaderName, Method, Uri};
use crate::ua::challenged::{Challenged, Next};
use crate::ua::response::final_status;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Commands that wait while one runs; a further one ends at once as [`End::Busy`].
pub const MAX_WAITING: usize = 4;
/// The highest Min-Expires that is obeyed, in seconds (seven days): what asks for more is no minimum, but a fault.
pub const MAX_MIN_EXPIRES: u32 = 604_800;
/// The extensions that its requests name in Supported.
pub const SUPPORTED: [&str; 2] = ["path", "gruu"];

/// One registration.
#[derive(Debug)]
pub struct Registration {
    config: Config,
    ids: Ids,
    call_id: String,
    from_tag: String,
    token: String,
    /// With the token.
    contact: String,
    cseq: u32,
    /// What Bind asks for: the configured expiry, or a higher Min-Expires.
    expires: u32,
    challenged: Challenged,
    running: Option<Running>,
    waiting: VecDeque<Command>,
    outputs: VecDeque<Output>,
    refresh_at: Option<Instant>,
}

#[derive(Debug)]
struct Running {
    command: Command,
    min_expires: Option<u32>,
    server_proved: Option<bool>,
    said: Said,
}

/// The last response, read when somebody wants to know what it said.
#[derive(Debug)]
enum Said {
    Nothing,
    Unread(Box<Message>),
    Read(Box<Answer>),
}

impl Registration {
    /// A registration that has not begun; `ids` gives Call-ID, tag and cnonces.
    pub fn new(config: Config, mut ids: Ids) -> Registration {
        let token = ids.tag();
        let contact = with_token(&config.contact, &token);
        Registration::of(config, ids, token, contact)
    }

    /// A registration whose binding is there already: the configured Contact is that of [`Registration::contact`] when it was bound. `None`
    /// where it carries no token of ours.
    pub fn resumed(config: Config, ids: Ids) -> Option<Registration> {
        let uri = Uri::parse(config.contact.as_bytes()).ok()?;
        let token = uri.params().get(TOKEN.as_bytes())?.value.filter(|token| !token.is_empty())?;
        let token = String::from_utf8(token.to_vec()).ok()?;
        let contact = config.contact.clone();
        Some(Registration::of(config, ids, token, contact))
    }

    fn of(config: Config, mut ids: Ids, token: String, contact: String) -> Registration {
        Registration {
            call_id: ids.call_id(),
            from_tag: ids.tag(),
            challenged: Challenged::new(Some(config.credentials.clone()), config.max_requests),
            expires: config.expires.max(1),
            config,
            ids,
            token,
            contact,
            cseq: 0,
            running: None,
            waiting: VecDeque::new(),
            outputs: VecDeque::new(),
            refresh_at: None,
        }
    }

    /// Its Call-ID: the same for every request.
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// The Contact URI as it is sent, with our token.
    pub fn contact(&self) -> &str {
        &self.contact
    }

    /// Something came in.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::Command(command) if self.running.is_none() => self.begin(command),
            Input::Command(command) if self.waiting.len() < MAX_WAITING => self.waiting.push_back(command),
            Input::Command(command) => self.report(command, End::Busy),
            Input::Response(response) => self.handle_response(now, response, true),
            Input::ForeignResponse(response) => self.handle_response(now, response, false),
            Input::Timeout => self.finish(End::Timeout),
            Input::TransportFailed => self.finish(End::TransportFailed),
        }
    }

    /// The time of [`Registration::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|due| due <= now) {
            self.begin(Command::Bind);
        }
    }

    /// The next thing to do; call until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When the binding wants a refresh, when one is granted and no command runs.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.refresh_at.filter(|_| self.running.is_none())
    }

    fn begin(&mut self, command: Command) {
        if command != Command::Query {
            self.refresh_at = None;
        }
        self.challenged.begin();
        self.running = Some(Running { command, min_expires: None, server_proved: None, said: Said::Nothing });
        self.send();
    }

    /// Sends the running command's request, the first or one more.
    fn send(&mut self) {
        let Some(command) = self.running.as_ref().map(|r| r.command) else { return };
        if !self.challenged.may_send() {
            return self.finish(End::TooManyRequests);
        }
        self.cseq += 1;
        match self.request(command) {
            Ok(request) => {
                // Mostly there is one, and it is large.
                self.outputs.reserve_exact(1);
                self.outputs.push_back(Output::Send(request));
            }
            Err(wrong) => self.finish(End::BadConfig(wrong)),
        }
    }

    fn request(&mut self, command: Command) -> Result<Message, String> {
        let config = &self.config;
        let mut request = Builder::request(Method::Register, &config.registrar);
        for route in &config.routes {
            request = request.header(HeaderName::Route, route);
        }
        request = request
            .header(HeaderName::MaxForwards, "70")
            .joined(HeaderName::From, &[b"<", config.aor.as_bytes(), b">;tag=", self.from_tag.as_bytes()])
            .joined(HeaderName::To, &[b"<", config.aor.as_bytes(), b">"])
            .header(HeaderName::CallId, &self.call_id)
            .joined(HeaderName::CSeq, &[Decimal::new(self.cseq.into()).as_bytes(), b" REGISTER"]);
        let expires = match command {
            Command::Query => None,
            Command::Bind => Some(self.expires),
            Command::Remove => Some(0),
        };
        if let Some(expires) = expires {
            let expires = Decimal::new(expires.into());
            let [open, instance, close]: [&[u8]; 3] = match &config.instance {
                Some(instance) => [b";+sip.instance=\"<", instance.as_bytes(), b">\""],
                None => [b"", b"", b""],
            };
            let contact = self.contact.as_bytes();
            let parts = [b"<", contact, b">;expires=", expires.as_bytes(), open, instance, close];
            request = request.joined(HeaderName::Contact, &parts);
        }
        if command == Command::Bind {
            request = request.header(HeaderName::Expires, Decimal::new(self.expires.into()).as_bytes());
        }
        request = request
            .header(HeaderName::Supported, SUPPORTED.join(", "))
            .header(HeaderName::UserAgent, &config.user_agent);
        let request = self
            .challenged
            .authorize(request, Method::Register, self.config.registrar.as_bytes(), b"")
            .map_err(|e| e.to_string())?;
        request.build().map_err(|e| e.to_string())
    }

    fn handle_response(&mut self, now: Instant, response: Message, is_home: bool) {
        let Some(running) = &mut self.running else { return };
        let status = match final_status(&response, self.cseq) {
            None => return,
            Some(Ok(status)) => status,
            Some(Err(end)) => return self.finish(end),
        };
        match status {
            401 | 407 => {
                let next = self.challenged.handle_challenge_from(&response, &mut self.ids, is_home);
                running.said = Said::Unread(Box::new(response));
                match next {
                    Next::Again => self.send(),
                    Next::End(end) => self.finish(end),
                }
            }
            423 if running.command == Command::Bind => {
                running.said = Said::Unread(Box::new(response.clone()));
                self.handle_interval_too_brief(&response);
            }
            200..300 => {
                let own = Own::of(&self.contact, &self.token, &self.config);
                let answer = Answer::read(response, &own);
                if running.command == Command::Bind {
                    self.refresh_at = answer
                        .granted
                        .and_then(|(seconds, _)| refresh_after(seconds))
                        .map(|after| now + after);
                }
                running.server_proved =
                    self.challenged.server_proved(answer.message(), self.config.registrar.as_bytes());
                self.challenged.handle_final(answer.message(), &mut self.ids);
                running.said = Said::Read(Box::new(answer));
                match self.challenged.nonce_refused() {
                    true => self.finish(End::NonceRefusedWithoutStale { recovered: true }),
                    false => self.finish(End::Accepted),
                }
            }
            _ => {
                self.challenged.handle_final(&response, &mut self.ids);
                running.said = Said::Unread(Box::new(response));
                self.finish(End::Refused);
            }
        }
    }

    fn handle_interval_too_brief(&mut self, response: &Message) {
        self.challenged.handle_final(response, &mut self.ids);
        let asked = self.expires;
        let minimum = response.seconds(HeaderName::MinExpires).and_then(Result::ok);
        let usable = minimum.filter(|m| *m > asked && *m <= MAX_MIN_EXPIRES);
        let Some(running) = &mut self.running else { return };
        match (usable, running.min_expires) {
            (Some(minimum), None) => {
                running.min_expires = Some(minimum);
                self.expires = minimum;
                self.send();
            }
            // Whatever it names now: the minimum that it named before was obeyed.
            (_, Some(_)) => self.finish(End::IntervalTooBrief { without_min_expires: false }),
            (None, None) => self.finish(End::IntervalTooBrief { without_min_expires: true }),
        }
    }

    fn finish(&mut self, end: End) {
        let Some(running) = self.running.take() else { return };
        let own = Own::of(&self.contact, &self.token, &self.config);
        let answer = match running.said {
            Said::Nothing => None,
            Said::Unread(response) => Some(Answer::read(*response, &own)),
            Said::Read(answer) => Some(*answer),
        };
        self.outputs.push_back(Output::Finished(Box::new(Finished {
            command: running.command,
            end,
            requests: self.challenged.requests(),
            challenges: self.challenged.take_offered(),
            min_expires: running.min_expires,
            asked_expires: (running.command == Command::Bind).then_some(self.expires),
            reused_nonce: self.challenged.sent_reused_nonce(),
            charset: self.challenged.charset(),
            server_proved: running.server_proved,
            answer,
        })));
        if let Some(command) = self.waiting.pop_front() {
            self.begin(command);
        }
    }

    /// A command that was not begun.
    fn report(&mut self, command: Command, end: End) {
        let finished = Finished {
            command,
            end,
            requests: 0,
            challenges: Vec::new(),
            min_expires: None,
            asked_expires: None,
            reused_nonce: false,
            charset: self.challenged.charset(),
            server_proved: None,
            answer: None,
        };
        self.outputs.push_back(Output::Finished(Box::new(finished)));
    }
}

/// When to refresh a binding that was granted for this time; never, when it was granted for no time.
fn refresh_after(granted_seconds: u32) -> Option<Duration> {
    let granted = Duration::from_secs(granted_seconds.into());
    let margin = (granted / 10).max(Duration::from_secs(5)).min(granted / 2);
    (granted_seconds > 0).then(|| granted - margin)
}

/// The URI with our token as one more parameter, before its headers.
fn with_token(contact: &str, token: &str) -> String {
    let (uri, headers) = contact.split_at(contact.find('?').unwrap_or(contact.len()));
    [uri, ";", TOKEN, "=", token, headers].concat()
}
