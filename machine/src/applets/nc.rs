//! `nc`: bytes to and from the network.

use std::{net::SocketAddr, time::Duration};

use super::hand::{Given, Outcome, Stop, Usage, duration, execute, fail};
use crate::{
    Ctx,
    kernel::{Fd, Group},
};

const USAGE: Usage = Usage::short(
    "[-iN] [-wN] [-l] [-p PORT] [-f FILE|IPADDR PORT] [-e PROG]\nor: nc -z [-v] [-wN] IPADDR PORT",
    "lp:w:i:o:zf:e:vnuk46s:q:",
);

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    // All that is behind -e is the program.
    let mut args = ctx.args().to_vec();
    let mut program = None;
    if let Some(at) =
        args.iter().position(|arg| arg == "-e" || arg.starts_with('-') && arg.ends_with('e') && arg.len() > 1 && !arg.starts_with("--"))
    {
        program = Some(args.split_off(at + 1));
        let option = args.pop().unwrap_or_default();
        if option.len() > 2 {
            args.push(option[..option.len() - 1].to_owned());
        }
    }
    let ctx = ctx.with_args(args);
    let given = USAGE.parse(&ctx).await?;
    if given.has('u') {
        return Err(fail(&ctx, "UDP is not simulated").await);
    }
    let fd = if given.has('l') { accepted(&ctx, &given).await? } else { connected(&ctx, &given).await? };
    let Some(fd) = fd else { return Ok(0) };
    if let Some(program) = program {
        return become_program(&ctx, fd, &program).await;
    }
    carry(&ctx, fd, given.value('i').and_then(duration)).await
}

async fn port(ctx: &Ctx, text: &str) -> Result<u16, Stop> {
    let known = match text {
        "http" => Some(80),
        "https" => Some(443),
        "ssh" => Some(22),
        "domain" => Some(53),
        _ => text.parse().ok(),
    };
    match known {
        Some(port) => Ok(port),
        None => Err(fail(ctx, format!("bad port '{text}'")).await),
    }
}

async fn accepted(ctx: &Ctx, given: &Given) -> Result<Option<Fd>, Stop> {
    let text = given.value('p').or(given.operands.last().map(String::as_str)).unwrap_or("0");
    let port = port(ctx, text).await?;
    let listening = match ctx.listen(SocketAddr::from(([0, 0, 0, 0], port))) {
        Ok(fd) => fd,
        Err(errno) => return Err(fail(ctx, format!("bind: {errno}")).await),
    };
    if given.has('v') {
        ctx.err(format!("listening on 0.0.0.0:{port} ...\n")).await;
    }
    let waiting = ctx.accept(listening);
    let accepted = match given.value('w').and_then(duration) {
        Some(limit) => match tokio::time::timeout(limit, waiting).await {
            Ok(accepted) => accepted,
            Err(_) => return Err(fail(ctx, "timed out").await),
        },
        None => waiting.await,
    };
    match accepted {
        Ok((fd, peer)) => {
            if given.has('v') {
                ctx.err(format!("connect to 0.0.0.0:{port} from {peer}\n")).await;
            }
            let _ = ctx.close(listening);
            Ok(Some(fd))
        }
        Err(errno) => Err(fail(ctx, format!("accept: {errno}")).await),
    }
}

async fn connected(ctx: &Ctx, given: &Given) -> Result<Option<Fd>, Stop> {
    let [host, port_text] = given.operands.as_slice() else { return Err(USAGE.explain(ctx).await) };
    let port = port(ctx, port_text).await?;
    let address = match ctx.resolve(host).await {
        Ok(found) if !found.addresses.is_empty() => SocketAddr::new(found.addresses[0], port),
        _ => return Err(fail(ctx, format!("bad address '{host}'")).await),
    };
    let limit = given.value('w').and_then(duration).filter(|limit| !limit.is_zero()).unwrap_or(Duration::from_secs(127));
    let connected = match tokio::time::timeout(limit, ctx.connect(address)).await {
        Ok(connected) => connected,
        Err(_) => {
            return Err(fail(
                ctx,
                if given.has('w') { "timed out".to_owned() } else { format!("{host} ({address}): Connection timed out") },
            )
            .await);
        }
    };
    match connected {
        Ok(fd) => {
            if given.has('v') {
                ctx.err(format!("{host} ({address}) open\n")).await;
            }
            Ok(Some(fd).filter(|_| !given.has('z')))
        }
        // With -z it is the code that tells.
        Err(_) if given.has('z') && !given.has('v') => Err(Stop::Exit(1)),
        Err(errno) => Err(fail(ctx, format!("{host} ({address}): {errno}")).await),
    }
}

async fn become_program(ctx: &Ctx, fd: Fd, program: &[String]) -> Outcome {
    for to in 0..3 {
        ctx.dup2(fd, to).map_err(Stop::Input)?;
    }
    if fd > 2 {
        let _ = ctx.close(fd);
    }
    Err(execute(ctx, program, ctx.env().to_vec()).await)
}

/// Carries bytes both ways until the other side has ended.
async fn carry(ctx: &Ctx, fd: Fd, pause: Option<Duration>) -> Outcome {
    let sender = ctx.fork(Group::Same, move |ctx| async move {
        loop {
            let bytes = ctx.read(0, 4096).await.unwrap_or_default();
            if bytes.is_empty() || ctx.write_all(fd, &bytes).await.is_err() {
                break;
            }
            if let Some(pause) = pause {
                let _ = ctx.sleep(pause).await;
            }
        }
        let _ = ctx.shutdown(fd).await;
        0
    });
    let result = loop {
        match ctx.read(fd, 4096).await {
            Ok(bytes) if bytes.is_empty() => break Ok(0),
            Ok(bytes) => ctx.out(bytes).await.map_err(Stop::Output)?,
            Err(errno) => break Err(Stop::Input(errno)),
        }
    };
    if let Ok(sender) = sender {
        let _ = ctx.kill(sender, Some(crate::Signal::KILL));
        let _ = ctx.wait(crate::kernel::Waiting::Pid(sender)).await;
    }
    result
}
