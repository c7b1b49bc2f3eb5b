//! No digit is heard in minutes of speech-like sound, and every digit between it is. An hour of it: `cargo test --test dtmf_hour`.

mod listen;
mod speech;

#[test]
fn six_minutes_of_speech_like_sound_hold_no_digit() {
    assert_eq!(listen::hits(1, 6), []);
}

#[test]
fn digits_between_the_words_are_all_heard() {
    let (sent, heard) = listen::with_digits(2, 4);
    assert_eq!(heard, sent);
}
