//! What a program reads and writes.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use super::{Cell, Machine, NR, OFMT, OFS, ORS, RS};
use crate::{
    Ctx, Errno,
    applets::{
        awk::{
            builtin,
            code::{From, Slot, Target},
            tree::Redirect,
            value::Value,
        },
        hand::{Input, Out, Stop, complain, fail},
    },
    files::Open,
    kernel::{Fd, Pid, Spawn, Waiting},
};

/// What came of asking for a record.
pub(super) enum Came {
    Record(Arc<str>),
    /// Another file has begun.
    File(String),
    /// `name=value` among the files.
    Assignment(String, String),
}

/// An output besides standard output.
struct Output {
    out: Out,
    fd: Fd,
    child: Option<Pid>,
}

/// All that is open.
pub(super) struct Streams {
    ctx: Ctx,
    operands: VecDeque<String>,
    any_file: bool,
    input: Option<Input>,
    outputs: BTreeMap<Arc<str>, Output>,
    inputs: BTreeMap<Arc<str>, (Input, Option<Pid>)>,
    failed: bool,
}

/// A record of an input, without what ends it.
async fn record(input: &mut Input, separator: &str) -> Result<Option<Arc<str>>, Errno> {
    let text = |bytes: &[u8]| -> Arc<str> { String::from_utf8_lossy(bytes).into() };
    if separator.is_empty() {
        // Paragraphs.
        let mut lines: Vec<u8> = Vec::new();
        while let Some(line) = input.line().await? {
            if line == b"\n" {
                if lines.is_empty() {
                    continue;
                }
                break;
            }
            lines.extend(line);
        }
        if lines.last() == Some(&b'\n') {
            lines.pop();
        }
        return Ok(if lines.is_empty() { None } else { Some(text(&lines)) });
    }
    let bytes = separator.as_bytes();
    let last = bytes[bytes.len() - 1];
    let mut all: Vec<u8> = Vec::new();
    while let Some(piece) = input.until(last).await? {
        all.extend(piece);
        if all.ends_with(bytes) {
            all.truncate(all.len() - bytes.len());
            return Ok(Some(text(&all)));
        }
    }
    Ok(if all.is_empty() { None } else { Some(text(&all)) })
}

impl Streams {
    pub(super) fn new(ctx: &Ctx, operands: &[String]) -> Self {
        Self {
            ctx: ctx.clone(),
            operands: operands.iter().cloned().collect(),
            any_file: false,
            input: None,
            outputs: BTreeMap::new(),
            inputs: BTreeMap::new(),
            failed: false,
        }
    }

    /// Leaves the file at hand.
    pub(super) fn skip_file(&mut self) {
        self.input = None;
    }

    /// The next record of the files, or what comes before it.
    pub(super) async fn record(&mut self, separator: &str) -> Result<Option<Came>, Stop> {
        loop {
            if let Some(input) = &mut self.input {
                match record(input, separator).await {
                    Ok(Some(text)) => return Ok(Some(Came::Record(text))),
                    Ok(None) => self.input = None,
                    Err(errno) => {
                        complain(&self.ctx, format!("read error: {errno}")).await;
                        self.failed = true;
                        self.input = None;
                    }
                }
            }
            let operand = match self.operands.pop_front() {
                Some(operand) => operand,
                None if self.any_file => return Ok(None),
                None => "-".to_owned(),
            };
            let is_name = |name: &str| {
                name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            };
            if let Some((name, value)) = operand.split_once('=').filter(|(name, _)| is_name(name)) {
                return Ok(Some(Came::Assignment(name.to_owned(), value.to_owned())));
            }
            self.any_file = true;
            match Input::open(&self.ctx, &operand).await {
                Ok(input) => {
                    self.input = Some(input);
                    return Ok(Some(Came::File(if operand == "-" { String::new() } else { operand })));
                }
                Err(errno) => {
                    complain(&self.ctx, format!("{operand}: {errno}")).await;
                    self.failed = true;
                }
            }
        }
    }

    async fn shell(&self, command: &str, descriptors: Vec<(Fd, Fd)>) -> Result<Pid, Errno> {
        let args = ["sh", "-c", command].map(str::to_owned).to_vec();
        self.ctx.spawn(Spawn { file: "sh".to_owned(), args, descriptors, ..Spawn::default() })
    }

    /// A pipe of which the child has one end, and this program the other.
    async fn child(&self, command: &str, reads: bool) -> Result<(Fd, Pid), Errno> {
        let (read, write) = self.ctx.pipe()?;
        let (ours, theirs, as_what) = if reads { (read, write, 1) } else { (write, read, 0) };
        self.ctx.set_close_on_exec(ours, true)?;
        self.ctx.set_close_on_exec(theirs, true)?;
        let pid = self.shell(command, vec![(as_what, theirs)]).await;
        let _ = self.ctx.close(theirs);
        Ok((ours, pid?))
    }

    async fn write(&mut self, name: Arc<str>, redirect: Redirect, text: &str) -> Result<(), Stop> {
        if !self.outputs.contains_key(&name) {
            let opened = match (redirect, &*name) {
                (Redirect::Pipe, command) => self.child(command, false).await.map(|(fd, pid)| (fd, Some(pid))),
                (_, "/dev/stdout") => self.ctx.dup(1, 3).map(|fd| (fd, None)),
                (_, "/dev/stderr") => self.ctx.dup(2, 3).map(|fd| (fd, None)),
                (Redirect::Append, file) => self.ctx.open(file, Open::APPEND).await.map(|fd| (fd, None)),
                (_, file) => self.ctx.open(file, Open::WRITE).await.map(|fd| (fd, None)),
            };
            match opened {
                Ok((fd, child)) => _ = self.outputs.insert(name.clone(), Output { out: Out::to(&self.ctx, fd), fd, child }),
                Err(errno) => return Err(fail(&self.ctx, format!("can't open '{name}': {errno}")).await),
            }
        }
        match self.outputs.get_mut(&name) {
            Some(output) => output.out.put(text).await,
            None => Ok(()),
        }
    }

    async fn close(&mut self, name: &str) -> Result<f64, Stop> {
        let mut code = -1.0;
        if let Some(mut output) = self.outputs.remove(name) {
            output.out.flush().await?;
            let _ = self.ctx.close(output.fd);
            code = self.reap(output.child).await;
        }
        if let Some((input, child)) = self.inputs.remove(name) {
            drop(input);
            code = self.reap(child).await;
        }
        Ok(code)
    }

    async fn reap(&self, child: Option<Pid>) -> f64 {
        match child {
            Some(pid) => self.ctx.wait(Waiting::Pid(pid)).await.map_or(0.0, |(_, status)| f64::from(status.code())),
            None => 0.0,
        }
    }

    async fn flush(&mut self) -> Result<(), Stop> {
        for output in self.outputs.values_mut() {
            output.out.flush().await?;
        }
        Ok(())
    }

    /// Closes everything; whether anything could not be read.
    pub(super) async fn finish(mut self, _: &Ctx) -> Result<bool, Stop> {
        let names: Vec<Arc<str>> = self.outputs.keys().chain(self.inputs.keys()).cloned().collect();
        for name in names {
            self.close(&name).await?;
        }
        Ok(self.failed)
    }
}

impl Machine {
    async fn emit(&mut self, text: String, redirect: Redirect) -> Result<(), Stop> {
        if redirect == Redirect::None {
            return self.out.put(text).await;
        }
        let name = self.pop_text();
        if redirect == Redirect::Pipe || name.starts_with("/dev/std") {
            // What was printed before comes before.
            self.out.flush().await?;
        }
        self.streams.write(name, redirect, &text).await
    }

    pub(super) async fn print(&mut self, count: usize, redirect: Redirect) -> Result<(), Stop> {
        let target = if redirect == Redirect::None { None } else { Some(self.pop()) };
        let values = self.stack.split_off(self.stack.len().saturating_sub(count));
        let (joint, end, format) = (self.global_text(OFS), self.global_text(ORS), self.global_text(OFMT));
        let mut text = if count == 0 {
            self.whole_record().to_string()
        } else {
            values.iter().map(|value| value.to_text(&format)).collect::<Vec<_>>().join(&joint)
        };
        text.push_str(&end);
        self.stack.extend(target);
        self.emit(text, redirect).await
    }

    pub(super) async fn printf(&mut self, count: usize, redirect: Redirect) -> Result<(), Stop> {
        let target = if redirect == Redirect::None { None } else { Some(self.pop()) };
        let values = self.stack.split_off(self.stack.len().saturating_sub(count));
        let format = self.format();
        let text = values.first().map_or_else(String::new, |first| builtin::format(&first.to_text(&format), &values[1..], &format));
        self.stack.extend(target);
        self.emit(text, redirect).await
    }

    pub(super) async fn streaming(&mut self, name: &str, count: usize) -> Result<(), Stop> {
        self.out.flush().await?;
        self.streams.flush().await?;
        let text = if count > 0 { self.pop_text() } else { "".into() };
        let code = match name {
            "system" => match self.streams.shell(&text, Vec::new()).await {
                Ok(pid) => self.streams.reap(Some(pid)).await,
                Err(_) => -1.0,
            },
            "close" => self.streams.close(&text).await?,
            _ => 0.0,
        };
        self.push_number(code);
        Ok(())
    }

    pub(super) async fn getline(&mut self, from: From, target: Option<Target>) -> Result<(), Stop> {
        let separator = self.global_text(RS);
        let text = match from {
            From::Main => self.next_record().await.map(Ok)?,
            From::File | From::Command => {
                let name = self.pop_text();
                if !self.streams.inputs.contains_key(&name) {
                    let opened = if from == From::Command {
                        self.out.flush().await?;
                        self.streams.flush().await?;
                        self.streams.child(&name, true).await.map(|(fd, pid)| (Input::own(&self.ctx, fd), Some(pid)))
                    } else {
                        Input::open(&self.ctx, &name).await.map(|input| (input, None))
                    };
                    if let Ok(opened) = opened {
                        self.streams.inputs.insert(name.clone(), opened);
                    }
                }
                match self.streams.inputs.get_mut(&name) {
                    Some((input, _)) => record(input, &separator).await,
                    None => Err(Errno::ENOENT),
                }
            }
        };
        let code = match text {
            Err(_) => -1.0,
            Ok(None) => 0.0,
            Ok(Some(text)) => {
                if from == From::Command {
                    let number = self.get_variable(Slot::Global(NR)).number() + 1.0;
                    self.globals[NR] = Cell::Value(Value::Number(number));
                }
                match target {
                    // Its address is on the stack.
                    Some(target) => {
                        self.set(target, Value::read(&text)).await?;
                        self.push_number(1.0);
                        return Ok(());
                    }
                    None => self.record.set(text),
                }
                1.0
            }
        };
        if target.is_some_and(Target::has_address) {
            self.pop();
        }
        self.push_number(code);
        Ok(())
    }
}
