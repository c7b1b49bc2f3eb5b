//! REFER carried out by the platform, and INVITE with Replaces.

use super::core::{Core, Incoming};
use super::media::description;
use super::ms;
use super::text::{self, Text};

impl Core {
    /// The caller of `leg` takes the place of an end of ours (RFC 3891).
    pub(super) fn replaced(&mut self, leg: usize, replaces: &str) {
        match self.named(replaces) {
            Some(old) => self.take_place(leg, old, true),
            None => self.refuse(leg, 481, "Call/Transaction Does Not Exist"),
        }
    }

    /// The leg that a Replaces names.
    fn named(&self, replaces: &str) -> Option<usize> {
        let call_id = replaces.split(';').next()?;
        let tags = [text::parameter(replaces, "to-tag")?, text::parameter(replaces, "from-tag")?];
        self.legs.iter().position(|leg| {
            leg.call_id == call_id && !leg.over && tags == [leg.local_tag.as_str(), leg.remote_tag.as_str()]
        })
    }

    /// Who is at the other end of `old` talks to `leg` from now on; `old` is hung up.
    fn take_place(&mut self, leg: usize, old: usize, answers: bool) {
        let Some(other) = self.legs[old].peer else { return self.refuse(leg, 481, "Gone") };
        self.legs[old].peer = None;
        self.connect(leg, other);
        if answers {
            let sdp = self.legs[other].sdp.clone();
            self.tell(leg, 200, "OK", Some(sdp));
        }
        self.bye(old, None);
        if !answers {
            // Who was held is taken from hold; a new description from whom each talks to now.
            for (one, other) in [(leg, other), (other, leg)] {
                let sdp = description(&self.legs[other].sdp, self.port_of(one));
                self.reinvite(one, sdp);
            }
        }
    }

    /// A re-INVITE with this description, and the ACK to what is answered.
    pub(crate) fn reinvite(&mut self, leg: usize, sdp: String) {
        let then = move |core: &mut Core, answer: &Text| {
            if answer.status().is_some_and(|status| (200..300).contains(&status)) {
                core.legs[leg].sdp.clone_from(&answer.body);
                core.acknowledge(leg, answer);
            }
        };
        self.request(leg, Text::request("INVITE", "-").sdp(sdp), Some(Box::new(then)));
    }

    /// NOTIFY of a transfer, to who asked for it.
    pub(crate) fn notify(&mut self, leg: usize, state: &str, fragment: &str) {
        let text = Text::request("NOTIFY", "-")
            .with("Event", "refer")
            .with("Subscription-State", state)
            .with("Content-Type", "message/sipfrag;version=2.0");
        let text = Text { body: format!("SIP/2.0 {fragment}\r\n"), ..text };
        self.request(leg, text, None);
    }

    /// REFER carried out in the place of who is referred: the other end of `leg` is joined with the target.
    pub(super) fn refer(&mut self, m: &Incoming, leg: usize) {
        let Some(referred) = self.legs[leg].peer else { return self.respond(m, 481, "Nobody Is There", "") };
        self.respond(m, 202, "Accepted", &format!("Contact: <sip:pbx@{}>", m.at));
        self.notify(leg, "active;expires=60", "100 Trying");
        let target = text::uri(m.value("Refer-To")).to_owned();
        let (target, headers) = target.split_once('?').unwrap_or((&target, ""));
        if let Some(replaces) = headers.split('&').find_map(|header| header.strip_prefix("Replaces=")) {
            let replaces = replaces.replace("%3B", ";").replace("%3D", "=").replace("%40", "@");
            let Some(old) = self.named(&replaces) else {
                return self.notify(leg, "terminated;reason=noresource", "481 No Such Dialog");
            };
            self.legs[leg].peer = None;
            self.take_place(referred, old, false);
            return self.notify(leg, "terminated;reason=noresource", "200 OK");
        }
        let number = text::user(target).to_owned();
        let Some(contact) = self.bindings.get(&number).and_then(|bound| bound.first().cloned()) else {
            return self.notify(leg, "terminated;reason=noresource", "404 Not Found");
        };
        let new = self.place(referred, &contact);
        self.legs[new].remote = Core::aor(&number);
        let text = Text::request("INVITE", "-").sdp(self.moved(&self.legs[referred].sdp, new));
        let then = move |core: &mut Core, answer: &Text| {
            let status = answer.status().unwrap_or(0);
            if (200..300).contains(&status) {
                core.legs[new].sdp.clone_from(&answer.body);
                core.legs[new].up = true;
                core.ack(new, None, 1);
                core.legs[leg].peer = None;
                core.connect(referred, new);
            }
            if status >= 200 {
                let fragment = format!("{status} {}", answer.phrase());
                core.after(ms(1), move |core| core.notify(leg, "terminated;reason=noresource", &fragment));
            }
        };
        self.request(new, text, Some(Box::new(then)));
    }
}
