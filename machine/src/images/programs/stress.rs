//! `stress`: holds memory and computes, to see what limits do. It speaks as polinux/stress does, and takes the words of vish/stress.

use std::time::Duration;

use crate::{
    Ctx, Signal,
    applets::hand::{Outcome, duration, suffixed},
    kernel::{Group, Status, Waiting},
};

#[derive(Clone, Copy, Debug)]
struct Wishes {
    cpu: u32,
    io: u32,
    vm: u32,
    disk: u32,
    bytes: u64,
    /// How long memory is held before it is taken anew; nothing: taken anew at once.
    hang: Option<u64>,
    keep: bool,
    timeout: Option<Duration>,
    quiet: bool,
}

/// Reads the arguments; else what is wrong.
fn read(args: &[String]) -> Result<Wishes, String> {
    let mut wishes = Wishes { cpu: 0, io: 0, vm: 0, disk: 0, bytes: 256 << 20, hang: None, keep: false, timeout: None, quiet: false };
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let (name, given) = arg.split_once('=').map_or((arg.as_str(), None), |(name, value)| (name, Some(value.to_owned())));
        let flag = match name {
            "--vm-keep" => {
                wishes.keep = true;
                true
            }
            "-q" | "--quiet" => {
                wishes.quiet = true;
                true
            }
            "-v" | "--verbose" | "-logtostderr" => true,
            _ => false,
        };
        if flag {
            continue;
        }
        let value = given.or_else(|| rest.next().cloned()).unwrap_or_default();
        let number = || value.parse::<u32>().ok().filter(|number| *number <= 64);
        let size = || suffixed(&value.replace("Ki", "k").replace("Mi", "m").replace("Gi", "g").replace('B', ""));
        let taken = match name {
            "-c" | "--cpu" | "-cpus" | "--cpus" => number().map(|count| wishes.cpu = count),
            "-i" | "--io" => number().map(|count| wishes.io = count),
            "-m" | "--vm" => number().map(|count| wishes.vm = count),
            "-d" | "--hdd" => number().map(|count| wishes.disk = count),
            "--vm-bytes" => size().map(|bytes| wishes.bytes = bytes),
            "-mem-total" | "--mem-total" => size().map(|bytes| (wishes.vm, wishes.bytes, wishes.hang) = (1, bytes, Some(0))),
            "--vm-hang" => value.parse().ok().map(|seconds| wishes.hang = Some(seconds)),
            "--vm-stride" | "--hdd-bytes" | "--backoff" | "-b" | "-mem-alloc-size" | "-mem-alloc-sleep" => Some(()),
            "-t" | "--timeout" => duration(&value).map(|limit| wishes.timeout = Some(limit)),
            other => return Err(format!("unrecognized option: {other}")),
        };
        if taken.is_none() {
            return Err(format!("invalid number: {value}"));
        }
    }
    Ok(wishes)
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let pid = ctx.pid();
    let wishes = match read(ctx.args().get(1..).unwrap_or_default()) {
        Ok(wishes) => wishes,
        Err(why) => {
            ctx.err(format!("stress: FAIL: [{pid}] (244) {why}\n")).await;
            return Ok(1);
        }
    };
    let Wishes { cpu, io, vm, disk, .. } = wishes;
    if cpu + io + vm + disk == 0 {
        let _ = ctx.out("`stress' imposes certain types of compute stress on your system\n\nUsage: stress [OPTION [ARG]] ...\n -t, --timeout N    timeout after N seconds\n -c, --cpu N        spawn N workers spinning on sqrt()\n -m, --vm N         spawn N workers spinning on malloc()/free()\n     --vm-bytes B   malloc B bytes per vm worker (default is 256MB)\n     --vm-hang N    sleep N secs before free (default none, 0 is inf)\n").await;
        return Ok(0);
    }
    if !wishes.quiet {
        let _ = ctx.out(format!("stress: info: [{pid}] dispatching hogs: {cpu} cpu, {io} io, {vm} vm, {disk} hdd\n")).await;
    }
    let mut workers = Vec::new();
    for _ in 0..cpu + io + disk {
        workers.extend(ctx.fork(Group::Same, |ctx| async move {
            loop {
                ctx.step(1000).await;
            }
        }));
    }
    for _ in 0..vm {
        workers.extend(ctx.fork(Group::Same, move |ctx| hold(ctx, wishes)));
    }
    let begin = tokio::time::Instant::now();
    let watched = watch(&ctx, workers.len(), begin);
    let code = match wishes.timeout {
        Some(limit) => tokio::time::timeout(limit, watched).await.unwrap_or(0),
        None => watched.await,
    };
    for worker in workers {
        let _ = ctx.kill(worker, Some(Signal::KILL));
    }
    if code == 0 && !wishes.quiet {
        let _ = ctx.out(format!("stress: info: [{pid}] successful run completed in {}s\n", begin.elapsed().as_secs())).await;
    }
    Ok(code)
}

/// A worker that holds memory.
async fn hold(ctx: Ctx, wishes: Wishes) -> i32 {
    loop {
        let Ok(memory) = ctx.pretend(wishes.bytes) else { return 1 };
        // Every page is touched.
        ctx.step(u32::try_from(wishes.bytes >> 20).unwrap_or(u32::MAX)).await;
        match wishes.hang {
            Some(0) => ctx.idle().await,
            Some(seconds) => _ = ctx.sleep(Duration::from_secs(seconds)).await,
            None if wishes.keep => loop {
                ctx.step(1000).await;
            },
            None => ctx.step(1000).await,
        }
        drop(memory);
    }
}

/// Waits for the workers, which never end by themselves.
async fn watch(ctx: &Ctx, count: usize, begin: tokio::time::Instant) -> i32 {
    let pid = ctx.pid();
    for _ in 0..count {
        match ctx.wait(Waiting::Any).await {
            Ok((worker, Status::Killed(signal))) => {
                ctx.err(format!("stress: FAIL: [{pid}] (416) <-- worker {worker} got signal {}\n", signal.number())).await;
                ctx.err(format!("stress: WARN: [{pid}] (418) now reaping child worker processes\n")).await;
                ctx.err(format!("stress: FAIL: [{pid}] (452) failed run completed in {}s\n", begin.elapsed().as_secs())).await;
                return 1;
            }
            Ok((_, Status::Exited(0))) => {}
            Ok((worker, Status::Exited(code))) => {
                ctx.err(format!("stress: FAIL: [{pid}] (416) <-- worker {worker} returned error {code}\n")).await;
                return 1;
            }
            Err(_) => return 0,
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wished() {
        let wish = |text: &str| {
            read(&text.split(' ').map(str::to_owned).collect::<Vec<_>>())
                .map(|wishes| (wishes.cpu, wishes.vm, wishes.bytes >> 20, wishes.hang))
        };
        assert_eq!(wish("--vm 1 --vm-bytes 150M --vm-hang 1"), Ok((0, 1, 150, Some(1))));
        assert_eq!(wish("--cpu=2"), Ok((2, 0, 256, None)));
        assert_eq!(wish("-cpus 2"), Ok((2, 0, 256, None)));
        assert_eq!(wish("-mem-total 150Mi -logtostderr"), Ok((0, 1, 150, Some(0))));
        assert_eq!(wish("--nonsense 1"), Err("unrecognized option: --nonsense".to_owned()));
    }
}
