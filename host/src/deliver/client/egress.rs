//! What an operator allows beside the public Internet. Plain values; refuses to check them.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// Where connections may go. The default is public addresses over TLS, by the system's roots and names.
#[derive(Clone, Debug, Default)]
pub struct Egress {
    /// Ranges allowed beside public addresses: an address and how many of its leading bits count. An IPv4 address
    /// wrapped in IPv6 counts as the IPv4 address.
    pub allow: Vec<(IpAddr, u8)>,
    /// Whether `http://` is allowed as `https://` is.
    pub plaintext: bool,
    /// Certificates trusted beside the system's roots, PEM.
    pub ca_pem: Option<Vec<u8>>,
    /// Names answered from here, in lower case, instead of by the system's resolver. What they stand for is checked
    /// like any other address.
    pub resolve: BTreeMap<String, IpAddr>,
}
