//! What changes which command comes next.

use crate::shell::{Flow, Shell, syntax::Script};

/// `:`, `true`
pub(super) async fn succeed(_: &mut Shell, _: &[String]) -> Result<i32, Flow> {
    Ok(0)
}

/// `false`
pub(super) async fn fail(_: &mut Shell, _: &[String]) -> Result<i32, Flow> {
    Ok(1)
}

/// `break`, `continue`
pub(super) async fn leave_loop(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    let loops = match args.get(1) {
        Some(text) => match shell.number(text).await? {
            0 => return Err(shell.raise(2, &format!("Illegal number: {text}")).await),
            number => number,
        },
        None => 1,
    };
    let loops = loops.min(shell.loops);
    shell.status = 0;
    match (loops, args.first().map(String::as_str)) {
        (0, _) => Ok(0),
        (loops, Some("break")) => Err(Flow::Break(loops)),
        (loops, _) => Err(Flow::Continue(loops)),
    }
}

/// The status that `exit` and `return` name.
async fn named(shell: &mut Shell, args: &[String]) -> Result<(), Flow> {
    if let Some(text) = args.get(1) {
        let number = shell.number(text).await?;
        shell.status = i32::try_from(number & 255).unwrap_or(0);
    }
    Ok(())
}

/// `exit`
pub(super) async fn exit(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    named(shell, args).await?;
    Err(Flow::Exit)
}

/// `return`
pub(super) async fn leave(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    named(shell, args).await?;
    Err(Flow::Return)
}

/// `eval`
pub(super) async fn eval(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    let text = args.get(1..).unwrap_or_default().join(" ");
    shell.status = 0;
    nested(shell, text, shell.line).await?;
    Ok(shell.status)
}

/// `.`, `source`
pub(super) async fn dot(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    let Some(name) = args.get(1) else {
        shell.complain_as_program(&format!("{}: filename argument required", args.first().map_or(".", String::as_str))).await;
        return Ok(2);
    };
    let path = if name.contains('/') {
        name.clone()
    } else {
        let directories = shell.vars.get("PATH").unwrap_or_default().to_owned();
        let found = directories.split(':').map(|directory| format!("{directory}/{name}")).find(|path| shell.ctx.access(path, 4).is_ok());
        match found {
            Some(path) => path,
            None => return Err(shell.raise(2, &format!("{name}: not found")).await),
        }
    };
    let text = match shell.read_file(&path).await {
        Ok(text) => text,
        Err(errno) => return Err(shell.raise(2, &format!("can't open '{name}': {errno}")).await),
    };
    let outer = args.get(2..).filter(|args| !args.is_empty()).map(|args| std::mem::replace(&mut shell.args, args.to_vec()));
    let speaker = shell.speaker.replace(name.clone());
    let loops = std::mem::take(&mut shell.loops);
    shell.status = 0;
    let result = nested(shell, text, 1).await;
    shell.loops = loops;
    shell.speaker = speaker;
    if let Some(outer) = outer {
        shell.args = outer;
    }
    match result {
        Ok(()) | Err(Flow::Return) => Ok(shell.status),
        Err(flow) => Err(flow),
    }
}

/// Runs a text within the command that runs.
async fn nested(shell: &mut Shell, text: String, line: usize) -> Result<(), Flow> {
    let ctx = shell.ctx.clone();
    let _held = shell.hold_text(&text)?;
    let mut script = Script::new(text.into(), line);
    match ctx.deeper(shell.script(&mut script, false)).await {
        Ok(result) => result,
        Err(_) => Err(shell.overflow().await),
    }
}

/// `exec`
pub(super) async fn exec(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    let args = args.get(1..).unwrap_or_default();
    let args = if args.first().is_some_and(|first| first == "--") { &args[1..] } else { args };
    let Some(name) = args.first() else { return Err(Flow::Keep) };
    let path = shell.vars.get("PATH").unwrap_or_default().to_owned();
    let env = shell.vars.exported();
    shell.status = match shell.ctx.find(name, &path) {
        Ok(file) => shell.execute(&file, args.to_vec(), env).await,
        Err(errno) => shell.not_run(name, errno).await,
    };
    Err(if shell.options.interactive { Flow::Error } else { Flow::Exit })
}
