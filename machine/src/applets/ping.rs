//! `ping`: asks hosts for an echo.

use std::time::Duration;

use super::hand::{Out, Outcome, Usage, duration, fail};
use crate::{Ctx, Signal, kernel::Disposition};

const USAGE: Usage = Usage::short("[OPTIONS] HOST", "qvAc:s:t:w:W:I:np:i:46");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 1, 1).await?;
    let host = &given.operands[0];
    let count = match given.value('c').map(str::parse::<u64>) {
        Some(Ok(count)) => count,
        Some(Err(_)) => return Err(fail(&ctx, format!("invalid number '{}'", given.value('c').unwrap_or_default())).await),
        None => 0,
    };
    let size: u64 = given.value('s').and_then(|text| text.parse().ok()).unwrap_or(56);
    let interval = given.value('i').and_then(duration).unwrap_or(Duration::from_secs(1));
    let wait = given.value('W').and_then(duration).unwrap_or(Duration::from_secs(10));
    let deadline = given.value('w').and_then(duration);
    let address = match ctx.resolve(host).await {
        Ok(found) if !found.addresses.is_empty() => found.addresses[0],
        _ => return Err(fail(&ctx, format!("bad address '{host}'")).await),
    };
    let _ = ctx.set_disposition(Signal::INT, Disposition::Catch);
    let mut out = Out::new(&ctx);
    out.line(format!("PING {host} ({address}): {size} data bytes")).await?;
    let begin = tokio::time::Instant::now();
    let (mut sent, mut times): (u64, Vec<Duration>) = (0, Vec::new());
    loop {
        sent += 1;
        match tokio::time::timeout(wait, ctx.ping(address)).await {
            Ok(Ok(Some(time))) => {
                times.push(time);
                if !given.has('q') {
                    let line =
                        format!("{} bytes from {address}: seq={} ttl=64 time={:.3} ms", size + 8, sent - 1, time.as_secs_f64() * 1000.0);
                    out.line(line).await?;
                }
            }
            Ok(Err(errno)) => return Err(fail(&ctx, format!("sendto: {errno}")).await),
            Ok(Ok(None)) | Err(_) => {}
        }
        // What is seen comes as it happens, as each line does from a program that flushes.
        out.flush().await?;
        if sent == count || deadline.is_some_and(|deadline| begin.elapsed() >= deadline) {
            break;
        }
        if ctx.sleep(interval).await.is_err() {
            // ^C: what was seen so far is summed up.
            break;
        }
    }
    let got = times.len() as u64;
    out.put(format!(
        "\n--- {host} ping statistics ---\n{sent} packets transmitted, {got} packets received, {}% packet loss\n",
        (sent - got) * 100 / sent
    ))
    .await?;
    if let (Some(least), Some(most)) = (times.iter().min(), times.iter().max()) {
        let mean = times.iter().sum::<Duration>().as_secs_f64() / got as f64;
        out.line(format!(
            "round-trip min/avg/max = {:.3}/{:.3}/{:.3} ms",
            least.as_secs_f64() * 1000.0,
            mean * 1000.0,
            most.as_secs_f64() * 1000.0
        ))
        .await?;
    }
    out.end(i32::from(got == 0)).await
}
