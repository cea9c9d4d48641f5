//! Which schemes, ports and addresses a connection may have. Pure; refuses to resolve or connect.
//!
//! Addresses are allowed by what they are, not refused by what they are known to be: of IPv6 only global unicast is
//! looked at, so a block that is set aside tomorrow is refused today. Forms that carry an IPv4 address (compatible,
//! 6to4, Teredo, NAT64) are refused whatever they carry, because what becomes of them is up to a gateway; only the
//! mapped form is the IPv4 address itself, and judged as such.
//! Source: the special-purpose address registries of RFC 6890 as of 2025, and the metadata addresses of the clouds.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Egress;

/// Ports below this hold mail, names, files, remote shells: protocols that can be abused by a well-formed request.
const PRIVILEGED_PORTS: u16 = 1024;

/// Of these, what HTTP has: with TLS and without.
const HTTPS_PORT: u16 = 443;
const HTTP_PORT: u16 = 80;

/// IPv4 blocks that are not public: first address, bits that count.
const CLOSED_V4: &[([u8; 4], u8)] = &[
    ([0, 0, 0, 0], 8),        // this network; 0.0.0.0 connects to loopback
    ([10, 0, 0, 0], 8),       // private
    ([100, 64, 0, 0], 10),    // behind a carrier's NAT; a cloud's metadata at 100.100.100.200
    ([127, 0, 0, 0], 8),      // loopback
    ([168, 63, 129, 16], 32), // a cloud's metadata on a public address
    ([169, 254, 0, 0], 16),   // link-local; the clouds' metadata at 169.254.169.254
    ([172, 16, 0, 0], 12),    // private
    ([192, 0, 0, 0], 24),     // protocol assignments
    ([192, 0, 2, 0], 24),     // documentation
    ([192, 88, 99, 0], 24),   // 6to4 relays
    ([192, 168, 0, 0], 16),   // private
    ([198, 18, 0, 0], 15),    // benchmarks between networks
    ([198, 51, 100, 0], 24),  // documentation
    ([203, 0, 113, 0], 24),   // documentation
    ([224, 0, 0, 0], 4),      // multicast
    ([240, 0, 0, 0], 4),      // reserved; 255.255.255.255 is everybody
];

/// Global unicast of IPv6; all else is loopback, link-local, unique-local (`fd00:ec2::254`), multicast, NAT64,
/// compatible, or not assigned.
const OPEN_V6: (u128, u8) = (0x2000 << 112, 3);

/// Blocks of it that are not public.
const CLOSED_V6: &[(u128, u8)] = &[
    (0x2001 << 112, 23),     // protocol assignments: Teredo, ORCHID, benchmarks
    (0x2001_0db8 << 96, 32), // documentation
    (0x2002 << 112, 16),     // 6to4
    (0x3fff << 112, 20),     // documentation
];

/// Why the guard says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Objection {
    /// Neither `https` nor, where the operator allows it, `http`.
    #[error("only https is allowed; egress.plaintext allows http as well")]
    Scheme,
    /// Another service's port.
    #[error("port {0} is below 1024 and not that of https; egress.allow lifts this for the addresses it names")]
    Port(u16),
    /// An address inside.
    #[error("{0} is not a public address; egress.allow names exceptions")]
    Address(IpAddr),
}

impl Egress {
    /// Whether a URL of this scheme may be asked; answers whether it is encrypted.
    pub(super) fn check_scheme(&self, scheme: Option<&str>) -> Result<bool, Objection> {
        match scheme {
            Some("https") => Ok(true),
            Some("http") if self.plaintext => Ok(false),
            _ => Err(Objection::Scheme),
        }
    }

    /// Whether `address` may be connected to at `port`.
    pub(super) fn check(&self, address: IpAddr, port: u16) -> Result<(), Objection> {
        let address = address.to_canonical();
        if self.allow.iter().any(|&(network, bits)| is_within(address, network, bits)) {
            return Ok(());
        }
        if !is_public(address) {
            return Err(Objection::Address(address));
        }
        let is_open = port >= PRIVILEGED_PORTS || port == HTTPS_PORT || (port == HTTP_PORT && self.plaintext);
        if is_open { Ok(()) } else { Err(Objection::Port(port)) }
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            !CLOSED_V4.iter().any(|&(network, bits)| shares_v4(address, Ipv4Addr::from(network), bits))
        }
        IpAddr::V6(address) => {
            let within = |&(network, bits): &(u128, u8)| shares_v6(address, Ipv6Addr::from_bits(network), bits);
            within(&OPEN_V6) && !CLOSED_V6.iter().any(within)
        }
    }
}

fn is_within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => shares_v4(address, network, bits),
        (IpAddr::V6(address), IpAddr::V6(network)) => shares_v6(address, network, bits),
        _ => false,
    }
}

/// Whether two addresses share their first `bits` bits; more bits than there are count as all.
fn shares_v4(one: Ipv4Addr, other: Ipv4Addr, bits: u8) -> bool {
    let differing = one.to_bits() ^ other.to_bits();
    differing.leading_zeros() >= u32::from(bits.min(32))
}

fn shares_v6(one: Ipv6Addr, other: Ipv6Addr, bits: u8) -> bool {
    let differing = one.to_bits() ^ other.to_bits();
    differing.leading_zeros() >= u32::from(bits.min(128))
}

#[cfg(test)]
mod tests;
