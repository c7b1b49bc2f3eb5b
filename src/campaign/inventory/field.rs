//! What an account file can say about an account.

use zeroize::Zeroizing;

/// One key of a table, one column of a CSV file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Name,
    Aor,
    AuthUser,
    Password,
    PasswordEnv,
    PasswordFile,
    Registrar,
    OutboundProxy,
    Transport,
}

impl Field {
    pub(super) const ALL: [Field; 9] = [
        Field::Name,
        Field::Aor,
        Field::AuthUser,
        Field::Password,
        Field::PasswordEnv,
        Field::PasswordFile,
        Field::Registrar,
        Field::OutboundProxy,
        Field::Transport,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Field::Name => "name",
            Field::Aor => "aor",
            Field::AuthUser => "auth_user",
            Field::Password => "password",
            Field::PasswordEnv => "password_env",
            Field::PasswordFile => "password_file",
            Field::Registrar => "registrar",
            Field::OutboundProxy => "outbound_proxy",
            Field::Transport => "transport",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Field> {
        Field::ALL.into_iter().find(|field| field.name() == name)
    }

    /// Blanks around a password may belong to it.
    pub(super) fn is_trimmed(self) -> bool {
        self != Field::Password
    }
}

/// A value and where it stands. Any of them may be a password, also where it does not belong: it is wiped.
pub(super) struct Value {
    pub(super) text: Zeroizing<String>,
    pub(super) line: usize,
    pub(super) column: Option<usize>,
}

/// An account as it is written.
pub(super) struct Raw {
    pub(super) line: usize,
    /// What is said under names that are not known.
    pub(super) more: Vec<(String, String)>,
    values: [Option<Value>; Field::ALL.len()],
}

impl Raw {
    pub(super) fn new(line: usize) -> Raw {
        Raw { line, more: Vec::new(), values: Default::default() }
    }
    pub(super) fn set(&mut self, field: Field, mut value: Value) {
        if field.is_trimmed() && value.text.trim().len() < value.text.len() {
            value.text = Zeroizing::new(value.text.trim().to_owned());
        }
        self.values[field as usize] = Some(value);
    }
    pub(super) fn get(&self, field: Field) -> Option<&Value> {
        // Only a password may be empty and yet be given.
        self.values[field as usize]
            .as_ref()
            .filter(|value| field == Field::Password || !value.text.is_empty())
    }
}

/// The one of the `known` words that was most likely meant by `word`: at most a third of its letters differ.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.trim().to_ascii_lowercase().replace(['-', ' '], "_");
    let near = known
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(&word, &known.to_ascii_lowercase()), known));
    // A third of the letters wrong is a typing error; more is another word.
    near.filter(|(distance, known)| *distance <= known.chars().count().div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// Is it not known, and nearly a name that is?
pub(super) fn is_misspelt(word: &str) -> bool {
    let plain = word.trim().to_ascii_lowercase().replace(['-', ' '], "_");
    // One letter in four: `wave` is no slip for `name`.
    let near =
        |field: Field| strsim::damerau_levenshtein(&plain, field.name()) <= (field.name().len() / 4).max(1);
    Field::from_name(word).is_none() && Field::ALL.into_iter().any(near)
}

/// `; did you mean ...?`, or the list of what is known.
pub(super) fn suggestion(word: &str) -> String {
    match nearest(word, Field::ALL.map(Field::name)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known are {}", Field::ALL.map(Field::name).join(", ")),
    }
}
