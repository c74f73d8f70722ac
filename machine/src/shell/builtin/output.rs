//! Builtins that are applets too: what they do is said there, once.

use crate::{
    applets::{
        self,
        hand::{Dialect, compile},
    },
    shell::{Flow, Shell, pattern::Pattern},
};

/// How much the patterns of a `[[` may cost.
const PATTERN_BUDGET: u64 = 5_000_000;

/// `echo`
pub(super) async fn echo(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    let text = applets::echo::render(args.get(1..).unwrap_or_default());
    if let Err(errno) = shell.ctx.out(text).await {
        shell.complain_as_program(&format!("write error: {errno}")).await;
        return Ok(1);
    }
    Ok(0)
}

/// `printf`
pub(super) async fn printf(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    let args = args.get(1..).unwrap_or_default();
    let args = if args.first().is_some_and(|first| first == "--") { &args[1..] } else { args };
    let Some((format, args)) = args.split_first() else {
        shell.complain_as_program("usage: printf FORMAT [ARGUMENT...]").await;
        return Ok(2);
    };
    let printed = applets::printf::render(format, args);
    let failed = shell.print(printed.text).await;
    for complaint in printed.complaints {
        shell.complain_as_program(&complaint).await;
    }
    Ok(printed.status.max(failed))
}

/// `test`, `[`, `[[`
pub(super) async fn test(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    let called = args.first().map_or("test", String::as_str);
    let args = applets::test::between(called, args.get(1..).unwrap_or_default());
    let matched = |args: &[String]| if called == "[[" { with_patterns(args) } else { args.to_vec() };
    match args.and_then(|args| applets::test::evaluate(&shell.ctx, &matched(args))) {
        Ok(holds) => Ok(i32::from(!holds)),
        Err(message) => {
            shell.complain_as_program(&message).await;
            Ok(2)
        }
    }
}

/// The arguments of `[[`, which compares with patterns: each pattern in place of what it matches.
fn with_patterns(args: &[String]) -> Vec<String> {
    let mut args = args.to_vec();
    for at in 1..args.len().saturating_sub(1) {
        let matches = match args[at].as_str() {
            "=" | "==" | "!=" => {
                let pattern = Pattern::new(args[at + 1].chars().map(|c| (c, false)));
                pattern.matches(&args[at - 1], &mut PATTERN_BUDGET.clone()) == Ok(true)
            }
            "=~" => {
                args[at] = "=".to_owned();
                let regex = compile(&args[at + 1], Dialect::Extended, false, false);
                regex.is_ok_and(|regex| regex.is_match(args[at - 1].as_bytes()))
            }
            _ => continue,
        };
        args[at + 1] = if matches { args[at - 1].clone() } else { format!("{}-", args[at - 1]) };
    }
    args
}

#[cfg(test)]
mod tests {
    use super::with_patterns;

    #[test]
    fn a_pattern_becomes_what_it_matches() {
        let args = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(with_patterns(&args(&["abc", "==", "a*", "-a", "x", "!=", "y"])), args(&["abc", "==", "abc", "-a", "x", "!=", "x-"]));
        assert_eq!(with_patterns(&args(&["abc", "=~", "^a.c$"])), args(&["abc", "=", "abc"]));
        assert_eq!(with_patterns(&args(&["abc", "=~", "^b"])), args(&["abc", "=", "abc-"]));
        assert_eq!(with_patterns(&args(&["=", "="])), args(&["=", "="]));
    }
}
