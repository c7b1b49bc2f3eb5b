//! The OPTIONS request of a capability query (RFC 3261 sec. 11).
