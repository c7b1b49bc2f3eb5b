//! Branches, tags, Call-IDs and cnonces from one seedable source.

/// The source of all identifiers that must be unique or unguessable. The same seed gives the same sequence.
#[derive(Debug)]
pub struct Ids {
    seed: [u8; 32],
}

impl Ids {
    /// A source from a seed; production takes the seed from the operating system.
    pub fn from_seed(seed: [u8; 32]) -> Ids {
        Ids { seed }
    }
    /// A source that depends on this one and on nothing else, for a part that wants its own.
    pub fn fork(&mut self) -> Ids {
        Ids { seed: self.seed }
    }
    /// A branch with the magic cookie `z9hG4bK` (RFC 3261 sec. 8.1.1.7).
    pub fn branch(&mut self) -> String {
        todo!()
    }
    /// A tag (at least 32 bits of chance; RFC 3261 sec. 19.3).
    pub fn tag(&mut self) -> String {
        todo!()
    }
    /// A Call-ID without a host part.
    pub fn call_id(&mut self) -> String {
        todo!()
    }
    /// A cnonce or nonce of 128 bits, in hex.
    pub fn nonce(&mut self) -> String {
        todo!()
    }
    /// A number below `bound`, which must not be 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        let _ = bound;
        todo!()
    }
    /// An instance id as a URN with a version-4 UUID (RFC 5626 sec. 4.1).
    pub fn instance(&mut self) -> String {
        todo!()
    }
}
