//! Variables, arguments and options.

use crate::shell::{Flow, Shell, simple::quote, syntax::is_name};

/// `export`, `readonly`
pub(super) async fn declare(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    let (letters, operands) = shell.letters(args, "pn", "").await?;
    let word = args.first().map_or("export", String::as_str);
    let exports = word == "export";
    let on = letters.iter().all(|(letter, _)| *letter != 'n');
    if operands.is_empty() {
        let told = shell.vars.iter().filter(|(_, var)| if exports { var.exported } else { var.readonly });
        let text = told.map(|(name, var)| match &var.value {
            Some(value) => format!("{word} {name}={}\n", quote(value)),
            None => format!("{word} {name}\n"),
        });
        let text: String = text.collect();
        return Ok(shell.print(text).await);
    }
    for operand in operands {
        let (name, value) = operand.split_once('=').map_or((operand.as_str(), None), |(name, value)| (name, Some(value)));
        if !is_name(name) {
            return Err(shell.raise(2, &format!("{operand}: bad variable name")).await);
        }
        if let Some(value) = value {
            shell.assign(name, value.to_owned()).await?;
        }
        if exports { shell.vars.export(name, on) } else { shell.vars.freeze(name) }
    }
    shell.hold()?;
    Ok(0)
}

/// `local`
pub(super) async fn local(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    if shell.calls == 0 {
        return Err(shell.raise(2, "not in a function").await);
    }
    for operand in args.get(1..).unwrap_or_default() {
        let (name, value) = operand.split_once('=').map_or((operand.as_str(), None), |(name, value)| (name, Some(value)));
        if !is_name(name) {
            return Err(shell.raise(2, &format!("{operand}: bad variable name")).await);
        }
        if shell.vars.writable(name).is_err() {
            return Err(shell.raise(2, &format!("{name}: is read only")).await);
        }
        shell.vars.hide(name);
        match value {
            Some(value) => shell.assign(name, value.to_owned()).await?,
            None => drop(shell.vars.unset(name)),
        }
    }
    Ok(0)
}

/// `unset`
pub(super) async fn unset(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    let (letters, operands) = shell.letters(args, "vf", "").await?;
    let functions = letters.last().is_some_and(|(letter, _)| *letter == 'f');
    for name in operands {
        if functions {
            shell.functions.remove(name);
            continue;
        }
        if !is_name(name) {
            return Err(shell.raise(2, &format!("{name}: bad variable name")).await);
        }
        if shell.vars.unset(name).is_err() {
            return Err(shell.raise(2, &format!("{name}: is read only")).await);
        }
    }
    shell.hold()?;
    Ok(0)
}

/// `set`
pub(super) async fn set(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    let mut rest = args.get(1..).unwrap_or_default();
    if rest.is_empty() {
        let told = shell.vars.iter().filter_map(|(name, var)| Some(format!("{name}={}\n", quote(var.value.as_ref()?))));
        let text: String = told.collect();
        return Ok(shell.print(text).await);
    }
    while let Some((arg, after)) = rest.split_first() {
        let on = arg.starts_with('-');
        if !(on || arg.starts_with('+')) || arg.len() < 2 {
            if arg == "-" {
                (shell.options.xtrace, shell.options.verbose) = (false, false);
                rest = after;
                if !rest.is_empty() {
                    break;
                }
                return Ok(0);
            }
            break;
        }
        rest = after;
        if arg == "--" {
            shell.set_args(rest.to_vec())?;
            return Ok(0);
        }
        for letter in arg[1..].chars() {
            if letter != 'o' {
                if !shell.options.set(letter.encode_utf8(&mut [0; 4]), on) {
                    return Err(shell.raise(2, &format!("illegal option {}{letter}", &arg[..1])).await);
                }
                continue;
            }
            let Some((name, after)) = rest.split_first() else {
                let text = shell.options.listing(!on);
                return Ok(shell.print(text).await);
            };
            if name.len() < 2 || !shell.options.set(name, on) {
                return Err(shell.raise(2, &format!("illegal option {}o {name}", &arg[..1])).await);
            }
            rest = after;
        }
    }
    if !rest.is_empty() {
        shell.set_args(rest.to_vec())?;
    }
    Ok(0)
}

/// `shift`
pub(super) async fn shift(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    let count = match args.get(1) {
        Some(text) => shell.number(text).await?,
        None => 1,
    };
    if count > shell.args.len() {
        return Ok(1);
    }
    let rest = shell.args.split_off(count);
    shell.set_args(rest)?;
    Ok(0)
}

/// `let`
pub(super) async fn calculate(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    let Some(expressions) = args.get(1..).filter(|expressions| !expressions.is_empty()) else {
        return Err(shell.raise(2, "expression expected").await);
    };
    let mut value = 0;
    for expression in expressions {
        value = shell.evaluate(expression).await?;
    }
    Ok(i32::from(value == 0))
}

/// `getopts`
pub(super) async fn getopts(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    let (Some(known), Some(variable)) = (args.get(1), args.get(2)) else {
        return Err(shell.raise(2, "usage: getopts optstring var [arg]").await);
    };
    let given = args.get(3..).filter(|given| !given.is_empty()).map_or_else(|| shell.args.clone(), <[String]>::to_vec);
    let index = shell.vars.get("OPTIND").and_then(|index| index.parse().ok()).unwrap_or(1).max(1);
    // Beyond what is given it begins anew.
    let (index, letter) = if index > given.len() + 1 { (1, 0) } else { (index, shell.letter) };
    let found = next_option(known, &given, index, letter);
    if let Some(message) = &found.message {
        shell.ctx.err(format!("{message}\n")).await;
    }
    shell.assign(variable, found.name.to_string()).await?;
    shell.assign("OPTIND", found.index.to_string()).await?;
    match found.value {
        Some(value) => shell.assign("OPTARG", value).await?,
        None => drop(shell.vars.unset("OPTARG")),
    }
    shell.letter = found.letter;
    Ok(i32::from(found.over))
}

/// What `getopts` finds.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    name: char,
    value: Option<String>,
    index: usize,
    letter: usize,
    message: Option<String>,
    over: bool,
}

/// The next option of arguments: `index` is the number of the argument that comes next, `letter` where the letters that are left of the one before begin.
fn next_option(known: &str, args: &[String], mut index: usize, letter: usize) -> Found {
    let quiet = known.starts_with(':');
    let over = |index| Found { name: '?', value: None, index, letter: 0, message: None, over: true };
    let (arg, at) = match args.get(index.wrapping_sub(2)) {
        Some(arg) if letter > 0 && letter < arg.len() => (arg, letter),
        _ => match args.get(index - 1) {
            Some(arg) if arg == "--" => return over(index + 1),
            Some(arg) if arg.starts_with('-') && arg.len() > 1 => {
                index += 1;
                (arg, 1)
            }
            _ => return over(index),
        },
    };
    let Some(name) = arg.get(at..).and_then(|rest| rest.chars().next()) else { return over(index) };
    let after = at + name.len_utf8();
    let letter = if after < arg.len() { after } else { 0 };
    let takes = known.find(name).filter(|_| name != ':').map(|at| known[at + name.len_utf8()..].starts_with(':'));
    let mut found = Found { name, value: None, index, letter, message: None, over: false };
    match takes {
        Some(false) => found.value = Some(String::new()),
        Some(true) => {
            found.letter = 0;
            if letter > 0 {
                found.value = Some(arg[after..].to_owned());
            } else if let Some(value) = args.get(index - 1) {
                found.value = Some(value.clone());
                found.index = index + 1;
            } else if quiet {
                found.name = ':';
                found.value = Some(name.to_string());
            } else {
                found.name = '?';
                found.message = Some(format!("No arg for -{name} option"));
            }
        }
        None if quiet => {
            found.name = '?';
            found.value = Some(name.to_string());
        }
        None => {
            found.name = '?';
            found.message = Some(format!("Illegal option -{name}"));
        }
    }
    found
}
