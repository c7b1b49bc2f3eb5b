//! An hour of speech-like sound holds no digit: `cargo test --test dtmf_hour`; not a part of plain `cargo test`, which hears minutes of it.

mod listen;
mod speech;

#[test]
fn an_hour_of_speech_like_sound_holds_no_digit() {
    let hits: Vec<_> = (10..22).flat_map(|seed| listen::hits(seed, 5)).collect();
    assert_eq!(hits, []);
    let (sent, heard) = listen::with_digits(3, 20);
    assert_eq!(heard, sent);
}
