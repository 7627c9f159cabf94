//! Functions of networks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::{count_at, number_at, text_at};
use crate::plan::hcl::value::{Fault, Val, Valued};

fn network_at(arguments: &[Val], at: usize) -> Result<IpNet, Fault> {
    let text = text_at(arguments, at)?;
    text.parse::<IpNet>().map_err(|_| Fault::new(format!("`{text}` is no network")))
}

/// The address as a number, and how many bits it has.
fn bits(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(it) => (u128::from(u32::from(it)), 32),
        IpAddr::V6(it) => (u128::from(it), 128),
    }
}

fn address(number: u128, width: u8) -> Result<IpAddr, Fault> {
    if width == 128 {
        return Ok(IpAddr::V6(Ipv6Addr::from(number)));
    }
    let number = u32::try_from(number).map_err(|_| Fault::new("is no address"))?;
    Ok(IpAddr::V4(Ipv4Addr::from(number)))
}

/// `cidrsubnet(prefix, newbits, netnum)`.
pub fn cidrsubnet(arguments: &[Val]) -> Valued {
    let network = network_at(arguments, 0)?;
    let (more, number) = (count_at(arguments, 1)?, count_at(arguments, 2)?);
    let (base, width) = bits(network.network());
    let length = usize::from(network.prefix_len()) + more;
    let fits = length <= usize::from(width) && (128 <= more || number as u128 >> more == 0);
    if !fits {
        return Err(Fault::new("the network is not that large"));
    }
    let shift = u32::try_from(usize::from(width) - length).unwrap_or_default();
    let subnet = base | (number as u128).checked_shl(shift).unwrap_or_default();
    Val::text(format!("{}/{length}", address(subnet, width)?))
}

/// `cidrhost(prefix, hostnum)`: a negative number counts from the end.
pub fn cidrhost(arguments: &[Val]) -> Valued {
    let network = network_at(arguments, 0)?;
    let number = number_at(arguments, 1)?;
    let (base, width) = bits(network.network());
    let (last, _) = bits(network.broadcast());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
    let steps = number.abs() as u128;
    let host = if number < 0.0 {
        last.checked_sub(steps.saturating_sub(1)).filter(|it| base <= *it)
    } else {
        base.checked_add(steps).filter(|it| *it <= last)
    };
    let host = host.ok_or_else(|| Fault::new("the network is not that large"))?;
    Val::text(address(host, width)?.to_string())
}

pub fn cidrnetmask(arguments: &[Val]) -> Valued {
    Val::text(network_at(arguments, 0)?.netmask().to_string())
}
