//! Accounts and numbers of the embedded network that is asked without `--accounts`.

use crate::exit::Failure;
use ringback::campaign::inventory::nearest;
use ringback::error::Error;
use ringback::report::shown;
use ringback::sim::Ivr;

/// The accounts, in the order of their numbers: alice has 201, bob 202, and so on.
pub(crate) const NAMES: [&str; 8] = ["alice", "bob", "carol", "dan", "erin", "frank", "grace", "heidi"];

/// The number of the voice menu.
pub(crate) const MENU: &str = "700";

/// The numbers that the network answers itself, besides the menu: echo and announcement.
const OWN: [(&str, &str); 2] = [("*43", "the echo"), ("*60", "the announcement")];

/// The number of the account at this place of the list, from 0.
pub(crate) fn extension(index: usize) -> String {
    (201 + index).to_string()
}

/// The number of an account.
pub(crate) fn number_of(name: &str) -> Option<String> {
    NAMES.iter().position(|known| *known == name).map(extension)
}

/// The account that has this number.
pub(crate) fn account_at(number: &str) -> Option<&'static str> {
    NAMES.iter().enumerate().find(|(index, _)| extension(*index) == number).map(|(_, name)| *name)
}

/// What the network itself is at this number.
pub(crate) fn service(number: &str) -> Option<&'static str> {
    OWN.iter().find(|(own, _)| *own == number).map(|(_, what)| *what)
}

/// The service at a number that is no account's.
fn own(number: &str) -> Option<&'static str> {
    if number == MENU {
        return Some("the voice menu");
    }
    service(number)
}

/// The voice menu: 1 rings the first of these accounts, 2 the second, and so on to 9.
pub(crate) fn menu<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Ivr, Error> {
    (1..=9)
        .zip(names)
        .try_fold(Ivr::new(MENU), |menu, (digit, name): (u8, &str)| menu.option(&digit.to_string(), name))
}

/// This is the name of an account that can be played.
pub(crate) fn is_account(name: &str) -> Result<(), Failure> {
    if NAMES.contains(&name) {
        return Ok(());
    }
    let (quoted, all) = (format!("\"{}\"", shown(name)), NAMES.join(", "));
    Err(Failure::usage(match (account_at(name), own(name)) {
        (Some(owner), _) => {
            format!("{quoted} is a number; an account is needed here: name {owner}, who has it")
        }
        (None, Some(what)) => format!(
            "{quoted} is {what} of the embedded network, and an account is needed here ({all}); ringback call dials numbers"
        ),
        (None, None) => format!(
            "{quoted} is no account of the embedded network ({all}); {}",
            match nearest(name, NAMES) {
                Some(near) => format!("did you mean \"{near}\"? Use --accounts FILE for your own platform"),
                None => "use --accounts FILE for your own platform".to_owned(),
            }
        ),
    }))
}

/// Nobody has this number yet: it can be that of a group.
pub(crate) fn is_free(number: &str) -> Result<(), Failure> {
    let taken = account_at(number).map(|name| format!("{name}'s number")).or_else(|| {
        let name = NAMES.contains(&number).then_some("the name of an account");
        name.or_else(|| own(number)).map(str::to_owned)
    });
    match taken {
        None => Ok(()),
        Some(whose) => Err(Failure::usage(format!(
            "{} is {whose} on the embedded network; take another number for the group, e.g. 600",
            shown(number)
        ))),
    }
}
