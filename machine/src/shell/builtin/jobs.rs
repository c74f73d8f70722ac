//! Children and signals.

use crate::{
    Signal,
    kernel::Pid,
    shell::{Flow, Shell, trap::number},
};

/// `jobs`
pub(super) async fn list(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    let (letters, _) = shell.letters(args, "lp", "").await?;
    let pids = letters.iter().any(|(letter, _)| *letter == 'p');
    shell.reap();
    let named = shell.options.monitor;
    let lines = shell.jobs.all().into_iter().rev();
    let text: String = lines.map(|(mark, job)| if pids { format!("{}\n", job.pid) } else { job.line(mark, named) }).collect();
    shell.jobs.take_ended();
    Ok(shell.print(text).await)
}

/// `wait`
pub(super) async fn wait(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    let operands = args.get(1..).unwrap_or_default();
    if operands.is_empty() {
        return shell.wait_job(None).await;
    }
    let mut code = 0;
    for operand in operands {
        if !operand.starts_with('%') {
            shell.number(operand).await?;
        }
        code = match shell.jobs.find(operand).map(|job| job.pid) {
            Some(pid) => shell.wait_job(Some(pid)).await?,
            None => 127,
        };
        if code > 128 && shell.jobs.find(operand).is_some_and(|job| job.ended.is_none()) {
            return Ok(code);
        }
    }
    Ok(code)
}

/// The job that an argument names, or the current one.
async fn job(shell: &mut Shell, args: &[String]) -> Result<(Pid, String), Flow> {
    shell.reap();
    let name = args.get(1).map_or("%%", String::as_str);
    let found = shell.jobs.find(name).filter(|job| job.ended.is_none()).map(|job| (job.pid, job.text.clone()));
    match found {
        Some(found) => Ok(found),
        None if args.len() < 2 => Err(shell.raise(2, "No current job").await),
        None => Err(shell.raise(2, &format!("{name}: no such job")).await),
    }
}

/// `fg`
pub(super) async fn foreground(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    let (pid, text) = job(shell, args).await?;
    shell.print(format!("{text}\n")).await;
    shell.jobs.remove(pid);
    let _ = shell.ctx.kill(-pid, Some(Signal::CONT));
    Ok(shell.foreground(&[pid]).await.pop().unwrap_or(0))
}

/// `bg`
pub(super) async fn background(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    let (pid, text) = job(shell, args).await?;
    let _ = shell.ctx.kill(-pid, Some(Signal::CONT));
    Ok(shell.print(format!("{text}\n")).await)
}

/// `trap`
pub(super) async fn trap(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    let (_, operands) = shell.letters(args, "", "").await?;
    let (action, signals) = match operands {
        [] => {
            let text = shell.traps.listing();
            return Ok(shell.print(text).await);
        }
        [_] => (None, operands),
        [first, ..] if first.bytes().all(|byte| byte.is_ascii_digit()) && !first.is_empty() => (None, operands),
        [first, signals @ ..] => (Some(first.clone()).filter(|action| action != "-"), signals),
    };
    let mut status = 0;
    for name in signals {
        match number(name) {
            Some(number) => shell.traps.set(&shell.ctx, number, action.clone()),
            None => {
                shell.complain(&format!("{name}: invalid signal specification")).await;
                status = 1;
            }
        }
    }
    Ok(status)
}
