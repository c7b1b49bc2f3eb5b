//! How many files, sockets among them, this process may have open.

/// How many files this process may have open now; `None` where the system is not asked (anything but Linux) or sets no limit.
pub fn descriptor_limit() -> Option<usize> {
    limits().map(|(soft, _)| soft).filter(|soft| *soft < usize::MAX)
}

/// Raises the limit of open files as far as the system lets this process, and gives what it is then. It is for programs: the limit is that of the
/// whole process, which is no library's to change.
///
/// ```
/// use ringback::transport::{descriptor_limit, raise_descriptor_limit};
/// let before = descriptor_limit();
/// assert!(raise_descriptor_limit() >= before);
/// assert_eq!(raise_descriptor_limit(), descriptor_limit());
/// ```
pub fn raise_descriptor_limit() -> Option<usize> {
    #[cfg(target_os = "linux")]
    {
        use nix::sys::resource::{Resource, getrlimit, setrlimit};
        if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
            && soft < hard
            && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
        {
            tracing::debug!(%error, "the limit of open files stays");
        }
    }
    descriptor_limit()
}

/// The limit in force, and the most that may be asked for.
#[cfg(target_os = "linux")]
fn limits() -> Option<(usize, usize)> {
    use nix::sys::resource::{Resource, getrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    let whole = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
    Some((whole(soft), whole(hard)))
}

#[cfg(not(target_os = "linux"))]
fn limits() -> Option<(usize, usize)> {
    None
}
