//! `mkdir`: makes directories.

use super::hand::{Outcome, Usage, apply_mode, complain, fail};
use crate::{Ctx, Errno, files::Kind};

const USAGE: Usage =
    Usage { syntax: "[-m MODE] [-p] DIRECTORY...", short: "pm:v", long: &[("mode", 'm'), ("parents", 'p'), ("verbose", 'v')] };

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 1, usize::MAX).await?;
    let mode = match given.value('m') {
        Some(text) => match apply_mode(text, 0o777, true, ctx.umask()) {
            Some(mode) => Some(mode),
            None => return Err(fail(&ctx, format!("invalid mode '{text}'")).await),
        },
        None => None,
    };
    let mut code = 0;
    for directory in &given.operands {
        let made = if given.has('p') {
            with_parents(&ctx, directory)
        } else {
            ctx.mkdir(directory, 0o777).map_err(|errno| (directory.clone(), errno))
        };
        let made = made.and_then(|()| mode.map_or(Ok(()), |mode| ctx.chmod(directory, mode).map_err(|errno| (directory.clone(), errno))));
        if let Err((path, errno)) = made {
            complain(&ctx, format!("can't create directory '{path}': {errno}")).await;
            code = 1;
        } else if given.has('v') {
            ctx.out(format!("created directory: '{directory}'\n")).await.map_err(super::hand::Stop::Output)?;
        }
    }
    Ok(code)
}

fn with_parents(ctx: &Ctx, path: &str) -> Result<(), (String, Errno)> {
    let mut ends: Vec<usize> = path.char_indices().filter(|(at, c)| *c == '/' && *at > 0).map(|(at, _)| at).collect();
    ends.push(path.len());
    for end in ends {
        let part = &path[..end];
        match ctx.mkdir(part, 0o777) {
            Ok(()) => {}
            Err(Errno::EEXIST) if ctx.stat(part).is_ok_and(|stat| stat.kind == Kind::Directory) => {}
            Err(errno) => return Err((part.to_owned(), errno)),
        }
    }
    Ok(())
}
