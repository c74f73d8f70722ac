//! `ifconfig`, `ip`, `route`: the network as a container sees it.

use std::net::IpAddr;

use super::hand::{Out, Outcome, Stop, Usage, fail, name};
use crate::{Ctx, Errno};

/// What an interface of a pod can carry at once.
const MTU: u32 = 1450;

/// A hardware address that follows from the address, as several network plugins have it.
fn hardware(address: Option<IpAddr>) -> String {
    let octets = match address {
        Some(IpAddr::V4(address)) => address.octets(),
        _ => [0; 4],
    };
    let pairs: Vec<String> = [0x0a, 0x58].into_iter().chain(octets).map(|byte| format!("{byte:02x}")).collect();
    pairs.join(":")
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let addresses = ctx.addresses();
    let own = addresses.iter().find(|address| address.is_ipv4()).copied().or(addresses.first().copied());
    let words: Vec<&str> = ctx.args().iter().skip(1).map(String::as_str).collect();
    let mut out = Out::new(&ctx);
    match name(&ctx) {
        "ip" => ip(&ctx, &mut out, own, &words).await?,
        "route" => {
            out.line("Kernel IP routing table\nDestination     Gateway         Genmask         Flags Metric Ref    Use Iface").await?;
            if let Some(IpAddr::V4(address)) = own {
                let [a, b, c, _] = address.octets();
                out.line(format!(
                    "{:<15} {:<15} {:<15} {:<5} {:<6} {:<2} {:>7} eth0",
                    "default",
                    format!("{a}.{b}.{c}.1"),
                    "0.0.0.0",
                    "UG",
                    0,
                    0,
                    0
                ))
                .await?;
                out.line(format!(
                    "{:<15} {:<15} {:<15} {:<5} {:<6} {:<2} {:>7} eth0",
                    format!("{a}.{b}.{c}.0"),
                    "0.0.0.0",
                    "255.255.255.0",
                    "U",
                    0,
                    0,
                    0
                ))
                .await?;
            }
        }
        _ => {
            let only = words.iter().find(|word| !word.starts_with('-')).copied();
            if let Some(only) = only.filter(|only| !matches!(*only, "eth0" | "lo")) {
                return Err(fail(&ctx, format!("{only}: error fetching interface information: Device not found")).await);
            }
            if only != Some("lo")
                && let Some(address) = own
            {
                let mac = hardware(own).to_uppercase();
                out.put(format!(
                    "eth0      Link encap:Ethernet  HWaddr {mac}  \n          inet addr:{address}  Bcast:{}  Mask:255.255.255.0\n          UP BROADCAST RUNNING MULTICAST  MTU:{MTU}  Metric:1\n          RX packets:0 errors:0 dropped:0 overruns:0 frame:0\n          TX packets:0 errors:0 dropped:0 overruns:0 carrier:0\n          collisions:0 txqueuelen:0 \n          RX bytes:0 (0.0 B)  TX bytes:0 (0.0 B)\n\n",
                    broadcast(address)
                ))
                .await?;
            }
            if only != Some("eth0") {
                out.put("lo        Link encap:Local Loopback  \n          inet addr:127.0.0.1  Mask:255.0.0.0\n          UP LOOPBACK RUNNING  MTU:65536  Metric:1\n          RX packets:0 errors:0 dropped:0 overruns:0 frame:0\n          TX packets:0 errors:0 dropped:0 overruns:0 carrier:0\n          collisions:0 txqueuelen:1000 \n          RX bytes:0 (0.0 B)  TX bytes:0 (0.0 B)\n\n").await?;
            }
        }
    }
    out.end(0).await
}

fn broadcast(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.255")
        }
        IpAddr::V6(_) => String::new(),
    }
}

async fn ip(ctx: &Ctx, out: &mut Out, own: Option<IpAddr>, words: &[&str]) -> Result<(), Stop> {
    let words: Vec<&str> = words.iter().copied().filter(|word| !word.starts_with('-')).collect();
    let changes = words.iter().any(|word| matches!(*word, "add" | "del" | "delete" | "set" | "flush" | "replace" | "change"));
    if changes {
        ctx.err(format!("ip: RTNETLINK answers: {}\n", Errno::EPERM)).await;
        return Err(Stop::Exit(2));
    }
    match words.first().copied().unwrap_or_default() {
        first @ ("a" | "addr" | "address" | "l" | "link") => {
            let shows = first.starts_with('a');
            out.line("1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue qlen 1000\n    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00").await?;
            if shows {
                out.line("    inet 127.0.0.1/8 scope host lo\n       valid_lft forever preferred_lft forever").await?;
            }
            if let Some(address) = own {
                out.line(format!("2: eth0@if3: <BROADCAST,MULTICAST,UP,LOWER_UP,M-DOWN> mtu {MTU} qdisc noqueue \n    link/ether {} brd ff:ff:ff:ff:ff:ff", hardware(own))).await?;
                if shows {
                    out.line(format!(
                        "    inet {address}/24 brd {} scope global eth0\n       valid_lft forever preferred_lft forever",
                        broadcast(address)
                    ))
                    .await?;
                }
            }
            Ok(())
        }
        "r" | "route" | "ro" => {
            if let Some(IpAddr::V4(address)) = own {
                let [a, b, c, _] = address.octets();
                out.line(format!("default via {a}.{b}.{c}.1 dev eth0 \n{a}.{b}.{c}.0/24 dev eth0 scope link  src {address} ")).await?;
            }
            Ok(())
        }
        _ => Err(Usage::operands("[OPTIONS] address|route|link|tunnel|neigh|rule [ARGS]").explain(ctx).await),
    }
}
