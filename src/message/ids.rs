//! Branches, tags, Call-IDs and cnonces from one seedable source.
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::fmt;

/// How a branch begins that is unique (RFC 3261 sec. 8.1.1.7).
pub(crate) const COOKIE: &str = "z9hG4bK";

/// The source of all identifiers that must be unique or unguessable. The same seed gives the same sequence.
///
/// A peer that sees any number of identifiers cannot tell the next one (ChaCha12).
pub struct Ids {
    rng: ChaCha12Rng,
}

impl Ids {
    /// A source from a seed; production takes the seed from the operating system.
    pub fn from_seed(seed: [u8; 32]) -> Ids {
        Ids { rng: ChaCha12Rng::from_seed(seed) }
    }
    /// A source that depends on this one and on nothing else, for a part that wants its own.
    pub fn fork(&mut self) -> Ids {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        Ids::from_seed(seed)
    }
    /// Appends `bytes` random bytes in hex.
    fn push_hex(&mut self, out: &mut String, bytes: usize) {
        let mut left = bytes;
        while left > 0 {
            let digits = hex_digits(self.rng.next_u64());
            let wanted = digits.get(..left * 2).unwrap_or(&digits);
            out.push_str(std::str::from_utf8(wanted).unwrap_or_default());
            left = left.saturating_sub(8);
        }
    }
    fn hex(&mut self, prefix: &str, bytes: usize) -> String {
        let mut out = String::with_capacity(prefix.len() + bytes * 2);
        out.push_str(prefix);
        self.push_hex(&mut out, bytes);
        out
    }
    /// A branch with the magic cookie `z9hG4bK` and 96 bits of chance (RFC 3261 sec. 8.1.1.7).
    pub fn branch(&mut self) -> String {
        self.hex(COOKIE, 12)
    }
    /// What a branch is made of, for who writes it himself: [`Ids::branch`] shows the upper 96 bits.
    pub(crate) fn branch_bits(&mut self) -> u128 {
        u128::from(self.rng.next_u64()) << 64 | u128::from(self.rng.next_u64())
    }
    /// A tag of 64 bits (at least 32 bits of chance; RFC 3261 sec. 19.3).
    pub fn tag(&mut self) -> String {
        self.hex("", 8)
    }
    /// A Call-ID of 128 bits without a host part.
    pub fn call_id(&mut self) -> String {
        self.hex("", 16)
    }
    /// A cnonce or nonce of 128 bits, in hex.
    pub fn nonce(&mut self) -> String {
        self.hex("", 16)
    }
    /// A number below `bound`, each as likely as the other; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        // Lemire: the high half of a product; the few low halves that would favour some numbers are drawn again.
        let uneven = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.rng.next_u64()) * u128::from(bound);
            if product as u64 >= uneven {
                return (product >> 64) as u64;
            }
        }
    }
    /// An instance id as a URN with a version-4 UUID (RFC 5626 sec. 4.1).
    pub fn instance(&mut self) -> String {
        let mut octets = [0_u8; 16];
        self.rng.fill_bytes(&mut octets);
        octets[6] = octets[6] & 0x0f | 0x40;
        octets[8] = octets[8] & 0x3f | 0x80;
        let hex: String = octets.iter().map(|b| format!("{b:02x}")).collect();
        format!("urn:uuid:{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}

/// The digits of a number, the highest first: all sixteen at once, one in each byte.
pub(crate) fn hex_digits(number: u64) -> [u8; 16] {
    const NIBBLES: u128 = u128::from_ne_bytes([0x0f; 16]);
    const ONES: u128 = u128::from_ne_bytes([1; 16]);
    // Each step halves the groups and moves the upper halves up, until every nibble has a byte of its own.
    let mut spread = u128::from(number);
    for (shift, mask) in [
        (32, u128::from_le_bytes([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0])),
        (16, u128::from_le_bytes([0xff, 0xff, 0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff, 0, 0])),
        (8, u128::from_le_bytes([0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0])),
        (4, NIBBLES),
    ] {
        spread = (spread | spread << shift) & mask;
    }
    // Six more than a letter's nibble carries into the next bit.
    let letters = (spread + ONES * 6) >> 4 & ONES;
    (spread + ONES * u128::from(b'0') + letters * u128::from(b'a' - b'0' - 10)).to_be_bytes()
}

/// Shows nothing: who knows the state knows all identifiers to come.
impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ids").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn gives_the_same_sequence_for_the_same_seed_and_never_twice_the_same() {
        let (mut a, mut b) = (Ids::from_seed([7; 32]), Ids::from_seed([7; 32]));
        let draw = |ids: &mut Ids| {
            (ids.branch(), ids.tag(), ids.call_id(), ids.nonce(), ids.instance(), ids.below(1000))
        };
        assert_eq!(draw(&mut a), draw(&mut b));
        assert_eq!(a.fork().tag(), b.fork().tag());
        assert_eq!(a.branch(), format!("z9hG4bK{:024x}", b.branch_bits() >> 32));
        assert_eq!(a.tag(), b.tag());
        let seen: HashSet<String> = (0..1000).map(|_| a.branch()).collect();
        assert_eq!(seen.len(), 1000);
        assert!(seen.iter().all(|s| s.len() == 31 && s.starts_with("z9hG4bK")));
        assert_eq!(format!("{a:?}"), "Ids { .. }");
    }

    #[test]
    fn digits_are_those_of_the_number() {
        for number in [0, u64::MAX, 0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210, 0x9a9a_0f0f_f0f0_a9a9] {
            assert_eq!(hex_digits(number), *format!("{number:016x}").as_bytes());
        }
    }

    #[test]
    fn stays_below_the_bound_and_reaches_all_of_it() {
        let mut ids = Ids::from_seed([1; 32]);
        let seen: HashSet<u64> = (0..500).map(|_| ids.below(7)).collect();
        assert_eq!(seen, (0..7).collect());
        assert_eq!((ids.below(0), ids.below(1)), (0, 0));
        assert!(ids.below(u64::MAX) < u64::MAX);
    }

    #[test]
    fn makes_version_4_instances() {
        let instance = Ids::from_seed([3; 32]).instance();
        assert_eq!(instance.len(), 45);
        assert_eq!((&instance[..9], &instance[23..24]), ("urn:uuid:", "4"));
        assert!("89ab".contains(&instance[28..29]), "{instance}");
    }
}
