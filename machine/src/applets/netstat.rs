//! `netstat`, `ss`: who listens.

use super::hand::{Out, Outcome, Usage, name};
use crate::Ctx;

const USAGE: Usage = Usage::short("[-ral] [-tuwx] [-en] [-p]", "laentuwxrWp46osHiSm");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    let mut out = Out::new(&ctx);
    if given.has('r') {
        out.line("Kernel IP routing table").await?;
        out.line("Destination     Gateway         Genmask         Flags   MSS Window  irtt Iface").await?;
        return out.end(0).await;
    }
    let listens = given.has('l') || given.has('a');
    // Of a listener it is known where, not who.
    let rows = if listens { ctx.listening() } else { Vec::new() };
    if name(&ctx) == "ss" {
        out.line("State    Recv-Q   Send-Q     Local Address:Port     Peer Address:Port").await?;
        for (port, local) in rows {
            let address = if local { "127.0.0.1" } else { "0.0.0.0" };
            out.line(format!("LISTEN   0        128      {:>18}:{port:<5} {:>18}:*", address, "0.0.0.0")).await?;
        }
        return out.end(0).await;
    }
    let what = if given.has('a') {
        "(servers and established)"
    } else if given.has('l') {
        "(only servers)"
    } else {
        "(w/o servers)"
    };
    out.line(format!("Active Internet connections {what}")).await?;
    let who = if given.has('p') { "       PID/Program name    " } else { "       " };
    out.line(format!("Proto Recv-Q Send-Q Local Address           Foreign Address         State{who}")).await?;
    for (port, local) in rows {
        let address = format!("{}:{port}", if local { "127.0.0.1" } else { "0.0.0.0" });
        let who = if given.has('p') { "-" } else { "" };
        out.line(format!("tcp        0      0 {address:<23} {:<23} {:<11} {who}", "0.0.0.0:*", "LISTEN")).await?;
    }
    if !given.has('t') && !given.has('u') && !given.has('w') {
        out.line(format!("Active UNIX domain sockets {what}")).await?;
        out.line("Proto RefCnt Flags       Type       State         I-Node Path").await?;
    }
    out.end(0).await
}
