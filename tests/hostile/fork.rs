//! What a proxy that calls several at once has to know: who answered, and whom to cancel.

use crate::text::{Text, address};
use std::collections::BTreeMap;
use std::net::UdpSocket;

#[derive(Default)]
pub(crate) struct Forks(BTreeMap<String, Fork>);

#[derive(Default)]
struct Fork {
    branches: Vec<(String, Text, bool)>,
    decided: bool,
    all: usize,
}

/// The branch without the number behind it.
fn stem(branch: &str) -> &str {
    branch.rsplit_once('.').map_or(branch, |(stem, _)| stem)
}

impl Forks {
    pub(crate) fn called(&mut self, branch: &str, all: usize, invite: Text) {
        let fork = self.0.entry(stem(branch).to_owned()).or_default();
        fork.all = all;
        if fork.branches.iter().all(|(known, ..)| known != branch) {
            fork.branches.push((branch.to_owned(), invite, false));
        }
    }

    /// Is the caller told of this response? The others are acknowledged or cancelled here.
    pub(crate) fn lets_pass(&mut self, response: &Text, socket: &UdpSocket) -> bool {
        let (branch, status) = (response.branch().to_owned(), response.status().unwrap_or(0));
        let Some(fork) = self.0.get_mut(stem(&branch)) else { return true };
        if response.method() == "CANCEL" {
            return branch.ends_with(".0");
        }
        let Some(one) = fork.branches.iter_mut().find(|(known, ..)| *known == branch) else { return true };
        if status < 200 {
            return !fork.decided;
        }
        one.2 = true;
        if status >= 300 {
            send(&same_transaction(&one.1, "ACK", response.value("To")), socket);
            let all_over = fork.branches.iter().filter(|(_, _, over)| *over).count() == fork.all;
            let tells = all_over && !fork.decided;
            fork.decided |= all_over;
            return tells;
        }
        if !std::mem::replace(&mut fork.decided, true) {
            for (_, invite, _) in fork.branches.iter().filter(|(known, _, over)| *known != branch && !over) {
                let cancel = same_transaction(invite, "CANCEL", invite.value("To"));
                send(&cancel.with("Reason", r#"SIP;cause=200;text="Call completed elsewhere""#), socket);
            }
        }
        true
    }
}

/// A CANCEL, or an ACK to a refusal.
pub(crate) fn same_transaction(request: &Text, method: &str, to: &str) -> Text {
    let number = request.value("CSeq").split(' ').next().unwrap_or_default();
    let mut text = Text::request(method, request.uri());
    for name in ["Via", "From", "Call-ID"] {
        text = text.with(name, request.value(name));
    }
    text.with("Max-Forwards", "70").with("To", to).with("CSeq", format!("{number} {method}"))
}

fn send(text: &Text, socket: &UdpSocket) {
    if let Some(to) = address(text.uri()) {
        let _ = socket.send_to(&text.bytes(), to);
    }
}
