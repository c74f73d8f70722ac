//! `uptime`: how long the machine has been up.

use super::hand::{Clock, Outcome, Stop};
use crate::{Ctx, files::Open};

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let seconds = ctx.uptime().as_secs();
    let (days, hours, minutes) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60);
    let days = match days {
        0 => String::new(),
        1 => "1 day, ".to_owned(),
        days => format!("{days} days, "),
    };
    let clock = if hours > 0 { format!("{hours:2}:{minutes:02}") } else { format!("{minutes} min") };
    let fd = ctx.open("/proc/loadavg", Open::READ).await.map_err(Stop::Input)?;
    let load = String::from_utf8_lossy(&ctx.read_all(fd).await.map_err(Stop::Input)?).into_owned();
    let load: Vec<&str> = load.split(' ').take(3).collect();
    let time = Clock::of(&ctx).format(ctx.now(), "%H:%M:%S");
    ctx.out(format!(" {time} up {days}{clock},  0 users,  load average: {}\n", load.join(", "))).await.map_err(Stop::Output)?;
    Ok(0)
}
