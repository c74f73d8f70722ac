//! The loop that does the operations.

use std::{collections::BTreeMap, sync::Arc};

use regex::bytes::Regex;

use super::{
    code::{Argument, Code, Op, Slot, Target},
    compile::KNOWN,
    records::{Record, Separator},
    value::Value,
};
use crate::{
    Ctx, Errno,
    applets::hand::{Dialect, Out, Outcome, Stop, compile, fail},
    kernel::Memory,
};

mod operations;
mod streams;

use streams::Streams;

/// The longest a text may become.
const LONGEST: usize = 8 << 20;
/// How deep functions may call.
const DEEPEST: usize = 200;
/// In what steps memory is accounted.
const ACCOUNTED: usize = 64 << 10;
/// How many operations are one step.
const OPS: u32 = 8;

// The places of the variables that mean something.
const NF: usize = 0;
const NR: usize = 1;
const FNR: usize = 2;
const FS: usize = 3;
const OFS: usize = 4;
const ORS: usize = 5;
const RS: usize = 6;
const SUBSEP: usize = 7;
const RSTART: usize = 8;
const RLENGTH: usize = 9;
const CONVFMT: usize = 10;
const OFMT: usize = 11;
const FILENAME: usize = 12;
const ENVIRON: usize = 13;
const ARGC: usize = 14;
const ARGV: usize = 15;

/// An array: values in the order they came.
#[derive(Debug, Default)]
struct Array {
    values: BTreeMap<Arc<str>, (u64, Value)>,
    next: u64,
}

#[derive(Clone, Debug, Default)]
enum Cell {
    #[default]
    Unset,
    Value(Value),
    Array(usize),
}

struct Frame {
    back: usize,
    cells: Vec<Cell>,
    iterators: usize,
    stack: usize,
    arrays: Vec<usize>,
}

/// How a run of operations ends.
enum Flow {
    Done,
    Next,
    NextFile,
    Exit,
}

/// A program that runs.
pub(super) struct Machine {
    ctx: Ctx,
    code: Arc<Code>,
    stack: Vec<Value>,
    globals: Vec<Cell>,
    frames: Vec<Frame>,
    arrays: Vec<Array>,
    free: Vec<usize>,
    iterators: Vec<std::vec::IntoIter<Arc<str>>>,
    ranges: Vec<bool>,
    record: Record,
    patterns: BTreeMap<Arc<str>, Arc<Regex>>,
    out: Out,
    streams: Streams,
    seed: u64,
    exit: i32,
    held: (usize, Vec<Memory>),
}

impl Machine {
    pub(super) fn new(ctx: &Ctx, code: Code, operands: &[String]) -> Self {
        let mut machine = Self {
            ctx: ctx.clone(),
            stack: Vec::new(),
            globals: vec![Cell::Unset; code.globals.len()],
            frames: Vec::new(),
            arrays: Vec::new(),
            free: Vec::new(),
            iterators: Vec::new(),
            ranges: vec![false; code.ranges],
            record: Record::default(),
            patterns: BTreeMap::new(),
            out: Out::new(ctx),
            streams: Streams::new(ctx, operands),
            seed: 1,
            exit: 0,
            held: (0, Vec::new()),
            code: Arc::new(code),
        };
        let texts = [(FS, " "), (OFS, " "), (ORS, "\n"), (RS, "\n"), (SUBSEP, "\u{1c}"), (CONVFMT, "%.6g"), (OFMT, "%.6g")];
        for (at, text) in texts {
            machine.globals[at] = Cell::Value(Value::text(text));
        }
        for (name, value) in ctx.env() {
            let array = machine.array(Slot::Global(ENVIRON));
            machine.put(array, name.as_str().into(), Value::read(value));
        }
        let args = std::iter::once("awk").chain(operands.iter().map(String::as_str));
        for (at, arg) in args.enumerate() {
            let array = machine.array(Slot::Global(ARGV));
            machine.put(array, at.to_string().into(), Value::read(arg));
        }
        machine.globals[ARGC] = Cell::Value(Value::Number(operands.len() as f64 + 1.0));
        machine
    }

    /// Gives a variable a value before the program runs.
    pub(super) fn assign(&mut self, name: &str, value: &str) {
        if let Some(at) = self.code.globals.iter().position(|known| known == name) {
            self.globals[at] = Cell::Value(Value::read(value));
        }
    }

    /// Runs the program.
    pub(super) async fn run(mut self) -> Outcome {
        let code = self.code.clone();
        let mut flow = self.execute(code.begin).await?;
        if code.has_main || code.has_end {
            while !matches!(flow, Flow::Exit) {
                let Some(text) = self.next_record().await? else { break };
                self.record.set(text);
                flow = self.execute(code.main).await?;
                if matches!(flow, Flow::NextFile) {
                    self.streams.skip_file();
                }
            }
            self.execute(code.end).await?;
        }
        let Self { mut out, streams, exit, ctx, .. } = self;
        out.flush().await?;
        let failed = streams.finish(&ctx).await?;
        Ok(if exit == 0 && failed { 2 } else { exit })
    }

    async fn broken(&self, text: &str) -> Stop {
        fail(&self.ctx, text).await
    }

    fn global_text(&self, at: usize) -> Arc<str> {
        match &self.globals[at] {
            Cell::Value(value) => value.to_text("%.6g"),
            _ => "".into(),
        }
    }

    fn format(&self) -> Arc<str> {
        self.global_text(CONVFMT)
    }

    /// The next record of the files.
    async fn next_record(&mut self) -> Result<Option<Arc<str>>, Stop> {
        let separator = self.global_text(RS);
        loop {
            let Some(next) = self.streams.record(&separator).await? else { return Ok(None) };
            match next {
                streams::Came::Record(text) => {
                    for at in [NR, FNR] {
                        let number = self.get_variable(Slot::Global(at)).number() + 1.0;
                        self.globals[at] = Cell::Value(Value::Number(number));
                    }
                    return Ok(Some(text));
                }
                streams::Came::File(name) => {
                    self.globals[FILENAME] = Cell::Value(Value::text(name));
                    self.globals[FNR] = Cell::Value(Value::Number(0.0));
                }
                streams::Came::Assignment(name, value) => self.assign(&name, &value),
            }
        }
    }

    fn separator(&mut self) -> Result<Separator, String> {
        let text = self.global_text(FS);
        self.separator_of(&text)
    }

    fn separator_of(&mut self, text: &Arc<str>) -> Result<Separator, String> {
        let mut letters = text.chars();
        Ok(match (letters.next(), letters.next()) {
            (None, _) => Separator::None,
            (Some(' '), None) => Separator::Blanks,
            (Some('\\'), None) => Separator::Char('\\'),
            (Some(c), None) => Separator::Char(c),
            _ => Separator::Pattern(self.pattern(text)?),
        })
    }

    fn pattern(&mut self, text: &Arc<str>) -> Result<Arc<Regex>, String> {
        if let Some(pattern) = self.patterns.get(text) {
            return Ok(pattern.clone());
        }
        let pattern = Arc::new(compile(text, Dialect::Extended, false, false).map_err(|why| format!("bad regex '{text}': {why}"))?);
        // Programs that make ever new patterns keep only some.
        if self.patterns.len() >= 64 {
            self.patterns.clear();
        }
        self.patterns.insert(text.clone(), pattern.clone());
        Ok(pattern)
    }

    async fn pattern_or_stop(&mut self, text: &Arc<str>) -> Result<Arc<Regex>, Stop> {
        match self.pattern(text) {
            Ok(pattern) => Ok(pattern),
            Err(why) => Err(self.broken(&why).await),
        }
    }

    fn pop(&mut self) -> Value {
        self.stack.pop().unwrap_or_default()
    }

    fn pop_text(&mut self) -> Arc<str> {
        let format = self.format();
        self.pop().to_text(&format)
    }

    fn pop_number(&mut self) -> f64 {
        self.pop().number()
    }

    fn push_number(&mut self, number: f64) {
        self.stack.push(Value::Number(number));
    }

    fn push_bool(&mut self, so: bool) {
        self.push_number(f64::from(u8::from(so)));
    }

    fn cell(&mut self, slot: Slot) -> &mut Cell {
        match slot {
            Slot::Local(at) if !self.frames.is_empty() => {
                let frame = self.frames.len() - 1;
                &mut self.frames[frame].cells[at]
            }
            Slot::Local(at) | Slot::Global(at) => &mut self.globals[at],
        }
    }

    /// The array of a variable, which becomes one if it was nothing.
    fn array(&mut self, slot: Slot) -> usize {
        if let Cell::Array(at) = self.cell(slot) {
            return *at;
        }
        let at = self.new_array();
        *self.cell(slot) = Cell::Array(at);
        if let (Slot::Local(_), Some(frame)) = (slot, self.frames.last_mut()) {
            frame.arrays.push(at);
        }
        at
    }

    fn new_array(&mut self) -> usize {
        match self.free.pop() {
            Some(at) => at,
            None => {
                self.arrays.push(Array::default());
                self.arrays.len() - 1
            }
        }
    }

    fn put(&mut self, array: usize, key: Arc<str>, value: Value) {
        self.held.0 += key.len() + value.size() + 64;
        let array = &mut self.arrays[array];
        array.next += 1;
        let next = array.next;
        array.values.entry(key).or_insert((next, Value::Unset)).1 = value;
    }

    /// Accounts what arrays hold by now. It is never given back before the end, as what busybox has allocated is not either.
    fn account(&mut self) -> Result<(), Stop> {
        while self.held.0 > (self.held.1.len() + 1) * ACCOUNTED {
            self.held.1.push(self.ctx.allocate(ACCOUNTED as u64).map_err(Stop::Input)?);
        }
        Ok(())
    }

    fn get_variable(&mut self, slot: Slot) -> Value {
        match self.cell(slot) {
            Cell::Value(value) => value.clone(),
            _ => Value::Unset,
        }
    }

    async fn split_record(&mut self) -> Result<(), Stop> {
        if self.record.is_whole() {
            match self.separator() {
                Ok(separator) => self.record.split(&separator),
                Err(why) => return Err(self.broken(&why).await),
            }
        }
        Ok(())
    }

    fn whole_record(&mut self) -> Arc<str> {
        let (joint, format) = (self.global_text(OFS), self.format());
        self.record.whole(&joint, &format)
    }

    async fn get(&mut self, target: Target) -> Result<Value, Stop> {
        Ok(match target {
            Target::Variable(Slot::Global(NF)) => {
                self.split_record().await?;
                Value::Number(self.record.count() as f64)
            }
            Target::Variable(slot) => self.get_variable(slot),
            Target::Element(slot) => {
                let key = self.pop_text();
                let array = self.array(slot);
                match self.arrays[array].values.get(&key) {
                    Some((_, value)) => value.clone(),
                    // Asking for an element makes it.
                    None => {
                        self.put(array, key, Value::Unset);
                        Value::Unset
                    }
                }
            }
            Target::Field => {
                let at = self.field_number().await?;
                if at == 0 {
                    let whole = self.whole_record();
                    return Ok(Value::read(&whole));
                }
                self.split_record().await?;
                self.record.field(at)
            }
        })
    }

    async fn field_number(&mut self) -> Result<usize, Stop> {
        const MOST: f64 = 1e6;
        let number = self.pop_number();
        if (0.0..=MOST).contains(&number) { Ok(number as usize) } else { Err(self.broken("Access to negative field").await) }
    }

    /// Gives a place a value; its address is on the stack.
    async fn set(&mut self, target: Target, value: Value) -> Result<(), Stop> {
        if value.size() > LONGEST {
            return Err(Stop::Input(Errno::ENOMEM));
        }
        match target {
            Target::Variable(Slot::Global(NF)) => {
                self.split_record().await?;
                self.record.resize((value.number().max(0.0) as usize).min(1 << 20));
            }
            Target::Variable(slot) => {
                if matches!(self.cell(slot), Cell::Array(_)) {
                    return Err(self.broken("Not a scalar").await);
                }
                *self.cell(slot) = Cell::Value(value);
            }
            Target::Element(slot) => {
                let key = self.pop_text();
                let array = self.array(slot);
                self.put(array, key, value);
                self.account()?;
            }
            Target::Field => {
                let at = self.field_number().await?;
                if at == 0 {
                    let format = self.format();
                    self.record.set(value.to_text(&format));
                } else {
                    self.split_record().await?;
                    self.record.set_field(at, value);
                }
            }
        }
        Ok(())
    }

    /// Does operations from a place on.
    async fn execute(&mut self, entry: usize) -> Result<Flow, Stop> {
        let code = self.code.clone();
        let mut at = entry;
        let mut done = 0;
        let base = self.frames.len();
        loop {
            done += 1;
            if done == OPS {
                self.ctx.step(1).await;
                done = 0;
            }
            let op = &code.ops[at];
            at += 1;
            match op {
                Op::Stop => return Ok(Flow::Done),
                Op::Jump(to) => at = *to,
                Op::JumpIf(to, when) => {
                    if self.pop().is_true() == *when {
                        at = *to;
                    }
                }
                Op::Next => {
                    self.unwind(base);
                    return Ok(Flow::Next);
                }
                Op::NextFile => {
                    self.unwind(base);
                    return Ok(Flow::NextFile);
                }
                Op::Exit(has_code) => {
                    if *has_code {
                        self.exit = self.pop_number() as i32 & 255;
                    }
                    self.unwind(base);
                    return Ok(Flow::Exit);
                }
                Op::Call(function, how) => at = self.call(*function, how, at).await?,
                Op::Return => {
                    let value = self.pop();
                    let Some(frame) = self.frames.pop() else { return Ok(Flow::Done) };
                    self.stack.truncate(frame.stack);
                    self.iterators.truncate(frame.iterators);
                    self.drop_arrays(&frame);
                    self.stack.push(value);
                    at = frame.back;
                }
                Op::Each(slot, to) => match self.iterators.last_mut().and_then(Iterator::next) {
                    Some(key) => *self.cell(*slot) = Cell::Value(Value::read(&key)),
                    None => at = *to,
                },
                Op::Range(range, tries) => {
                    if self.ranges[*range] {
                        at = *tries;
                    }
                }
                op => self.simple(op).await?,
            }
        }
    }

    /// Forgets what functions that were left had.
    fn unwind(&mut self, base: usize) {
        while self.frames.len() > base {
            if let Some(frame) = self.frames.pop() {
                self.drop_arrays(&frame);
            }
        }
        self.stack.clear();
        self.iterators.clear();
    }

    fn drop_arrays(&mut self, frame: &Frame) {
        for at in &frame.arrays {
            self.arrays[*at] = Array::default();
            self.free.push(*at);
        }
    }

    async fn call(&mut self, function: usize, how: &[Argument], back: usize) -> Result<usize, Stop> {
        if self.frames.len() >= DEEPEST {
            return Err(self.broken("Recursion too deep").await);
        }
        let routine = self.code.routines[function].clone();
        let values = how.iter().filter(|argument| **argument == Argument::Value).count();
        let given = self.stack.split_off(self.stack.len() - values);
        let mut given = given.into_iter();
        let mut cells = Vec::with_capacity(routine.parameters);
        for argument in how {
            cells.push(match argument {
                Argument::Value => Cell::Value(given.next().unwrap_or_default()),
                Argument::Variable(slot) => match self.cell(*slot).clone() {
                    // What is nothing yet may be made an array by the function; then it is one here too.
                    Cell::Unset if KNOWN.len() <= slot_number(*slot) || matches!(slot, Slot::Local(_)) => Cell::Unset,
                    cell => cell,
                },
            });
        }
        cells.resize(routine.parameters, Cell::Unset);
        self.frames.push(Frame { back, cells, iterators: self.iterators.len(), stack: self.stack.len(), arrays: Vec::new() });
        Ok(routine.entry)
    }
}

fn slot_number(slot: Slot) -> usize {
    match slot {
        Slot::Global(at) | Slot::Local(at) => at,
    }
}
