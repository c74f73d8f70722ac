//! `awk`: a program for each record. A compact one: a parser, a compiler to few operations, and a loop that does them, so that no program
//! of somebody nests calls here.

mod builtin;
mod code;
mod compile;
mod lex;
mod machine;
mod parse;
mod records;
mod tree;
mod value;

use super::hand::{Input, Outcome, Stop, Usage, fail, unescape};
use crate::Ctx;
use machine::Machine;

const USAGE: Usage = Usage::short("[OPTIONS] [AWK_PROGRAM] [FILE]...", "+F:v:f:e:W:");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    let mut operands = given.operands.clone();
    let mut program = String::new();
    for (option, value) in &given.options {
        let Some(value) = value else { continue };
        match option {
            'f' => {
                let mut input = match Input::open(&ctx, value).await {
                    Ok(input) => input,
                    Err(errno) => return Err(fail(&ctx, format!("can't open '{value}': {errno}")).await),
                };
                while let Some(line) = input.line().await.map_err(Stop::Input)? {
                    program.push_str(&String::from_utf8_lossy(&line));
                }
                program.push('\n');
            }
            'e' => program += &format!("{value}\n"),
            _ => {}
        }
    }
    if program.is_empty() {
        if operands.is_empty() {
            return Err(USAGE.explain(&ctx).await);
        }
        program = operands.remove(0);
    }
    let code = match parse::program(&program).and_then(|tree| compile::compile(&tree)) {
        Ok(code) => code,
        Err(why) => return Err(fail(&ctx, format!("cmd. line:{}: {}", why.0, why.1)).await),
    };
    let mut machine = Machine::new(&ctx, code, &operands);
    if let Some(separator) = given.value('F') {
        machine.assign("FS", &plain(separator));
    }
    for assignment in given.values('v') {
        let Some((name, value)) = assignment.split_once('=') else { return Err(USAGE.explain(&ctx).await) };
        machine.assign(name, &plain(value));
    }
    machine.run().await
}

/// A text of the command line with its escapes resolved.
fn plain(text: &str) -> String {
    String::from_utf8_lossy(&unescape(text.as_bytes()).0).into_owned()
}
