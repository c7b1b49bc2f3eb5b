//! An embedder's own check: does the platform answer OPTIONS with the methods that our phones need?
//!
//! `cargo run --example custom_check [sip:host:port]`; without an argument it asks the embedded network.
use ringback::check::{Check, Destination, Finding, Probe, Run, Severity, Side, Verdict};
use ringback::error::Argument;
use ringback::message::{Builder, Transport};
use ringback::syntax::{HeaderName, Method};
use ringback::{check::Answered, sim};

struct Allows {
    destination: Destination,
    methods: &'static [&'static str],
}

impl Check for Allows {
    fn name(&self) -> &'static str {
        "allows"
    }

    fn subject(&self) -> String {
        self.destination.to_string()
    }

    async fn run(&self, run: &mut Run) {
        let step = run.begin("ask");
        let flow = match run.reach(&self.destination).await {
            Ok(flow) => flow,
            Err(why) => return run.end(step, Verdict::Fail, why.to_string()),
        };
        let (tag, call_id) = (run.ids().tag(), run.ids().call_id());
        let request = Builder::request(Method::Options, format!("sip:{}", self.destination))
            .header(HeaderName::MaxForwards, "70")
            .header(HeaderName::From, format!("<sip:check@{}>;tag={tag}", flow.local))
            .header(HeaderName::To, format!("<sip:{}>", self.destination))
            .header(HeaderName::CallId, call_id)
            .header(HeaderName::CSeq, "1 OPTIONS")
            .header(HeaderName::UserAgent, run.user_agent())
            .build();
        let reply = match request {
            Ok(request) => run.request(request, flow).await,
            Err(error) => return run.end(step, Verdict::NotRun, error.to_string()),
        };
        let Answered::Final(received) = reply.answered else {
            return run.end(step, Verdict::Fail, "no answer");
        };
        let allowed: Vec<&[u8]> = received.message.tokens(HeaderName::Allow).collect();
        let missing: Vec<&str> =
            self.methods.iter().copied().filter(|m| !allowed.contains(&m.as_bytes())).collect();
        if missing.is_empty() {
            return run.end(step, Verdict::Pass, format!("allows {}", self.methods.join(", ")));
        }
        let seen = format!("Allow lacks {}", missing.join(", "));
        run.find(
            Finding::new("method-missing", Severity::Error, Side::Peer, &seen, "platform: enable it")
                .shown_by(reply.evidence),
        );
        run.end(step, Verdict::Fail, seen);
    }
}

#[tokio::main]
async fn main() -> Result<(), ringback::error::Error> {
    let lab = sim::Lab::builder().start().await?;
    let uri = std::env::args().nth(1).map_or_else(|| lab.uri(Transport::Udp), Ok)?;
    let destination = Destination::parse(Argument::Address, &uri)?;
    let probe = Probe::bind("udp:127.0.0.1:0").await?;
    println!("{}", probe.check(Allows { destination, methods: &["REGISTER", "OPTIONS"] }).await);
    lab.shutdown().await;
    Ok(())
}
