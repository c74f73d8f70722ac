//! `md5sum`, `sha1sum`, `sha256sum`, `sha512sum`: sums of files, and whether they are still right.

use super::hand::{Input, Out, Outcome, Stop, Usage, complain, hex, name, open_or_complain};
use crate::{Ctx, Errno};

mod md5;

const USAGE: Usage = Usage::short("[-c[sw]] [FILE]...", "scwb");

enum Sum {
    Md5(md5::Md5),
    Sha(ring::digest::Context),
}

impl Sum {
    fn new(called: &str) -> Self {
        use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, SHA512};
        match called {
            "md5sum" => Self::Md5(md5::Md5::default()),
            "sha1sum" => Self::Sha(Context::new(&SHA1_FOR_LEGACY_USE_ONLY)),
            "sha384sum" => Self::Sha(Context::new(&SHA384)),
            "sha512sum" => Self::Sha(Context::new(&SHA512)),
            _ => Self::Sha(Context::new(&SHA256)),
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        match self {
            Self::Md5(sum) => sum.add(bytes),
            Self::Sha(sum) => sum.update(bytes),
        }
    }

    fn finish(self) -> String {
        match self {
            Self::Md5(sum) => hex(&sum.finish()),
            Self::Sha(sum) => hex(sum.finish().as_ref()),
        }
    }
}

async fn sum_of(ctx: &Ctx, input: &mut Input) -> Result<String, Errno> {
    let mut sum = Sum::new(name(ctx));
    loop {
        let piece = input.piece(usize::MAX).await?;
        if piece.is_empty() {
            return Ok(sum.finish());
        }
        sum.add(&piece);
        input.looked_at(piece.len()).await;
    }
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    let (mut out, mut code) = (Out::new(&ctx), 0);
    for file in given.files() {
        let Some(mut input) = open_or_complain(&ctx, &file, true).await else {
            code = 1;
            continue;
        };
        if given.has('c') {
            code |= check(&ctx, &mut input, &mut out, given.has('s')).await?;
            continue;
        }
        match sum_of(&ctx, &mut input).await {
            Ok(sum) => out.line(format!("{sum}  {file}")).await?,
            Err(errno) => {
                complain(&ctx, format!("can't read '{file}': {errno}")).await;
                code = 1;
            }
        }
    }
    out.end(code).await
}

async fn check(ctx: &Ctx, list: &mut Input, out: &mut Out, silent: bool) -> Outcome {
    let (mut failed, mut all) = (0, 0);
    while let Some(line) = list.line().await.map_err(Stop::Input)? {
        let line = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
        let Some((sum, file)) = line.split_once("  ").or_else(|| line.split_once(" *")) else { continue };
        all += 1;
        let right = match open_or_complain(ctx, file, true).await {
            Some(mut input) => sum_of(ctx, &mut input).await.is_ok_and(|own| own.eq_ignore_ascii_case(sum)),
            None => false,
        };
        failed += i32::from(!right);
        if !silent {
            out.line(format!("{file}: {}", if right { "OK" } else { "FAILED" })).await?;
        }
    }
    out.flush().await?;
    if failed > 0 && !silent {
        complain(ctx, format!("WARNING: {failed} of {all} computed checksums did NOT match")).await;
    }
    if all == 0 {
        complain(ctx, "no checksum lines found").await;
        return Ok(1);
    }
    Ok(i32::from(failed > 0))
}
