//! By what a message finds its transaction (RFC 3261 sec. 17.1.3 and 17.2.3).
//!
//! Whatever a rule compares is put into one keyed 128-bit digest (SipHash-2-4), and the digest stands for it:
//! a key has the same size whatever a peer writes, and without the secret nobody can choose values that meet
//! in the table. Not in the table are the client transactions with a branch of their own, which says where they are.
use super::branch::Chance;
use crate::message::{COOKIE, FieldError, Ids, Message};
use crate::syntax::{Host, Method, Via};
use siphasher::sip128::{Hasher128, SipHasher24};
use std::hash::Hasher;

/// What a table is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    high: u64,
    low: u64,
}

impl Key {
    /// Of what has no key, and is never searched for.
    pub(super) const NONE: Key = Key { high: 0, low: 0 };

    /// Is it a key for the table? Those of branches that lead to their slot differ from them in the last bit.
    pub(super) fn is_for_table(self) -> bool {
        self.low & 1 == 0
    }

    /// The bits that stand in the table.
    pub(super) fn tag(self) -> u32 {
        (self.low >> 32) as u32
    }

    #[cfg(test)]
    pub(super) fn of_tag(tag: u32) -> Key {
        Key { high: 1, low: u64::from(tag) << 32 }
    }
}

/// Keeps keys of different rules apart.
#[derive(Debug, Clone, Copy)]
enum Rule {
    Client,
    LongClient,
    ClientOfBranch,
    Server,
    Rfc2543,
    Rfc2543Base,
    Rfc2543Ack,
    Merged,
    Tag,
}

/// Makes keys, by the secret of one layer.
pub(super) struct Keys {
    secret: (u64, u64),
}

/// How a request is matched.
#[derive(Debug, Clone, Copy)]
pub(super) enum Match {
    /// By branch, sent-by and method.
    Branch(BranchMatch),
    /// By the rules for peers that write no unique branch.
    Rfc2543(Rfc2543Match),
}

/// Branch and sent-by of a request's top Via.
#[derive(Debug, Clone, Copy)]
pub(super) struct BranchMatch(Key);

/// All that the RFC 2543 rules compare except method and To tag.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rfc2543Match {
    pub(super) base: Key,
    to_tag: Key,
}

impl Keys {
    pub(super) fn new(ids: &mut Ids) -> Keys {
        Keys { secret: (ids.below(u64::MAX), ids.below(u64::MAX)) }
    }

    fn digest(&self, rule: Rule) -> Digest {
        let mut hasher = SipHasher24::new_with_keys(self.secret.0, self.secret.1);
        hasher.write_u8(rule as u8);
        Digest(hasher)
    }

    /// A client transaction with a branch of its own: chance, and bits that hold for this method alone (RFC 3261 sec. 17.1.3). With
    /// it, the mask of the slot's number in the branch.
    pub(super) fn client_of_branch(&self, chance: Chance, method: Method<'_>) -> (Key, u32) {
        let mut hasher = SipHasher24::new_with_keys(self.secret.0, self.secret.1);
        let (method, mut text) = (method.as_bytes(), [0; 32]);
        let (front, rest) = text.split_at_mut(1 + 8 + 4);
        front[0] = Rule::ClientOfBranch as u8;
        front[1..9].copy_from_slice(&chance.high.to_le_bytes());
        front[9..].copy_from_slice(&chance.low.to_le_bytes());
        // In one piece where it fits: the hash takes many small ones slowly.
        match rest.get_mut(..method.len()) {
            Some(rest) => {
                rest.copy_from_slice(method);
                hasher.write(&text[..1 + 8 + 4 + method.len()]);
            }
            None => {
                hasher.write(front);
                hasher.write(method);
            }
        }
        let hash = hasher.finish128();
        let low = u64::from(chance.low) << 32 | u64::from(hash.h1 as u32) | 1;
        (Key { high: chance.high, low }, hash.h2 as u32)
    }

    /// A client transaction that shares the branch of another: the branch and the method of CSeq (RFC 3261 sec. 17.1.3).
    pub(super) fn client(&self, branch: &[u8], method: Method<'_>) -> Key {
        // All in one piece where it fits, as branches of ours do: the hash takes many small ones slowly.
        let (method, mut text) = (method.as_bytes(), [0; 64]);
        let lengths = [Rule::Client as u8, branch.len() as u8, method.len() as u8];
        let Some(text) = text.get_mut(..lengths.len() + branch.len() + method.len()) else {
            return self.digest(Rule::LongClient).folded(branch).bytes(method).key();
        };
        let (front, rest) = text.split_at_mut(lengths.len());
        let (middle, end) = rest.split_at_mut(branch.len());
        front.copy_from_slice(&lengths);
        middle.copy_from_slice(branch);
        middle.make_ascii_lowercase();
        end.copy_from_slice(method);
        let mut hasher = SipHasher24::new_with_keys(self.secret.0, self.secret.1);
        hasher.write(text);
        Digest(hasher).key()
    }

    /// How to match a request that has all mandatory fields.
    pub(super) fn request(&self, request: &Message) -> Result<Match, FieldError> {
        let via = request.top_via()?;
        match via.branch().filter(|branch| is_rfc3261(branch)) {
            Some(branch) => {
                let key = sent_by(self.digest(Rule::Server).folded(branch), &via).key();
                Ok(Match::Branch(BranchMatch(key)))
            }
            None => {
                let mut digest = self
                    .digest(Rule::Rfc2543Base)
                    .bytes(request.request_uri_bytes().unwrap_or_default())
                    .bytes(request.from()?.tag().unwrap_or_default())
                    .bytes(request.call_id()?)
                    .number(request.cseq()?.number);
                digest = sent_by(digest.folded(via.transport()), &via);
                // What the transport added is no part of what the peer wrote.
                let written = |name: &[u8]| {
                    !name.eq_ignore_ascii_case(b"received") && !name.eq_ignore_ascii_case(b"rport")
                };
                for param in via.params().iter().filter(|param| written(param.name)) {
                    digest = digest.folded(param.name).bytes(param.value.unwrap_or_default());
                }
                let to_tag = self.tag(request.to()?.tag());
                Ok(Match::Rfc2543(Rfc2543Match { base: digest.key(), to_tag }))
            }
        }
    }

    fn tag(&self, tag: Option<&[u8]>) -> Key {
        self.digest(Rule::Tag).bytes(tag.unwrap_or_default()).key()
    }

    /// The server transaction of a request; an ACK gives `INVITE` as method, or [`Keys::rfc2543_ack`].
    pub(super) fn server(&self, matching: Match, method: Method<'_>) -> Key {
        match matching {
            Match::Branch(BranchMatch(key)) => {
                self.digest(Rule::Server).nested(key).bytes(method.as_bytes()).key()
            }
            Match::Rfc2543(Rfc2543Match { base, to_tag }) => {
                self.digest(Rule::Rfc2543).nested(base).nested(to_tag).bytes(method.as_bytes()).key()
            }
        }
    }

    /// The ACK of an RFC 2543 peer: what its INVITE had, and the To tag of our final response.
    pub(super) fn rfc2543_ack(&self, base: Key, to_tag: Option<&[u8]>) -> Key {
        self.digest(Rule::Rfc2543Ack).nested(base).nested(self.tag(to_tag)).key()
    }

    /// What the copies of a request share that came on different ways (RFC 3261 sec. 8.2.2.2); `None` when
    /// the request cannot be such a copy: it is inside a dialog, or its sender writes no From tag.
    pub(super) fn merged(&self, request: &Message) -> Option<Key> {
        let from = request.from().ok()?;
        let cseq = request.cseq().ok()?;
        if request.to().ok()?.tag().is_some() {
            return None;
        }
        let digest = self.digest(Rule::Merged).bytes(from.tag()?).bytes(request.call_id().ok()?);
        Some(digest.number(cseq.number).bytes(cseq.method.as_bytes()).key())
    }

    /// A To tag for an answer outside any transaction: the same for each retransmission of a request (RFC
    /// 3261 sec. 8.2.7).
    pub(super) fn stateless_tag(&self, request: &Message) -> String {
        let key = self.digest(Rule::Tag).bytes(request.as_bytes()).key();
        format!("{:016x}", key.high)
    }
}

/// Does a branch promise to be unique? The bare cookie, which some old peers copied, does not.
fn is_rfc3261(branch: &[u8]) -> bool {
    let cookie = branch.split_at_checked(COOKIE.len());
    cookie.is_some_and(|(cookie, rest)| cookie.eq_ignore_ascii_case(COOKIE.as_bytes()) && !rest.is_empty())
}

/// Sent-by: host without regard to case, port with its default.
fn sent_by(digest: Digest, via: &Via<'_>) -> Digest {
    let digest = match via.host() {
        Host::Name(name) => digest.folded(name),
        Host::V4(address) => digest.bytes(&address.octets()),
        Host::V6(address) => digest.bytes(&address.octets()),
    };
    let default = if via.transport().eq_ignore_ascii_case(b"TLS") { 5061 } else { 5060 };
    digest.number(u32::from(via.port().unwrap_or(default)))
}

/// A key in the making; each part carries its length, so that parts cannot run into each other.
struct Digest(SipHasher24);

impl Digest {
    fn bytes(mut self, part: &[u8]) -> Digest {
        self.0.write_u64(part.len() as u64);
        self.0.write(part);
        self
    }

    /// The part without regard to ASCII case (RFC 3261 sec. 7.3.1: tokens).
    fn folded(mut self, part: &[u8]) -> Digest {
        self.0.write_u64(part.len() as u64);
        let mut folded = [0; 64];
        for chunk in part.chunks(folded.len()) {
            let folded = &mut folded[..chunk.len()];
            folded.copy_from_slice(chunk);
            folded.make_ascii_lowercase();
            self.0.write(folded);
        }
        self
    }

    fn number(mut self, part: u32) -> Digest {
        self.0.write_u32(part);
        self
    }

    fn nested(mut self, part: Key) -> Digest {
        self.0.write_u64(part.high);
        self.0.write_u64(part.low);
        self
    }

    fn key(self) -> Key {
        let hash = self.0.finish128();
        Key { high: hash.h1, low: hash.h2 & !1 }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::syntax::Limits;
    use crate::transaction::branch::Branch;

    /// Every key that a peer could choose the parts of, by the secret of this seed.
    fn keys(seed: u8) -> Vec<Key> {
        let keys = Keys::new(&mut Ids::from_seed([seed; 32]));
        let request = |via: &str| {
            let text = format!(
                "INVITE sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h{via}\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>\r\n\
                 Call-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n"
            );
            Message::parse(text.into(), &Limits::default()).unwrap()
        };
        let (new, old) = (request(";branch=z9hG4bK1"), request(""));
        let by_branch = keys.request(&new).unwrap();
        let by_rfc2543 = keys.request(&old).unwrap();
        let Match::Rfc2543(Rfc2543Match { base, .. }) = by_rfc2543 else { panic!("not by the old rules") };
        let (of_branch, mask) = keys.client_of_branch(Branch::of_bits(1).chance, Method::Invite);
        vec![
            keys.server(by_branch, Method::Invite),
            keys.server(by_rfc2543, Method::Invite),
            keys.rfc2543_ack(base, Some(b"1")),
            keys.merged(&new).unwrap(),
            keys.client(b"z9hG4bK1", Method::Cancel),
            keys.client(&[b'a'; 200], Method::Cancel),
            of_branch,
            Key { high: 0, low: mask.into() },
        ]
    }

    #[test]
    fn without_the_secret_of_a_layer_nobody_knows_its_keys() {
        let (ours, again, other) = (keys(1), keys(1), keys(2));
        assert_eq!(ours, again, "the same for each copy of a request");
        for (at, (ours, other)) in ours.iter().zip(&other).enumerate() {
            assert_ne!(ours, other, "key {at}");
            // What the table sorts by; that of a branch does not stand in it.
            assert!(ours.tag() != other.tag() || at >= 6, "key {at}");
        }
    }
}
