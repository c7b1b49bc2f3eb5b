//! Via (RFC 3261 sec. 20.42, RFC 3581).
use super::{Host, Param, Params, SyntaxError};
use std::net::IpAddr;

/// One Via value.
#[derive(Debug, Clone, Copy)]
pub struct Via<'a> {
    pub(super) transport: &'a [u8],
    pub(super) host: Host<'a>,
    pub(super) port: Option<u16>,
    pub(super) params: Params<'a>,
}

impl<'a> Via<'a> {
    /// Parses the first value of `text` (a Via header may hold a comma list); also the bytes that follow the comma.
    ///
    /// # Errors
    /// Text that does not begin with a Via value.
    pub fn parse_first(text: &'a [u8]) -> Result<(Via<'a>, &'a [u8]), SyntaxError> {
        let _ = text;
        todo!()
    }
    /// The transport token (`UDP`, `TCP`, ...), as it came.
    pub fn transport(&self) -> &'a [u8] {
        self.transport
    }
    /// The host of sent-by.
    pub fn host(&self) -> Host<'a> {
        self.host
    }
    /// The port of sent-by, when one is written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }
    /// All parameters.
    pub fn params(&self) -> Params<'a> {
        self.params
    }
    /// `branch`.
    pub fn branch(&self) -> Option<&'a [u8]> {
        self.params.get(b"branch").and_then(|p| p.value)
    }
    /// `received`, when it is an address.
    pub fn received(&self) -> Option<IpAddr> {
        todo!()
    }
    /// `rport`: `Some(None)` when asked for and not filled in.
    pub fn rport(&self) -> Option<Option<u16>> {
        let _: Option<Param<'a>> = None;
        todo!()
    }
}
