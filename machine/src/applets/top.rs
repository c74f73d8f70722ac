//! `top`: who computes how much.

use std::{collections::BTreeMap, time::Duration};

use super::hand::{Out, Outcome, People, Stop, Usage, duration};
use crate::{Ctx, files::Open, kernel::TOTAL_MEMORY};

const USAGE: Usage = Usage::short("[-bm] [-n COUNT] [-d SECONDS]", "d:n:bHmp:");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    let pause = given.value('d').and_then(duration).unwrap_or(Duration::from_secs(5));
    let mut rounds = given.value('n').and_then(|text| text.parse::<u64>().ok()).unwrap_or(u64::MAX);
    let batch = given.has('b') || !ctx.is_terminal(1);
    let people = People::read(&ctx).await;
    let mut before: BTreeMap<i32, Duration> = ctx.processes().iter().map(|process| (process.pid, process.cpu)).collect();
    // The first look has nothing to compare with but a moment.
    let mut passed = Duration::from_millis(500);
    let _ = ctx.sleep(passed).await;
    let mut out = Out::new(&ctx);
    loop {
        if !batch {
            out.put("\x1b[H\x1b[J").await?;
        }
        let rows = if batch { usize::MAX } else { ctx.size(1).map_or(24, |size| usize::from(size.rows)).saturating_sub(5) };
        before = show(&ctx, &mut out, &people, &before, passed, rows).await?;
        out.flush().await?;
        rounds -= 1;
        if rounds == 0 {
            return Ok(0);
        }
        if batch {
            out.put("\n").await?;
        }
        if ctx.sleep(pause).await.is_err() {
            return Ok(0);
        }
        passed = pause;
    }
}

async fn show(
    ctx: &Ctx,
    out: &mut Out,
    people: &People,
    before: &BTreeMap<i32, Duration>,
    passed: Duration,
    rows: usize,
) -> Result<BTreeMap<i32, Duration>, Stop> {
    let fd = ctx.open("/proc/loadavg", Open::READ).await.map_err(Stop::Input)?;
    let load = String::from_utf8_lossy(&ctx.read_all(fd).await.map_err(Stop::Input)?).into_owned();
    let _ = ctx.close(fd);
    let processes = ctx.processes();
    let used: u64 = processes.iter().map(|process| process.memory >> 10).sum();
    let total = TOTAL_MEMORY >> 10;
    let share = |process: &crate::kernel::ProcessInfo| {
        let new = process.cpu.saturating_sub(before.get(&process.pid).copied().unwrap_or_default());
        (new.as_secs_f64() / passed.as_secs_f64() * 100.0).min(100.0)
    };
    let busy: f64 = processes.iter().map(share).sum::<f64>().min(100.0);
    out.line(format!("Mem: {used}K used, {}K free, 0K shrd, 0K buff, 0K cached", total.saturating_sub(used))).await?;
    out.line(format!("CPU:  {:2.0}% usr   0% sys   0% nic {:3.0}% idle   0% io   0% irq   0% sirq", busy, 100.0 - busy)).await?;
    out.line(format!("Load average: {}", load.trim_end())).await?;
    out.line("  PID  PPID USER     STAT   VSZ %VSZ CPU %CPU COMMAND").await?;
    let mut list: Vec<_> = processes.iter().map(|process| (share(process), process)).collect();
    list.sort_by(|one, two| two.0.total_cmp(&one.0).then_with(|| two.1.memory.cmp(&one.1.memory)));
    for (share, process) in list.into_iter().take(rows) {
        let size = process.memory >> 10;
        let size = if size < 100_000 { size.to_string() } else { format!("{}m", size >> 10) };
        let line = format!(
            "{:5} {:5} {:<8.8} {:<3} {size:>6} {:4.0}   0 {share:4.0} {}",
            process.pid,
            process.ppid,
            people.user(process.uid),
            process.state.letter(),
            process.memory as f64 / TOTAL_MEMORY as f64 * 100.0,
            super::ps::command(process)
        );
        out.line(line).await?;
    }
    Ok(processes.iter().map(|process| (process.pid, process.cpu)).collect())
}
