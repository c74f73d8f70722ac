//! `xargs`: arguments from what is read.

use super::hand::{Input, Outcome, Stop, Usage, complain, confirmed, fail};
use crate::{
    Ctx, Errno,
    files::Open,
    kernel::{Pid, Spawn, Status, Waiting},
};

const USAGE: Usage = Usage::short("[OPTIONS] [PROG ARGS]", "+0rtpa:n:s:xI:P:e::E:L:");
/// How long a command may be.
const LONGEST: usize = 32 << 10;

struct Feeder<'a> {
    ctx: &'a Ctx,
    input: Input,
    zeros: bool,
    by_line: bool,
    end: Option<String>,
    /// What is left of the piece that was read.
    buffer: Vec<u8>,
    at: usize,
    over: bool,
}

impl Feeder<'_> {
    async fn byte(&mut self) -> Result<Option<u8>, Stop> {
        if self.at == self.buffer.len() && !self.over {
            self.buffer = self.input.piece(usize::MAX).await.map_err(Stop::Input)?;
            self.at = 0;
            self.over = self.buffer.is_empty();
            self.ctx.step(1 + u32::try_from(self.buffer.len() / 512).unwrap_or(0)).await;
        }
        let byte = self.buffer.get(self.at).copied();
        self.at += usize::from(byte.is_some());
        Ok(byte)
    }

    /// The next argument.
    async fn next(&mut self) -> Result<Option<String>, Stop> {
        let mut word: Vec<u8> = Vec::new();
        let (mut quote, mut begun) = (None, false);
        loop {
            let Some(byte) = self.byte().await? else {
                if quote.is_some() {
                    return Err(fail(self.ctx, "unmatched quote").await);
                }
                break;
            };
            if word.len() > LONGEST {
                return Err(fail(self.ctx, "argument line too long").await);
            }
            match (byte, quote) {
                (0, _) if self.zeros => return Ok(Some(String::from_utf8_lossy(&word).into_owned())),
                (byte, _) if self.zeros => {
                    word.push(byte);
                    begun = true;
                }
                (byte, Some(open)) if byte == open => quote = None,
                (byte, Some(_)) => word.push(byte),
                (b'\'' | b'"', None) => {
                    quote = Some(byte);
                    begun = true;
                }
                (b'\\', None) => {
                    word.extend(self.byte().await?);
                    begun = true;
                }
                (b'\n', None) if begun => break,
                (b' ' | b'\t', None) if begun && !self.by_line => break,
                (b' ' | b'\t' | b'\n', None) if !begun => {}
                (byte, None) => {
                    word.push(byte);
                    begun = true;
                }
            }
        }
        let word = String::from_utf8_lossy(&word).into_owned();
        Ok(Some(word.clone()).filter(|word| begun && self.end.as_ref() != Some(word)))
    }
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    let number = |option| given.value(option).map(|text| text.parse::<usize>().map_err(|_| text.to_owned()));
    let (most, at_once) = match (number('n').or(number('L')), number('P')) {
        (Some(Err(text)), _) | (_, Some(Err(text))) => return Err(fail(&ctx, format!("invalid number '{text}'")).await),
        (most, at_once) => (most.and_then(Result::ok), at_once.and_then(Result::ok).unwrap_or(1)),
    };
    let input = match Input::open(&ctx, given.value('a').unwrap_or("-")).await {
        Ok(input) => input,
        Err(errno) => return Err(fail(&ctx, format!("can't open '{}': {errno}", given.value('a').unwrap_or_default())).await),
    };
    let place = given.value('I').map(str::to_owned);
    let end = given.value('E').or(given.value('e')).map(str::to_owned);
    let mut feeder =
        Feeder { ctx: &ctx, input, zeros: given.has('0'), by_line: place.is_some(), end, buffer: Vec::new(), at: 0, over: false };
    let command = if given.operands.is_empty() { vec!["echo".to_owned()] } else { given.operands.clone() };
    let limit = given.value('s').and_then(|text| text.parse().ok()).unwrap_or(LONGEST).min(LONGEST);
    let most = if place.is_some() { 1 } else { most.unwrap_or(usize::MAX) };
    let (mut code, mut running, mut first) = (0, Vec::new(), true);
    let mut waiting: Option<String> = None;
    loop {
        let mut words = Vec::new();
        let mut size: usize = command.iter().map(|word| word.len() + 1).sum();
        while words.len() < most {
            let Some(word) = (if waiting.is_some() { waiting.take() } else { feeder.next().await? }) else { break };
            size += word.len() + 1;
            if size > limit && !words.is_empty() {
                waiting = Some(word);
                break;
            }
            words.push(word);
        }
        if words.is_empty() && (!first || given.has('r') || place.is_some()) {
            break;
        }
        let last = words.is_empty();
        first = false;
        let args = match &place {
            Some(place) => command.iter().map(|word| word.replace(place.as_str(), words.first().map_or("", String::as_str))).collect(),
            None => [command.clone(), words].concat(),
        };
        if given.has('t') || given.has('p') {
            ctx.err(format!("{}{}", args.join(" "), if given.has('p') { "" } else { "\n" })).await;
            if given.has('p') && !confirmed(&ctx, "?...").await {
                continue;
            }
        }
        if running.len() >= at_once.max(1) {
            code = reap(&ctx, &mut running, &command[0], code).await?;
        }
        running.push(start(&ctx, args).await?);
        if last {
            break;
        }
    }
    while !running.is_empty() {
        code = reap(&ctx, &mut running, &command[0], code).await?;
    }
    Ok(code)
}

async fn start(ctx: &Ctx, args: Vec<String>) -> Result<Pid, Stop> {
    let file = args.first().cloned().unwrap_or_default();
    // Of what is read here the program shall see nothing.
    let null = ctx.open("/dev/null", Open::READ).await.ok();
    let descriptors = null.map(|null| vec![(0, null)]).unwrap_or_default();
    let started = ctx.spawn(Spawn { file: file.clone(), args, descriptors, ..Spawn::default() });
    if let Some(null) = null {
        let _ = ctx.close(null);
    }
    match started {
        Ok(pid) => Ok(pid),
        Err(errno) => {
            complain(ctx, format!("{file}: {errno}")).await;
            Err(Stop::Exit(if errno == Errno::ENOENT { 127 } else { 126 }))
        }
    }
}

async fn reap(ctx: &Ctx, running: &mut Vec<Pid>, command: &str, code: i32) -> Result<i32, Stop> {
    let Ok((pid, status)) = ctx.wait(Waiting::Any).await else {
        running.clear();
        return Ok(code);
    };
    running.retain(|known| *known != pid);
    match status {
        Status::Exited(0) => Ok(code),
        Status::Exited(255) => {
            complain(ctx, format!("{command}: exited with status 255; aborting")).await;
            Err(Stop::Exit(124))
        }
        Status::Exited(_) => Ok(123),
        Status::Killed(signal) => {
            complain(ctx, format!("{command}: terminated by signal {}", signal.number())).await;
            Err(Stop::Exit(125))
        }
    }
}
