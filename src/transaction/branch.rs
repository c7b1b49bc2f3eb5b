//! Branches of ours, which say where their transaction is.
//!
//! A branch is the magic cookie, 96 bits of chance in hex, and behind them the number of the transaction's slot in hex, masked by a
//! keyed digest of the chance and the method. So a response leads straight to its slot: no table of branches has to be searched, nor
//! kept. The slot holds the chance and further bits of the digest, and a response whose branch and method do not give the same is
//! not its own. To a peer that does not know the layer's secret the mask is chance too: he sees no number, and one that he writes
//! leads he knows not where, to a slot whose 96 bits he does not know.
use crate::message::{COOKIE, hex_digits};

/// Digits of chance and slot, in two halves.
const DIGITS: usize = 16;
/// Bytes of a branch.
pub(super) const LENGTH: usize = COOKIE.len() + 2 * DIGITS;

/// What only the layer and those know that saw the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chance {
    pub(super) high: u64,
    pub(super) low: u32,
}

/// A branch that has the form of ours. Whether it is one is not known before the slot is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Branch {
    pub(super) chance: Chance,
    pub(super) masked: u32,
}

impl Branch {
    /// A branch of 128 bits of chance: it leads nowhere yet.
    pub(super) fn of_bits(bits: u128) -> Branch {
        Branch::of_halves((bits >> 64) as u64, bits as u64)
    }

    fn of_halves(high: u64, rest: u64) -> Branch {
        Branch { chance: Chance { high, low: (rest >> 32) as u32 }, masked: rest as u32 }
    }

    /// Reads a branch without regard to ASCII case (RFC 3261 sec. 7.3.1: tokens).
    pub(super) fn parse(branch: &[u8]) -> Option<Branch> {
        let (cookie, digits) = branch.split_first_chunk::<{ COOKIE.len() }>()?;
        let (high, rest) = digits.split_first_chunk()?;
        if !cookie.eq_ignore_ascii_case(COOKIE.as_bytes()) {
            return None;
        }
        Some(Branch::of_halves(number(high)?, number(rest.try_into().ok()?)?))
    }

    pub(super) fn text(self) -> [u8; LENGTH] {
        let mut text = [0; LENGTH];
        let (cookie, digits) = text.split_at_mut(COOKIE.len());
        let (high, rest) = digits.split_at_mut(DIGITS);
        cookie.copy_from_slice(COOKIE.as_bytes());
        high.copy_from_slice(&hex_digits(self.chance.high));
        rest.copy_from_slice(&hex_digits(u64::from(self.chance.low) << 32 | u64::from(self.masked)));
        text
    }
}

/// The number that has these hex digits: all are looked at at once, as [`hex_digits`] writes them.
fn number(digits: &[u8; DIGITS]) -> Option<u64> {
    let (mut nibbles, mut is_wrong) = ([0; DIGITS], false);
    for (nibble, &digit) in nibbles.iter_mut().zip(digits) {
        let (decimal, letter) = (digit.wrapping_sub(b'0'), (digit | 0x20).wrapping_sub(b'a'));
        is_wrong |= (decimal >= 10) & (letter >= 6);
        *nibble = if decimal < 10 { decimal } else { letter.wrapping_add(10) };
    }
    // Each step doubles the groups and moves every second one down beside the one before.
    let mut packed = u128::from_be_bytes(nibbles);
    for (shift, mask) in [
        (4, 0x00ff_00ff_00ff_00ff_00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff_0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff_0000_0000_ffff_ffff),
        (32, u128::from(u64::MAX)),
    ] {
        packed = (packed | packed >> shift) & mask;
    }
    (!is_wrong).then_some(packed as u64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::message::Ids;

    #[test]
    fn what_is_put_into_a_branch_is_read_from_it() {
        let mut ids = Ids::from_seed([1; 32]);
        let mut twin = Ids::from_seed([1; 32]);
        for masked in [0, 1, 0x89ab_cdef, u32::MAX] {
            let branch = Branch { masked, ..Branch::of_bits(ids.branch_bits()) };
            let text = branch.text();
            assert_eq!(text, *format!("{}{masked:08x}", twin.branch()).as_bytes());
            assert_eq!(Branch::parse(&text), Some(branch));
            assert_eq!(Branch::parse(&text.to_ascii_uppercase()), Some(branch));
        }
        let branch = Branch::parse(b"z9hG4bK0123456789abcdef01234567FEDCBA98").unwrap();
        assert_eq!(branch.chance, Chance { high: 0x0123_4567_89ab_cdef, low: 0x0123_4567 });
        assert_eq!(branch.masked, 0xfedc_ba98);
    }

    #[test]
    fn what_has_another_form_is_none_of_ours() {
        let ours = "z9hG4bK0123456789abcdef0123456789abcdef";
        assert!(Branch::parse(ours.as_bytes()).is_some());
        for at in 0..ours.len() {
            assert_eq!(Branch::parse(&ours.as_bytes()[..at]), None);
            for wrong in 0..=u8::MAX {
                let mut bytes = ours.as_bytes().to_vec();
                bytes[at] = wrong;
                let is_right = match at < COOKIE.len() {
                    true => bytes.eq_ignore_ascii_case(ours.as_bytes()),
                    false => wrong.is_ascii_hexdigit(),
                };
                assert_eq!(Branch::parse(&bytes).is_some(), is_right, "{}", bytes.escape_ascii());
            }
        }
        for longer in ["0", "00000000", ";"] {
            assert_eq!(Branch::parse(format!("{ours}{longer}").as_bytes()), None);
        }
    }
}
