//! `;name=value` parameters.
use super::SyntaxError;
use std::borrow::Cow;

/// The `;name[=value]` parameters of a value, checked when the value was parsed and walked when asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Params<'a> {
    pub(super) raw: &'a [u8],
}

/// One parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param<'a> {
    /// The name as it came; compare without case.
    pub name: &'a [u8],
    /// The value as it came, quotes included; `None` for a flag.
    pub value: Option<&'a [u8]>,
}

impl<'a> Param<'a> {
    /// The value without quotes and escapes; empty for a flag.
    pub fn unquoted(&self) -> Cow<'a, [u8]> {
        todo!()
    }
}

impl<'a> Params<'a> {
    /// Parses the whole of `text`, which starts with `;` (or white space and `;`) or is empty.
    ///
    /// # Errors
    /// Text that is no list of parameters.
    pub fn parse(text: &'a [u8]) -> Result<Params<'a>, SyntaxError> {
        let _ = text;
        todo!()
    }

    /// The first parameter of this name, without regard to case.
    pub fn get(&self, name: &[u8]) -> Option<Param<'a>> {
        self.iter().find(|p| p.name.eq_ignore_ascii_case(name))
    }

    /// All parameters in order.
    pub fn iter(&self) -> impl Iterator<Item = Param<'a>> + use<'a> {
        let _ = self.raw;
        std::iter::empty()
    }

    /// The text, leading `;` included; empty when there are none.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.raw
    }
}
