//! From a tree to operations.

use std::{collections::BTreeMap, sync::Arc};

use regex::bytes::Regex;

use super::{
    code::{Argument, Code, From, Op, Routine, Slot, Target},
    lex::Wrong,
    tree::{Expr, Place, Redirect, Source, Stmt, Tree, When},
    value::Value,
};
use crate::applets::hand::{Dialect, compile as pattern};

/// The variables that mean something, in this order.
pub(super) const KNOWN: &[&str] =
    &["NF", "NR", "FNR", "FS", "OFS", "ORS", "RS", "SUBSEP", "RSTART", "RLENGTH", "CONVFMT", "OFMT", "FILENAME", "ENVIRON", "ARGC", "ARGV"];

type Compiled<T = ()> = Result<T, Wrong>;

#[derive(Default)]
struct Compiler {
    code: Code,
    names: BTreeMap<String, usize>,
    locals: Vec<String>,
    functions: BTreeMap<String, usize>,
    /// Of each loop: jumps out of it, jumps to its next turn, and whether it goes through an array.
    loops: Vec<(Vec<usize>, Vec<usize>, bool)>,
    in_function: bool,
}

fn wrong<T>(text: impl Into<String>) -> Compiled<T> {
    Err((1, text.into()))
}

fn regex(text: &str) -> Compiled<Arc<Regex>> {
    pattern(text, Dialect::Extended, false, false).map(Arc::new).map_err(|why| (1, format!("bad regex '{text}': {why}")))
}

/// Compiles a program.
pub(super) fn compile(tree: &Tree) -> Compiled<Code> {
    let mut compiler = Compiler::default();
    for name in KNOWN {
        compiler.global(name);
    }
    for (at, function) in tree.functions.iter().enumerate() {
        compiler.functions.insert(function.name.clone(), at);
        compiler.code.routines.push(Routine { entry: 0, parameters: function.parameters.len() });
    }
    for (at, function) in tree.functions.iter().enumerate() {
        compiler.code.routines[at].entry = compiler.code.ops.len();
        compiler.locals.clone_from(&function.parameters);
        compiler.in_function = true;
        compiler.statement(&function.body)?;
        compiler.emit(Op::Push(Value::Unset));
        compiler.emit(Op::Return);
    }
    compiler.in_function = false;
    compiler.locals.clear();
    compiler.code.begin = compiler.code.ops.len();
    compiler.rules(tree, |when| matches!(when, When::Begin))?;
    compiler.code.main = compiler.code.ops.len();
    compiler.rules(tree, |when| !matches!(when, When::Begin | When::End))?;
    compiler.code.end = compiler.code.ops.len();
    compiler.rules(tree, |when| matches!(when, When::End))?;
    compiler.code.has_main = tree.rules.iter().any(|rule| !matches!(rule.when, When::Begin | When::End));
    compiler.code.has_end = tree.rules.iter().any(|rule| matches!(rule.when, When::End));
    Ok(compiler.code)
}

impl Compiler {
    fn emit(&mut self, op: Op) -> usize {
        self.code.ops.push(op);
        self.code.ops.len() - 1
    }

    fn here(&self) -> usize {
        self.code.ops.len()
    }

    /// Makes a jump lead here.
    fn land(&mut self, at: usize) {
        let here = self.here();
        match &mut self.code.ops[at] {
            Op::Jump(to) | Op::JumpIf(to, _) | Op::Each(_, to) => *to = here,
            _ => {}
        }
    }

    fn global(&mut self, name: &str) -> usize {
        if let Some(at) = self.names.get(name) {
            return *at;
        }
        let at = self.code.globals.len();
        self.code.globals.push(name.to_owned());
        self.names.insert(name.to_owned(), at);
        at
    }

    fn slot(&mut self, name: &str) -> Slot {
        match self.locals.iter().position(|local| local == name) {
            Some(at) => Slot::Local(at),
            None => Slot::Global(self.global(name)),
        }
    }

    fn rules(&mut self, tree: &Tree, which: impl Fn(&When) -> bool) -> Compiled {
        for rule in tree.rules.iter().filter(|rule| which(&rule.when)) {
            let mut skips = Vec::new();
            match &rule.when {
                When::If(condition) => {
                    self.expr(condition)?;
                    skips.push(self.emit(Op::JumpIf(0, false)));
                }
                When::Between(from, to) => {
                    let range = self.code.ranges;
                    self.code.ranges += 1;
                    let enter = self.emit(Op::Range(range, 0));
                    self.expr(from)?;
                    skips.push(self.emit(Op::JumpIf(0, false)));
                    self.emit(Op::RangeOpen(range));
                    let tries = self.here();
                    self.expr(to)?;
                    let stays = self.emit(Op::JumpIf(0, false));
                    self.emit(Op::RangeClose(range));
                    self.land(stays);
                    self.code.ops[enter] = Op::Range(range, tries);
                }
                _ => {}
            }
            match &rule.body {
                Some(body) => self.statement(body)?,
                None => _ = self.emit(Op::Print(0, Redirect::None)),
            }
            skips.into_iter().for_each(|skip| self.land(skip));
        }
        self.emit(Op::Stop);
        Ok(())
    }

    fn statement(&mut self, statement: &Stmt) -> Compiled {
        match statement {
            Stmt::Expr(value) => {
                self.expr(value)?;
                self.emit(Op::Pop);
            }
            Stmt::Print(values, redirect, target) | Stmt::Printf(values, redirect, target) => {
                for value in values.iter().chain(target) {
                    self.expr(value)?;
                }
                let formatted = matches!(statement, Stmt::Printf(..));
                self.emit(if formatted { Op::Printf(values.len(), *redirect) } else { Op::Print(values.len(), *redirect) });
            }
            Stmt::Block(statements) => statements.iter().try_for_each(|statement| self.statement(statement))?,
            Stmt::If(condition, then, otherwise) => {
                self.expr(condition)?;
                let skip = self.emit(Op::JumpIf(0, false));
                self.statement(then)?;
                match otherwise {
                    Some(otherwise) => {
                        let over = self.emit(Op::Jump(0));
                        self.land(skip);
                        self.statement(otherwise)?;
                        self.land(over);
                    }
                    None => self.land(skip),
                }
            }
            Stmt::While(..) | Stmt::Do(..) | Stmt::For(..) | Stmt::ForIn(..) => self.repetition(statement)?,
            Stmt::Break | Stmt::Continue => {
                let jump = self.emit(Op::Jump(0));
                match self.loops.last_mut() {
                    Some((out, again, _)) => {
                        if matches!(statement, Stmt::Break) {
                            out.push(jump)
                        } else {
                            again.push(jump)
                        }
                    }
                    None => return wrong("'break' or 'continue' outside a loop"),
                }
            }
            Stmt::Next | Stmt::NextFile => {
                self.emit(if matches!(statement, Stmt::Next) { Op::Next } else { Op::NextFile });
            }
            Stmt::Exit(value) => {
                if let Some(value) = value {
                    self.expr(value)?;
                }
                self.emit(Op::Exit(value.is_some()));
            }
            Stmt::Return(value) => {
                if !self.in_function {
                    return wrong("'return' outside function");
                }
                match value {
                    Some(value) => self.expr(value)?,
                    None => _ = self.emit(Op::Push(Value::Unset)),
                }
                self.emit(Op::Return);
            }
            Stmt::Delete(array, keys) => {
                let slot = self.slot(array);
                if let Some(keys) = keys {
                    self.key(keys)?;
                }
                self.emit(Op::Delete(slot, keys.is_some()));
            }
        }
        Ok(())
    }

    fn repetition(&mut self, statement: &Stmt) -> Compiled {
        self.loops.push((Vec::new(), Vec::new(), matches!(statement, Stmt::ForIn(..))));
        let (top, mut leaves);
        match statement {
            Stmt::While(condition, body) => {
                top = self.here();
                self.expr(condition)?;
                leaves = vec![self.emit(Op::JumpIf(0, false))];
                self.statement(body)?;
                self.again_to(top);
                self.emit(Op::Jump(top));
            }
            Stmt::Do(body, condition) => {
                top = self.here();
                leaves = Vec::new();
                self.statement(body)?;
                let here = self.here();
                self.again_to(here);
                self.expr(condition)?;
                self.emit(Op::JumpIf(top, true));
            }
            Stmt::For(first, condition, step, body) => {
                if let Some(first) = first {
                    self.statement(first)?;
                }
                top = self.here();
                leaves = Vec::new();
                if let Some(condition) = condition {
                    self.expr(condition)?;
                    leaves.push(self.emit(Op::JumpIf(0, false)));
                }
                self.statement(body)?;
                let here = self.here();
                self.again_to(here);
                if let Some(step) = step {
                    self.statement(step)?;
                }
                self.emit(Op::Jump(top));
            }
            Stmt::ForIn(variable, array, body) => {
                let (variable, array) = (self.slot(variable), self.slot(array));
                self.emit(Op::Begin(array));
                top = self.here();
                leaves = vec![self.emit(Op::Each(variable, 0))];
                self.statement(body)?;
                self.again_to(top);
                self.emit(Op::Jump(top));
            }
            _ => return Ok(()),
        }
        let (out, _, through) = self.loops.pop().unwrap_or_default();
        leaves.extend(out);
        leaves.into_iter().for_each(|leave| self.land(leave));
        if through {
            self.emit(Op::Finish);
        }
        Ok(())
    }

    fn again_to(&mut self, place: usize) {
        let jumps = self.loops.last_mut().map(|(_, again, _)| std::mem::take(again)).unwrap_or_default();
        for jump in jumps {
            self.code.ops[jump] = Op::Jump(place);
        }
    }

    fn key(&mut self, keys: &[Expr]) -> Compiled {
        for key in keys {
            self.expr(key)?;
        }
        self.emit(Op::Key(keys.len()));
        Ok(())
    }

    /// Puts on the stack which element or field is meant.
    fn address(&mut self, place: &Place) -> Compiled<Target> {
        Ok(match place {
            Place::Variable(name) => Target::Variable(self.slot(name)),
            Place::Element(array, keys) => {
                self.key(keys)?;
                Target::Element(self.slot(array))
            }
            Place::Field(index) => {
                self.expr(index)?;
                Target::Field
            }
        })
    }

    /// Two values one after the other.
    fn both(&mut self, left: &Expr, right: &Expr) -> Compiled {
        self.expr(left)?;
        self.expr(right)
    }

    fn expr(&mut self, expr: &Expr) -> Compiled {
        match expr {
            Expr::And(..) | Expr::Or(..) | Expr::Choice(..) => self.decision(expr)?,
            Expr::Match(..) | Expr::Getline(..) => self.reading(expr)?,
            Expr::Number(number) => _ = self.emit(Op::Push(Value::Number(*number))),
            Expr::Text(text) => _ = self.emit(Op::Push(Value::text(text.as_str()))),
            Expr::Pattern(text) => {
                let pattern = regex(text)?;
                self.emit(Op::MatchRecord(pattern));
            }
            Expr::Place(place) => {
                let target = self.address(place)?;
                self.emit(Op::Get(target));
            }
            Expr::Assign(place, operator, value) => {
                let target = self.address(place)?;
                if let Some(operator) = operator {
                    if target.has_address() {
                        self.emit(Op::Dup);
                    }
                    self.emit(Op::Get(target));
                    self.expr(value)?;
                    self.emit(Op::Binary(*operator));
                } else {
                    self.expr(value)?;
                }
                self.emit(Op::Set(target));
            }
            Expr::Step(place, by, old) => {
                let target = self.address(place)?;
                self.emit(Op::Step(target, *by, *old));
            }
            Expr::Binary(operator, left, right) => {
                self.both(left, right)?;
                self.emit(Op::Binary(*operator));
            }
            Expr::Compare(operator, left, right) => {
                self.both(left, right)?;
                self.emit(Op::Compare(operator));
            }
            Expr::Concat(left, right) => {
                self.both(left, right)?;
                self.emit(Op::Concat);
            }
            Expr::In(keys, array) => {
                self.key(keys)?;
                let slot = self.slot(array);
                self.emit(Op::In(slot));
            }
            Expr::Not(inner) => {
                self.expr(inner)?;
                self.emit(Op::Not);
            }
            Expr::Minus(inner) => {
                self.expr(inner)?;
                self.emit(Op::Minus);
            }
            Expr::Plus(inner) => {
                self.expr(inner)?;
                self.emit(Op::ToNumber);
            }
            Expr::Group(inside) => match inside.as_slice() {
                [one] => self.expr(one)?,
                _ => return wrong("Unexpected token"),
            },
            Expr::Call(name, args) => self.call(name, args)?,
            Expr::Builtin(name, args) => self.builtin(name, args)?,
        }
        Ok(())
    }

    /// What is decided before all of it is known.
    fn decision(&mut self, expr: &Expr) -> Compiled {
        match expr {
            Expr::And(left, right) | Expr::Or(left, right) => {
                let is_or = matches!(expr, Expr::Or(..));
                self.expr(left)?;
                self.emit(Op::ToBool);
                self.emit(Op::Dup);
                let decided = self.emit(Op::JumpIf(0, is_or));
                self.emit(Op::Pop);
                self.expr(right)?;
                self.emit(Op::ToBool);
                self.land(decided);
            }
            Expr::Choice(condition, yes, no) => {
                self.expr(condition)?;
                let skip = self.emit(Op::JumpIf(0, false));
                self.expr(yes)?;
                let over = self.emit(Op::Jump(0));
                self.land(skip);
                self.expr(no)?;
                self.land(over);
            }
            _ => {}
        }
        Ok(())
    }

    /// What has to do with patterns and input.
    fn reading(&mut self, expr: &Expr) -> Compiled {
        match expr {
            Expr::Match(inverted, left, right) => {
                self.expr(left)?;
                if let Expr::Pattern(text) = right.as_ref() {
                    let pattern = regex(text)?;
                    self.emit(Op::MatchFixed(pattern, *inverted));
                } else {
                    self.expr(right)?;
                    self.emit(Op::MatchAny(*inverted));
                }
            }
            Expr::Getline(source, place) => {
                let target = match place {
                    Some(place) => Some(self.address(place)?),
                    None => None,
                };
                let from = match source {
                    Source::Main => From::Main,
                    Source::File(file) => {
                        self.expr(file)?;
                        From::File
                    }
                    Source::Command(command) => {
                        self.expr(command)?;
                        From::Command
                    }
                };
                self.emit(Op::Getline(from, target));
            }
            _ => {}
        }
        Ok(())
    }

    fn call(&mut self, name: &str, args: &[Expr]) -> Compiled {
        let Some(function) = self.functions.get(name).copied() else { return wrong("Call to undefined function") };
        if args.len() > self.code.routines[function].parameters {
            return wrong("Too many arguments");
        }
        let mut how = Vec::new();
        for arg in args {
            if let Expr::Place(Place::Variable(name)) = arg {
                how.push(Argument::Variable(self.slot(name)));
            } else {
                self.expr(arg)?;
                how.push(Argument::Value);
            }
        }
        self.emit(Op::Call(function, how));
        Ok(())
    }

    fn builtin(&mut self, name: &'static str, args: &[Expr]) -> Compiled {
        let (least, most) = match name {
            "length" | "srand" | "close" | "fflush" => (0, 1),
            "substr" | "split" | "sub" | "gsub" => (2, 3),
            "index" | "match" | "atan2" | "and" | "or" | "xor" | "lshift" | "rshift" => (2, 2),
            "sprintf" => (1, usize::MAX),
            "rand" | "systime" => (0, 0),
            "strftime" => (0, 3),
            _ => (1, 1),
        };
        if args.len() < least || args.len() > most {
            return wrong("Too few arguments");
        }
        let (mut pattern, mut array, mut target, mut count) = (None, None, None, 0);
        // An array, a pattern or a place is not put on the stack.
        for (at, arg) in args.iter().enumerate() {
            match (name, at, arg) {
                ("length", 0, Expr::Place(Place::Variable(name))) => {
                    array = Some(self.slot(name));
                    continue;
                }
                ("split", 1, Expr::Place(Place::Variable(name))) => {
                    array = Some(self.slot(name));
                    continue;
                }
                ("split", 1, _) => return wrong("Not an array"),
                ("sub" | "gsub", 0, Expr::Pattern(text)) | ("match", 1, Expr::Pattern(text)) | ("split", 2, Expr::Pattern(text)) => {
                    pattern = Some(regex(text)?);
                    continue;
                }
                ("sub" | "gsub", 2, Expr::Place(place)) => {
                    target = Some(self.address(place)?);
                    continue;
                }
                ("sub" | "gsub", 2, _) => {
                    // What is no place is changed for nobody.
                    continue;
                }
                _ => {}
            }
            self.expr(arg)?;
            count += 1;
        }
        if matches!(name, "sub" | "gsub") && args.len() == 2 {
            self.emit(Op::Push(Value::Number(0.0)));
            target = Some(Target::Field);
        }
        self.emit(Op::Builtin(name, count, pattern, array, target));
        Ok(())
    }
}
