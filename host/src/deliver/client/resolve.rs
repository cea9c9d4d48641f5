//! From a name to addresses. Refuses to judge them: the guard does, each time.

use std::fmt::Debug;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};

/// Who says which addresses a name has; called on a thread that may block.
pub trait Resolver: Send + Sync + Debug {
    /// All addresses of `host`, in the order in which they should be tried.
    ///
    /// # Errors
    /// What the resolver says.
    fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The machine's own resolver, `/etc/hosts` and DNS as it is configured.
#[derive(Debug)]
pub(super) struct System;

impl Resolver for System {
    fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
    }
}
