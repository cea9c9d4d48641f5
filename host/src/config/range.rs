//! Address ranges in CIDR form, for egress rules. Refuses host names: what a name resolves to is checked at connect time.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// All addresses that share the first `prefix` bits with `network`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    network: IpAddr,
    prefix: u8,
}

/// Why a text is not an address range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// The part before `/` is not an IP address.
    #[error("not an IP address range")]
    Address,
    /// The part after `/` is not a number of bits of that address.
    #[error("the prefix length does not fit the address")]
    Prefix,
    /// Bits after the prefix are set, so the author meant another range or a single address.
    #[error("address bits are set after the prefix")]
    HostBits,
}

impl AddressRange {
    /// The address whose leading bits count, and how many of them do.
    pub fn parts(&self) -> (IpAddr, u8) {
        (self.network, self.prefix)
    }

    /// Whether `address` lies within. An IPv4 address wrapped in IPv6 (`::ffff:a.b.c.d`) counts as the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => masked_v4(address, self.prefix) == network,
            (IpAddr::V6(network), IpAddr::V6(address)) => masked_v6(address, self.prefix) == network,
            _ => false,
        }
    }
}

impl FromStr for AddressRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let network: IpAddr = address.parse().map_err(|_not_an_address| RangeError::Address)?;
        let bits = if network.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().ok().filter(|prefix| *prefix <= bits).ok_or(RangeError::Prefix)?,
            None => bits,
        };
        let masked = match network {
            IpAddr::V4(address) => IpAddr::V4(masked_v4(address, prefix)),
            IpAddr::V6(address) => IpAddr::V6(masked_v6(address, prefix)),
        };
        if masked == network { Ok(Self { network, prefix }) } else { Err(RangeError::HostBits) }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

fn masked_v4(address: Ipv4Addr, prefix: u8) -> Ipv4Addr {
    let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
    Ipv4Addr::from_bits(address.to_bits() & mask)
}

fn masked_v6(address: Ipv6Addr, prefix: u8) -> Ipv6Addr {
    let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
    Ipv6Addr::from_bits(address.to_bits() & mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_contain_what_they_say() {
        #[track_caller]
        fn check(range: &str, address: &str, expected: bool) {
            let range: AddressRange = range.parse().expect("a range");
            assert_eq!(range.contains(address.parse().expect("an address")), expected);
        }
        check("127.0.0.0/8", "127.255.255.255", true);
        check("127.0.0.0/8", "128.0.0.0", false);
        check("127.0.0.0/8", "::ffff:127.0.0.1", true);
        check("10.1.2.3", "10.1.2.3", true);
        check("10.1.2.3", "10.1.2.4", false);
        check("0.0.0.0/0", "203.0.113.9", true);
        check("0.0.0.0/0", "::1", false);
        check("::/0", "2001:db8::1", true);
        check("fd00::/8", "fdff::1", true);
        check("fd00::/8", "fc00::1", false);
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!("localhost".parse::<AddressRange>(), Err(RangeError::Address));
        assert_eq!("10.0.0.0/33".parse::<AddressRange>(), Err(RangeError::Prefix));
        assert_eq!("10.0.0.0/-1".parse::<AddressRange>(), Err(RangeError::Prefix));
        assert_eq!("10.0.0.1/8".parse::<AddressRange>(), Err(RangeError::HostBits));
    }
}
