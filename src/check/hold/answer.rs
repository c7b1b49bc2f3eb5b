//! What the answer to a hold says, and what is wrong with it.

use super::How;
use crate::check::scene::trace::{Trace, What};
use crate::check::{Finding, Run, Severity, Side};
use crate::syntax::Method;
use crate::transport::Direction;

/// The direction in the last answer that this call got to a re-INVITE; without an attribute it is `sendrecv` (RFC 3264 sec. 5.1).
pub(super) fn direction(run: &Run, call_id: &str) -> String {
    let trace = Trace::of(run, call_id);
    let answer = trace.all(Direction::Received, What::Response(Method::Invite, 200, 299)).next_back();
    let Some(answer) = answer else { return "unknown".to_owned() };
    let body = String::from_utf8_lossy(answer.message.body()).into_owned();
    let attribute = body
        .lines()
        .filter_map(|line| line.trim().strip_prefix("a="))
        .rfind(|attribute| ["sendrecv", "sendonly", "recvonly", "inactive"].contains(attribute));
    attribute.unwrap_or("sendrecv").to_owned()
}

/// What is wrong with the answer to a hold (RFC 3264 sec. 6.1).
pub(super) fn wrong(how: How, answer: &str, holder: &str) -> Option<Finding> {
    let allowed: &[&str] = match how {
        How::SendOnly => &["recvonly", "inactive"],
        How::Inactive => &["inactive"],
        // RFC 2543 knows no directions: whatever is answered, nothing is sent to no address.
        How::ZeroAddress => return None,
    };
    let offered = if how == How::SendOnly { "sendonly" } else { "inactive" };
    if !allowed.contains(&answer) {
        return Some(Finding::new(
            "hold-answer-wrong",
            Severity::Error,
            Side::Peer,
            format!("{holder}'s hold ({offered}) was answered {answer}, which no answer to it may be (H02)"),
            "platform fault: sendonly is answered recvonly or inactive (RFC 3264 sec. 6.1)",
        ));
    }
    (how == How::SendOnly && answer == "inactive").then(|| {
        Finding::new(
            "hold-answered-inactive",
            Severity::Warning,
            Side::Peer,
            format!("{holder}'s hold (sendonly) was answered inactive: allowed, and its music reaches nobody (H02)"),
            "platform: answer recvonly, so that the held party hears the holder's music",
        )
    })
}
