//! SIPp as a phone: scenarios written down beside their tests, of which SIPp says whether they were kept to.

use super::{Peer, on_free_port, port};
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;
use tempfile::TempDir;

/// The audio that SIPp offers and answers with: mu-law, and telephone-events as 96.
pub(crate) const AUDIO: &str = "\
v=0
o=sipp 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio 6000 RTP/AVP 0 96
a=rtpmap:0 PCMU/8000
a=rtpmap:96 telephone-event/8000
a=fmtp:96 0-15
a=sendrecv
";

/// The same with another version, direction and address.
pub(crate) fn audio(version: u32, direction: &str, address: &str) -> String {
    AUDIO
        .replace("sipp 1 1", &format!("sipp 1 {version}"))
        .replace("a=sendrecv", &format!("a={direction}"))
        .replace("c=IN IP4 [local_ip]", &format!("c=IN IP4 {address}"))
}

/// Whom SIPp calls.
const CALLED: &str = "sip:[service]@[remote_ip]:[remote_port]";
/// Longest that a scenario may run.
const LIMIT: Duration = Duration::from_secs(40);

/// A SIPp scenario that is being written. Call-ID, tags, CSeq, Contact are filled in; what is sent is a status or a method, further
/// header lines, and a body.
#[derive(Debug)]
pub(crate) struct Scenario {
    is_caller: bool,
    steps: String,
    count: u32,
    /// The step that sent the last INVITE, and where it went.
    invite_step: u32,
    invite_target: &'static str,
    /// Of the requests that SIPp sends.
    cseq: u32,
    invite_cseq: u32,
    checks: u32,
    rseqs: u32,
    /// How often it is played.
    calls: u32,
    media_port: Option<u16>,
    echo: bool,
    /// Transport and sockets, as SIPp names them.
    mode: &'static str,
}

impl Scenario {
    /// SIPp is called.
    pub(crate) fn called() -> Scenario {
        Scenario {
            is_caller: false,
            steps: String::new(),
            count: 0,
            invite_step: 0,
            invite_target: "",
            cseq: 100,
            invite_cseq: 0,
            checks: 0,
            rseqs: 0,
            calls: 1,
            media_port: None,
            echo: false,
            mode: "u1",
        }
    }

    /// SIPp calls.
    pub(crate) fn calls() -> Scenario {
        Scenario { is_caller: true, ..Scenario::called() }
    }

    fn step(mut self, text: &str) -> Scenario {
        self.count += 1;
        self.steps.push_str(text);
        self.steps.push('\n');
        self
    }

    fn send(self, attributes: &str, head: &str, headers: &[&str], body: &str) -> Scenario {
        let mut message = head.to_owned();
        for header in headers {
            writeln!(message, "{header}").unwrap();
        }
        if !body.is_empty() && !headers.iter().any(|header| header.starts_with("Content-Type:")) {
            message.push_str("Content-Type: application/sdp\n");
        }
        let body = match self.media_port {
            Some(port) => body.replace("m=audio 6000", &format!("m=audio {port}")),
            None => body.to_owned(),
        };
        write!(message, "Content-Length: [len]\n\n{body}").unwrap();
        self.step(&format!("<send{attributes}><![CDATA[\n\n{message}\n]]></send>"))
    }

    /// Our call comes.
    pub(crate) fn invited(self) -> Scenario {
        self.kept("INVITE")
    }

    /// A request of ours comes that SIPp, who was called, answers later by [`Scenario::answer`].
    pub(crate) fn kept(self, method: &str) -> Scenario {
        self.step(&format!(
            r#"<recv request="{method}"><action>
  <ereg regexp=".*" search_in="hdr" header="Via:" assign_to="via"/>
  <ereg regexp=".*" search_in="hdr" header="From:" assign_to="from"/>
  <ereg regexp="&lt;[^&gt;]*&gt;" search_in="hdr" header="To:" assign_to="to"/>
  <ereg regexp=".*" search_in="hdr" header="CSeq:" assign_to="cseq"/>
  <ereg regexp="&lt;([^&gt;]*)&gt;" search_in="hdr" header="Contact:" assign_to="whole,target"/>
</action></recv>"#,
        ))
    }

    /// A NOTIFY of SIPp, who was called, about a REFER: the state of its subscription, and what the target said.
    pub(crate) fn notify(self, state: &str, status_line: &str) -> Scenario {
        let state = format!("Subscription-State: {state}");
        let headers = ["Event: refer", state.as_str(), "Content-Type: message/sipfrag;version=2.0"];
        self.request("NOTIFY", "a", &headers, &format!("SIP/2.0 {status_line}\n"))
    }

    /// A response to the request that was kept last, with this tag in To.
    pub(crate) fn answer(self, status: &str, tag: &str, headers: &[&str], body: &str) -> Scenario {
        let contact = format!("Contact: <sip:{tag}@[local_ip]:[local_port];transport=[transport]>");
        self.answer_bare(status, tag, &[&[contact.as_str()], headers].concat(), body)
    }

    /// The same without Contact.
    pub(crate) fn answer_bare(self, status: &str, tag: &str, headers: &[&str], body: &str) -> Scenario {
        let to = if tag.is_empty() { String::new() } else { format!(";tag={tag}[call_number]") };
        let head = format!(
            "SIP/2.0 {status}\nVia:[$via]\nFrom:[$from]\nTo: [$to]{to}\nCall-ID: [call_id]\nCSeq:[$cseq]\n"
        );
        self.send("", &head, headers, body)
    }

    /// A response to the request that came last.
    pub(crate) fn reply(self, status: &str, headers: &[&str], body: &str) -> Scenario {
        let head = format!(
            "SIP/2.0 {status}\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n\
             Contact: <sip:a@[local_ip]:[local_port];transport=[transport]>\n"
        );
        self.send("", &head, headers, body)
    }

    /// A request of ours comes.
    pub(crate) fn recv(self, method: &str) -> Scenario {
        self.recv_with(method, &[])
    }

    /// A request of ours comes, and each of these regular expressions fits it.
    pub(crate) fn recv_with(mut self, method: &str, patterns: &[&str]) -> Scenario {
        let actions = self.actions(patterns);
        self.step(&format!("<recv request=\"{method}\">{actions}</recv>"))
    }

    /// A response of ours comes, and each of these regular expressions fits it.
    pub(crate) fn expect(mut self, status: u16, patterns: &[&str]) -> Scenario {
        let actions = self.actions(patterns);
        self.step(&format!("<recv response=\"{status}\">{actions}</recv>"))
    }

    /// A provisional response may come.
    pub(crate) fn may_get(self, status: u16) -> Scenario {
        self.step(&format!("<recv response=\"{status}\" optional=\"true\"/>"))
    }

    /// A response that makes a dialog comes: its tag and Contact are used from now on.
    pub(crate) fn expect_dialog(mut self, status: u16, patterns: &[&str]) -> Scenario {
        let actions = self.actions(patterns).replace("<action>", "").replace("</action>", "");
        self.step(&format!(
            r#"<recv response="{status}"><action>
  <ereg regexp=".*" search_in="hdr" header="To:" assign_to="from"/>
  <ereg regexp="&lt;([^&gt;]*)&gt;" search_in="hdr" header="Contact:" assign_to="whole,target"/>
{actions}</action></recv>"#
        ))
    }

    /// Keeps the RSeq of the provisional response that comes with this step's predecessor: the variables `rseq1`, `rseq2`, ...
    pub(crate) fn with_rseq(mut self) -> Scenario {
        self.rseqs += 1;
        let action = format!(
            "<ereg regexp=\"[0-9]+\" search_in=\"hdr\" header=\"RSeq:\" assign_to=\"rseq{}\"/></action></recv>\n",
            self.rseqs
        );
        let before =
            self.steps.strip_suffix("</action></recv>\n").expect("a response with patterns").to_owned();
        self.steps = before + &action;
        self
    }

    fn actions(&mut self, patterns: &[&str]) -> String {
        if patterns.is_empty() {
            return String::new();
        }
        let mut actions = String::from("<action>");
        for pattern in patterns {
            self.checks += 1;
            let pattern = pattern.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            write!(
                actions,
                "<ereg regexp=\"{pattern}\" search_in=\"msg\" check_it=\"true\" assign_to=\"check{}\"/>",
                self.checks
            )
            .unwrap();
        }
        actions + "</action>"
    }

    /// The INVITE of a call to us.
    pub(crate) fn invite(mut self, headers: &[&str], body: &str) -> Scenario {
        self.cseq += 1;
        (self.invite_cseq, self.invite_step, self.invite_target) = (self.cseq, self.count, CALLED);
        let head = format!(
            "INVITE {CALLED} SIP/2.0\n\
             Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\nMax-Forwards: 70\n\
             From: <sip:sipp@[local_ip]:[local_port]>;tag=sipp[call_number]\n\
             To: <sip:[service]@[remote_ip]:[remote_port]>\nCall-ID: [call_id]\nCSeq: {} INVITE\n\
             Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>\n",
            self.cseq
        );
        self.send("", &head, headers, body)
    }

    /// A request in the dialog; SIPp's tag is that of the response with `tag`, when SIPp was called.
    pub(crate) fn request(mut self, method: &str, tag: &str, headers: &[&str], body: &str) -> Scenario {
        let number = match method {
            "ACK" => self.invite_cseq,
            _ => {
                self.cseq += 1;
                self.cseq
            }
        };
        if method == "INVITE" {
            (self.invite_cseq, self.invite_step, self.invite_target) = (number, self.count, "[$target]");
        }
        let us = match self.is_caller {
            true => "<sip:sipp@[local_ip]:[local_port]>;tag=sipp[call_number]".to_owned(),
            false => format!("[$to];tag={tag}[call_number]"),
        };
        let head = format!(
            "{method} [$target] SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n\
             Max-Forwards: 70\nFrom: {us}\nTo:[$from]\nCall-ID: [call_id]\nCSeq: {number} {method}\n\
             Contact: <sip:a@[local_ip]:[local_port];transport=[transport]>\n"
        );
        self.send("", &head, headers, body)
    }

    /// CANCEL of the INVITE of a call.
    pub(crate) fn cancel(self, headers: &[&str]) -> Scenario {
        let to = format!("<{CALLED}>");
        self.hop_by_hop("CANCEL", &to, headers)
    }

    /// The ACK of a response to the INVITE that is no 2xx.
    pub(crate) fn ack_refusal(self) -> Scenario {
        self.hop_by_hop("ACK", "[$from]", &[])
    }

    fn hop_by_hop(self, method: &str, to: &str, headers: &[&str]) -> Scenario {
        let us = match self.is_caller {
            true => "<sip:sipp@[local_ip]:[local_port]>;tag=sipp[call_number]",
            false => "[$to];tag=a[call_number]",
        };
        let head = format!(
            "{method} {} SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch-{}]\n\
             Max-Forwards: 70\nFrom: {us}\nTo: {to}\nCall-ID: [call_id]\nCSeq: {} {method}\n",
            self.invite_target,
            self.count - self.invite_step,
            self.invite_cseq,
        );
        self.send("", &head, headers, "")
    }

    /// SIPp sends media, from a port that then stands in `AUDIO`; with an echo it sends back every packet that comes there.
    pub(crate) fn with_media(mut self, echo: bool) -> Scenario {
        (self.media_port, self.echo) = (Some(port::free_pair()), echo);
        self
    }

    /// SIPp sends the packets of a capture that comes with it.
    pub(crate) fn play(self, capture: &str) -> Scenario {
        let path = format!("/usr/share/sip-tester/{capture}.pcap");
        assert!(std::path::Path::new(&path).exists(), "no {path} (Debian package sip-tester)");
        self.step(&format!("<nop><action><exec play_pcap_audio=\"{path}\"/></action></nop>"))
    }

    /// Nothing happens, and nothing may come.
    pub(crate) fn pause(self, milliseconds: u32) -> Scenario {
        self.step(&format!("<pause milliseconds=\"{milliseconds}\"/>"))
    }

    fn xml(&self) -> String {
        let mut used = String::from("whole");
        let names = ["via", "from", "to", "cseq", "target"].into_iter().map(str::to_owned);
        let numbered = (1..=self.checks).map(|n| format!("check{n}"));
        for name in names.chain(numbered).chain((1..=self.rseqs).map(|n| format!("rseq{n}"))) {
            if self.steps.contains(&format!("\"{name}\"")) || self.steps.contains(&format!(",{name}\"")) {
                write!(used, ",{name}").unwrap();
            }
        }
        let reference = match self.steps.contains("whole") {
            true => format!("<Reference variables=\"{used}\"/>"),
            false => match used.strip_prefix("whole,") {
                Some(used) => format!("<Reference variables=\"{used}\"/>"),
                None => String::new(),
            },
        };
        format!(
            "<?xml version=\"1.0\" encoding=\"ISO-8859-1\" ?>\n<scenario name=\"call\">\n{}{reference}\n</scenario>\n",
            self.steps
        )
    }

    /// Over TCP, not UDP.
    pub(crate) fn by_tcp(mut self) -> Scenario {
        self.mode = "t1";
        self
    }

    /// Waits for so many calls.
    pub(crate) fn listen_for(mut self, calls: u32) -> Player {
        self.calls = calls;
        self.listen()
    }

    /// Waits for a call.
    pub(crate) fn listen(self) -> Player {
        on_free_port("sipp", |port, dir| {
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            let args = self.args(&dir, port);
            let ready = || match self.mode {
                "t1" => is_listening(port),
                _ => port::udp_is_open(address),
            };
            let peer = Peer::start(("sipp", "sip-tester"), args, dir, ready)?;
            Some(Player { peer, address })
        })
    }

    /// Calls `user` there.
    pub(crate) fn call(self, user: &str, remote: SocketAddr) -> Player {
        let dir = tempfile::Builder::new().prefix("ringback-sipp-").tempdir().unwrap();
        let port = port::free();
        let mut args = self.args(&dir, port);
        args.extend(["-s".to_owned(), user.to_owned(), remote.to_string()]);
        let peer = Peer::launch(("sipp", "sip-tester"), args, dir);
        Player { peer, address: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    fn args(&self, dir: &TempDir, port: u16) -> Vec<String> {
        let file = dir.path().join("scenario.xml");
        fs::write(&file, self.xml()).unwrap();
        let mut args = vec!["-sf".to_owned(), file.display().to_string()];
        let own = "-i 127.0.0.1 -ci 127.0.0.1 -nostdin -rtcheck full \
                   -timeout 30s -timeout_error -trace_msg -message_file messages -trace_err -error_file errors";
        if let Some(port) = self.media_port {
            args.extend(["-mp".to_owned(), port.to_string()]);
            args.extend(self.echo.then(|| "-rtp_echo".to_owned()));
        }
        args.extend(own.split_ascii_whitespace().map(str::to_owned));
        args.extend(["-t".to_owned(), self.mode.to_owned()]);
        args.extend(["-p".to_owned(), port.to_string(), "-m".to_owned(), self.calls.to_string()]);
        args
    }
}

/// A SIPp that plays a scenario once.
#[derive(Debug)]
pub(crate) struct Player {
    peer: Peer,
    address: SocketAddr,
}

impl Player {
    /// Where it is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The messages so far.
    pub(crate) fn messages(&self) -> String {
        fs::read_to_string(self.peer.dir().join("messages")).unwrap_or_default()
    }

    /// Waits for its end, and sees that everything came as the scenario has it. Gives the messages.
    #[track_caller]
    pub(crate) fn finished(mut self) -> String {
        let status = tokio::task::block_in_place(|| self.peer.ended(LIMIT));
        let errors = fs::read_to_string(self.peer.dir().join("errors")).unwrap_or_default();
        let messages = self.messages();
        assert!(
            status.is_some_and(|status| status.success()),
            "SIPp: {status:?}\n{errors}\n{messages}\n{}",
            fs::read_to_string(self.peer.dir().join("scenario.xml")).unwrap()
        );
        messages
    }
}

/// Does somebody listen on this TCP port of 127.0.0.1? Without a connection, which SIPp would take for its peer's.
fn is_listening(port: u16) -> bool {
    let sockets = fs::read_to_string("/proc/net/tcp").unwrap();
    sockets.contains(&format!(" 0100007F:{port:04X} 00000000:0000 0A "))
}
