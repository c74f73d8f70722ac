//! `telnet`: bytes to and from a port, for people who look whether it is open.

use std::net::SocketAddr;

use super::hand::{Outcome, Stop, Usage, fail};
use crate::{
    Ctx,
    kernel::{Group, Waiting},
};

const USAGE: Usage = Usage::short("[-a] [-l USER] HOST [PORT]", "al:");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 1, 2).await?;
    let host = &given.operands[0];
    let text = given.operands.get(1).map_or("23", String::as_str);
    let Ok(port) = text.parse() else { return Err(fail(&ctx, format!("bad port '{text}'")).await) };
    let address = match ctx.resolve(host).await {
        Ok(found) if !found.addresses.is_empty() => SocketAddr::new(found.addresses[0], port),
        _ => return Err(fail(&ctx, format!("bad address '{host}'")).await),
    };
    let fd = match ctx.connect(address).await {
        Ok(fd) => fd,
        Err(errno) => return Err(fail(&ctx, format!("can't connect to remote host ({}): {errno}", address.ip())).await),
    };
    ctx.out(format!("Connected to {host}\n\nEntering character mode\nEscape character is '^]'.\n\n")).await.map_err(Stop::Output)?;
    let sender = ctx.fork(Group::Same, move |ctx| async move {
        loop {
            let bytes = ctx.read(0, 1024).await.unwrap_or_default();
            let ends = bytes.contains(&0x1d);
            let bytes: Vec<u8> = bytes.into_iter().flat_map(|byte| if byte == b'\n' { vec![b'\r', b'\n'] } else { vec![byte] }).collect();
            if bytes.is_empty() || ends || ctx.write_all(fd, &bytes).await.is_err() {
                break;
            }
        }
        let _ = ctx.shutdown(fd).await;
        0
    });
    loop {
        let bytes = ctx.read(fd, 4096).await.unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        ctx.out(bytes).await.map_err(Stop::Output)?;
    }
    ctx.err("Connection closed by foreign host\r\n").await;
    if let Ok(sender) = sender {
        let _ = ctx.kill(sender, Some(crate::Signal::KILL));
        let _ = ctx.wait(Waiting::Pid(sender)).await;
    }
    Ok(1)
}
