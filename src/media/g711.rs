//! G.711 A-law and mu-law both ways, from and to linear 16-bit samples (ITU-T G.711, tables 1 and 2).

/// Which of the two companding laws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Law {
    /// PCMA, static payload type 8.
    A,
    /// PCMU, static payload type 0.
    Mu,
}

// Statics: a debug build copies a constant table each time it is looked at.
static A_TO_LINEAR: [i16; 256] = table(Law::A);
static MU_TO_LINEAR: [i16; 256] = table(Law::Mu);

const fn table(law: Law) -> [i16; 256] {
    let mut values = [0; 256];
    let mut code = 0;
    while code < 256 {
        values[code] = match law {
            Law::A => expand_a(code as u8),
            Law::Mu => expand_mu(code as u8),
        };
        code += 1;
    }
    values
}

const fn expand_a(code: u8) -> i16 {
    let code = code ^ 0x55;
    let (segment, interval) = ((code & 0x70) >> 4, (code & 0x0f) as i16);
    let magnitude = match segment {
        0 => (interval << 4) + 8,
        _ => ((interval << 4) + 0x108) << (segment - 1),
    };
    if code & 0x80 == 0 { -magnitude } else { magnitude }
}

const fn expand_mu(code: u8) -> i16 {
    let code = !code;
    let magnitude = (((((code & 0x0f) as i16) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84;
    if code & 0x80 == 0 { magnitude } else { -magnitude }
}

/// Position of the highest bit above bit `floor`, 0 when it is not above.
const fn segment(magnitude: u16, floor: u32) -> u8 {
    (15 - (magnitude | 1).leading_zeros()).saturating_sub(floor) as u8
}

impl Law {
    /// The static payload type (RFC 3551 sec. 6).
    pub const fn payload_type(self) -> u8 {
        match self {
            Law::A => 8,
            Law::Mu => 0,
        }
    }
    /// The name in `a=rtpmap` (RFC 3551 sec. 6).
    pub const fn encoding_name(self) -> &'static str {
        match self {
            Law::A => "PCMA",
            Law::Mu => "PCMU",
        }
    }
    /// The code of silence.
    pub const fn silence(self) -> u8 {
        self.encode(0)
    }
    /// One sample from its code.
    pub const fn decode(self, code: u8) -> i16 {
        match self {
            Law::A => A_TO_LINEAR[code as usize],
            Law::Mu => MU_TO_LINEAR[code as usize],
        }
    }
    /// The code of one sample.
    pub const fn encode(self, sample: i16) -> u8 {
        // The one's complement: a negative value on a decision value takes the inner interval (as ITU-T G.191 has it).
        let magnitude = if sample < 0 { !sample } else { sample } as u16;
        match self {
            Law::A => {
                let segment = segment(magnitude, 7);
                let shift = if segment == 0 { 4 } else { segment + 3 };
                let code = (segment << 4) | ((magnitude >> shift) & 0x0f) as u8;
                (if sample < 0 { code } else { code | 0x80 }) ^ 0x55
            }
            Law::Mu => {
                let biased = (magnitude >> 2) + 33;
                let biased = if biased > 0x1fff { 0x1fff } else { biased };
                let segment = segment(biased, 5);
                let code = (segment << 4) | ((biased >> (segment + 1)) & 0x0f) as u8;
                !(if sample < 0 { code | 0x80 } else { code })
            }
        }
    }
    /// Appends the samples of `codes` to `out`.
    pub fn decode_into(self, codes: &[u8], out: &mut Vec<i16>) {
        out.extend(codes.iter().map(|&code| self.decode(code)));
    }
    /// Appends the codes of `samples` to `out`.
    pub fn encode_into(self, samples: &[i16], out: &mut Vec<u8>) {
        out.extend(samples.iter().map(|&sample| self.encode(sample)));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn vectors() -> Vec<(Law, bool, i32, i32)> {
        let text = include_str!("../../tests/data/g711/vectors.tsv");
        let line = |line: &str| {
            let mut fields = line.split('\t');
            let law = if fields.next() == Some("alaw") { Law::A } else { Law::Mu };
            let encode = fields.next() == Some("encode");
            let mut number = || fields.next().unwrap().parse::<i32>().unwrap();
            (law, encode, number(), number())
        };
        text.lines().map(line).collect()
    }

    #[test]
    fn every_code_expands_as_the_tables_say() {
        let vectors = vectors();
        let decode: Vec<_> = vectors.iter().filter(|(_, encode, ..)| !encode).collect();
        assert_eq!(decode.len(), 512);
        for &&(law, _, code, value) in &decode {
            assert_eq!(i32::from(law.decode(code as u8)), value, "{law:?} {code}");
        }
    }

    #[test]
    fn every_sample_is_compressed_as_the_tables_say() {
        for law in [Law::A, Law::Mu] {
            let runs: Vec<_> = vectors().into_iter().filter(|v| v.0 == law && v.1).collect();
            assert!(runs.len() >= 255);
            let mut expected = 0;
            for sample in i16::MIN..=i16::MAX {
                if let Ok(at) = runs.binary_search_by_key(&i32::from(sample), |v| v.2) {
                    expected = runs[at].3;
                }
                assert_eq!(i32::from(law.encode(sample)), expected, "{law:?} {sample}");
            }
        }
    }

    #[test]
    fn silence_is_the_code_that_the_field_sends() {
        assert_eq!((Law::A.silence(), Law::Mu.silence()), (0xd5, 0xff));
        assert_eq!((Law::A.payload_type(), Law::Mu.payload_type()), (8, 0));
    }
}
